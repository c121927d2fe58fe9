"""Messages between driver and workers.

A *batch* is one message to a worker: trials to evaluate, or proposal requests for methods that are
expensive to ask. `runner.engine.codec` writes it as text, `runner.engine.worker` does the work.

A method is a function of its history, so a proposal request holds everything that the answer depends on
and can be answered in any process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.trial import Answer, Config, Outcome, Pending, Trial


def overdue_message(limit: float) -> str:
    """Give the reason for ending a run whose method has exceeded its time limit."""
    return f"the method was still computing a proposal after {limit:g} s (the study's trial.proposal_timeout)"


@dataclass(frozen=True, slots=True)
class ProposalRequest:
    """Everything that a method's answer may depend on.

    Attributes
    ----------
    number : int
        Number of the trial to propose.
    entropy : int
        Seed of the run's proposals.
    given : dict or None
        The answer, where the run starts from a given config and the method is not to be asked.
    """

    number: int
    completed: Sequence[Trial]
    pending: Sequence[Pending]
    entropy: int
    given: Config | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer to a proposal request.

    Attributes
    ----------
    answer : dict, WAIT, DONE or None
        A config of the space; None if there is an error.
    seconds : float
        Time that the method took.
    error : str
        Message, where the method raised or proposed a config outside the space.
    outcome : Outcome or None
        Outcome of the config, where it was evaluated at once.
    """

    answer: Config | Answer | None
    seconds: float
    error: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One proposed trial that needs an outcome.

    Attributes
    ----------
    run : int
        Position of its run in the study.
    asked : float
        Time of the proposal, by the driver's monotonic clock.
    earlier : tuple of str
        Endings of its earlier attempts.
    crashes : int
        Number of workers that died while evaluating only this job.
    key : (int, str) or None
        Key under which other runs of the block find the outcome; see `runner.engine.cache`.
    isolated : bool
        Nothing else may be evaluated meanwhile: Ray or the driver died during it before.
    """

    run: int
    pending: Pending
    asked: float
    earlier: tuple[str, ...] = ()
    crashes: int = 0
    key: tuple[int, str] | None = None
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class ProposalJob:
    """One proposal request for a worker.

    Attributes
    ----------
    run : int
        Position of its run in the study.
    crashes : int
        Number of workers that died while answering only this request.
    then_evaluate : bool
        The worker evaluates the proposed config at once.
    """

    run: int
    request: ProposalRequest
    crashes: int = 0
    then_evaluate: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs or proposal requests that are sent to a worker in one message; one of the two is empty.

    Attributes
    ----------
    deadline : float or None
        Seconds after which a worker that has not answered is killed.
    number : int
        Unique in its session.
    """

    jobs: tuple[Job, ...]
    proposals: tuple[ProposalJob, ...] = ()
    deadline: float | None = None
    number: int = 0

    def __len__(self) -> int:
        return len(self.jobs) + len(self.proposals)

    @property
    def isolated(self) -> bool:
        """True if nothing else may be evaluated meanwhile."""
        return any(job.isolated for job in self.jobs)


@dataclass(frozen=True, slots=True)
class Rescued:
    """Remains of a batch whose worker died.

    Attributes
    ----------
    outcomes : tuple of Outcome
        Outcomes of the jobs that had ended, from the first on; the next job had started, or was about to.
    offsets : tuple of float
        Seconds from the start of the batch to the start of each.
    cause : str
        "timeout" or "memory" where the watchdog killed the worker; else empty.
    detail : str
        Message about the cause.
    seconds : float or None
        Duration of the trial that was killed.
    """

    outcomes: tuple[Outcome, ...] = ()
    offsets: tuple[float, ...] = ()
    worker: str = ""
    cause: str = ""
    detail: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A job as a worker sees it.

    Attributes
    ----------
    problem : int
        Position of the problem in the study.
    seed : int
        Problem seed of the block.
    known : sequence of sequence of float, or None
        Losses by step of the trials that the proposal knew, where a scheduler may stop this one.
    key : str
        Key of its checkpoints on every attempt; empty where it has none.
    """

    problem: int
    seed: int
    config: Config
    known: Sequence[Sequence[float]] | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A worker's answer to a batch.

    Attributes
    ----------
    outcomes : tuple of Outcome
        One per job, in their order; fewer where the worker returned the rest unstarted.
    offsets : tuple of float
        Seconds from the start of the batch to the start of each job.
    seconds : float
        Duration of the whole batch.
    replies : tuple of Reply
        One per proposal request.
    """

    outcomes: tuple[Outcome, ...] = ()
    offsets: tuple[float, ...] = ()
    seconds: float = 0.0
    worker: str = ""
    replies: tuple[Reply, ...] = ()

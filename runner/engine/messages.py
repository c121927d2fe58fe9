"""What travels to a lane and back.

A *bundle* is a few jobs that travel together: trials to evaluate, or questions for methods whose
thinking is dear. `runner.engine.codec` makes text of it, and `runner.engine.worker.evaluate` does what it asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.engine.requests import Question, Reply
from runner.trial import Config, Outcome, Pending


@dataclass(frozen=True, slots=True)
class Job:
    """One trial on its way to its outcome.

    Attributes
    ----------
    run : int
        Position of its run in the study.
    pending : Pending
    asked : float
        When it was proposed, by the driver's monotonic clock.
    earlier : tuple of str
        What became of it each time that it was sent before.
    crashes : int
        How many lanes died while it was alone with them.
    key : (int, str) or None
        What others of its block find its outcome by; see `runner.engine.cache`.
    isolated : bool
        Whether nothing else may be evaluated meanwhile: everything has ended during it before.
    """

    run: int
    pending: Pending
    asked: float
    earlier: tuple[str, ...] = ()
    crashes: int = 0
    key: tuple[int, str] | None = None
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class Thought:
    """One question on its way to a lane.

    Attributes
    ----------
    run : int
        Position of its run in the study.
    question : Question
    crashes : int
        How many lanes died while it was alone with them.
    goes_on : bool
        Whether the lane evaluates the answer at once.
    """

    run: int
    question: Question
    crashes: int = 0
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Bundle:
    """Jobs, or thoughts, that travel to a lane together.

    Attributes
    ----------
    jobs : tuple of Job
    thoughts : tuple of Thought
        One of the two is empty.
    deadline : float or None
        Seconds after which a lane that has not answered is to be killed.
    number : int
        Unique in its session.
    """

    jobs: tuple[Job, ...]
    thoughts: tuple[Thought, ...] = ()
    deadline: float | None = None
    number: int = 0

    def __len__(self) -> int:
        return len(self.jobs) + len(self.thoughts)

    @property
    def isolated(self) -> bool:
        """Whether nothing else may be evaluated meanwhile."""
        return any(job.isolated for job in self.jobs)


@dataclass(frozen=True, slots=True)
class Rescued:
    """What a lane that died has left of a bundle.

    Attributes
    ----------
    outcomes : tuple of Outcome
        Of the jobs that had ended, from the first on; the next one was begun, or about to be.
    offsets : tuple of float
        Seconds from the bundle's start to the start of each.
    worker : str
    cause : str
        "timeout" or "memory" where the lane was killed for it; else empty.
    detail : str
        A sentence about that.
    seconds : float or None
        How long the trial had taken that was killed.
    """

    outcomes: tuple[Outcome, ...] = ()
    offsets: tuple[float, ...] = ()
    worker: str = ""
    cause: str = ""
    detail: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What a lane needs to know of a job.

    Attributes
    ----------
    problem : int
        Its position in the study.
    seed : int
        The block's.
    config : dict
    known : sequence of sequence of float, or None
        The losses by step of the trials that its proposal knew, where a scheduler may stop it.
    key : str
        What its checkpoints are found by on every attempt; empty where it has none.
    """

    problem: int
    seed: int
    config: Config
    known: Sequence[Sequence[float]] | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a lane says of a bundle.

    Attributes
    ----------
    outcomes : tuple of Outcome
        One per job, in their order; fewer where the rest was not begun.
    offsets : tuple of float
        Seconds from the bundle's start to each job's start.
    seconds : float
        Duration of the whole bundle.
    worker : str
        Who evaluated it.
    replies : tuple of Reply
        One per thought.
    """

    outcomes: tuple[Outcome, ...] = ()
    offsets: tuple[float, ...] = ()
    seconds: float = 0.0
    worker: str = ""
    replies: tuple[Reply, ...] = ()

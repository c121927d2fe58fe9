"""The data types of a run: config, pending trial, completed trial, status, and the two answers.

A `Pending` trial has been proposed, a `Trial` has ended; they are different types so that a
method cannot confuse them. A method can answer ``WAIT`` or ``DONE`` instead of a config.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final, Literal

Scalar = str | int | float | bool | None
Config = dict[str, Scalar]
Order = Literal["trial", "async"]
"""The order in which a run sees its results: that of its trials, or that of their arrival."""

NOTHING_MORE: Final = "the method has nothing more to propose"
"""The ``end_reason`` of a run whose method answered DONE."""

GIVEN_UP: Final = "its first trials all failed alike"
"""The beginning of the ``end_reason`` of a run whose objective only fails."""


@dataclass(frozen=True)
class Budget:
    """The limits of a run, which ends at whichever it reaches first.

    Attributes
    ----------
    trials : int or None
        Trials of any status; full-evaluation equivalents if a scheduler may stop them early.
    seconds : float or None
        Evaluation plus the method's own computation, summed over the trials that the next
        proposal would know.
    """

    trials: int | None = None
    seconds: float | None = None


class Status(enum.StrEnum):
    """The result status of a trial."""

    COMPLETED = "COMPLETED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    CRASHED = "CRASHED"
    INVALID = "INVALID"

    @property
    def sentence(self) -> str:
        """Explanation of the status, for a user."""
        return _SENTENCES[self]

    @property
    def failed(self) -> bool:
        """True if something went wrong; a trial stopped by a scheduler has not failed."""
        return self not in (Status.COMPLETED, Status.STOPPED)


_SENTENCES: Final = {
    Status.COMPLETED: "evaluated to the end, with a finite loss",
    Status.STOPPED: "stopped early by the scheduler",
    Status.FAILED: "the objective raised an exception",
    Status.TIMEOUT: "took longer than the time limit of a trial",
    Status.CRASHED: "the worker process died during the trial",
    Status.INVALID: "the metric was missing, not a number, or infinite",
}


class Answer(enum.Enum):
    """A method's answer instead of a config."""

    WAIT = "wait"
    DONE = "done"


WAIT: Final = Answer.WAIT
"""The method needs the result of a pending trial first."""
DONE: Final = Answer.DONE
"""The method has nothing more to propose, now or later."""


class Origin(enum.StrEnum):
    """The source of a trial's outcome."""

    EVALUATED = "evaluated"
    CACHED = "cached"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Pending:
    """A trial that has been proposed and has not ended.

    Attributes
    ----------
    number : int
        Position in the run, from 0.
    config : dict
        The active parameters, Python scalars.
    suggest_seconds : float
        Duration of the proposal.
    known : int
        Number of trials of the run that the method knew; in trial order, those from number 0.
    """

    number: int
    config: Config
    suggest_seconds: float = 0.0
    known: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one evaluation; the loss is minimised, the value is as the problem reports it.

    Attributes
    ----------
    loss : float or None
        Finite and to be minimised if the status is COMPLETED or STOPPED, otherwise None.
    value : float or None
        The metric in the problem's own direction.
    test : float or None
        The metric on a held-out part that no method sees, in the problem's own direction.
    gradient : dict of str to float, or None
        d loss / d parameter in the parameter's own unit; may lack parameters.
    metrics : dict of str to float
        Further numbers that the objective returned.
    folds : tuple of float
        Loss per cross-validation fold.
    error : str
        A message, if the status is not COMPLETED.
    seconds : float
        Duration of the evaluation.
    steps : tuple of float
        Loss after each step of an objective that reports steps; NaN for a step without a loss.
    step_seconds : tuple of float
        Seconds from the evaluation's start to each step.
    share : float
        Share of a full evaluation; less than 1 if it was stopped early.
    """

    status: Status
    loss: float | None = None
    value: float | None = None
    test: float | None = None
    gradient: dict[str, float] | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    folds: tuple[float, ...] = ()
    error: str = ""
    seconds: float = 0.0
    steps: tuple[float, ...] = ()
    step_seconds: tuple[float, ...] = ()
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that has ended: one row of a study.

    Attributes
    ----------
    number, config
        As in `Pending`.
    origin : Origin
        Evaluated, shared from another run, or looked up in a record.
    suggest_seconds, queue_seconds : float
        Duration of the proposal, and the wait between proposal and start.
    started : float
        Start of the evaluation, seconds since the run's start on a monotonic clock.
    worker : str
        Name of the worker that evaluated it.
    earlier : tuple of str
        A message for each earlier attempt.
    known : int
        As in `Pending`.
    """

    number: int
    config: Config
    outcome: Outcome
    origin: Origin = Origin.EVALUATED
    suggest_seconds: float = 0.0
    queue_seconds: float = 0.0
    started: float = 0.0
    worker: str = ""
    earlier: tuple[str, ...] = ()
    known: int = 0

    @property
    def attempts(self) -> int:
        """Number of attempts; more than 1 after a crash."""
        return 1 + len(self.earlier)

    @property
    def status(self) -> Status:
        """The status of the outcome."""
        return self.outcome.status

    @property
    def loss(self) -> float | None:
        """The loss, or None."""
        return self.outcome.loss

    @property
    def gradient(self) -> dict[str, float] | None:
        """D loss / d parameter, or None."""
        return self.outcome.gradient

    @property
    def failed(self) -> bool:
        """True if the trial was neither completed nor stopped by a scheduler."""
        return self.outcome.status.failed

    @property
    def valid(self) -> bool:
        """True if it can be the incumbent: completed, with a finite loss."""
        return self.outcome.status is Status.COMPLETED and self.outcome.loss is not None

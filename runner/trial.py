"""Types of a run: config, pending trial, finished trial, status, the two answers, and their JSON.

A `Pending` trial has been proposed, a `Trial` has ended; they are different types so that a
method cannot take one for the other. A method answers ``WAIT`` or ``DONE`` instead of a config.

JSON holds an outcome or a trial as the list of its fields in their order (`outcome_to_json`), or by
name (`dataclasses.asdict`); `outcome_from_json` and `trial_from_json` read both.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Final, Literal

Scalar = str | int | float | bool | None
Config = dict[str, Scalar]
Order = Literal["trial", "async"]
"""Order in which a run sees its results: by trial number, or as they arrive."""

NOTHING_MORE: Final = "the method has nothing more to propose"
"""The ``end_reason`` of a run whose method has exhausted its space."""

GIVEN_UP: Final = "its first trials all failed alike"
"""The beginning of the ``end_reason`` of a run whose objective only fails."""


@dataclass(frozen=True)
class Budget:
    """Limits of a run, which ends at whichever it reaches first.

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
    """Final state of a trial."""

    COMPLETED = "COMPLETED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    CRASHED = "CRASHED"
    INVALID = "INVALID"

    @property
    def meaning(self) -> str:
        """Explanation for a reader."""
        return _MEANINGS[self]

    @property
    def failed(self) -> bool:
        """True unless the trial was completed or stopped by a scheduler."""
        return self not in (Status.COMPLETED, Status.STOPPED)


_MEANINGS: Final = {
    Status.COMPLETED: "evaluated to the end, with a finite loss",
    Status.STOPPED: "stopped early by the scheduler",
    Status.FAILED: "the objective raised an exception",
    Status.TIMEOUT: "took longer than the time limit of a trial",
    Status.CRASHED: "the worker process died during the trial",
    Status.INVALID: "the metric was missing, not a number, or infinite",
}


class Answer(enum.Enum):
    """Answers of a method that are not a config."""

    WAIT = "wait"
    DONE = "done"


WAIT: Final = Answer.WAIT
"""The method needs the result of a pending trial first."""
DONE: Final = Answer.DONE
"""The method has nothing more to propose, now or later."""


class Origin(enum.StrEnum):
    """Source of a trial's outcome."""

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
        Time that the method took to propose it.
    known : int
        Number of the run's trials that the method knew; in trial order, those from number 0 on.
    """

    number: int
    config: Config
    suggest_seconds: float = 0.0
    known: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one evaluation; the loss is minimised, the value is as the problem reports it.

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
        Message, where the status is not COMPLETED.
    seconds : float
        Duration of the evaluation.
    steps : tuple of float
        Loss after each step of an objective with steps; NaN where a step had none.
    step_seconds : tuple of float
        Seconds from the evaluation's start to each step.
    share : float
        Fraction of a full evaluation that it spent; less than 1 where it was stopped early.
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
        Evaluated, shared from another run, or replayed.
    suggest_seconds, queue_seconds : float
        The method's computation, and the wait between proposal and start.
    started : float
        Start of the evaluation, seconds since the run's start on a monotonic clock.
    worker : str
        Name of the worker that evaluated it.
    earlier : tuple of str
        One message per earlier attempt, saying how it ended.
    known : int
        Number of the run's trials that the method knew when it proposed this one; see `Pending`.
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
    def status(self) -> Status:
        """Status of the outcome."""
        return self.outcome.status

    @property
    def loss(self) -> float | None:
        """The loss, or None."""
        return self.outcome.loss

    @property
    def gradient(self) -> dict[str, float] | None:
        """Derivatives of the loss by parameter, or None."""
        return self.outcome.gradient

    @property
    def failed(self) -> bool:
        """True unless it was completed or stopped by a scheduler."""
        return self.outcome.status.failed

    @property
    def valid(self) -> bool:
        """True where it may be the incumbent: completed, with a finite loss."""
        return self.outcome.status is Status.COMPLETED and self.outcome.loss is not None


_values_of_outcome = attrgetter(*(item.name for item in fields(Outcome)))
_values_of_trial = attrgetter(*(item.name for item in fields(Trial)))
_values_of_pending = attrgetter(*(item.name for item in fields(Pending)))


def outcome_to_json(outcome: Outcome) -> tuple[Any, ...]:
    """List the fields of an outcome in their order, as JSON has them."""
    values: tuple[Any, ...] = _values_of_outcome(outcome)
    return values


def outcome_from_json(data: Sequence[Any] | dict[str, Any]) -> Outcome:
    """Restore an outcome from its fields, in their order or by name; by name, defaults may be absent."""
    values = _values_of_outcome(Outcome(**data)) if isinstance(data, dict) else data
    status, loss, value, test, gradient, metrics, folds, error, seconds, steps, step_seconds, share = values
    return Outcome(
        Status(status),
        loss,
        value,
        test,
        gradient,
        metrics,
        tuple(folds),
        error,
        seconds,
        tuple(steps),
        tuple(step_seconds),
        share,
    )


def trial_to_json(trial: Trial) -> tuple[Any, ...]:
    """List the fields of a trial in their order, as JSON has them."""
    number, config, outcome, *others = _values_of_trial(trial)
    return (number, config, _values_of_outcome(outcome), *others)


def trial_from_json(data: Sequence[Any] | dict[str, Any]) -> Trial:
    """Restore a trial from its fields, in their order or by name; by name, defaults may be absent."""
    values = _values_of_trial(Trial(**data)) if isinstance(data, dict) else data
    number, config, outcome, origin, suggest, queue, started, worker, earlier, known = values
    outcome, origin, earlier = outcome_from_json(outcome), Origin(origin), tuple(earlier)
    return Trial(number, config, outcome, origin, suggest, queue, started, worker, earlier, known)


def pending_to_json(pending: Pending) -> tuple[Any, ...]:
    """List the fields of a pending trial in their order, as JSON has them."""
    values: tuple[Any, ...] = _values_of_pending(pending)
    return values


def pending_from_json(data: Sequence[Any] | dict[str, Any]) -> Pending:
    """Restore a pending trial from its fields, in their order or by name."""
    return Pending(**data) if isinstance(data, dict) else Pending(*data)

"""What a tracker is told, and what every one of them makes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from runner.study.study import RunSpec, Study
from runner.trial import Trial


@dataclass(frozen=True)
class Ended:
    """A run that has ended: why, and its incumbent."""

    reason: str
    best: Trial | None


class Tracker(ABC):
    """One tracker of one study; its calls come one after the other, from one thread.

    Any of them may raise; it is then not called again.
    """

    @abstractmethod
    def begin(self, study: Study, history: list[list[Trial]]) -> None:
        """The study starts or goes on; with the trials that each of its runs has already."""

    @abstractmethod
    def trials(self, index: int, ended: list[Trial]) -> None:
        """Trials of the run at this position have ended."""

    @abstractmethod
    def finished(self, index: int, ended: Ended) -> None:
        """The run at this position has ended."""

    def close(self) -> None:  # noqa: B027  (most have nothing to close)
        """Nothing more will come."""


class Incumbents:
    """The best value of a run so far, in the problem's own direction."""

    def __init__(self) -> None:
        self._best: dict[int, tuple[float, float]] = {}

    def after(self, index: int, trial: Trial) -> float | None:
        """The incumbent's value after one more trial; None before the first valid one."""
        loss, value = trial.loss, trial.outcome.value
        if trial.valid and loss is not None and value is not None:
            self._best[index] = min(self._best.get(index, (loss, value)), (loss, value))
        return self._best[index][1] if index in self._best else None


def figures_of(spec: RunSpec, trial: Trial) -> dict[str, float]:
    """The numbers of a trial by their names: the metric, held-out test, seconds, further metrics."""
    outcome = trial.outcome
    found: dict[str, float | None] = {
        **outcome.metrics,
        spec.problem.metric: outcome.value,
        "test": outcome.test,
        "seconds": outcome.seconds,
        "failed": float(trial.failed),
    }
    return {name: float(value) for name, value in found.items() if value is not None and value == value}

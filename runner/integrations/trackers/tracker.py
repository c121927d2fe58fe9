"""Interface of trackers, and the figures that all of them report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from runner.study.study import RunSpec, Study
from runner.trial import Trial


@dataclass(frozen=True)
class Ended:
    """End of a run: its reason, and the incumbent."""

    reason: str
    best: Trial | None


class Tracker(ABC):
    """Tracker of one study, called from one thread.

    Any method may raise; the tracker is then not called again.
    """

    @abstractmethod
    def begin(self, study: Study, history: list[list[Trial]]) -> None:
        """Start or resume the study, with the trials that each of its runs already has."""

    @abstractmethod
    def trials(self, index: int, ended: list[Trial]) -> None:
        """Record ended trials of the run at this position."""

    @abstractmethod
    def finished(self, index: int, ended: Ended) -> None:
        """Record the end of the run at this position."""

    def close(self) -> None:  # noqa: B027  (most have nothing to close)
        """Finish writing; nothing more will come."""


class Incumbents:
    """Incumbents of runs, in the problem's own direction."""

    def __init__(self) -> None:
        self._best: dict[int, tuple[float, float]] = {}

    def after(self, index: int, trial: Trial) -> float | None:
        """Return the incumbent's value after one more trial; None before the first valid one."""
        loss, value = trial.loss, trial.outcome.value
        if trial.valid and loss is not None and value is not None:
            self._best[index] = min(self._best.get(index, (loss, value)), (loss, value))
        return self._best[index][1] if index in self._best else None


def figures_of(spec: RunSpec, trial: Trial) -> dict[str, float]:
    """Return the numbers of a trial by name: metric, held-out test, seconds, further metrics."""
    outcome = trial.outcome
    found: dict[str, float | None] = {
        **outcome.metrics,
        spec.problem.metric: outcome.value,
        "test": outcome.test,
        "seconds": outcome.seconds,
        "failed": float(trial.failed),
    }
    return {name: float(value) for name, value in found.items() if value is not None and value == value}

"""Callbacks for study events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runner.engine.runs.run import Run
from runner.study.study import Study
from runner.trial import Trial


class Monitor:
    """Callbacks for study events; a subclass overrides those that it needs.

    The methods are called in the driver between two trials, so they must be quick.
    """

    def begin(self, study: Study, runs: Sequence[Run], where: str) -> None:
        """Handle the start or resumption of a study; ``where`` says where it runs."""

    def note(self, text: str) -> None:
        """Show a message to the user."""

    def ended(self, index: int, trial: Trial) -> None:
        """Handle a trial that has ended; it is in the journal, and the run at this position knows it."""

    def finished(self, index: int) -> None:
        """Handle the end of the run at this position."""

    def scored(self, done: int, total: int) -> None:
        """Handle the progress of the evaluations that follow the runs."""

    def close(self) -> None:
        """Handle the end of the study, whatever its reason."""


class Guarded(Monitor):
    """A monitor whose output may be closed: that does not end the study."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def begin(self, study: Study, runs: Sequence[Run], where: str) -> None:
        """See `Monitor`."""
        self._pass_on(lambda: self._monitor.begin(study, runs, where))

    def note(self, text: str) -> None:
        """See `Monitor`."""
        self._pass_on(lambda: self._monitor.note(text))

    def ended(self, index: int, trial: Trial) -> None:
        """See `Monitor`."""
        self._pass_on(lambda: self._monitor.ended(index, trial))

    def finished(self, index: int) -> None:
        """See `Monitor`."""
        self._pass_on(lambda: self._monitor.finished(index))

    def scored(self, done: int, total: int) -> None:
        """See `Monitor`."""
        self._pass_on(lambda: self._monitor.scored(done, total))

    def _pass_on(self, call: Callable[[], None]) -> None:
        try:
            call()
        except OSError:
            self._monitor = Monitor()

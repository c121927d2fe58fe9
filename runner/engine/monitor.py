"""Who hears what happens in a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runner.engine.runs.run import Run
from runner.study.study import Study
from runner.trial import Trial


class Monitor:
    """Hears what happens in a study; every method may be left out.

    The methods are called in the driver between two trials, so they must be quick.
    """

    def begin(self, study: Study, runs: Sequence[Run], where: str) -> None:
        """The study starts or goes on; ``where`` says where it runs."""

    def note(self, text: str) -> None:
        """A sentence for the user."""

    def ended(self, index: int, trial: Trial) -> None:
        """A trial of the run at this position has ended, is in the journal and was told."""

    def finished(self, index: int) -> None:
        """The run at this position has ended."""

    def scored(self, done: int, total: int) -> None:
        """So many of the evaluations that follow the runs have ended."""

    def close(self) -> None:
        """Nothing more will come, whatever the reason."""


class Guarded(Monitor):
    """A monitor whose output may go away: a study does not end because nobody listens."""

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

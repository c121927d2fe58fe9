"""Monitor that passes events on to trackers, each in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from runner.engine.monitor import Guarded, Monitor
from runner.engine.runs.run import Run
from runner.errors import StudyError, clip, describe
from runner.integrations.trackers.tracker import Ended, Tracker
from runner.study.study import Study
from runner.trial import Trial

KINDS = ("mlflow", "tensorboard")
CLOSING_SECONDS = 30.0
"""Time at the end of a study for trackers to write: enough for a slow server, bearable where one hangs."""
_MOST_CHARACTERS = 200  # of an error
Call = Callable[[], None]


def with_trackers(monitor: Monitor, targets: Sequence[str]) -> Monitor:
    """Add trackers to a monitor.

    Parameters
    ----------
    targets : sequence of str
        ``mlflow:URI`` or ``tensorboard:DIR``.

    Raises
    ------
    StudyError
        Where a target is neither, or its package is missing.
    """
    return Tracked(monitor, {target: _tracker(target) for target in targets}) if targets else monitor


def _tracker(target: str) -> Tracker:
    kind, _, where = target.partition(":")
    if kind not in KINDS or not where:
        raise StudyError(
            f"expected mlflow:URI or tensorboard:DIR, got '{target}'.",
            where="--track",
            hint="For example mlflow:sqlite:///mlflow.db.",
        )
    try:
        if kind == "mlflow":
            from runner.integrations.trackers.mlflow_runs import MlflowTracker

            return MlflowTracker(where)
        from runner.integrations.trackers.tensorboard_events import TensorboardTracker

        return TensorboardTracker(where)
    except ImportError as error:
        raise StudyError(
            f"{kind} cannot be imported: {error}.",
            where="--track",
            hint="Run: pip install 'fivefold[trackers]'.",
        ) from None


class Tracked(Monitor):
    """Monitor that calls another monitor and trackers.

    Parameters
    ----------
    monitor : Monitor
        The display.
    trackers : mapping of str to Tracker
        By target.
    """

    def __init__(self, monitor: Monitor, trackers: dict[str, Tracker]) -> None:
        self._monitor = monitor
        self._threads = {name: _Thread(tracker) for name, tracker in trackers.items()}
        self._runs: Sequence[Run] = ()

    def begin(self, study: Study, runs: Sequence[Run], where: str) -> None:
        """See `Monitor`."""
        self._monitor.begin(study, runs, where)
        self._runs = runs
        history = [[run.ended[number] for number in sorted(run.ended)] for run in runs]
        self._call(lambda tracker: lambda: tracker.begin(study, history))

    def note(self, text: str) -> None:
        """See `Monitor`."""
        self._monitor.note(text)

    def ended(self, index: int, trial: Trial) -> None:
        """See `Monitor`."""
        self._monitor.ended(index, trial)
        for thread in self._threads.values():
            thread.trial(index, trial)
        self._report()

    def finished(self, index: int) -> None:
        """See `Monitor`."""
        self._monitor.finished(index)
        run = self._runs[index]
        ended = Ended(run.end_reason, run.incumbent)
        self._call(lambda tracker: lambda: tracker.finished(index, ended))

    def close(self) -> None:
        """See `Monitor`."""
        self._monitor.close()
        for name, thread in self._threads.items():
            if not thread.close():
                Guarded(self._monitor).note(
                    f"{name}: not finished after {CLOSING_SECONDS:g} s; the remaining events are dropped."
                )
        self._report()

    def _call(self, call: Callable[[Tracker], Call]) -> None:
        for thread in self._threads.values():
            thread.put(call(thread.tracker))
        self._report()

    def _report(self) -> None:
        """Report each failure once; here, since displays may be called from one thread only."""
        for name, thread in self._threads.items():
            if thread.failure and not thread.reported:
                thread.reported = True
                Guarded(self._monitor).note(
                    f"{name}: tracking stopped, the study continues: {thread.failure}"
                )


class _Thread:
    """A tracker and the thread that calls it; waiting trials of a run are passed on together."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.failure = ""
        self.reported = False
        self._calls: queue.SimpleQueue[Call | tuple[int, Trial] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="fivefold tracker", daemon=True)
        self._thread.start()

    def put(self, call: Call) -> None:
        """Queue a call."""
        if not self.failure:
            self._calls.put(call)

    def trial(self, index: int, trial: Trial) -> None:
        """Queue a trial."""
        if not self.failure:
            self._calls.put((index, trial))

    def close(self) -> bool:
        """Wait for queued calls; return True where all were made."""
        self._calls.put(self.tracker.close)
        self._calls.put(None)
        self._thread.join(CLOSING_SECONDS)
        return not self._thread.is_alive()

    def _work(self) -> None:
        waiting: dict[int, list[Trial]] = {}
        try:
            while (item := self._calls.get()) is not None:
                if isinstance(item, tuple):
                    waiting.setdefault(item[0], []).append(item[1])
                    if not self._calls.empty():
                        continue
                for index, trials in waiting.items():
                    self.tracker.trials(index, trials)
                waiting = {}
                if not isinstance(item, tuple):
                    item()
        except Exception as error:  # of the tracker
            self.failure = clip(" ".join(describe(error).split()), _MOST_CHARACTERS)

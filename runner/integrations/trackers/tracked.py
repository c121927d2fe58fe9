"""A monitor that passes on to trackers, each in a thread of its own."""

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
"""How long the end of a study waits for what a tracker has not written yet."""
_MOST_CHARACTERS = 200
Call = Callable[[], None]


def with_trackers(monitor: Monitor, targets: Sequence[str]) -> Monitor:
    """The monitor, with trackers beside it.

    Parameters
    ----------
    monitor : Monitor
    targets : sequence of str
        ``mlflow:URI`` or ``tensorboard:DIR``.

    Raises
    ------
    StudyError
        Where a target is none of these, or its package is missing.
    """
    return Tracked(monitor, {target: _tracker(target) for target in targets}) if targets else monitor


def _tracker(target: str) -> Tracker:
    kind, _, where = target.partition(":")
    if kind not in KINDS or not where:
        raise StudyError(
            f"got '{target}'.",
            where="--track",
            hint="Write mlflow:URI, such as mlflow:sqlite:///mlflow.db, or tensorboard:DIR.",
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
            hint="Install it with: pip install 'fivefold[trackers]'.",
        ) from None


class Tracked(Monitor):
    """A monitor and trackers that hear the same.

    Parameters
    ----------
    monitor : Monitor
        The display.
    trackers : mapping of str to Tracker
        By what the user called them.
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
        self._tell(lambda tracker: lambda: tracker.begin(study, history))

    def note(self, text: str) -> None:
        """See `Monitor`."""
        self._monitor.note(text)

    def ended(self, index: int, trial: Trial) -> None:
        """See `Monitor`."""
        self._monitor.ended(index, trial)
        for thread in self._threads.values():
            thread.trial(index, trial)
        self._complain()

    def finished(self, index: int) -> None:
        """See `Monitor`."""
        self._monitor.finished(index)
        run = self._runs[index]
        ended = Ended(run.end_reason, run.incumbent)
        self._tell(lambda tracker: lambda: tracker.finished(index, ended))

    def close(self) -> None:
        """See `Monitor`."""
        self._monitor.close()
        for name, thread in self._threads.items():
            if not thread.close():
                Guarded(self._monitor).note(
                    f"{name}: not all is written after {CLOSING_SECONDS:g} s; the rest is left."
                )
        self._complain()

    def _tell(self, call: Callable[[Tracker], Call]) -> None:
        for thread in self._threads.values():
            thread.put(call(thread.tracker))
        self._complain()

    def _complain(self) -> None:
        """Say once what a tracker has failed with; here, since displays know one thread only."""
        for name, thread in self._threads.items():
            if thread.failure and not thread.told:
                thread.told = True
                Guarded(self._monitor).note(
                    f"{name}: tracking has stopped, the study goes on: {thread.failure}"
                )


class _Thread:
    """One tracker and the thread that calls it; trials of a run that wait are told together."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.failure = ""
        self.told = False
        self._calls: queue.SimpleQueue[Call | tuple[int, Trial] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="fivefold tracker", daemon=True)
        self._thread.start()

    def put(self, call: Call) -> None:
        """Have something called."""
        if not self.failure:
            self._calls.put(call)

    def trial(self, index: int, trial: Trial) -> None:
        """Have a trial told."""
        if not self.failure:
            self._calls.put((index, trial))

    def close(self) -> bool:
        """Wait for what has not been called yet; whether all was."""
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
        except Exception as error:  # whatever a tracker raises
            self.failure = clip(" ".join(describe(error).split()), _MOST_CHARACTERS)

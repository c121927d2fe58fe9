"""The engine without Ray: every trial in this process, one after the other.

It drives the same dispatcher as the lanes do, so the table is the same; it starts at once, and
a debugger can step into the objective. What it cannot do is to survive an objective that kills
its process or never returns.

Also here, because both engines need it: what Ctrl-C does.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from runner.dispatch import INTERRUPTED, Dispatcher
from runner.errors import StudyInterrupted
from runner.files import placed
from runner.lane import evaluate_tasks
from runner.problems.checkpoints import Storage
from runner.problems.loading import objective_folders
from runner.problems.surroundings import kept_generators
from runner.trial import Answer, Outcome

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_in_process(dispatcher: Dispatcher, storage: Storage | None = None) -> None:
    """Evaluate all that a dispatcher has to give.

    Parameters
    ----------
    dispatcher : Dispatcher
    storage : Storage, optional
        For checkpoints of long trials.

    Raises
    ------
    StudyInterrupted
        After Ctrl-C; finished trials are saved.
    JournalError
        Where the journal cannot be written.
    """
    study = dispatcher.study
    threads = [needs.threads for needs in study.needs]
    checkpoints = storage.store if storage is not None else None
    evaluating = False

    def interrupt() -> None:
        dispatcher.interrupt()
        if evaluating:  # else the journal may be in the middle of a sentence
            raise KeyboardInterrupt

    with on_interrupt(interrupt), _importable(objective_folders()), kept_generators(), placed(study.files):
        while not isinstance(bundle := dispatcher.ask(), Answer):
            tasks = [dispatcher.task(job) for job in bundle.jobs]
            try:
                evaluating = True
                report = evaluate_tasks(
                    study.problems,
                    tasks,
                    study.trial.timeout,
                    threads,
                    "main",
                    dispatcher.stopper_for,
                    _Breaks(dispatcher),
                    checkpoints,
                )
            finally:
                evaluating = False
            dispatcher.tell(bundle, report)


class _Breaks:
    """Ends a bundle at an interrupt, whatever the objective has made of it."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def begin(self) -> None:
        """See `runner.lane.Ledger`."""

    def ended(self, outcome: Outcome, offset: float) -> None:
        """See `runner.lane.Ledger`."""
        if self._dispatcher.interrupted:
            raise StudyInterrupted(INTERRUPTED)


@contextlib.contextmanager
def _importable(folders: Sequence[str]) -> Iterator[None]:
    """As lanes have them: what an objective imports late may lie beside its file."""
    added = [folder for folder in folders if folder not in sys.path]
    sys.path.extend(added)
    try:
        yield
    finally:
        for folder in added:
            sys.path.remove(folder)


@contextlib.contextmanager
def on_interrupt(first: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Call ``first`` at the first Ctrl-C or SIGTERM; a second one acts as if this were not here.

    Only the main thread can handle signals; in others this does nothing. What it yields sets the
    handlers once more, where something else has set its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        restore()
        first()

    def begin() -> None:
        for number in SIGNALS:
            signal.signal(number, handle)

    begin()
    try:
        yield begin
    finally:
        restore()

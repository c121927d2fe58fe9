"""The engine without Ray: every trial in this process, one after the other.

It drives the same dispatcher as the lanes do, so the table is the same; it starts at once, and
a debugger can step into the objective. What it cannot do is to survive an objective that kills
its process or never returns; one that asks Python to leave (``os._exit``) is treated as a worker
that died. The command survives more; see `runner.engine.supervisor`.

Also here, because both engines need it: what Ctrl-C does.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, NoReturn

from runner.engine.dispatch.dispatcher import INTERRUPTED, Dispatcher
from runner.engine.messages import Rescued
from runner.engine.supervisor import SIGNALS
from runner.engine.worker.evaluate import evaluate_tasks
from runner.errors import StudyInterrupted
from runner.problems.checkpoints import Storage
from runner.problems.files.data_files import placed
from runner.problems.files.objective_files import importable
from runner.problems.isolation import preserve_generators
from runner.trial import Answer, Outcome

_WORKER: Final = "main"
"""What the table calls this process."""

_SAME_SIGNAL_SECONDS = 0.2
"""A signal that comes again so soon was sent once, to a process and to its group, as 'timeout' does."""


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

    with (
        on_interrupt(interrupt),
        importable(),
        preserve_generators(),
        placed(study.files),
        _no_exit() as leaving,
    ):
        while not isinstance(bundle := dispatcher.ask(), Answer):
            tasks = [dispatcher.task(job) for job in bundle.jobs]
            dispatcher.sending(bundle)
            breaks = _Breaks(dispatcher, leaving)
            start = time.monotonic()
            report = None
            try:
                evaluating = True
                report = evaluate_tasks(
                    study.problems,
                    tasks,
                    study.trial.timeout,
                    threads,
                    _WORKER,
                    dispatcher.stopper_for,
                    breaks,
                    checkpoints,
                )
            except _Left:
                pass
            finally:
                evaluating = False
            if report is not None:
                dispatcher.tell(bundle, report)
            else:
                rescued = Rescued(tuple(breaks.outcomes), tuple(breaks.offsets), _WORKER)
                dispatcher.lose(bundle, "crash", time.monotonic() - start, rescued)


class _Left(Exception):
    """An objective has asked Python to end the process."""


class _Breaks:
    """Ends a bundle at an interrupt or where an objective leaves, whatever it has made of that."""

    def __init__(self, dispatcher: Dispatcher, leaving: threading.Event) -> None:
        self._dispatcher, self._leaving = dispatcher, leaving
        self.outcomes: list[Outcome] = []
        self.offsets: list[float] = []

    def begin(self) -> None:
        """See `runner.engine.worker.evaluate.Ledger`."""

    def ended(self, outcome: Outcome, offset: float) -> None:
        """See `runner.engine.worker.evaluate.Ledger`."""
        if self._dispatcher.interrupted:
            raise StudyInterrupted(INTERRUPTED)
        if self._leaving.is_set():
            self._leaving.clear()
            raise _Left
        self.outcomes.append(outcome)
        self.offsets.append(offset)


@contextlib.contextmanager
def _no_exit() -> Iterator[threading.Event]:
    """Catch what ends this process without a word: ``os._exit``, but not that of a child process."""
    leaving, ours, leave = threading.Event(), os.getpid(), os._exit

    def exit_at_once(status: int) -> NoReturn:
        if os.getpid() != ours:
            leave(status)
        leaving.set()
        raise SystemExit(status)

    os._exit = exit_at_once
    try:
        yield leaving
    finally:
        os._exit = leave


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
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    heard: dict[int, float] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not heard:
            heard[number] = now
            first()
        elif now - heard.get(number, -math.inf) > _SAME_SIGNAL_SECONDS:
            restore()
            signal.raise_signal(number)

    def begin() -> None:
        for number in before:
            signal.signal(number, handle)

    begin()
    try:
        yield begin
    finally:
        restore()

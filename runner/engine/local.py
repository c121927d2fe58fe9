"""The engine without Ray: every trial in this process, one after the other.

It drives the same dispatcher as the engine on Ray, so the table is the same; it starts at once, and
a debugger can step into the objective. It cannot survive an objective that kills its process or never
returns; one that calls ``os._exit`` is treated as a worker that died. The command survives more; see
`runner.engine.supervisor`.

The handling of Ctrl-C, which both engines need, is here as well.
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
"""Name of this process in the column ``worker``."""

_SAME_SIGNAL_SECONDS = 0.2
"""A signal that is repeated so soon was sent once, to a process and to its group, as 'timeout' does."""


def run_in_process(dispatcher: Dispatcher, storage: Storage | None = None) -> None:
    """Evaluate everything that a dispatcher hands out.

    Parameters
    ----------
    storage : Storage, optional
        For checkpoints of long trials.

    Raises
    ------
    StudyInterrupted
        After Ctrl-C; finished trials are saved.
    JournalError
        If the journal cannot be written.
    """
    study = dispatcher.study
    threads = [needs.threads for needs in study.needs]
    checkpoints = storage.store if storage is not None else None
    evaluating = False

    def interrupt() -> None:
        dispatcher.interrupt()
        if evaluating:  # else a write to the journal may be in progress
            raise KeyboardInterrupt

    with (
        on_interrupt(interrupt),
        importable(),
        preserve_generators(),
        placed(study.files),
        _no_exit() as leaving,
    ):
        while not isinstance(batch := dispatcher.ask(), Answer):
            tasks = [dispatcher.task(job) for job in batch.jobs]
            dispatcher.sending(batch)
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
                dispatcher.tell(batch, report)
            else:
                rescued = Rescued(tuple(breaks.outcomes), tuple(breaks.offsets), _WORKER)
                dispatcher.lose(batch, "crash", time.monotonic() - start, rescued)


class _Left(Exception):
    """Raised after an objective has called ``os._exit``."""


class _Breaks:
    """A ledger that ends a batch after an interrupt or exit, even if the objective caught the exception."""

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
    """Catch ``os._exit`` in this process, but not in its child processes."""
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
    """Call ``first`` at the first Ctrl-C or SIGTERM; a second one acts as if there were no handler.

    Only the main thread can handle signals; in others this does nothing. Yields a function that sets the
    handlers again, after other code has set its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    arrived: dict[int, float] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not arrived:
            arrived[number] = now
            first()
        elif now - arrived.get(number, -math.inf) > _SAME_SIGNAL_SECONDS:
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

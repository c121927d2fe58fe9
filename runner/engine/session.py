"""The Ray of one command: started at the first need, used for everything that the command evaluates.

If it dies, another one is started and the work resumes from the journal, which holds what was being evaluated
(`runner.journal.begun`): each loss counts against some trial, so the restarts come to an end.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runner.engine.dispatch.dispatcher import INTERRUPTED, Dispatcher
from runner.engine.local import on_interrupt
from runner.engine.monitor import Monitor
from runner.errors import RayLost, StudyInterrupted
from runner.problems.checkpoints import Storage
from runner.problems.files.objective_files import objective_files

if TYPE_CHECKING:
    from runner.engine.ray.connect import Connection

Work = tuple[Dispatcher, Callable[[], bool]]
"""A dispatcher, and a function that counts a loss in its journal; it returns False if nothing was lost."""


class RaySession:
    """A Ray for the duration of a ``with`` block.

    Parameters
    ----------
    workers, address
        See `runner.engine.ray.connect.connect`.
    monitor : Monitor
        Gets a note about each loss.
    """

    def __init__(self, workers: int | None, address: str | None, monitor: Monitor) -> None:
        self._workers, self._address, self._monitor = workers, address, monitor
        self._signals, self._ray = ExitStack(), ExitStack()
        self._connection: Connection | None = None
        self._dispatcher: Dispatcher | None = None
        self._interrupted = False

    def __enter__(self) -> Self:
        # Also during the start and the end of Ray, which a signal could interrupt half-way.
        self._handle_again = self._signals.enter_context(on_interrupt(self._interrupt))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stop()
        finally:
            self._signals.close()

    @property
    def started(self) -> bool:
        """True if a Ray is connected."""
        return self._connection is not None

    def drive(self, work: Callable[[], Work | None], storage: Storage | None = None) -> None:
        """Evaluate everything that a dispatcher hands out.

        Parameters
        ----------
        work : callable
            Makes the dispatcher from the journal: once, and again after each loss of Ray; returns None if
            nothing is left.
        storage : Storage, optional
            For checkpoints of long trials.

        Raises
        ------
        StudyInterrupted, JournalError, ProblemError, EngineError
        RayLost
            If Ray dies twice while nothing is being evaluated.
        """
        idle_losses = 0
        while (made := work()) is not None:
            dispatcher, lose = made
            try:
                self._drive(dispatcher, storage)
            except RayLost as error:
                self._stop()
                idle_losses += not lose()
                if idle_losses > 1:
                    raise
                self._monitor.note(f"{error.message} Starting another.")
            else:
                return

    def _drive(self, dispatcher: Dispatcher, storage: Storage | None) -> None:
        needs = dispatcher.next_needs()
        if needs is None:
            dispatcher.begin(1, "all trials are in the journal already")
            return
        from runner.engine.ray.connect import connect
        from runner.engine.ray.experiment import run_on_ray
        from runner.engine.ray.pickling import pack, pack_problems

        problems = pack_problems(dispatcher.study.problems)
        files = pack(objective_files())
        self._dispatcher = dispatcher
        try:
            if self._connection is None:
                shared = sum(parcel.shared_bytes for parcel in (files, *problems))
                self._connection = self._ray.enter_context(
                    connect(self._workers, self._address, needs, shared)
                )
                self._handle_again()  # when Ray starts it sets handlers of its own
            if self._interrupted:
                raise StudyInterrupted(INTERRUPTED)
            self._connection.turn_to(needs)
            dispatcher.begin(self._connection.workers, f"on {self._connection.where}", apart=True)
            run_on_ray(dispatcher, self._connection, problems, files, storage)
        except SystemExit:  # what Ray's handler of SIGTERM raises while it starts
            raise StudyInterrupted(INTERRUPTED) from None
        finally:
            self._dispatcher = None

    def _stop(self) -> None:
        self._connection = None
        self._ray.close()

    def _interrupt(self) -> None:
        self._interrupted = True
        if self._dispatcher is not None:
            self._dispatcher.interrupt()

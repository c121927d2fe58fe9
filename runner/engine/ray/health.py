"""A thread that checks if Ray is alive, because calls to a dead Ray block.

A minute after its GCS (Ray's global control service) has died, Ray ends the process from C++, without notice
to Python. Until then everything that needs the GCS blocks, and that may be the main thread. So this thread
checks once a second; the control loop ends if it can (`Sentinel.check`), and if it does not, the process ends
here, with a message.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from runner.engine.ray.connect import Connection
from runner.engine.worker.leaving import leave
from runner.errors import RayLost

_LOOK_SECONDS = 1.0
_LEAVE_SECONDS = 10.0  # enough for a control loop that can end, well before Ray ends the process


class Sentinel:
    """Checks a connection for the duration of a ``with`` block."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._error: RayLost | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fivefold-sentinel", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def check(self) -> None:
        """Raise RayLost if Ray has died."""
        if self._error is not None:
            raise self._error

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            try:
                self._connection.check()
            except RayLost as error:
                self._error = error
                if not self._done.wait(_LEAVE_SECONDS):
                    leave(f"error: {error}", error.exit_code)  # as Ray is about to do, without a message
                return

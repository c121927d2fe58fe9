"""A thread that sees whether Ray lives, because whoever asks a dead one waits.

A minute after its GCS has died Ray ends the process from C++, without a word to Python. Till then all
that needs the GCS blocks, and that may be the main thread. So this thread looks, once a second; the
control loop leaves where it can (`Sentinel.check`), and where it does not, the process ends here,
with a sentence.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from runner.engine.ray.connect import Connection
from runner.engine.worker.leaving import leave
from runner.errors import RayLost

_LOOK_SECONDS = 1.0
_LEAVE_SECONDS = 10.0


class Sentinel:
    """Looks after a connection for as long as the ``with`` block lasts.

    Parameters
    ----------
    connection : Connection
    """

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
        """Raise RayLost where Ray has died."""
        if self._error is not None:
            raise self._error

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            try:
                self._connection.check()
            except RayLost as error:
                self._error = error
                if not self._done.wait(_LEAVE_SECONDS):
                    leave(f"error: {error}", error.exit_code)  # as Ray is about to do, without a word
                return

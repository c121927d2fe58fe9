"""Ending this process, with its child processes and whatever else would keep it from ending."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

_PATIENCE_SECONDS = 5.0  # the pools of joblib take one or two to end
_exit = os._exit  # while trials run in this process, `runner.engine.local` replaces `os._exit`


def leave(message: str, exit_code: int) -> NoReturn:
    """Kill all child processes, write a message to standard error, and exit at once, without clean-up."""
    import psutil

    from runner.engine.worker.watchdog import end

    end(psutil.Process().children(recursive=True))
    with suppress(OSError):  # it may be closed, or full
        os.write(2, f"{message}\n".encode())
    _exit(exit_code)


def end_with(exit_code: int) -> NoReturn:
    """Exit, also if a trial has left threads or processes running.

    Python waits at its end for threads that are not daemons and for the processes of `multiprocessing`.
    Pools end by themselves then; everything else is ended here, after a moment.
    """
    threads = [one for one in threading.enumerate() if one is not threading.main_thread() and not one.daemon]
    processes = sys.modules.get("multiprocessing")  # an import only for this would take a while
    left = len(threads) + (len(processes.active_children()) if processes is not None else 0)
    if left:
        message = f"Trials have left {left} threads or processes running; they are stopped now."
        last = threading.Timer(_PATIENCE_SECONDS, leave, (message, exit_code))
        last.daemon = True
        last.start()
    sys.exit(exit_code)

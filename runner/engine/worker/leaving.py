"""Ending this process: with what it has started, and with what would keep it from ending."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

_PATIENCE_SECONDS = 5.0  # the pools of joblib take one or two
_exit = os._exit  # while trials run in this process, theirs is another (`runner.engine.local`)


def leave(sentence: str, exit_code: int) -> NoReturn:
    """Kill what was started, say a sentence on standard error, and end: what is durable is so already."""
    import psutil

    from runner.engine.worker.watchdog import end

    end(psutil.Process().children(recursive=True))
    with suppress(OSError):  # it may be closed, or full
        os.write(2, f"{sentence}\n".encode())
    _exit(exit_code)


def end_with(exit_code: int) -> NoReturn:
    """End as a command does whose work is done, also where a trial has left threads or processes running.

    Python waits at its end for threads that are not daemons and for the processes of `multiprocessing`.
    Pools end then by themselves; what does not is ended here, after a moment.
    """
    threads = [one for one in threading.enumerate() if one is not threading.main_thread() and not one.daemon]
    processes = sys.modules.get("multiprocessing")  # not imported for this, which takes a while
    left = len(threads) + (len(processes.active_children()) if processes is not None else 0)
    if left:
        told = f"Trials have left {left} threads or processes running; they end here."
        last = threading.Timer(_PATIENCE_SECONDS, leave, (told, exit_code))
        last.daemon = True
        last.start()
    sys.exit(exit_code)

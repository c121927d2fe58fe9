"""Interrupting what takes too long in this process, as far as Python can."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Overdue(BaseException):
    """The time is up. No Exception, so that what catches all of these does not catch it."""


@contextlib.contextmanager
def interrupted_after(seconds: float | None) -> Iterator[None]:
    """Raise Overdue inside the ``with`` block once so many seconds have passed.

    Parameters
    ----------
    seconds : float or None
        None for no limit. There is none either outside the main thread, where the system has no
        timer, and in a loop in C that does not come back to Python.
    """
    timed = seconds is not None and hasattr(signal, "setitimer")
    if not timed or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds or 0.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, before)


def _ring(number: int, frame: FrameType | None) -> None:
    raise Overdue

"""Standard output and standard error that survive a full disk, a closed descriptor or a closed pipe.

A command must not end because its output cannot be written: trials are still recorded and tables written.
So a write to either stream never raises. Lost output is reported on standard error, if possible, and the
command exits with a code other than 0. A closed pipe, as after ``| head``, is not an error.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

EXIT_CODE: Final = 2
"""Exit code of a command that has done all but write its output."""


class _Raw(io.RawIOBase):
    """File descriptor to which writing never fails.

    Attributes
    ----------
    lost : OSError or None
        Error of the first failed write; nothing is written after it.
    """

    def __init__(self, number: int, closed: bool) -> None:
        self._number, self._closed = number, closed
        self.lost: OSError | None = None

    def writable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def fileno(self) -> int:
        """See `io.RawIOBase`."""
        return self._number

    def isatty(self) -> bool:
        """See `io.RawIOBase`."""
        return os.isatty(self._number)

    def write(self, data: Any) -> int:
        """Write as much as possible; drop the rest."""
        while self.lost is None:
            try:
                if self._closed:
                    raise OSError(errno.EBADF, "closed")
                return os.write(self._number, data)
            except BlockingIOError:  # a program that shares the descriptor has made it non-blocking
                select.select([], [self._number], [])
            except OSError as error:
                self.lost = error
                _report(error, self._number)
        return len(data)


def _report(error: OSError, number: int) -> None:
    if number == 1 and error.errno != errno.EPIPE and sys.stderr is not None:
        reason = error.strerror or str(error)
        sys.stderr.write(f"error: standard output cannot be written: {reason}. Continuing without it.\n")
        sys.stderr.flush()


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Replace both streams so that writing never fails; SystemExit at the end where output was lost."""
    before = sys.stdout, sys.stderr
    closed = [_is_closed(number) for number in range(3)]
    sys.stderr, _ = _lasting(2, sys.stderr, sys.__stderr__, closed[2])
    sys.stdout, raw = _lasting(1, sys.stdout, sys.__stdout__, closed[1])
    try:
        yield
    except SystemExit as stop:
        sys.stdout.flush()
        if stop.code not in (None, 0) or not _is_missed(raw):
            raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before
    if _is_missed(raw):
        raise SystemExit(EXIT_CODE)


def _is_missed(raw: _Raw | None) -> bool:
    return raw is not None and raw.lost is not None and raw.lost.errno != errno.EPIPE


def _is_closed(number: int) -> bool:
    """Return True for a closed descriptor, and fill it: the next open file would get its number."""
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
        return True
    return False


def _lasting(
    number: int, stream: TextIO | None, original: TextIO | None, closed: bool
) -> tuple[TextIO, _Raw | None]:
    """Wrap a stream; leave one alone that a program has put in place of Python's own."""
    if stream is not original and stream is not None:
        return stream, None
    if stream is not None:
        stream.flush()
    raw = _Raw(number, closed)
    text = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=number == 2 or raw.isatty(),
    )
    return text, raw

"""Standard output and standard error of the command, which may be full, closed, or read by nobody.

What a command does must not end with its output: trials are recorded and tables written whether anybody
reads of it or not. So a write to either stream never raises. What was lost is said on standard error, if
that can be, and the command then exits with a code that is not 0; a reader that has gone away, as ``head``
does, wanted no more, and nothing is said.
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
"""What a command exits with whose output was lost, and which has done all else."""


class _Raw(io.RawIOBase):
    """A file descriptor to which writing never fails.

    Attributes
    ----------
    lost : OSError or None
        What the first write that failed raised; nothing is written after it.
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
        """Write what can be written; the rest is gone."""
        while self.lost is None:
            try:
                if self._closed:
                    raise OSError(errno.EBADF, "it is closed")
                return os.write(self._number, data)
            except BlockingIOError:  # another program has made it so, which shares it
                select.select([], [self._number], [])
            except OSError as error:
                self.lost = error
                _say(error, self._number)
        return len(data)


def _say(error: OSError, number: int) -> None:
    if number == 1 and error.errno != errno.EPIPE and sys.stderr is not None:
        what = error.strerror or str(error)
        sys.stderr.write(f"error: standard output cannot be written: {what}. The rest is done without it.\n")
        sys.stderr.flush()


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Have both streams such that writing never fails; SystemExit at the end where output was lost."""
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
    """Whether a descriptor was closed by who called; it is filled, or the next file would get its number."""
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
        return True
    return False


def _lasting(
    number: int, stream: TextIO | None, original: TextIO | None, closed: bool
) -> tuple[TextIO, _Raw | None]:
    """A stream in place of another; that itself where a program has put its own there."""
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

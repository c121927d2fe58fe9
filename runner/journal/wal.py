"""The write-ahead log of a journal, checked by its own rules.

SQLite recovers a log up to the first frame that is not right, and silently drops the rest. Here three
cases are distinguished: a last transaction that was never finished, which was not promised to anybody;
a missing tail, which is a loss; and a hole before entries that were finished, which is damage.

The log is a header and frames, each a page of the database with its position. The checksum of a frame
continues that of the frame before, and both salts are drawn again whenever the log restarts, so frames
with other salts are old ones (https://sqlite.org/fileformat2.html#walformat). A frame that ends a
transaction holds the number of pages of the database. The index beside the log holds the frame up to
which transactions had ended; it is not synced to the disk, so it may know less than the log, never more.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from runner.journal.findings import Fault, Finding

_HEADER = struct.Struct(">IIII8sII")  # magic, version, page size, restarts, salts, checksum
_FRAME = struct.Struct(">II8sII")  # page, pages of the database or 0, salts, checksum
_INDEX = struct.Struct("=IIIBBHIIII8sII")  # up to the checksum; twice
_MAGIC = 0x377F0682  # its last bit: the checksums take the file as big-endian words
_VERSION = 3_007_000  # of the log's format, the only one so far
_SMALLEST_PAGE = 512  # SQLite's own limit

Sums = tuple[int, int]


@dataclass(frozen=True)
class _Log:
    content: bytes
    page_size: int
    big_endian: bool
    salts: bytes
    sums: Sums

    def __len__(self) -> int:
        return (len(self.content) - _HEADER.size) // (_FRAME.size + self.page_size)


def holds_frames(content: bytes) -> bool:
    """Test that a log is long enough to hold a frame."""
    return len(content) >= _HEADER.size + _FRAME.size + _SMALLEST_PAGE


def check_log(wal: Path, index: Path) -> list[Finding]:
    """List the faults of a log that nobody is writing.

    Parameters
    ----------
    wal, index : Path
        The log, and its index, which may be missing.
    """
    content = wal.read_bytes()
    if not holds_frames(content):
        return []
    log = _open(content)
    if log is None:
        return [Finding(Fault.DAMAGE, wal.name, "the header of the log is damaged")]
    ended, bad = _replay(log)
    after = [number for number in range(bad, len(log)) if _frame(log, number)[2] == log.salts]
    ends = [number for number in after if _frame(log, number)[1]]
    if len(ends) > 1 or (ends and ends[-1] != after[-1]):
        what = f"frame {bad + 1} of {after[-1] + 1} in the log is damaged, and entries after it were finished"
        return [Finding(Fault.DAMAGE, wal.name, what)]
    if ends:
        what = "the last entry of the log cannot be read, so the trials in it are lost"
        return [Finding(Fault.LOSS, wal.name, what)]
    promised = _promised(index, log.salts)
    if promised > ended:
        what = f"the log ends after {ended} frames of {promised}, so the trials recorded last are lost"
        return [Finding(Fault.LOSS, wal.name, what)]
    return []


def _open(content: bytes) -> _Log | None:
    """Decode the log's header; None where it is not right."""
    magic, version, page_size, _, salts, *sums = _HEADER.unpack_from(content)
    if magic & ~1 != _MAGIC or version != _VERSION:
        return None
    big_endian = bool(magic & 1)
    if _sums(content[: _HEADER.size - 8], big_endian) != tuple(sums):
        return None
    return _Log(content, page_size, big_endian, salts, (sums[0], sums[1]))


def _frame(log: _Log, number: int) -> tuple[int, int, bytes, int, int]:
    found: tuple[int, int, bytes, int, int] = _FRAME.unpack_from(log.content, _start(log, number))
    return found


def _start(log: _Log, number: int) -> int:
    return _HEADER.size + number * (_FRAME.size + log.page_size)


def _replay(log: _Log) -> tuple[int, int]:
    """Count the frames up to the last end of a transaction, and up to the first that is not right."""
    ended, sums = 0, log.sums
    for number in range(len(log)):
        page, end, salts, *expected = _frame(log, number)
        start = _start(log, number)
        head, body = (
            log.content[start : start + 8],
            log.content[start + _FRAME.size : _start(log, number + 1)],
        )
        if salts == log.salts and page:
            sums = _sums(head + body, log.big_endian, sums)
        if salts != log.salts or not page or sums != tuple(expected):
            return ended, number
        if end:
            ended = number + 1
    return ended, len(log)


def _promised(index: Path, salts: bytes) -> int:
    """Count the frames of ended transactions that the index knows; 0 where it does not match this log."""
    try:
        with index.open("rb") as file:
            first, second = file.read(_INDEX.size), file.read(_INDEX.size)
    except FileNotFoundError:
        return 0
    if len(first) < _INDEX.size or first != second:
        return 0
    *_, frames, _, _, _, its_salts, sum_0, sum_1 = _INDEX.unpack(first)
    right = _sums(first[: _INDEX.size - 8], sys.byteorder == "big") == (sum_0, sum_1)
    return int(frames) if right and its_salts == salts else 0


def _sums(content: bytes, big_endian: bool, start: Sums = (0, 0)) -> Sums:
    """Compute SQLite's checksum of pairs of words."""
    words = iter(struct.unpack(f"{'>' if big_endian else '<'}{len(content) // 4}I", content))
    first, second = start
    for a, b in zip(words, words, strict=True):
        first = (first + a + second) & 0xFFFFFFFF
        second = (second + b + first) & 0xFFFFFFFF
    return first, second

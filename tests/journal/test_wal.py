"""The check of the write-ahead log: what SQLite would be silent about."""

import sqlite3
from contextlib import closing

import pytest

from runner.journal.findings import Fault
from runner.journal.wal import check_log, holds_frames

PAGE = 4096
FRAME = PAGE + 24


@pytest.fixture
def log(tmp_path):
    """A log of 40 transactions, each of one frame or two, and its index."""
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (x)")
        for _ in range(40):
            db.execute("INSERT INTO t VALUES (randomblob(1500))")
        return (tmp_path / "a.db-wal").read_bytes(), (tmp_path / "a.db-shm").read_bytes()


def faults(tmp_path, content, index=None):
    wal, shm = tmp_path / "b.db-wal", tmp_path / "b.db-shm"
    wal.write_bytes(content)
    shm.unlink(missing_ok=True)
    if index is not None:
        shm.write_bytes(index)
    return [finding.fault for finding in check_log(wal, shm)]


def changed(content, place):
    found = bytearray(content)
    found[place] ^= 1
    return bytes(found)


def test_a_whole_log(log, tmp_path):
    content, index = log
    assert holds_frames(content)
    assert faults(tmp_path, content, index) == []
    assert faults(tmp_path, content + bytes(3 * FRAME), index) == []  # frames of other salts are old ones
    for short in (b"", content[:32], content[:100]):
        assert not holds_frames(short)
        assert faults(tmp_path, short) == []


@pytest.mark.parametrize("place", [0, 8, 16, 31])
def test_a_damaged_header(log, tmp_path, place):
    assert faults(tmp_path, changed(log[0], place)) == [Fault.DAMAGE]


@pytest.mark.parametrize("place", [0, 4, 8, 17, 24, 2000])
@pytest.mark.parametrize("frame", [0, 7])
def test_a_frame_that_is_wrong_before_others_is_damage(log, tmp_path, frame, place):
    assert faults(tmp_path, changed(log[0], 32 + frame * FRAME + place)) == [Fault.DAMAGE]


def test_a_last_entry_that_cannot_be_read_is_a_loss(log, tmp_path):
    content, index = log
    assert faults(tmp_path, changed(content, len(content) - 100)) == [Fault.LOSS]
    assert faults(tmp_path, changed(content, len(content) - 100), index) == [Fault.LOSS]
    assert faults(tmp_path, changed(content, len(content) - FRAME + 9), index) == [Fault.LOSS]


def test_what_was_never_finished_is_none(log, tmp_path):
    content, index = log
    unfinished = bytearray(content[-FRAME:])
    unfinished[4:8] = bytes(4)  # it ends no transaction
    assert faults(tmp_path, content + unfinished, index) == []
    assert faults(tmp_path, content + unfinished[:-7], index) == []


@pytest.mark.parametrize("lost", [1, FRAME, 5 * FRAME + 11])
def test_a_log_that_is_shorter_than_its_index_knows(log, tmp_path, lost):
    content, index = log
    assert faults(tmp_path, content[:-lost], index) == [Fault.LOSS]
    assert faults(tmp_path, content[:-lost], changed(index, 16)) == []  # an index that is wrong tells nothing
    assert faults(tmp_path, content[:-lost], index[:50]) == []

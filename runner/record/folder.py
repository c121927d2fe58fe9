"""The study directory itself: what may be in it, its lock, and files that appear whole."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runner.errors import JournalError, StudyError
from runner.record.faults import Fault, Finding
from runner.record.schema import DATABASE, LOCK, STUDY_FILE, to_text

_NEW = ".new"  # suffix of what is being made and not yet in its place
_LOG = (f"{DATABASE}-wal", f"{DATABASE}-shm")
_LEFT_BY_A_CRASH = {
    LOCK,
    *(f"{name}{_NEW}{end}" for name in (DATABASE, STUDY_FILE) for end in ("", "-wal", "-shm", "-journal")),
}
_DERIVED = {"trials.parquet", "runs.parquet", "report.html", "figures", "tables", "checkpoints"}
_TRIES = 10
_PAUSE = 0.02


def prepare_folder(folder: Path) -> None:
    """Make the directory, or see that it is empty or holds a study; StudyError otherwise.

    JournalError where only the journal of a study is missing.
    """
    if folder.exists() and not folder.is_dir():
        raise StudyError(
            "it is a file; the study directory was expected.", where=str(folder), hint="Use another --out."
        )
    folder.mkdir(parents=True, exist_ok=True)
    check_journal_is_there(folder)
    names = {path.name for path in folder.iterdir()}
    if DATABASE not in names and (others := sorted(names - _LEFT_BY_A_CRASH)):
        raise StudyError(
            f"the directory is not empty and holds no study, but '{others[0]}'.",
            where=str(folder),
            hint="Use another --out.",
        )


def check_journal_is_there(folder: Path) -> None:
    """Raise JournalError where all but the journal of a study is there."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if DATABASE not in names and (names & set(_LOG) or {LOCK, STUDY_FILE} <= names):
        raise JournalError(
            f"it held a study, but its journal '{DATABASE}' is missing.",
            where=str(folder),
            hint="Restore the directory from a copy, or use another one.",
        )


def check_study_file(folder: Path, text: str) -> list[Finding]:
    """Whether the study file is there as it was written."""
    try:
        found = (folder / STUDY_FILE).read_bytes()
    except FileNotFoundError:
        return [Finding(Fault.LOSS, STUDY_FILE, "it is missing; the journal has its text")]
    if found != text.encode():
        return [Finding(Fault.LOSS, STUDY_FILE, "it has changed since the study was run")]
    return []


def check_names(folder: Path) -> list[Finding]:
    """What else is in the directory, and whether the lock's file is there."""
    names = {path.name for path in folder.iterdir()}
    own = {DATABASE, STUDY_FILE, *_LOG, *_DERIVED, *_LEFT_BY_A_CRASH}
    found = [
        Finding(Fault.NOTE, to_text(name), "it is no file of a study, and is left alone")
        for name in sorted(names - own)
        if not name.startswith(("trials.", "runs.", "leaderboard."))
    ]
    if LOCK not in names:
        found.append(Finding(Fault.NOTE, LOCK, "it is missing; the next run makes it again"))
    return found


def is_in_use(folder: Path) -> bool:
    """Whether a live process writes in the directory."""
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)
    return False


_LOCKED: set[int] = set()  # the handles of the locks that this process has


def leave_in_order() -> None:
    """Say that this process ends on purpose, also where it ends too fast to say so in the journals."""
    for handle in _LOCKED:
        os.ftruncate(handle, 0)


def lock_folder(folder: Path, stack: ExitStack) -> bool:
    """Take the directory's lock until the stack is closed; JournalError that says who has it.

    Returns
    -------
    bool
        Whether who had it last has left in order: it was not killed, nor has it ended in some other
        way that it did not choose.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    stack.callback(os.close, handle)
    if not _take(handle):
        holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
        raise JournalError(
            f"a live run is using the directory: {holder}.",
            where=str(folder),
            hint="Wait for it or stop it, or use another --out.",
        )
    in_order = os.fstat(handle).st_size == 0
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    stack.callback(os.ftruncate, handle, 0)
    _LOCKED.add(handle)
    stack.callback(_LOCKED.discard, handle)
    return in_order


def _take(handle: int) -> bool:
    """Take the lock; a reader that is asking whether it is taken has it for a moment."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return True
    return False


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of another as a whole, durably, or not at all."""
    new = path.with_name(path.name + _NEW)
    new.unlink(missing_ok=True)
    try:
        yield new
        _sync(new)
        new.replace(path)
        _sync(path.parent)
    finally:
        new.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

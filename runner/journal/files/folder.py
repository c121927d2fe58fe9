"""The study directory itself: its expected content, and its lock."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import stat
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from runner.errors import JournalError, StudyError
from runner.journal.files.places import Root, Unexpected, is_being_made, kind_of
from runner.journal.findings import Fault, Finding
from runner.journal.schema import DATABASE, LOCK, STUDY_FILE, to_text

_LOG = (f"{DATABASE}-wal", f"{DATABASE}-shm")
_FOLDERS = {"figures", "tables"}
_DERIVED = {"trials.parquet", "runs.parquet", "report.html", "checkpoints", *_FOLDERS}
_HOLDER: Final = re.compile(rb"process \d+ on [^\n]*\n?")
_MOST_HOLDER: Final = 400  # bytes; a host's name has at most 253
_TRIES = 10  # with the pause 0.2 s, while a reader has the lock for microseconds
_PAUSE = 0.02  # seconds


def prepare_folder(folder: Path) -> None:
    """Make the directory, or check that it is empty or holds a study; StudyError otherwise.

    JournalError where only the journal of a study is missing.
    """
    if folder.exists() and not folder.is_dir():
        raise StudyError(
            "expected a study directory, got a file.", where=str(folder), hint="Use another --out."
        )
    folder.mkdir(parents=True, exist_ok=True)
    check_journal_is_there(folder)
    names = {path.name for path in folder.iterdir()}
    others = sorted(name for name in names if name != LOCK and not is_being_made(name))
    if DATABASE not in names and others:
        raise StudyError(
            f"expected an empty directory or a study, got '{others[0]}'.",
            where=str(folder),
            hint="Use another --out.",
        )
    for name in (DATABASE, *_LOG):
        _check_own(folder / name)


def _check_own(path: Path) -> None:
    """Raise JournalError where SQLite would write into a file that has another name, too."""
    kind = kind_of(path)
    if kind not in ("", "a file"):
        raise JournalError(
            f"expected a file for '{path.name}', got {kind}.",
            where=str(path.parent),
            hint="Put the file itself there, or use another --out.",
        )
    if kind and (names := path.lstat().st_nlink) > 1:
        raise JournalError(
            f"expected '{path.name}' to be a file of one name, got one of {names} (hard links).",
            where=str(path.parent),
            hint="Writing would change the others too: copy the directory with 'cp -r', and run in the copy.",
        )


def check_journal_is_there(folder: Path) -> None:
    """Raise JournalError where only the journal of a study is missing."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if DATABASE not in names and (names & set(_LOG) or {LOCK, STUDY_FILE} <= names):
        raise JournalError(
            f"the study's journal '{DATABASE}' is missing.",
            where=str(folder),
            hint="Restore the directory from a copy, or use another one.",
        )


def check_study_file(folder: Path, content: str) -> list[Finding]:
    """Check that the study file is as it was written."""
    expected = content.encode()
    try:
        # A device or a huge file may be there instead: read no more than can be right.
        with Root(folder).reading(STUDY_FILE) as file:
            found = file.read(len(expected) + 1)
    except FileNotFoundError:
        return [Finding(Fault.LOSS, STUDY_FILE, "missing; the journal has its content")]
    except Unexpected as error:
        return [Finding(Fault.LOSS, STUDY_FILE, f"{error.strerror}; the journal has its content")]
    if found != expected:
        return [Finding(Fault.LOSS, STUDY_FILE, "changed since the study was run")]
    return []


def check_names(folder: Path) -> list[Finding]:
    """List unexpected names in the directory, and a missing lock file."""
    names = {path.name for path in folder.iterdir()}
    own = {DATABASE, STUDY_FILE, LOCK, *_LOG, *_DERIVED}
    left = {f".{name}.{end}" for name in _FOLDERS for end in ("new", "old")}
    found = [
        Finding(Fault.NOTE, to_text(name), _remark(name, left))
        for name in sorted(names - own)
        if not name.startswith(("trials.", "runs.", "leaderboard.", "pipeline.", "optuna."))
    ]
    if LOCK not in names:
        found.append(Finding(Fault.NOTE, LOCK, "missing; the next run makes it again"))
    return found


def _remark(name: str, left: set[str]) -> str:
    if is_being_made(name):
        return "left by a killed command; it may be removed"
    if name in left:
        return "left by a killed command; the next report repairs it"
    return "not a file of a study; left alone"


def is_in_use(folder: Path) -> bool:
    """Test for a live process that writes in the directory."""
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
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
    """Mark this process as ending on purpose, also where it ends too fast to close its journals."""
    for handle in _LOCKED:
        os.ftruncate(handle, 0)


def lock_folder(folder: Path, stack: ExitStack) -> bool:
    """Take the directory's lock until the stack is closed.

    Returns
    -------
    bool
        True where the last holder ended in order: not killed, nor in another way that it did not
        choose.

    Raises
    ------
    JournalError
        Where a live run has it (names its process), or it is not a lock of this program.
    """
    handle = _open_lock(folder)
    stack.callback(os.close, handle)
    if not _take(handle):
        holder = os.pread(handle, _MOST_HOLDER, 0).decode(errors="replace").strip() or "another process"
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


def _open_lock(folder: Path) -> int:
    """Open the lock's file; it is written to, so it must be ours and have no other name."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(folder / LOCK, flags, 0o644)
    except OSError as error:
        kind = kind_of(folder / LOCK)
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR) or kind == "a file":
            raise
        raise _no_lock(folder, kind) from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        what = kind_of(folder / LOCK)
    elif status.st_nlink > 1:
        what = f"a file of {status.st_nlink} names (hard links)"
    elif status.st_size and not _HOLDER.fullmatch(os.pread(handle, _MOST_HOLDER, 0)):
        what = "a file that fivefold has not made"
    else:
        return handle
    os.close(handle)
    raise _no_lock(folder, what)


def _no_lock(folder: Path, what: str) -> JournalError:
    return JournalError(
        f"expected a lock of fivefold for '{LOCK}', got {what}.",
        where=str(folder),
        hint="Move it away, or use another --out.",
    )


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

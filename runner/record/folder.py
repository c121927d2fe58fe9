"""The study directory itself: what may be in it, its lock, and files that appear whole."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runner.errors import StudyError
from runner.record.schema import DATABASE, LOCK, STUDY_FILE

_NEW = ".new"  # suffix of what is being made and not yet in its place
_LEFT_BY_A_CRASH = {
    LOCK,
    *(f"{name}{_NEW}{end}" for name in (DATABASE, STUDY_FILE) for end in ("", "-wal", "-shm", "-journal")),
}


def prepare_folder(folder: Path) -> None:
    """Make the directory, or see that it is empty or holds a study; StudyError otherwise."""
    if folder.exists() and not folder.is_dir():
        raise StudyError(
            "it is a file; the study directory was expected.", where=str(folder), hint="Use another --out."
        )
    folder.mkdir(parents=True, exist_ok=True)
    names = {path.name for path in folder.iterdir()}
    if DATABASE not in names and (others := sorted(names - _LEFT_BY_A_CRASH)):
        raise StudyError(
            f"the directory is not empty and holds no study, but '{others[0]}'.",
            where=str(folder),
            hint="Use another --out.",
        )


def lock_folder(folder: Path, stack: ExitStack) -> None:
    """Take the directory's lock until the stack is closed; StudyError that says who has it."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    stack.callback(os.close, handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
        raise StudyError(
            f"a live run is using the directory: {holder}.",
            where=str(folder),
            hint="Wait for it or stop it, or use another --out.",
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    stack.callback(os.ftruncate, handle, 0)


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

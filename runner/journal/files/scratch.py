"""Folders for what is needed only while this process runs; those of processes that were killed are removed.

A folder is known as ours by the file ``.owner`` in it, with `_MARK` as its content, and as alive by the
lock that its process has on that file: the kernel drops the lock however the process ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PREFIX: Final = "fivefold_"
_OWNER: Final = ".owner"
_MARK: Final = b"a scratch folder of fivefold\n"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder, removed at the end of the ``with`` block or, after a kill, by `sweep`."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    owner = os.open(folder / _OWNER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX)
        os.write(owner, _MARK)  # after the lock: without the mark nobody takes it for abandoned
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(owner)


def sweep() -> None:
    """Remove the scratch folders of this user's processes that were killed."""
    try:
        found = [entry for entry in os.scandir(tempfile.gettempdir()) if entry.name.startswith(_PREFIX)]
    except OSError:
        return
    for entry in found:
        try:
            _remove_abandoned(entry)
        except OSError:  # it is being removed by its own process, or by another that sweeps
            continue


def _remove_abandoned(entry: os.DirEntry[str]) -> None:
    status = entry.stat(follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        return
    owner = os.open(Path(entry.path, _OWNER), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.read(owner, len(_MARK) + 1) == _MARK:
            shutil.rmtree(entry.path)
    finally:
        os.close(owner)

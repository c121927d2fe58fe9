"""Folders that are needed only while this process runs; those of killed processes are removed.

The file ``.owner`` with the content `_OWNED` marks a folder as ours, and the lock that its process holds on
that file marks it as in use: the kernel drops the lock however the process ends.
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
_OWNED: Final = b"a scratch folder of fivefold\n"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder, removed at the end of the ``with`` block or, after a kill, by `sweep`."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    owner = os.open(folder / _OWNER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX)
        os.write(owner, _OWNED)  # after the lock: without this content it cannot be taken for abandoned
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
        if os.read(owner, len(_OWNED) + 1) == _OWNED:
            shutil.rmtree(entry.path)
    finally:
        os.close(owner)

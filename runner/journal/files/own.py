"""Folders that this program made: a list in each names its files, and only those are removed.

A name is listed before its file is made, so that the leftovers of a killed command are known to be
ours, and a folder without a list is somebody else's.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from runner.journal.files.places import Root, Unexpected, kind_of, sync

LIST: Final = ".fivefold"
_TITLE: Final = "Files that fivefold has made in this folder; it removes these and no others.\n"
_PATIENCE: Final = 60.0  # seconds; another command may be writing all figures of a large study
_PAUSE: Final = 0.05  # seconds


class OwnFolder(Root):
    """A folder with a list of what was made in it; see `OwnFolder.at`.

    Attributes
    ----------
    made : list of str
        The names on the list, in the order in which they were made.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.made: list[str] = []
        self._known: set[str] = set()
        self._titled = False  # whether the list is there

    @classmethod
    def at(cls, path: Path) -> OwnFolder:
        """Make the folder, or open one that was left.

        Raises
        ------
        Unexpected
            Where there is a link, a file, or a folder without a list.
        """
        folder = cls(path)
        kind = kind_of(path)
        if not kind:
            path.mkdir(parents=True)
        elif kind != "a folder":
            raise Unexpected(path, kind, "a folder")
        elif not folder._read() and any(path.iterdir()):
            raise Unexpected(path, "a folder of somebody else", "nothing, or a folder that fivefold made")
        folder.record(())
        return folder

    def _read(self) -> bool:
        """Read the list; False where there is none."""
        try:
            with self.reading(LIST) as file:
                first, *lines = file.read().decode(errors="replace").split("\n")
        except (FileNotFoundError, Unexpected):
            return False
        self._titled = f"{first}\n" == _TITLE
        for line in lines if self._titled else ():
            with suppress(ValueError):  # a line that a killed command began
                self._add(str(json.loads(line)))
        return self._titled

    def _add(self, name: str) -> None:
        if name not in self._known:
            self._known.add(name)
            self.made.append(name)

    def record(self, names: Iterable[str]) -> None:
        """Put names on the list, before their files are made."""
        new = [name for name in dict.fromkeys(names) if name not in self._known]
        text = "".join(f"{json.dumps(name)}\n" for name in new)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        handle = os.open(self.path / LIST, flags, 0o666)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            status = os.fstat(handle)
            if status.st_nlink != 1 or bool(status.st_size) != self._titled:
                raise Unexpected(self.path / LIST, "a file of somebody else", "a list of fivefold")
            file.write(text if self._titled else _TITLE + text)
            self._titled = True
        for name in new:
            self._add(name)

    def write(self, name: str, data: bytes) -> None:
        """Make a file, durably."""
        self.record([name])
        with self.making(name) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Remove what is on the list, and the folder if nothing else is in it."""
        self.remove(self.made)
        if [path.name for path in self.path.iterdir()] == [LIST]:
            (self.path / LIST).unlink()
            self.path.rmdir()


@contextmanager
def renewing(parent: Path, files_of: Mapping[str, Sequence[str]]) -> Iterator[dict[str, OwnFolder]]:
    """Make fresh folders to write files into, which then replace earlier ones.

    Files of others in an earlier folder are taken over. An exception leaves the earlier folders as
    they were; after a kill the next call restores them.

    Parameters
    ----------
    parent : Path
        Folder that they belong in, as the user chose it.
    files_of : mapping of str to sequence of str
        Names of files by the name of their folder, none within another folder.

    Raises
    ------
    Unexpected
        Where something else has a name.
    BlockingIOError
        Where another command is writing.
    """
    with _alone(parent):
        for name, files in files_of.items():
            _heal(parent / name)
            _check(parent / name, files)
        folders = {}
        try:
            for name, files in files_of.items():
                folders[name] = OwnFolder.at(_fresh(parent / name))
                folders[name].record(files)
            yield folders
        except BaseException:
            for folder in folders.values():
                folder.clear()
            raise
        for name, files in files_of.items():
            _swap(parent / name, files)


def _fresh(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _former(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _swap(path: Path, files: Sequence[str]) -> None:
    fresh, former = _fresh(path), _former(path)
    sync(fresh)
    if kind_of(path):
        _claim(path, files)
        path.rename(former)
    fresh.rename(path)
    sync(path.parent)
    _retire(former, path)


def _check(path: Path, names: Iterable[str]) -> None:
    kind = kind_of(path)
    if kind not in ("", "a folder"):
        raise Unexpected(path, kind, "a folder")
    for name in names:
        if kind_of(path / name) == "a folder":
            raise Unexpected(path / name, "a folder", "a file")
    if kind and not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"'{path}' may not be changed")


def _claim(path: Path, names: Iterable[str]) -> None:
    """List the files of the earlier folder that are replaced."""
    folder = OwnFolder(path)
    folder._read()
    folder.record(name for name in names if kind_of(path / name))


def _heal(path: Path) -> None:
    """Undo or finish the work of a killed command."""
    fresh, former = _fresh(path), _former(path)
    if kind_of(former) and not kind_of(path):  # killed between the two moves
        OwnFolder.at(former).path.rename(path)
    if kind_of(fresh):
        OwnFolder.at(fresh).clear()
    if kind_of(former):
        _retire(OwnFolder.at(former).path, path)


def _retire(former: Path, path: Path) -> None:
    """Take over the files of others, and remove the rest."""
    if not kind_of(former):
        return
    old = OwnFolder.at(former)
    ours = {LIST, *old.made}
    for entry in list(former.iterdir()):
        if entry.name not in ours or kind_of(entry) == "a folder":
            entry.rename(_free(path / entry.name))
    old.clear()


def _free(path: Path) -> Path:
    """Find the path, or a similar one that is free."""
    tried, number = path, 1
    while kind_of(tried):
        number += 1
        tried = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return tried


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, where the file system has locks."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    give_up = time.monotonic() + _PATIENCE
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise BlockingIOError(errno.EWOULDBLOCK, "another command is writing it") from None
                time.sleep(_PAUSE)
            except OSError:
                break
        yield
    finally:
        os.close(handle)

"""Files that this program writes and removes: never through a link, and each whole or not at all.

The folder that a user names is the user's choice: it may be a link, or lie behind one. Its content is
not: a link there may lead to anybody's files. So every name below a `Root` is walked one folder at a time
and never followed, a new file is written under a temporary name and then replaces the old one, and only
regular files are opened, since a pipe would block for ever.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_BEING_MADE: Final = ".fivefold-"
_KINDS: Final = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_unfinished: set[Path] = set()


class Unexpected(OSError):
    """Something of another kind is where a file or a folder of this program is expected.

    Parameters
    ----------
    found, expected : str
        Kinds, such as "a link" and "a folder".
    """

    def __init__(self, path: Path | str, found: str, expected: str) -> None:
        super().__init__(errno.EEXIST, f"expected {expected} at '{path}', got {found}")


def kind_of(path: Path) -> str:
    """Name the kind of a path: "a file", "a link", ...; empty for nothing. Links are not followed."""
    try:
        return _kind(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "a file")


def is_being_made(name: str) -> bool:
    """Recognise the names of files that `replacing` has not put in place yet."""
    return name.startswith(_BEING_MADE)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Make a new file to write to, which replaces another as a whole, durably, or not at all.

    The earlier file, also a link or one of several names of a file, is never written to.
    """
    new = path.with_name(f"{_BEING_MADE}{secrets.token_hex(8)}.new")
    _unfinished.add(new)
    os.close(os.open(new, _NEW_FILE, 0o666))
    try:
        yield new
        sync(new)
        _put(new, path)
        sync(path.parent)
    finally:
        new.unlink(missing_ok=True)
        _unfinished.discard(new)


def discard_unfinished() -> None:
    """Remove the unfinished files of `replacing`: the process is about to end at once."""
    for new in list(_unfinished):
        with suppress(OSError):
            new.unlink()


def _put(new: Path, path: Path) -> None:
    try:
        new.replace(path)
    except IsADirectoryError:
        raise Unexpected(path, "a folder", "a file") from None


def sync(path: Path) -> None:
    """Make durable the content of a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Root:
    """A folder, and the files below it by their names with slashes between.

    Parameters
    ----------
    path : Path
        As the user chose it; it alone may be reached through links.

    Notes
    -----
    Every method raises `Unexpected` where a folder on the way is not one or is a link, ValueError for
    a name that leads out of the root, and OSError where the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """Open a regular file to read."""
        with self._walked(name) as (folder, last):
            handle = self._opened(folder, last, name)
        with os.fdopen(handle, "rb") as file:
            yield file

    @contextmanager
    def making(self, name: str) -> Iterator[BinaryIO]:
        """Make a file, and the folders that it needs; an earlier one of its name goes first."""
        with self._walked(name, make=True) as (folder, last):
            self._unlink(folder, last)
            handle = os.open(last, _NEW_FILE, 0o666, dir_fd=folder)
        with os.fdopen(handle, "wb") as file:
            yield file

    def check_free(self, name: str) -> None:
        """Raise Unexpected where a file of this name cannot come, or could only through a link."""
        with suppress(FileNotFoundError), self._walked(name) as (folder, last):
            if self._kind_at(folder, last) == "a folder":
                raise Unexpected(self.path / name, "a folder", "a file")

    def move(self, name: str, to: Root, as_name: str) -> None:
        """Move a file into another root, where it replaces what has its name."""
        to.check_free(as_name)
        with self._walked(name) as (folder, last), to._walked(as_name, make=True) as (other, final):
            os.replace(last, final, src_dir_fd=folder, dst_dir_fd=other)

    def remove(self, names: Iterable[str], below: str = "") -> None:
        """Remove files, as far as they are there, and the folders below another that this leaves empty.

        Of a link only the link is removed. Folders of these names are left.
        """
        names = list(names)
        for name in names:
            with suppress(Unexpected, FileNotFoundError), self._walked(name) as (folder, last):
                self._unlink(folder, last)
        for name in folders_of(names, below):
            self.remove_folder(name)

    def make_folder(self, name: str) -> None:
        """Make a folder, and those that it lies in, where they are missing."""
        with self._walked(f"{name}/-", make=True):
            pass

    def remove_folder(self, name: str) -> None:
        """Remove a folder, if it is empty."""
        with suppress(OSError), self._walked(name) as (folder, last):
            os.rmdir(last, dir_fd=folder)

    def entries(self, below: str = "") -> list[tuple[str, str]]:
        """List names and kinds in one of its folders; empty where there is no such folder."""
        start = f"{below}/" if below else ""
        try:
            with self._walked(f"{start}-") as (folder, _):
                there = sorted(os.listdir(folder))  # noqa: PTH208  (a handle, not a path)
                return [(f"{start}{entry}", self._kind_at(folder, entry)) for entry in there]
        except (FileNotFoundError, Unexpected):
            return []

    @contextmanager
    def _walked(self, name: str, make: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder that a name lies in; gives the handle and the last part of the name."""
        *parts, last = parts_of(name)
        if make:
            self.path.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, _FOLDER)
        try:
            for depth, part in enumerate(parts, 1):
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=handle)
                below = self._stepped(handle, part, "/".join(parts[:depth]))
                os.close(handle)
                handle = below
            yield handle, last
        finally:
            os.close(handle)

    def _stepped(self, handle: int, part: str, name: str) -> int:
        try:
            return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            found = self._kind_at(handle, part) or "nothing"
            raise Unexpected(self.path / name, found, "a folder") from None

    def _opened(self, folder: int, last: str, name: str) -> int:
        try:
            handle = os.open(last, _READ, dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENXIO):  # a link, a socket
                raise
            raise Unexpected(self.path / name, self._kind_at(folder, last) or "nothing", "a file") from None
        if not stat.S_ISREG(mode := os.fstat(handle).st_mode):
            os.close(handle)
            raise Unexpected(self.path / name, _kind(mode), "a file")
        return handle

    @staticmethod
    def _unlink(folder: int, last: str) -> None:
        with suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(last, dir_fd=folder)

    @staticmethod
    def _kind_at(folder: int, last: str) -> str:
        try:
            return _kind(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return ""


def parts_of(name: str) -> list[str]:
    """Split a name that stays within its root; ValueError for any other."""
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"the name {name!r} leads out of its folder")
    return parts


def folders_of(names: Iterable[str], below: str = "") -> list[str]:
    """List the folders, below another, of files with these names; the innermost first."""
    start = len(parts_of(below)) if below else 0
    parts = [parts_of(name)[:-1] for name in names]
    found = {"/".join(some[:depth]) for some in parts for depth in range(start + 1, len(some) + 1)}
    return sorted(found, key=lambda name: -name.count("/"))

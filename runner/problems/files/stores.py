"""Storage of checkpoints: a folder of this machine, or any file system that PyArrow supports.

Both address files by name, and remove only named files. A folder is a
`runner.journal.files.places.Root`, which follows no links; an object store has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, cast

from runner.journal.files.places import Root, folders_of, parts_of

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class Store(Protocol):
    """Files by slash-separated names; see `runner.journal.files.places.Root` for the operations."""

    def reading(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file to read."""

    def making(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Make a file, and the folders that it needs."""

    def remove(self, names: Iterable[str], below: str = "") -> None:
        """Remove files, and the folders below another that this leaves empty."""

    def remove_folder(self, name: str) -> None:
        """Remove a folder, if it is empty."""

    def entries(self, below: str = "") -> list[tuple[str, str]]:
        """List the names and kinds of a folder's entries."""


class Remote:
    """A store in a folder of a PyArrow file system; the folder's path has no trailing slash."""

    def __init__(self, files: FileSystem, base: str) -> None:
        self._files, self._base = files, base

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """See `Store`."""
        with self._files.open_input_stream(self._path(name)) as stream:
            yield cast("BinaryIO", stream)

    @contextmanager
    def making(self, name: str) -> Iterator[BinaryIO]:
        """See `Store`."""
        path = self._path(name)
        self._files.create_dir(path.rpartition("/")[0], recursive=True)
        with self._files.open_output_stream(path) as stream:
            yield cast("BinaryIO", stream)

    def remove(self, names: Iterable[str], below: str = "") -> None:
        """See `Store`."""
        names = list(names)
        for name in names:
            with suppress(FileNotFoundError):
                self._files.delete_file(self._path(name))
        for folder in folders_of(names, below):
            self.remove_folder(folder)

    def remove_folder(self, name: str) -> None:
        """See `Store`."""
        if not self.entries(name):
            with suppress(OSError):
                self._files.delete_dir(self._path(name))

    def entries(self, below: str = "") -> list[tuple[str, str]]:
        """See `Store`."""
        from pyarrow.fs import FileSelector, FileType

        path = self._path(below) if below else self._base
        infos = self._files.get_file_info(FileSelector(path, allow_not_found=True))
        kinds = {FileType.Directory: "a folder", FileType.File: "a file"}
        start = f"{below}/" if below else ""
        return sorted((f"{start}{info.base_name}", kinds.get(info.type, "")) for info in infos)

    def _path(self, name: str) -> str:
        return f"{self._base}/{'/'.join(parts_of(name))}"


def open_store(location: str) -> Store:
    """Open the store at an absolute path or a URI; PyArrow's errors are not caught."""
    if not SCHEME.match(location):
        return Root(Path(location))
    from pyarrow.fs import FileSystem, LocalFileSystem  # most studies have no checkpoints

    files, path = FileSystem.from_uri(location)
    return Root(Path(path)) if isinstance(files, LocalFileSystem) else Remote(files, path.rstrip("/"))

"""Where checkpoints are kept: a folder of this machine, or any file system that PyArrow knows.

Both are used by the names of files alone, and remove what is named and nothing else. A folder is a
`runner.journal.files.places.Root`, so that no link in it is followed; an object store has none.
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
    """Files by their names, with slashes between; see `runner.journal.files.places.Root` for what each does."""

    def reading(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file to read."""

    def making(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Make a file, and the folders that it needs."""

    def remove(self, names: Iterable[str], below: str = "") -> None:
        """Remove files, and the folders below another that this leaves empty."""

    def remove_folder(self, name: str) -> None:
        """Remove a folder, if it is empty."""

    def entries(self, below: str = "") -> list[tuple[str, str]]:
        """What lies in a folder: names and kinds."""


class Remote:
    """A store on a file system of PyArrow.

    Parameters
    ----------
    files : pyarrow.fs.FileSystem
    base : str
        The folder in it, without a slash at its end.
    """

    def __init__(self, files: FileSystem, base: str) -> None:
        self._files, self._base = files, base

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """See `Store`."""
        with self._files.open_input_stream(self._place(name)) as stream:
            yield cast("BinaryIO", stream)

    @contextmanager
    def making(self, name: str) -> Iterator[BinaryIO]:
        """See `Store`."""
        place = self._place(name)
        self._files.create_dir(place.rpartition("/")[0], recursive=True)
        with self._files.open_output_stream(place) as stream:
            yield cast("BinaryIO", stream)

    def remove(self, names: Iterable[str], below: str = "") -> None:
        """See `Store`."""
        names = list(names)
        for name in names:
            with suppress(FileNotFoundError):
                self._files.delete_file(self._place(name))
        for folder in folders_of(names, below):
            self.remove_folder(folder)

    def remove_folder(self, name: str) -> None:
        """See `Store`."""
        if not self.entries(name):
            with suppress(OSError):
                self._files.delete_dir(self._place(name))

    def entries(self, below: str = "") -> list[tuple[str, str]]:
        """See `Store`."""
        from pyarrow.fs import FileSelector, FileType

        place = self._place(below) if below else self._base
        found = self._files.get_file_info(FileSelector(place, allow_not_found=True))
        kinds = {FileType.Directory: "a folder", FileType.File: "a file"}
        start = f"{below}/" if below else ""
        return sorted((f"{start}{file.base_name}", kinds.get(file.type, "")) for file in found)

    def _place(self, name: str) -> str:
        return f"{self._base}/{'/'.join(parts_of(name))}"


def open_store(place: str) -> Store:
    """The store at an absolute path or a URI; whatever PyArrow raises where there is none."""
    if not SCHEME.match(place):
        return Root(Path(place))
    from pyarrow.fs import FileSystem, LocalFileSystem  # most studies have no checkpoints

    files, path = FileSystem.from_uri(place)
    return Root(Path(path)) if isinstance(files, LocalFileSystem) else Remote(files, path.rstrip("/"))

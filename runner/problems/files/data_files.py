"""Files that objectives open: named in the study file, available on every machine that runs trials.

A study lists them (``files: [houses.csv]``, relative to itself), and an objective gets the path of one by
``data_file("houses.csv")``. On the driver's machine that is the file itself; another node of a cluster
gets its own copy once, by content.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from runner._text import shown
from runner.errors import Faults, ProblemError, StudyError, nearest, nearest_file

_PLACES: dict[str, Path] = {}  # paths of the current study's files in this process
_away = False  # whether this process may be on another machine than the driver


@dataclass(frozen=True)
class DataFile:
    """A file that a study lists.

    Attributes
    ----------
    name : str
        Its path in the study file, and the argument of `data_file`.
    path : Path
        Absolute, on the driver's machine.
    """

    name: str
    path: Path

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes; read again only if it has changed."""
        try:
            status = self.path.stat()
            return _digest(self.path, status.st_mtime_ns, status.st_size)
        except OSError as error:
            raise StudyError(f"cannot be read: {error.strerror}.", where=str(self.path)) from None


@lru_cache(maxsize=256)
def _digest(path: Path, mtime: int, size: int) -> str:
    del mtime, size
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_files(names: Sequence[str], folder: Path) -> tuple[DataFile, ...]:
    """Find the files that a study lists.

    Raises
    ------
    StudyError
        For each that is missing, is a folder, or is listed twice.
    """
    files: dict[str, DataFile] = {}
    faults = Faults()
    for i, name in enumerate(names):
        path = (folder / name).absolute()
        with faults.at(f"files[{i}]"):
            if path.is_dir():
                raise StudyError(f"{shown(name)} is a folder.", hint="List the files in it that you need.")
            if not path.is_file():
                hint = nearest_file(path, [Path(name).suffix.lower()])
                raise StudyError(f"there is no file {shown(name)}.", hint=hint)
            if name in files:
                raise StudyError(f"{shown(name)} is listed twice.", hint="Leave one out.")
            files[name] = DataFile(name, path)
    faults.check()
    return tuple(files.values())


def place(places: Mapping[str, Path], away: bool = False) -> None:
    """Set the paths of a study's files in this process; ``away`` if it may not be the driver's machine."""
    global _away
    _PLACES.clear()
    _PLACES.update(places)
    _away = away


def missing_file_hint(error: BaseException) -> str:
    """Explain a missing file on a machine that has only the files of the study; empty for other errors."""
    if _away and isinstance(error, FileNotFoundError):
        return "Other machines have only the files that the study lists under 'files'; see data_file."
    return ""


@contextmanager
def placed(files: Sequence[DataFile]) -> Iterator[None]:
    """Make the files of a study available in this process within a ``with`` block."""
    before = dict(_PLACES)
    place({file.name: file.path for file in files})
    try:
        yield
    finally:
        place(before)


def data_file(name: str) -> Path:
    """Get the path on this machine of a file that the study lists.

    Parameters
    ----------
    name : str
        As written under ``files`` in the study file.

    Returns
    -------
    Path
        Only for reading: other trials read it too.

    Raises
    ------
    ProblemError
        If the study does not list it. Outside of a study, and while the objective file is
        imported, a file of this name beside the calling module is used.
    """
    if name in _PLACES:
        return _PLACES[name]
    caller = sys._getframe(1).f_globals.get("__file__")
    if caller is not None and (beside := Path(caller).parent / name).is_file() and not _PLACES:
        return beside
    raise ProblemError(
        f"the study does not list a file '{name}'.",
        where="data_file",
        hint=nearest(name, _PLACES) if _PLACES else f"Write 'files: [{name}]' in the study file.",
    )

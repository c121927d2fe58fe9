"""Files that objectives open: named in the study file, found on whatever machine a trial runs.

A study lists them (``files: [houses.csv]``, relative to itself), and an objective asks where one is:
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

_PLACES: dict[str, Path] = {}  # where this process finds the files of the study that it works for
_away = False  # whether it is on another machine than the driver


@dataclass(frozen=True)
class DataFile:
    """A file that a study lists.

    Attributes
    ----------
    name : str
        As the study has it, and `data_file` wants it.
    path : Path
        Absolute, on the driver's machine.
    """

    name: str
    path: Path

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes; read again only where it has changed."""
        try:
            status = self.path.stat()
            return _digest(self.path, status.st_mtime_ns, status.st_size)
        except OSError as error:
            raise StudyError(f"it cannot be read: {error.strerror}.", where=str(self.path)) from None


@lru_cache(maxsize=256)
def _digest(path: Path, mtime: int, size: int) -> str:
    del mtime, size
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_files(given: Sequence[str], folder: Path) -> tuple[DataFile, ...]:
    """The files that a study lists.

    Raises
    ------
    StudyError
        For each that is missing, is a folder, or is listed twice.
    """
    found: dict[str, DataFile] = {}
    faults = Faults()
    for i, name in enumerate(given):
        path = (folder / name).absolute()
        with faults.at(f"files[{i}]"):
            if path.is_dir():
                raise StudyError(f"{shown(name)} is a folder.", hint="List the files that are needed.")
            if not path.is_file():
                hint = nearest_file(path, [Path(name).suffix.lower()])
                raise StudyError(f"there is no file {shown(name)}.", hint=hint)
            if name in found:
                raise StudyError(f"{shown(name)} is listed twice.", hint="Leave one out.")
            found[name] = DataFile(name, path)
    faults.check()
    return tuple(found.values())


def place(places: Mapping[str, Path], away: bool = False) -> None:
    """Say where the files of a study are in this process, from here on.

    Parameters
    ----------
    places : mapping of str to Path
    away : bool
        Whether this may be another machine than the driver's.
    """
    global _away
    _PLACES.clear()
    _PLACES.update(places)
    _away = away


def missing(error: BaseException) -> str:
    """What to do about a file that an objective has not found; empty where that is its own affair."""
    if _away and isinstance(error, FileNotFoundError):
        return "On other machines there are the files that the study lists under 'files'; see data_file."
    return ""


@contextmanager
def placed(files: Sequence[DataFile]) -> Iterator[None]:
    """The files of a study, as they are here, for as long as the ``with`` block lasts."""
    before = dict(_PLACES)
    place({file.name: file.path for file in files})
    try:
        yield
    finally:
        place(before)


def data_file(name: str) -> Path:
    """Where a file that the study lists is on this machine.

    Parameters
    ----------
    name : str
        As it stands under ``files`` in the study file.

    Returns
    -------
    Path
        To be read, not to be written: other trials read it too.

    Raises
    ------
    ProblemError
        Where the study does not list it. Outside of a study, and while the objective file is
        imported, a file of this name beside the module that asks will do.
    """
    if name in _PLACES:
        return _PLACES[name]
    asking = sys._getframe(1).f_globals.get("__file__")
    if asking is not None and (beside := Path(asking).parent / name).is_file() and not _PLACES:
        return beside
    raise ProblemError(
        f"the study lists no file '{name}'.",
        where="data_file",
        hint=nearest(name, _PLACES) if _PLACES else f"Write 'files: [{name}]' in the study file.",
    )

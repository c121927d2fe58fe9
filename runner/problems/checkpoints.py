"""Checkpoints of long trials: what an objective has handed over survives the lane that it was on.

An objective that yields may take ``checkpoint_dir``, a folder. What lies in it at a yield is kept, with the
losses of the steps so far; the next attempt of the same trial finds it there, has to yield only the steps
that are left, and is charged the seconds of those that are not repeated.

A store is a path or a URI of a file system that PyArrow knows (``file``, ``s3``, ``gs``, ``hdfs``). In it::

    KEY/00000012-1f3a.../...      what lay in the folder after step 12
    KEY/00000012-1f3a....json     written last: its files and their sizes, and the steps so far

Nothing is renamed, appended to or locked, so that an object store will do. A checkpoint without its list,
or of another size, does not count.
"""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runner.errors import StudyError, describe
from runner.scratch import scratch_folder
from runner.trial import Outcome, Status

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LIST = ".json"
_PIECE_BYTES = 8 * 1024**2

_given: Path | None = None  # the folder of the evaluation that this process is at
_scratch: tempfile.TemporaryDirectory[str] | None = None


@dataclass(frozen=True)
class Storage:
    """Where the checkpoints of a study are, as the driver knows it.

    Attributes
    ----------
    place : str
        An absolute path, or a URI.
    shared : bool
        Whether every node of a cluster reaches it; else other nodes than the driver's keep
        checkpoints of their own, which serve a trial that comes back to them.
    keep_failed : bool
        See `Checkpoints`.
    """

    place: str
    shared: bool = False
    keep_failed: bool = False

    @property
    def store(self) -> Checkpoints:
        """As it is reached from the driver's node."""
        return Checkpoints(self.place, self.keep_failed)


@dataclass(frozen=True)
class Progress:
    """How far a trial had come.

    Attributes
    ----------
    losses, seconds : tuple of float
        After each step; seconds since the trial's first start, without what was lost.
    last : Outcome
        What it would be if that had been its last step.
    """

    losses: tuple[float, ...]
    seconds: tuple[float, ...]
    last: Outcome


class Checkpoints:
    """A store of checkpoints.

    Parameters
    ----------
    place : str
        An absolute path, or a URI.
    keep_failed : bool
        Whether a trial that raised will be tried again.
    scratch : str, optional
        A folder of this machine for what objectives write.
    """

    def __init__(self, place: str, keep_failed: bool = False, scratch: str | None = None) -> None:
        self.place, self.keep_failed, self._scratch = place, keep_failed, scratch

    @cached_property
    def _opened(self) -> tuple[FileSystem, str]:
        from pyarrow.fs import FileSystem, LocalFileSystem  # most studies have no checkpoints

        if not SCHEME.match(self.place):
            return LocalFileSystem(), self.place.rstrip("/")
        files, path = FileSystem.from_uri(self.place)
        return files, path.rstrip("/")

    def check(self) -> None:
        """Raise StudyError where nothing can be written there."""
        try:
            files, base = self._opened
            files.create_dir(base, recursive=True)
            probe = f"{base}/probe-{secrets.token_hex(4)}"
            with files.open_output_stream(probe) as out:
                out.write(b"fivefold")
            files.delete_file(probe)
        except Exception as error:  # PyArrow's many, of as many file systems
            raise StudyError(
                f"nothing can be written to '{self.place}': {describe(error)}.",
                where="--storage",
                hint="Give a path that every node has, or a URI such as s3://bucket/folder.",
            ) from None

    def of(self, key: str) -> Checkpoint:
        """The checkpoint of one trial, by a name that it has on every attempt."""
        files, base = self._opened
        return Checkpoint(files, f"{base}/{key}", self._scratch)

    def ended(self, held: Checkpoint, outcome: Outcome) -> None:
        """A trial has ended as this; where it will not be tried again, its checkpoint goes."""
        if outcome.status is not Status.FAILED or not self.keep_failed:
            held.remove()

    def clear(self) -> None:
        """Remove all that is left."""
        files, base = self._opened
        with suppress(OSError):
            files.delete_dir(base)


class Checkpoint:
    """What one trial has handed over.

    Attributes
    ----------
    folder : Path
        What the objective sees, while `opened`.
    progress : Progress or None
        Where it goes on from.
    """

    def __init__(self, files: FileSystem | None = None, base: str = "", scratch: str | None = None) -> None:
        self.folder = Path()
        self.progress: Progress | None = None
        self._files, self._base, self._scratch = files, base, scratch
        self._names: list[str] = []  # of the checkpoints that are there
        self._seen: list[tuple[str, int, int]] = []

    @contextmanager
    def opened(self) -> Iterator[Checkpoint]:
        """Have the folder, with what was handed over last."""
        global _given
        before = _given
        with (
            scratch_folder()
            if self._scratch is None
            else tempfile.TemporaryDirectory(dir=self._scratch, ignore_cleanup_errors=True)
        ) as folder:
            self.folder = _given = Path(folder, "checkpoint")
            self.folder.mkdir()
            if self._files is not None:
                self._restore(self._files)
            self._seen = _listed(self.folder)
            try:
                yield self
            finally:
                _given = before

    def save(self, progress: Progress) -> None:
        """Keep what lies in the folder, where it has changed since.

        A store that fails costs the trial its progress, should it need it, and nothing else.
        """
        if self._files is None or (now := _listed(self.folder)) == self._seen or not now:
            return
        name = f"{len(progress.losses):08}-{secrets.token_hex(8)}"
        with suppress(OSError, ValueError):  # Arrow's errors are children of these
            for path, _, _ in now:
                self._copy(self._files, self.folder / path, f"{self._base}/{name}/{path}")
            told = {
                "files": {path: size for path, size, _ in now},
                "losses": progress.losses,
                "seconds": progress.seconds,
                "last": dataclasses.asdict(progress.last),
            }
            with self._files.open_output_stream(f"{self._base}/{name}{_LIST}") as out:
                out.write(json.dumps(told).encode())
            self._seen = now
            for old in self._names:
                self._drop(self._files, old)
            self._names = [name]

    def remove(self) -> None:
        """The trial has ended."""
        if self._files is not None:
            with suppress(OSError):
                self._files.delete_dir(self._base)

    def _restore(self, files: FileSystem) -> None:
        from pyarrow.fs import FileSelector

        with suppress(OSError):
            found = files.get_file_info(FileSelector(self._base, allow_not_found=True))
            names = sorted((file.base_name for file in found if file.base_name.endswith(_LIST)), reverse=True)
            self._names = [name.removesuffix(_LIST) for name in names]
        for name in self._names:
            # Whatever is wrong with one, an older one may do, and else the trial starts anew.
            with suppress(OSError, ValueError, KeyError, TypeError):
                self.progress = self._fetch(files, name)
                return
            shutil.rmtree(self.folder)
            self.folder.mkdir()

    def _fetch(self, files: FileSystem, name: str) -> Progress:
        told = json.loads(files.open_input_stream(f"{self._base}/{name}{_LIST}").read())
        for path, size in told["files"].items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            with files.open_input_stream(f"{self._base}/{name}/{path}") as source, place.open("wb") as out:
                while piece := source.read(_PIECE_BYTES):
                    out.write(piece)
            if place.stat().st_size != size:
                raise ValueError(f"{path} has another size")
        return Progress(tuple(told["losses"]), tuple(told["seconds"]), _outcome(told["last"]))

    def _copy(self, files: FileSystem, path: Path, place: str) -> None:
        files.create_dir(place.rpartition("/")[0], recursive=True)
        with path.open("rb") as source, files.open_output_stream(place) as out:
            while piece := source.read(_PIECE_BYTES):
                out.write(piece)

    def _drop(self, files: FileSystem, name: str) -> None:
        """Its list first, so that it never counts by half."""
        with suppress(OSError):
            files.delete_file(f"{self._base}/{name}{_LIST}")
            files.delete_dir(f"{self._base}/{name}")


def checkpoint_dir() -> Path:
    """The folder of the evaluation that this process is at; an empty one where there is none."""
    global _scratch
    if _given is not None:
        return _given
    if _scratch is not None:
        _scratch.cleanup()
    _scratch = tempfile.TemporaryDirectory(prefix="fivefold_checkpoint_")
    return Path(_scratch.name)


def _listed(folder: Path) -> list[tuple[str, int, int]]:
    """The files in a folder, with what tells whether one has changed."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            found.append((path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns))
    return found


def _outcome(told: dict[str, Any]) -> Outcome:
    lists = {key: tuple(told[key]) for key in ("folds", "steps", "step_seconds")}
    return Outcome(**told | lists | {"status": Status(told["status"])})

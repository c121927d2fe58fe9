"""Checkpoints of long trials: what an objective has handed over survives the lane that it was on.

An objective that yields may take ``checkpoint_dir``, a folder. What lies in it at a yield is kept, with the
losses of the steps so far; the next attempt of the same trial finds it there, has to yield only the steps
that are left, and is charged the seconds of those that are not repeated.

A store is a path or a URI of a file system that PyArrow knows (``file``, ``s3``, ``gs``, ``hdfs``). In it::

    KEY/00000012-1f3a....json     written first: its files and their sizes, and the steps so far
    KEY/00000012-1f3a.../...      what lay in the folder after step 12

Nothing is renamed, appended to or locked, so that an object store will do. A checkpoint that lacks a
file, or has one of another size, does not count. What is removed is what a list names, so that nobody
else's files go, however they came there.
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
from typing import Any, Final

from runner.errors import StudyError, describe
from runner.journal.files.places import Root, Unexpected
from runner.journal.files.scratch import scratch_folder
from runner.problems.files.stores import Store, open_store
from runner.trial import Outcome, Status, outcome_from_json

CHECKPOINTS: Final = "checkpoints"
"""The folder of a study directory that they are in, unless a store is given."""
_LIST = ".json"
_OURS: Final = re.compile(r"\d{8,}-[0-9a-f]{16}\.json")
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a list may raise, whoever wrote it; Arrow's errors are children of the first two."""
_PIECE_BYTES = 8 * 1024**2

_given: Path | None = None  # the folder of the evaluation that this process is at
_scratch: tempfile.TemporaryDirectory[str] | None = None


@dataclass(frozen=True)
class Storage:
    """Where the checkpoints of a study are, as the driver knows it.

    Attributes
    ----------
    place : str
        An absolute path, or a URI. What is kept there is below a folder of it:
    name : str
    shared : bool
        Whether every node of a cluster reaches it; else other nodes than the driver's keep
        checkpoints of their own, which serve a trial that comes back to them.
    keep_failed : bool
        See `Checkpoints`.
    """

    place: str
    name: str
    shared: bool = False
    keep_failed: bool = False

    @property
    def store(self) -> Checkpoints:
        """As it is reached from the driver's node."""
        return Checkpoints(self.place, self.name, self.keep_failed)


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
    name : str
        The folder in it that the checkpoints are in.
    keep_failed : bool
        Whether a trial that raised will be tried again.
    scratch : str, optional
        A folder of this machine for what objectives write.
    """

    def __init__(self, place: str, name: str, keep_failed: bool = False, scratch: str | None = None) -> None:
        self.place, self.name, self.keep_failed, self._scratch = place, name, keep_failed, scratch

    @cached_property
    def _store(self) -> Store:
        return open_store(self.place)

    def check(self) -> None:
        """Raise StudyError where nothing can be written there."""
        probe = f"{self.name}/probe-{secrets.token_hex(8)}"
        try:
            with self._store.making(probe) as out:
                out.write(b"fivefold")
            self._store.remove([probe], self.name)
        except Exception as error:  # PyArrow's many, of as many file systems
            what = error.strerror if isinstance(error, Unexpected) else describe(error)
            raise StudyError(
                f"no checkpoint can be written to '{self.place}': {what}.",
                where="checkpoints",
                hint="Give another place with --storage: a path that every node has, or a URI such as s3://bucket/x.",
            ) from None

    def of(self, key: str) -> Checkpoint:
        """The checkpoint of one trial, by a name that it has on every attempt."""
        return Checkpoint(self._store, f"{self.name}/{key}", self._scratch)

    def ended(self, held: Checkpoint, outcome: Outcome) -> None:
        """A trial has ended as this; where it will not be tried again, its checkpoint goes."""
        if outcome.status is not Status.FAILED or not self.keep_failed:
            held.remove()

    def clear(self) -> None:
        """Remove all checkpoints that are left."""
        with suppress(OSError):
            for name, kind in self._store.entries(self.name):
                if kind == "a folder":
                    Checkpoint(self._store, name).remove()
            self._store.remove_folder(self.name)


class Checkpoint:
    """What one trial has handed over.

    Attributes
    ----------
    folder : Path
        What the objective sees, while `opened`.
    progress : Progress or None
        Where it goes on from.
    """

    def __init__(self, store: Store | None = None, base: str = "", scratch: str | None = None) -> None:
        self.folder = Path()
        self.progress: Progress | None = None
        self._store, self._base, self._scratch = store, base, scratch
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
            if self._store is not None:
                self._restore(self._store)
            self._seen = _listed(self.folder)
            try:
                yield self
            finally:
                _given = before

    def save(self, progress: Progress) -> None:
        """Keep what lies in the folder, where it has changed since.

        A store that fails costs the trial its progress, should it need it, and nothing else.
        """
        if self._store is None or (now := _listed(self.folder)) == self._seen or not now:
            return
        name = f"{self._base}/{len(progress.losses):08}-{secrets.token_hex(8)}"
        listing = {
            "files": {path: size for path, size, _ in now},
            "losses": progress.losses,
            "seconds": progress.seconds,
            "last": dataclasses.asdict(progress.last),
        }
        try:
            with self._store.making(f"{name}{_LIST}") as out:
                out.write(json.dumps(listing).encode())
            for path, _, _ in now:
                self._copy(self._store, self.folder / path, f"{name}/{path}")
        except (OSError, ValueError):  # Arrow's errors are children of these
            _drop(self._store, name)
            return
        for old in self._names:
            _drop(self._store, old)
        self._seen, self._names = now, [name]

    def remove(self) -> None:
        """Remove what was handed over: the trial has ended."""
        if self._store is not None:
            with suppress(OSError):
                for name in self._found(self._store):
                    _drop(self._store, name)

    def _found(self, store: Store) -> list[str]:
        """The checkpoints that are there, the latest first."""
        names = [name for name, kind in store.entries(self._base) if kind == "a file"]
        ours = [name for name in names if _OURS.fullmatch(name.rpartition("/")[2])]
        return sorted((name.removesuffix(_LIST) for name in ours), reverse=True)

    def _restore(self, store: Store) -> None:
        with suppress(OSError):
            self._names = self._found(store)
        for name in self._names:
            # Whatever is wrong with one, an older one may do, and else the trial starts anew.
            with suppress(*_UNREADABLE):
                self.progress = self._fetch(store, name)
                return
            shutil.rmtree(self.folder)
            self.folder.mkdir()

    def _fetch(self, store: Store, name: str) -> Progress:
        listing, own = _read(store, name), Root(self.folder)
        for path, size in listing["files"].items():
            copied = 0
            with store.reading(f"{name}/{path}") as source, own.making(path) as out:
                while piece := source.read(_PIECE_BYTES):
                    copied += out.write(piece)
            if copied != size:
                raise ValueError(f"{path} has another size")
        losses, seconds = (tuple(map(float, listing[key])) for key in ("losses", "seconds"))
        return Progress(losses, seconds, outcome_from_json(listing["last"]))

    def _copy(self, store: Store, path: Path, place: str) -> None:
        with path.open("rb") as source, store.making(place) as out:
            while piece := source.read(_PIECE_BYTES):
                out.write(piece)


def _read(store: Store, name: str) -> dict[str, Any]:
    """The list of a checkpoint."""
    with store.reading(f"{name}{_LIST}") as file:
        listing: dict[str, Any] = json.loads(file.read())
        return listing


def _drop(store: Store, name: str) -> None:
    """Remove what a checkpoint's list names, then the list; without a list there is nothing of ours."""
    with suppress(*_UNREADABLE):
        place = name.partition("/")[0]  # which other trials use, too
        store.remove([f"{name}/{path}" for path in _read(store, name)["files"]], place)
        store.remove([f"{name}{_LIST}"], place)


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

"""Checkpoints of long trials: the progress of an objective survives the worker that it was on.

An objective that yields may take ``checkpoint_dir``, a folder. Its content is saved at each yield, with the
losses of the steps so far; the next attempt of the same trial finds it there, has to yield only the
remaining steps, and is charged the seconds of those that are not repeated.

A store is a path or a URI of a file system that PyArrow knows (``file``, ``s3``, ``gs``, ``hdfs``). In it::

    KEY/00000012-1f3a....json     written first: its files and their sizes, and the steps so far
    KEY/00000012-1f3a.../...      content of the folder after step 12

Nothing is renamed, appended to or locked, so that an object store will do. A checkpoint that lacks a
file, or has one of another size, does not count. Only files that a list names are removed, so that files of
others stay, however they came there.
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
"""Their folder in a study directory, unless a store is given."""
_LIST = ".json"
_OURS: Final = re.compile(r"\d{8,}-[0-9a-f]{16}\.json")
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""Errors of reading a list, whoever wrote it; Arrow's errors are subclasses of the first two."""
_PIECE_BYTES = 8 * 1024**2  # copied at once: many requests to a store less, and little memory

_current: Path | None = None  # folder of this process's evaluation
_scratch: tempfile.TemporaryDirectory[str] | None = None


@dataclass(frozen=True)
class Storage:
    """Place of a study's checkpoints, as the driver knows it.

    Attributes
    ----------
    place : str
        An absolute path, or a URI.
    name : str
        Folder of the checkpoints in it.
    shared : bool
        True where every node of a cluster reaches it; else other nodes than the driver's keep
        checkpoints of their own, which serve a trial that returns to them.
    keep_failed : bool
        See `Checkpoints`.
    """

    place: str
    name: str
    shared: bool = False
    keep_failed: bool = False

    @property
    def store(self) -> Checkpoints:
        """Store as reached from the driver's node."""
        return Checkpoints(self.place, self.name, self.keep_failed)


@dataclass(frozen=True)
class Progress:
    """Progress of a trial.

    Attributes
    ----------
    losses, seconds : tuple of float
        After each step; seconds since the trial's first start, without what was lost.
    last : Outcome
        Outcome if that had been its last step.
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
        Folder of the checkpoints in it.
    keep_failed : bool
        A trial that raised will be tried again.
    scratch : str, optional
        Folder of this machine for the files of objectives.
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
        except Exception as error:  # each file system of PyArrow has its own
            what = error.strerror if isinstance(error, Unexpected) else describe(error)
            raise StudyError(
                f"cannot write checkpoints to '{self.place}': {what}.",
                where="checkpoints",
                hint="Give another place with --storage: a path that every node has, or a URI such as s3://bucket/x.",
            ) from None

    def of(self, key: str) -> Checkpoint:
        """Get the checkpoint of one trial, by a name that it has on every attempt."""
        return Checkpoint(self._store, f"{self.name}/{key}", self._scratch)

    def ended(self, held: Checkpoint, outcome: Outcome) -> None:
        """Remove the checkpoint of a trial that has ended, unless it will be tried again."""
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
    """Latest checkpoint of one trial.

    Attributes
    ----------
    folder : Path
        Folder that the objective sees, while `opened`.
    progress : Progress or None
        Progress to resume from.
    """

    def __init__(self, store: Store | None = None, base: str = "", scratch: str | None = None) -> None:
        self.folder = Path()
        self.progress: Progress | None = None
        self._store, self._base, self._scratch = store, base, scratch
        self._names: list[str] = []  # of the checkpoints that are there
        self._seen: list[tuple[str, int, int]] = []

    @contextmanager
    def opened(self) -> Iterator[Checkpoint]:
        """Open the folder, with the content of the last checkpoint."""
        global _current
        before = _current
        with (
            scratch_folder()
            if self._scratch is None
            else tempfile.TemporaryDirectory(dir=self._scratch, ignore_cleanup_errors=True)
        ) as folder:
            self.folder = _current = Path(folder, "checkpoint")
            self.folder.mkdir()
            if self._store is not None:
                self._restore(self._store)
            self._seen = _listed(self.folder)
            try:
                yield self
            finally:
                _current = before

    def save(self, progress: Progress) -> None:
        """Save the folder, where it has changed since.

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
        except (OSError, ValueError):  # Arrow's errors are subclasses of these
            _drop(self._store, name)
            return
        for old in self._names:
            _drop(self._store, old)
        self._seen, self._names = now, [name]

    def remove(self) -> None:
        """Remove the checkpoint: the trial has ended."""
        if self._store is not None:
            with suppress(OSError):
                for name in self._existing(self._store):
                    _drop(self._store, name)

    def _existing(self, store: Store) -> list[str]:
        """List the existing checkpoints, the latest first."""
        names = [name for name, kind in store.entries(self._base) if kind == "a file"]
        ours = [name for name in names if _OURS.fullmatch(name.rpartition("/")[2])]
        return sorted((name.removesuffix(_LIST) for name in ours), reverse=True)

    def _restore(self, store: Store) -> None:
        with suppress(OSError):
            self._names = self._existing(store)
        for name in self._names:
            # Where one is damaged, an older one may do; else the trial starts from the beginning.
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
    """Read the list of a checkpoint."""
    with store.reading(f"{name}{_LIST}") as file:
        listing: dict[str, Any] = json.loads(file.read())
        return listing


def _drop(store: Store, name: str) -> None:
    """Remove the files of a checkpoint's list, then the list; without a list nothing is ours."""
    with suppress(*_UNREADABLE):
        place = name.partition("/")[0]  # which other trials use, too
        store.remove([f"{name}/{path}" for path in _read(store, name)["files"]], place)
        store.remove([f"{name}{_LIST}"], place)


def checkpoint_dir() -> Path:
    """Get the folder of this process's evaluation; an empty one where there is none."""
    global _scratch
    if _current is not None:
        return _current
    if _scratch is not None:
        _scratch.cleanup()
    _scratch = tempfile.TemporaryDirectory(prefix="fivefold_checkpoint_")
    return Path(_scratch.name)


def _listed(folder: Path) -> list[tuple[str, int, int]]:
    """List the files in a folder, with size and time of the last change."""
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            files.append((path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns))
    return files

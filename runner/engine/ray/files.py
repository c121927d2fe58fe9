"""Files and local modules on their way to the nodes of a cluster: to each node once, by content.

Lanes on the driver's node use what lies there. On another node the first lane that comes up takes the
bytes from Ray's object store and puts them into a folder of that node, in Ray's session; lanes after it,
and later studies of the same Ray, find them there. A file gets its place when its bytes are all there and
are those that the driver has seen.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle
import ray
from ray._private import worker as ray_worker

from runner.errors import EngineError
from runner.problems.files.data_files import DataFile
from runner.problems.files.local_imports import Sources

_PIECE_BYTES = 64 * 1024**2  # so that a large file needs no object store of its size


@dataclass(frozen=True)
class Parcelled:
    """One file in the object store.

    Attributes
    ----------
    name : str
        For `runner.problems.files.data_files.data_file`.
    path : str
        On the driver's machine.
    digest : str
    pieces : sequence of references
        Its bytes, one piece after the other.
    """

    name: str
    path: str
    digest: str
    pieces: Sequence[Any]


@dataclass(frozen=True)
class Luggage:
    """What lanes need of the driver's files.

    Attributes
    ----------
    home : str
        The driver's node.
    files : tuple of Parcelled
    sources : sequence of references
        One, to the folders of Python files, where there are any.
    digest : str
        Of the sources.
    """

    home: str
    files: tuple[Parcelled, ...] = ()
    sources: Sequence[Any] = ()
    digest: str = ""


@dataclass(frozen=True)
class Unpacked:
    """Where things are on a lane's node.

    Attributes
    ----------
    places : mapping of str to Path
        The study's files.
    folders : mapping of str to str
        To import from, before others: where those of the driver's machine are on this one.
    away : bool
        Whether it is another node than the driver's.
    """

    places: Mapping[str, Path]
    folders: Mapping[str, str] = field(default_factory=dict)
    away: bool = False


def pack_luggage(files: Sequence[DataFile], sources: Sources, alone: bool) -> Luggage:
    """Put files and sources into the object store.

    Parameters
    ----------
    files : sequence of DataFile
    sources : Sources
    alone : bool
        Whether there is no other node and none will come: then nothing has to travel.
    """
    home = ray.get_runtime_context().get_node_id()
    parcelled = tuple(
        Parcelled(file.name, str(file.path), file.digest, [] if alone else list(_pieces(file.path)))
        for file in files
    )
    if alone or not sources.roots:
        return Luggage(home, parcelled)
    content = cloudpickle.dumps([(str(root), files) for root, files in sources.roots.items()])
    return Luggage(home, parcelled, [ray.put(content)], hashlib.sha256(content).hexdigest())


def _pieces(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield ray.put(piece)


def unpack_luggage(luggage: Luggage) -> Unpacked:
    """On a lane: where its files and modules are.

    Raises
    ------
    EngineError
        Where a file cannot be written, or has changed since the driver read it.
    """
    node = ray.get_runtime_context().get_node_id()
    if node == luggage.home:
        return Unpacked({file.name: Path(file.path) for file in luggage.files})
    folder = Path(ray_worker._global_node.get_session_dir_path(), "fivefold", node)  # internal; tested
    try:
        places, folders = {}, {}
        for file in luggage.files:
            # Under its own name, which may tell what it is, in a folder of its content.
            place = folder / "files" / file.digest / Path(file.path).name
            places[file.name] = place
            with _alone(folder, place) as new:
                if new is not None:
                    _receive(file, new)
        if luggage.sources:
            place = folder / "sources" / luggage.digest
            roots = cloudpickle.loads(ray.get(luggage.sources[0]))
            with _alone(folder, place) as new:
                if new is not None:
                    _lay_out(roots, new)
            folders = {root: str(place / _numbered(i)) for i, (root, _) in enumerate(roots)}
        return Unpacked(places, folders, away=True)
    except OSError as error:
        raise EngineError(
            f"the study's files cannot be written: {error.strerror or error}.", where=str(folder)
        ) from None


@contextmanager
def _alone(folder: Path, place: Path) -> Iterator[Path | None]:
    """A path to make what is missing at a place, by one lane at a time; None where it is there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.exists():
            yield None
            return
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = place.with_name(f"{place.name}.{os.getpid()}.new")
        yield new
        new.replace(place)


def _receive(file: Parcelled, new: Path) -> None:
    digest = hashlib.sha256()
    with new.open("wb") as out:
        for reference in file.pieces:
            piece = ray.get(reference)
            digest.update(piece)
            out.write(piece)
    if digest.hexdigest() != file.digest:
        new.unlink()
        raise EngineError("the file has changed while it was read.", where=file.path, hint="Run again.")


def _numbered(number: int) -> str:
    return f"{number:04}"


def _lay_out(roots: Sequence[tuple[str, Mapping[str, bytes]]], new: Path) -> None:
    for number, (_, files) in enumerate(roots):
        for name, text in files.items():
            path = new / _numbered(number) / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(text)

"""Transfer of files and local modules to the nodes of a cluster: to each node once, by content.

Workers on the driver's node use the driver's files. On another node the first worker takes the bytes from
Ray's object store and writes them to a folder of that node, in Ray's session; later workers, and later
studies of the same Ray, find them there. A file gets its final name when its bytes are complete and match the
driver's checksum.
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

from runner.engine.ray.internals import session_folder
from runner.errors import EngineError
from runner.problems.files.data_files import DataFile
from runner.problems.files.local_imports import Sources

_PIECE_BYTES = 64 * 1024**2  # so that a large file needs no object store of its size


@dataclass(frozen=True)
class PackedFile:
    """A file in the object store.

    Attributes
    ----------
    name : str
        Argument of `runner.problems.files.data_files.data_file`.
    path : str
        Path on the driver's machine.
    pieces : sequence of references
        Its bytes, one piece after the other.
    """

    name: str
    path: str
    digest: str
    pieces: Sequence[Any]


@dataclass(frozen=True)
class PackedFiles:
    """The driver's files for the workers.

    Attributes
    ----------
    home : str
        Id of the driver's node.
    sources : sequence of references
        A single reference to the folders of Python files; empty if there are none.
    digest : str
        Checksum of the sources.
    """

    home: str
    files: tuple[PackedFile, ...] = ()
    sources: Sequence[Any] = ()
    digest: str = ""


@dataclass(frozen=True)
class UnpackedFiles:
    """Locations on a worker's node.

    Attributes
    ----------
    places : mapping of str to Path
        The study's files by name.
    folders : mapping of str to str
        Folders to import from, before others: from their path on the driver's machine to the one here.
    away : bool
        The node is not the driver's.
    """

    places: Mapping[str, Path]
    folders: Mapping[str, str] = field(default_factory=dict)
    away: bool = False


def pack_files(files: Sequence[DataFile], sources: Sources, alone: bool) -> PackedFiles:
    """Put files and sources into the object store.

    Parameters
    ----------
    alone : bool
        There is no other node and none will come: then nothing has to be sent.
    """
    home = ray.get_runtime_context().get_node_id()
    packed = tuple(
        PackedFile(file.name, str(file.path), file.digest, [] if alone else list(_pieces(file.path)))
        for file in files
    )
    if alone or not sources.roots:
        return PackedFiles(home, packed)
    content = cloudpickle.dumps([(str(root), files) for root, files in sources.roots.items()])
    return PackedFiles(home, packed, [ray.put(content)], hashlib.sha256(content).hexdigest())


def _pieces(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield ray.put(piece)


def unpack_files(packed_files: PackedFiles) -> UnpackedFiles:
    """Find the files and modules on a worker's node; write them if they are missing.

    Raises
    ------
    EngineError
        If a file cannot be written, or has changed since the driver read it.
    """
    node = ray.get_runtime_context().get_node_id()
    if node == packed_files.home:
        return UnpackedFiles({file.name: Path(file.path) for file in packed_files.files})
    folder = Path(session_folder(), "fivefold", node)
    try:
        places, folders = {}, {}
        for file in packed_files.files:
            # The name is kept, because its suffix may matter; the folder is named by the content.
            place = folder / "files" / file.digest / Path(file.path).name
            places[file.name] = place
            with _exclusively(folder, place) as new:
                if new is not None:
                    _receive(file, new)
        if packed_files.sources:
            place = folder / "sources" / packed_files.digest
            roots = cloudpickle.loads(ray.get(packed_files.sources[0]))
            with _exclusively(folder, place) as new:
                if new is not None:
                    _lay_out(roots, new)
            folders = {root: str(place / _numbered(i)) for i, (root, _) in enumerate(roots)}
        return UnpackedFiles(places, folders, away=True)
    except OSError as error:
        raise EngineError(
            f"the study's files cannot be written: {error.strerror or error}.", where=str(folder)
        ) from None


@contextmanager
def _exclusively(folder: Path, place: Path) -> Iterator[Path | None]:
    """Yield a path to write what is missing at a place, to one worker at a time; None if it is there."""
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


def _receive(file: PackedFile, new: Path) -> None:
    digest = hashlib.sha256()
    with new.open("wb") as out:
        for reference in file.pieces:
            piece = ray.get(reference)
            digest.update(piece)
            out.write(piece)
    if digest.hexdigest() != file.digest:
        new.unlink()
        raise EngineError(
            "the file changed while it was read.", where=file.path, hint="Run the command again."
        )


def _numbered(number: int) -> str:
    return f"{number:04}"


def _lay_out(roots: Sequence[tuple[str, Mapping[str, bytes]]], new: Path) -> None:
    for number, (_, files) in enumerate(roots):
        for name, content in files.items():
            path = new / _numbered(number) / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)

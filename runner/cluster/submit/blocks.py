"""Files in blocks that are known by their digests: what is there already is not sent again.

A list of files names each one's blocks. Who has some of the blocks, from an earlier copy or from a
transfer that was broken off, asks for the others only.

On its way a list is a line ``fivefold-list JSON``, a block a line ``fivefold-block DIGEST TEXT`` with
the compressed block in base 64; all other lines are of no account.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.errors import EngineError
from runner.journal.files.places import Root, is_being_made, kind_of, parts_of
from runner.journal.schema import LOCK

BLOCK_BYTES = 256 * 1024
"""Small enough for one message, large enough that a list stays short."""

_LIST, _BLOCK = "fivefold-list ", "fivefold-block "
_MOST_FILES = 10_000


@dataclass(frozen=True)
class Listed:
    """One file of a list.

    Attributes
    ----------
    name : str
        Relative, with slashes.
    size : int
        In bytes.
    blocks : sequence of str
        Digests, in order.
    """

    name: str
    size: int
    blocks: Sequence[str]


def digest_of(block: bytes) -> str:
    """What a block is known by."""
    return hashlib.sha256(block).hexdigest()[:40]


def files_of(folder: Path) -> Iterator[str]:
    """The names of the files of a study directory that travel; links are not followed."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if kind_of(path) == "a file" and name != LOCK and not is_being_made(path.name):
            yield name


def blocks_of(root: Root, name: str) -> Iterator[bytes]:
    """The blocks of a file."""
    with root.reading(name) as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def list_file(name: str, root: Root, place: str) -> Listed:
    """A file as it stands at a place in a root, under the name that it is sent by."""
    size, digests = 0, []
    for block in blocks_of(root, place):
        size += len(block)
        digests.append(digest_of(block))
    return Listed(name, size, tuple(digests))


def list_line(files: Iterable[Listed]) -> str:
    """A list as a line."""
    return f"{_LIST}{json.dumps([asdict(file) for file in files])}\n"


def block_line(digest: str, block: bytes) -> str:
    """A block as a line."""
    return f"{_BLOCK}{digest} {base64.b64encode(zlib.compress(block)).decode()}\n"


def read_list(line: str) -> list[Listed] | None:
    """The list of a line; None where it holds none.

    Raises
    ------
    EngineError
        Where it is no list, or names a file that does not lie within one directory.
    """
    if not line.startswith(_LIST):
        return None
    try:
        files = [
            Listed(str(file["name"]), int(file["size"]), tuple(map(str, file["blocks"])))
            for file in json.loads(line[len(_LIST) :])
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise _nonsense(f"a list that cannot be read ({type(error).__name__})") from None
    for file in files:
        if not _stays_within(file.name):
            raise _nonsense(f"a file of the name {file.name!r}")
        if len(file.blocks) != -(-file.size // BLOCK_BYTES):
            raise _nonsense(f"{len(file.blocks)} blocks of a file of {file.size} bytes")
    if len(files) > _MOST_FILES or len({file.name for file in files}) < len(files):
        raise _nonsense("a list with a name twice, or of too many files")
    return files


def _stays_within(name: str) -> bool:
    """Whether a file of this name lies in the directory, and is not the lock that is held meanwhile."""
    try:
        return bool(parts_of(name)) and "\\" not in name and name != LOCK
    except ValueError:
        return False


def read_block(line: str) -> tuple[str, bytes] | None:
    """Digest and content of the block of a line; None where it holds none, or a damaged one."""
    if not line.startswith(_BLOCK):
        return None
    digest, _, text = line[len(_BLOCK) :].strip().partition(" ")
    try:
        unpacking = zlib.decompressobj()
        block = unpacking.decompress(base64.b64decode(text, validate=True), BLOCK_BYTES + 1)
    except (binascii.Error, zlib.error, ValueError):
        return None
    return (digest, block) if unpacking.eof and digest_of(block) == digest else None


def _nonsense(what: str) -> EngineError:
    return EngineError(
        f"the head sent {what}.", where="--fetch", hint="Install the same fivefold there as here."
    )

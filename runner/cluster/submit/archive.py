"""A study directory as one archive in the log of a job: written on the head, read by `fetch`.

The archive is a gzipped tar, in lines ``fivefold-data BASE64`` and a last line ``fivefold-end CHECKSUM``;
all other lines of the log are ignored. Base 64, since Ray serves logs as text and replaces other bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, TextIO

from runner.errors import EngineError, ResultsError
from runner.journal.entry import write_meta
from runner.journal.files.folder import is_in_use
from runner.journal.files.own import OwnFolder
from runner.journal.files.places import Root, is_being_made, kind_of, parts_of
from runner.journal.findings import explained
from runner.journal.reader import find_journal
from runner.journal.schema import DATABASE, LOCK, SHARED

LOG = (f"{DATABASE}-wal", f"{DATABASE}-shm")
"""Files of SQLite beside the journal; a snapshot has neither."""

_DATA, _END = "fivefold-data ", "fivefold-end "
_LINE_BYTES = 192 * 1024  # 256 kB in base 64: small enough for one message, large enough for few
_BUSY_SECONDS = 30.0  # long enough for the transactions of a study that runs


def send(folder: Path, out: TextIO) -> None:
    """Write a study directory as lines.

    Parameters
    ----------
    folder : Path
        May be in use by a study that runs: the journal is then sent as a snapshot.

    Raises
    ------
    ResultsError, JournalError
        Where there is no study directory, or an unreadable one.
    """
    journal = find_journal(folder)
    with tempfile.TemporaryDirectory(prefix="fivefold_") as scratch:
        root = Root(folder)
        places = {name: (root, name) for name in sorted(_files(folder))}
        if is_in_use(folder):
            with explained(journal):
                copy = _snapshot(journal, Path(scratch) / DATABASE)
                places = {name: place for name, place in places.items() if name not in LOG}
                places[DATABASE] = (Root(copy.parent), copy.name)
        try:
            lines = _Lines(out)
            with tarfile.open(fileobj=lines, mode="w|gz", bufsize=_LINE_BYTES) as archive:  # type: ignore[call-overload]
                for name, (place, source) in places.items():
                    with place.reading(source) as file:
                        member = tarfile.TarInfo(name)
                        member.size = os.fstat(file.fileno()).st_size
                        archive.addfile(member, file)
            out.write(f"{_END}{lines.checksum.hexdigest()}\n")
        except OSError as error:
            raise ResultsError(f"cannot be read: {error.strerror or error}.", where=str(folder)) from None
    out.flush()


class _Lines:
    """Encoder of each block that is written to it as a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.checksum = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.checksum.update(data)
        self._out.write(f"{_DATA}{base64.b64encode(data).decode()}\n")
        return len(data)


class Receiver:
    """Decoder of the lines of `send` into a file.

    Attributes
    ----------
    size : int
        Number of bytes received.
    complete : bool
        True once the last line has come and its checksum fits.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._checksum = out, hashlib.sha256()
        self.size, self.complete = 0, False

    def take(self, line: str) -> bool:
        """Decode a line; return False where it is none of the archive's."""
        if line.startswith(_DATA):
            try:
                data = base64.b64decode(line[len(_DATA) :].strip(), validate=True)
            except (binascii.Error, ValueError):
                data = b""  # the checksum will not fit
            self._out.write(data)
            self._checksum.update(data)
            self.size += len(data)
        elif line.startswith(_END):
            self.complete = line[len(_END) :].strip() == self._checksum.hexdigest()
        else:
            return False
        return True


def unpack(archive: BinaryIO, target: OwnFolder, folder: str) -> list[str]:
    """Write the files of an archive into a folder of the target; return their names.

    Raises
    ------
    EngineError
        Where the archive is invalid, or holds anything but files within one directory.
    """
    names: list[str] = []
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as files:
            for member in files:
                content = files.extractfile(member) if member.isreg() else None
                if content is None or member.name in names or not _stays_within(member.name):
                    raise _invalid(f"an unexpected file {member.name!r}")
                names.append(member.name)
                target.record([f"{folder}/{member.name}"])
                with target.making(f"{folder}/{member.name}") as out:
                    shutil.copyfileobj(content, out)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise _invalid(f"an invalid archive ({type(error).__name__})") from None
    return names


def _files(folder: Path) -> Iterator[str]:
    """Yield the names of the files of a study directory that are sent; links are not followed."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if kind_of(path) == "a file" and name != LOCK and not is_being_made(path.name):
            yield name


def _stays_within(name: str) -> bool:
    """Return True for a name within the directory that is not the lock, which is held meanwhile."""
    try:
        return bool(parts_of(name)) and "\\" not in name and name != LOCK
    except ValueError:
        return False


def _snapshot(journal: Path, copy: Path) -> Path:
    """Copy the journal of a study that runs, and mark it as closed, so that no log is expected."""
    source = sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
    with SHARED, closing(source), closing(sqlite3.connect(copy, isolation_level=None)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        write_meta(target, {"open": False})
        target.execute("PRAGMA journal_mode = WAL")
    return copy


def _invalid(what: str) -> EngineError:
    return EngineError(
        f"the head sent {what}.", where="--fetch", hint="Install the same fivefold there as here."
    )

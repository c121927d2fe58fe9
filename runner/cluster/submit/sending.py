"""On the head: a study directory, written to the log of a job, from which the asker takes it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import TextIO

from runner.cluster.submit.blocks import block_line, blocks_of, digest_of, files_of, list_file, list_line
from runner.errors import ResultsError
from runner.journal.entry import write_meta
from runner.journal.files.folder import is_in_use
from runner.journal.files.places import Root
from runner.journal.findings import explained
from runner.journal.reader import find_journal
from runner.journal.schema import DATABASE, SHARED

_BUSY_SECONDS = 30.0
_LOG = (f"{DATABASE}-wal", f"{DATABASE}-shm")


def send(folder: Path, have: Collection[str], out: TextIO) -> None:
    """Write a study directory as lines: its list of files, then the blocks that are not had.

    Parameters
    ----------
    folder : Path
        May be that of a study that runs: the journal is then sent as it stood at one moment.
    have : collection of str
        Digests of the blocks that the asker has.
    out : text stream

    Raises
    ------
    ResultsError, JournalError
        Where there is no study directory, or it cannot be read.
    """
    journal = find_journal(folder)
    with tempfile.TemporaryDirectory(prefix="fivefold_") as scratch:
        root = Root(folder)
        places = {name: (root, name) for name in sorted(files_of(folder))}
        if is_in_use(folder):
            with explained(journal):
                copy = _copied(journal, Path(scratch) / DATABASE)
                places = {name: place for name, place in places.items() if name not in _LOG}
                places[DATABASE] = (Root(copy.parent), copy.name)
        try:
            files = [list_file(name, *place) for name, place in places.items()]
            out.write(list_line(files))
            sent = set(have)
            for file in files:
                for block in blocks_of(*places[file.name]):
                    digest = digest_of(block)
                    if digest not in sent:
                        sent.add(digest)
                        out.write(block_line(digest, block))
        except OSError as error:
            raise ResultsError(f"it cannot be read: {error.strerror}.", where=str(folder)) from None
    out.flush()


def _copied(journal: Path, copy: Path) -> Path:
    """The journal of a run that is live, as it stood at one moment; closed, so that no log is missed."""
    source = sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
    with SHARED, closing(source), closing(sqlite3.connect(copy, isolation_level=None)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        write_meta(target, {"open": False})
        target.execute("PRAGMA journal_mode = WAL")
    return copy

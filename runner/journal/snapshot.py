"""Looking at a study directory, also while a run writes it, also where it must not be written.

No file is made or changed. SQLite would do both for a database with a write-ahead log, so it is
told not to, in the way that fits what lies there:

* no log, or an empty one: all is in the main file, which is read as if it were immutable, and
  read again if it changed meanwhile;
* a log with its index: a run is live, or died; the index is read, not written;
* a log without its index, as after copying by hand: a copy is read.

What is found wrong while a writer may come or go is looked at again before it is believed.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import JournalError
from runner.journal.checks import Content, check_content, meta_is_whole
from runner.journal.files.folder import check_study_file, is_in_use
from runner.journal.files.places import kind_of
from runner.journal.findings import Fault, Finding, damaged
from runner.journal.schema import DATABASE, RUN_COLUMNS, SHARED, TRIAL_COLUMNS, check_header
from runner.journal.wal import check_log, holds_frames

_PATIENCE = 20.0  # seconds
_PAUSE = 0.02
_BUSY_SECONDS = 10.0

_LOG_MISSING = "the log is missing or cut off, so the trials recorded last may be lost"


@dataclass(frozen=True)
class Snapshot:
    """What a study directory held at one moment, and what is wrong with it."""

    content: Content
    findings: list[Finding]

    def undamaged(self, path: Path) -> Snapshot:
        """Itself; JournalError where there is damage."""
        for finding in self.findings:
            if finding.fault is Fault.DAMAGE:
                raise damaged(path.with_name(finding.file), finding.what, _hint(finding))
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must be told of a directory that is not damaged."""
        return tuple(map(str, self.findings))


def read_snapshot(folder: Path, live: bool | None = None, deep: bool = False) -> Snapshot:
    """Read and check all that the journal of a study directory holds.

    Parameters
    ----------
    folder : Path
    live : bool, optional
        Whether another process may be writing. Default: it is found out. What only a writer knows
        is not judged while it lives: its log, and what it is about to put beside it.
    deep : bool
        Check also the pages that hold no row.

    Raises
    ------
    sqlite3.Error, OSError, JournalError
        Where it cannot be read.
    """
    path = folder / DATABASE
    wal, index = path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
    _check_kinds(path, wal, index)
    give_up = time.monotonic() + _PATIENCE
    doubted = False
    while time.monotonic() < give_up:
        before = _stamp(path), _stamp(wal)
        written = is_in_use(folder) if live is None else live
        steady = written and before[1][0] > 0 and index.exists()  # SQLite gives one moment of it
        found: Snapshot | Exception
        try:
            log = [] if written else _check_log(path, wal, index)
            found = _look(path, wal, index, deep)
            if not written and not found.findings:
                log += _check_link(path, found.content) if before[1][0] > 0 else []
                log += check_study_file(folder, found.content.facts()["study"])
            found.findings[:0] = log
        except (sqlite3.DatabaseError, OSError, ValueError, TypeError, KeyError, JournalError) as error:
            found = error
        if steady or (_stamp(path), _stamp(wal)) == before:
            wrong = isinstance(found, Exception) or bool(found.findings)
            if not wrong or doubted:
                return _given(found)
            doubted = True
        time.sleep(_PAUSE)
    raise JournalError("it changes faster than it can be read.", where=str(path), hint="Try again.")


def _check_kinds(*paths: Path) -> None:
    """Raise JournalError where there is anything but a file: to read from a pipe takes for ever."""
    for path in paths:
        if path.exists() and not path.is_file():
            raise damaged(path, f"expected a file, got {kind_of(path)}")


def _given(found: Snapshot | Exception) -> Snapshot:
    if isinstance(found, Exception):
        raise found
    return found


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change; a size of -1 for no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _look(path: Path, wal: Path, index: Path, deep: bool) -> Snapshot:
    if _stamp(wal)[0] <= 0:
        return _fetch(path, "mode=ro&immutable=1", path, deep)
    if index.exists():
        return _fetch(path, "mode=ro&readonly_shm=1", path, deep)
    with tempfile.TemporaryDirectory(prefix="fivefold_") as scratch:
        copy = Path(scratch) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(wal, copy.with_name(wal.name))
        return _fetch(copy, "mode=rw", path, deep)


def _fetch(path: Path, options: str, shown: Path, deep: bool) -> Snapshot:
    with SHARED, closing(_connect(path, options)) as db:
        check_header(db, shown)
        db.execute("BEGIN")  # one snapshot for all
        content = Content(
            db.execute("SELECT key, value, checksum FROM meta").fetchall(),
            db.execute(f"SELECT {', '.join(RUN_COLUMNS)}, checksum FROM runs ORDER BY key").fetchall(),
            db.execute("SELECT run, trials, checksum FROM counts ORDER BY run").fetchall(),
            db.execute(
                f"SELECT run, {', '.join(TRIAL_COLUMNS)}, checksum FROM trials ORDER BY run, number"
            ).fetchall(),
        )
        findings = check_content(content)
        if deep:
            (answer,) = db.execute("PRAGMA integrity_check(1)").fetchone()
            if answer != "ok":
                findings.append(Finding(Fault.DAMAGE, shown.name, " ".join(str(answer).split())))
        return Snapshot(content, findings)


def _connect(path: Path, options: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{options}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)


def _check_log(path: Path, wal: Path, index: Path) -> list[Finding]:
    """Whether the log is there where it must be, and whole; JournalError where it is damaged."""
    if not holds_frames(wal.read_bytes() if wal.exists() else b""):
        alone = _alone(path)
        return [Finding(Fault.LOSS, wal.name, _LOG_MISSING)] if alone and alone["open"] else []
    findings = check_log(wal, index)
    Snapshot(Content((), (), (), ()), findings).undamaged(path)
    return findings


def _check_link(path: Path, content: Content) -> list[Finding]:
    """Whether the log that was read belongs to the main file."""
    said, alone = content.facts(), _alone(path)
    if alone is not None and said["journal"] != alone["journal"]:
        return [Finding(Fault.DAMAGE, f"{path.name}-wal", "the log is of another study")]
    if alone is not None and said["session"] < alone["session"]:
        return [Finding(Fault.DAMAGE, f"{path.name}-wal", "the log is older than the journal")]
    return []


def _alone(path: Path) -> dict[str, Any] | None:
    """What ``meta`` says in the main file without the log; None where it cannot be read."""
    try:
        with SHARED, closing(_connect(path, "mode=ro&immutable=1")) as db:
            rows = db.execute("SELECT key, value, checksum FROM meta").fetchall()
    except sqlite3.DatabaseError:
        return None
    return Content(rows, (), (), ()).facts() if meta_is_whole(rows) else None


def _hint(finding: Finding) -> str:
    if not finding.file.endswith("-wal"):
        return ""
    return f"Restore the directory from a copy, or move '{finding.file}' out of it to go on without it."

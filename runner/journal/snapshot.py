"""Snapshots of a study directory, also while a run writes it, also where it must not be written.

No file is made or changed. SQLite would do both for a database with a write-ahead log, so it is
opened with the options that prevent it:

* no log, or an empty one: all is in the main file, which is read as if it were immutable, and
  read again if it changed meanwhile;
* a log with its index: a run is live, or died; the index is read, not written;
* a log without its index, as after copying by hand: a copy is read.

A finding is reported only if a second look confirms it, since a writer may come or go meanwhile.
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

# Seconds. A commit takes milliseconds, so 20 s of changes between two looks are not a passing writer.
_PATIENCE = 20.0
_PAUSE = 0.02  # longer than a commit, shorter than a person notices
_BUSY_SECONDS = 10.0  # SQLite's wait for another program's lock; above a slow disk's sync

_LOG_MISSING = "the log is missing or cut off, so the trials recorded last may be lost"


@dataclass(frozen=True)
class Snapshot:
    """Content of a study directory at one moment, with its findings."""

    content: Content
    findings: list[Finding]

    def undamaged(self, path: Path) -> Snapshot:
        """Return itself; raise JournalError where there is damage."""
        for finding in self.findings:
            if finding.fault is Fault.DAMAGE:
                raise damaged(path.with_name(finding.file), finding.what, _hint(finding))
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages for the user about a directory that is not damaged."""
        return tuple(map(str, self.findings))


def read_snapshot(folder: Path, live: bool | None = None, deep: bool = False) -> Snapshot:
    """Read and check the whole journal of a study directory.

    Parameters
    ----------
    live : bool, optional
        True where another process may be writing; by default this is detected. The log and the files
        beside it are not judged while a writer lives.
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
    suspected = False
    while time.monotonic() < give_up:
        before = _stamp(path), _stamp(wal)
        written = is_in_use(folder) if live is None else live
        steady = written and before[1][0] > 0 and index.exists()  # SQLite gives one moment of it
        found: Snapshot | Exception
        try:
            log = [] if written else _check_log(path, wal, index)
            found = _read_files(path, wal, index, deep)
            if not written and not found.findings:
                log += _check_link(path, found.content) if before[1][0] > 0 else []
                log += check_study_file(folder, found.content.facts()["study"])
            found.findings[:0] = log
        except (sqlite3.DatabaseError, OSError, ValueError, TypeError, KeyError, JournalError) as error:
            found = error
        # A writer that closes meanwhile removes the log between the look at it and its opening.
        removed = getattr(found, "sqlite_errorname", "").startswith("SQLITE_CANTOPEN")
        if (steady and not removed) or (_stamp(path), _stamp(wal)) == before:
            wrong = isinstance(found, Exception) or bool(found.findings)
            if not wrong or suspected:
                return _unless_error(found)
            suspected = True
        time.sleep(_PAUSE)
    raise JournalError("the journal changes faster than it can be read.", where=str(path), hint="Try again.")


def _check_kinds(*paths: Path) -> None:
    """Raise JournalError for anything but a file: reading a pipe would block for ever."""
    for path in paths:
        if path.exists() and not path.is_file() and (kind := kind_of(path)) not in ("", "a file"):
            raise damaged(path, f"expected a file, got {kind}")  # else it has been removed since


def _unless_error(found: Snapshot | Exception) -> Snapshot:
    if isinstance(found, Exception):
        raise found
    return found


def _stamp(path: Path) -> tuple[int, int]:
    """Get size and time of the last change; a size of -1 for no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _read_files(path: Path, wal: Path, index: Path, deep: bool) -> Snapshot:
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
    """Check that the log exists where it must, and is whole; JournalError where it is damaged."""
    if not holds_frames(wal.read_bytes() if wal.exists() else b""):
        alone = _alone(path)
        return [Finding(Fault.LOSS, wal.name, _LOG_MISSING)] if alone and alone["open"] else []
    findings = check_log(wal, index)
    Snapshot(Content((), (), (), ()), findings).undamaged(path)
    return findings


def _check_link(path: Path, content: Content) -> list[Finding]:
    """Check that the log that was read belongs to the main file."""
    facts, alone = content.facts(), _alone(path)
    if alone is not None and facts["journal"] != alone["journal"]:
        return [Finding(Fault.DAMAGE, f"{path.name}-wal", "the log belongs to another study")]
    if alone is not None and facts["session"] < alone["session"]:
        return [Finding(Fault.DAMAGE, f"{path.name}-wal", "the log is older than the journal")]
    return []


def _alone(path: Path) -> dict[str, Any] | None:
    """Read ``meta`` from the main file without the log; None where it cannot be read."""
    try:
        with SHARED, closing(_connect(path, "mode=ro&immutable=1")) as db:
            rows = db.execute("SELECT key, value, checksum FROM meta").fetchall()
    except sqlite3.DatabaseError:
        return None
    return Content(rows, (), (), ()).facts() if meta_is_whole(rows) else None


def _hint(finding: Finding) -> str:
    if not finding.file.endswith("-wal"):
        return ""
    return f"Restore the directory from a copy, or move '{finding.file}' out of it to resume without it."

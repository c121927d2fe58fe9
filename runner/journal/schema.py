"""The tables of ``study.db``, and a trial as a row of them.

Floats come back bit for bit. SQLite has no NaN and would store it as NULL, so it is stored as
the string "nan"; and it would lose the sign of -0.0 in a REAL column, so columns that may hold one
have no type. Within JSON, NaN and infinities are Python's words ``NaN``, ``Infinity``.

Every row ends in a checksum of its values and, but for ``meta``, of the journal's own name, so that
rows of another journal do not fit. The rows are counted: trials in ``counts``, in the transaction
that records them, and runs in ``meta``. There is no index but the tables themselves, so that
nothing can be found in one place and missing in another.
"""

from __future__ import annotations

import json
import math
import sqlite3
import struct
import threading
import zlib
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from runner.errors import JournalError
from runner.journal.findings import damaged
from runner.trial import Origin, Outcome, Trial, outcome_from_json

Row = tuple[Any, ...]

DATABASE: Final = "study.db"
STUDY_FILE: Final = "study.yaml"
LOCK: Final = "study.lock"

APPLICATION_ID: Final = int.from_bytes(b"five", "big")
SCHEMA: Final = 3

SHARED: Final = threading.Lock()
"""Held while a reader is connected, and while the writer connects: SQLite shares the log's index
between the connections of one process, so a writer that met a reader's read-only index could not
write."""

_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: making it takes longer than its work
_STRICT_SINCE = (3, 37)  # version of SQLite, https://sqlite.org/stricttables.html
_TABLES = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    checksum INTEGER NOT NULL
) {keyed};
CREATE TABLE runs (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    label TEXT NOT NULL,
    method TEXT NOT NULL,
    settings TEXT NOT NULL,
    problem TEXT NOT NULL,
    seed INTEGER NOT NULL,
    direction TEXT NOT NULL,
    metric TEXT NOT NULL,
    optimum {number},
    budget TEXT NOT NULL,
    identity TEXT NOT NULL,
    announcement TEXT NOT NULL,
    end_reason TEXT NOT NULL,
    failed INTEGER NOT NULL,
    conclusion TEXT NOT NULL,
    checksum INTEGER NOT NULL
) {strict};
CREATE TABLE counts (
    run INTEGER PRIMARY KEY,
    trials INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) {strict};
CREATE TABLE trials (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    config TEXT NOT NULL,
    status TEXT NOT NULL,
    loss {number},
    value {number},
    test {number},
    gradient TEXT,
    metrics TEXT NOT NULL,
    folds TEXT NOT NULL,
    steps TEXT NOT NULL,
    step_seconds TEXT NOT NULL,
    share {number} NOT NULL,
    error TEXT NOT NULL,
    origin TEXT NOT NULL,
    known INTEGER NOT NULL,
    suggest_seconds {number},
    queue_seconds {number},
    seconds {number},
    started {number},
    worker TEXT NOT NULL,
    earlier TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (run, number)
) {keyed};
"""

META: Final = (
    "name", "seed", "parallel", "order", "scheduler", "version", "created",
    "journal", "session", "open", "runs", "study",
)  # fmt: skip
"""The keys of ``meta``, with values in JSON: the study's own; then the random name of this journal,
the number of the last session, true while that is open, the number of runs, and the study file."""

RUN_COLUMNS: Final = (
    "key", "id", "label", "method", "settings", "problem", "seed", "direction", "metric", "optimum",
    "budget", "identity", "announcement", "end_reason", "failed", "conclusion",
)  # fmt: skip
"""Columns of ``runs`` that its checksum covers; keys are 1, 2, ... in the order of planning."""

TRIAL_COLUMNS: Final = (
    "number", "config", "status", "loss", "value", "test", "gradient", "metrics", "folds", "steps",
    "step_seconds", "share", "error", "origin", "known", "suggest_seconds", "queue_seconds", "seconds",
    "started", "worker", "earlier",
)  # fmt: skip

OUTCOME_COLUMNS: Final = (*TRIAL_COLUMNS[2:13], "seconds")
"""Columns of the outcome; see `to_outcome`."""

# A trial that is recorded already stays as it is. Not INSERT OR IGNORE: that would also drop,
# silently, a row that breaks another constraint.
INSERT_TRIAL: Final = (
    f"INSERT INTO trials (run, {', '.join(TRIAL_COLUMNS)}, checksum) "
    f"VALUES ({', '.join('?' * (len(TRIAL_COLUMNS) + 2))}) ON CONFLICT (run, number) DO NOTHING"
)
SELECT_HISTORY: Final = f"SELECT {', '.join(TRIAL_COLUMNS)} FROM trials WHERE run = ? ORDER BY number"


def create_tables(db: sqlite3.Connection) -> None:
    """Turn an empty database into a journal."""
    tables = _statements(sqlite3.sqlite_version_info >= _STRICT_SINCE)
    db.executescript(
        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA}; BEGIN; {tables} COMMIT;"
    )


def _statements(strict: bool) -> str:
    return _TABLES.format(
        strict="STRICT" if strict else "",
        keyed="STRICT, WITHOUT ROWID" if strict else "WITHOUT ROWID",
        number="ANY" if strict else "",
    )


def check_header(db: sqlite3.Connection, path: Path) -> None:
    """Raise JournalError for a database that this version cannot use."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (schema,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise JournalError(
            "expected a journal of fivefold, got another database.",
            where=str(path),
            hint="Use another directory.",
        )
    if schema > SCHEMA:
        raise JournalError(
            f"expected schema {SCHEMA}, got schema {schema} of a newer fivefold.",
            where=str(path),
            hint="Upgrade fivefold.",
        )
    if 1 <= schema < SCHEMA:
        raise JournalError(
            f"expected schema {SCHEMA}, got schema {schema} of an older fivefold.",
            where=str(path),
            hint="Run the study again into another directory, or use that version.",
        )
    if schema != SCHEMA:
        raise damaged(path, f"expected schema {SCHEMA}, got {schema}")
    found = sorted(str(text) for (text,) in db.execute("SELECT sql FROM sqlite_master"))
    if found not in _SCHEMAS:
        raise damaged(path, "unexpected tables")


def _texts(strict: bool) -> list[str]:
    """List the statements as SQLite stores them."""
    return sorted(text.strip() for text in _statements(strict).split(";") if text.strip())


_SCHEMAS: Final = (_texts(True), _texts(False))


def salt_of(journal: str) -> int:
    """Compute the salt of a journal's checksums from its name."""
    return zlib.crc32(journal.encode())


def checksum(values: Sequence[Any], salt: int = 0) -> int:
    """Compute the checksum of a row that is not a trial, the same in every process and version."""
    return zlib.crc32("\n".join(map(str, values)).encode(), salt)


def trial_checksum(row: Sequence[Any], salt: int) -> int:
    """Compute the checksum of a run's key and the values of `TRIAL_COLUMNS`, floats bit for bit.

    Written for speed, since it bounds the rate at which a driver records trials: floats as strings
    would take three times as long.
    """
    numbers = _PACK(*[x if x.__class__ is float else _NO_FLOAT.get(x, 0.0) for x in _NUMBERS(row)])
    return zlib.crc32(numbers, zlib.crc32((_TEXT % _TEXTS(row)).encode(), salt))


_FLOATS = ("loss", "value", "test", "share", "suggest_seconds", "queue_seconds", "seconds", "started")
_PLACES = {name: place for place, name in enumerate(("run", *TRIAL_COLUMNS))}
_NUMBERS = itemgetter(*(_PLACES[name] for name in _FLOATS))
_TEXTS = itemgetter(*(place for name, place in _PLACES.items() if name not in _FLOATS))
_TEXT = "%s\n" * (len(_PLACES) - len(_FLOATS))
_PACK = struct.Struct(f"<{len(_FLOATS)}d").pack
_NO_FLOAT: dict[object, float] = {None: math.nan, "nan": -math.nan}  # neither is ever stored itself


def to_row(trial: Trial) -> tuple[Any, ...]:
    """List the trial's values of `TRIAL_COLUMNS`."""
    outcome = trial.outcome
    return (
        trial.number,
        to_json(trial.config),
        outcome.status.value,
        to_number(outcome.loss),
        to_number(outcome.value),
        to_number(outcome.test),
        None if outcome.gradient is None else to_json(outcome.gradient),
        to_json(outcome.metrics),
        to_json(outcome.folds),
        to_json(outcome.steps),
        to_json(outcome.step_seconds),
        to_number(outcome.share),
        to_text(outcome.error),
        trial.origin.value,
        trial.known,
        to_number(trial.suggest_seconds),
        to_number(trial.queue_seconds),
        to_number(outcome.seconds),
        to_number(trial.started),
        to_text(trial.worker),
        to_json([to_text(text) for text in trial.earlier]) if trial.earlier else "[]",
    )


def from_row(row: tuple[Any, ...]) -> Trial:
    """Restore a trial from values of `TRIAL_COLUMNS`."""
    origin, known, suggest_seconds, queue_seconds, seconds, started, worker, earlier = row[13:]
    return Trial(
        row[0],
        json.loads(row[1]),
        to_outcome((*row[2:13], seconds)),
        Origin(origin),
        float(suggest_seconds),
        float(queue_seconds),
        float(started),
        worker,
        tuple(json.loads(earlier)),
        known,
    )


def to_outcome(row: tuple[Any, ...]) -> Outcome:
    """Restore an outcome from values of `OUTCOME_COLUMNS`."""
    status, loss, value, test, gradient, metrics, folds, steps, step_seconds, share, error, seconds = row
    return outcome_from_json(
        (
            status,
            from_number(loss),
            from_number(value),
            from_number(test),
            None if gradient is None else json.loads(gradient),
            json.loads(metrics),
            json.loads(folds),
            error,
            float(seconds),
            json.loads(steps),
            json.loads(step_seconds),
            float(share),
        )
    )


def to_json(value: object) -> str:
    """Encode a value as JSON in ASCII, floats to the last bit."""
    return "[]" if value == () else _encode(value)  # most trials have neither folds nor steps


def to_number(x: float | None) -> float | str | None:
    """Encode a number for SQLite, NaN as a string."""
    return None if x is None else float(x) if x == x else "nan"


def from_number(x: float | str | None) -> float | None:
    """Decode the number of `to_number`."""
    return None if x is None else float(x)


def to_text(text: str) -> str:
    """Escape what has no place in UTF-8 (lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text

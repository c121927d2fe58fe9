"""The tables of ``study.db``, and a trial as a row of them.

Floats come back bit for bit. SQLite has no NaN and would store it as NULL, so it is stored as
the text "nan"; and it would lose the sign of -0.0 in a REAL column, so columns that may hold one
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

DATABASE: Final = "study.db"
STUDY_FILE: Final = "study.yaml"
LOCK: Final = "study.lock"

APPLICATION_ID: Final = int.from_bytes(b"five", "big")
SCHEMA: Final = 3

SHARED: Final = threading.Lock()
"""Held while a reader is connected, and while the writer connects. SQLite shares the log's index
between the connections of one process, so a writer that came upon a reader's read-only index
could not write."""

_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: making it takes longer than its work
_STRICT_SINCE = (3, 37)
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
"""The keys of ``meta``, their values in JSON: what the study is; then the random name of this
journal, the number of the session that wrote last, whether that has not been closed, the number of
runs, and the study file's text."""

RUN_COLUMNS: Final = (
    "key", "id", "label", "method", "settings", "problem", "seed", "direction", "metric", "optimum",
    "budget", "identity", "announcement", "end_reason", "failed", "conclusion",
)  # fmt: skip
"""Those of ``runs`` that its checksum is of; keys are 1, 2, ... as the runs were planned."""

TRIAL_COLUMNS: Final = (
    "number", "config", "status", "loss", "value", "test", "gradient", "metrics", "folds", "steps",
    "step_seconds", "share", "error", "origin", "known", "suggest_seconds", "queue_seconds", "seconds",
    "started", "worker", "earlier",
)  # fmt: skip

OUTCOME_COLUMNS: Final = (*TRIAL_COLUMNS[2:13], "seconds")
"""Those of what the evaluation gave; see `to_outcome`."""

# A number that is there already stays as it is. Not INSERT OR IGNORE: that would also drop,
# without a word, a row that breaks another constraint.
INSERT_TRIAL: Final = (
    f"INSERT INTO trials (run, {', '.join(TRIAL_COLUMNS)}, checksum) "
    f"VALUES ({', '.join('?' * (len(TRIAL_COLUMNS) + 2))}) ON CONFLICT (run, number) DO NOTHING"
)
SELECT_HISTORY: Final = f"SELECT {', '.join(TRIAL_COLUMNS)} FROM trials WHERE run = ? ORDER BY number"


def create_tables(db: sqlite3.Connection) -> None:
    """Make an empty database a journal."""
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
    """Raise JournalError where the database is not one that this version can use."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (schema,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise JournalError(
            "it is a database, but no journal of fivefold.", where=str(path), hint="Use another directory."
        )
    if schema > SCHEMA:
        raise JournalError(
            f"a newer fivefold wrote it (schema {schema}; this one knows schema {SCHEMA}).",
            where=str(path),
            hint="Upgrade fivefold.",
        )
    if 1 <= schema < SCHEMA:
        raise JournalError(
            f"an older fivefold wrote it (schema {schema}; this one knows schema {SCHEMA}).",
            where=str(path),
            hint="Run the study again into another directory, or use that version.",
        )
    if schema != SCHEMA:
        raise damaged(path, f"its schema is {schema}")
    found = sorted(str(text) for (text,) in db.execute("SELECT sql FROM sqlite_master"))
    if found not in _SCHEMAS:
        raise damaged(path, "its tables are not those of a journal")


def _texts(strict: bool) -> list[str]:
    """What SQLite keeps of the statements."""
    return sorted(text.strip() for text in _statements(strict).split(";") if text.strip())


_SCHEMAS: Final = (_texts(True), _texts(False))


def salt_of(journal: str) -> int:
    """What the checksums of a journal of this name begin with."""
    return zlib.crc32(journal.encode())


def checksum(values: Sequence[Any], salt: int = 0) -> int:
    """Of the values of a row, not of trials, the same in every process and version."""
    return zlib.crc32("\n".join(map(str, values)).encode(), salt)


def trial_checksum(row: Sequence[Any], salt: int) -> int:
    """Of a run's key and the values of `TRIAL_COLUMNS`: of the text, and of floats bit for bit.

    A study is as fast as its driver records, so this is written for speed: text of floats would
    take three times as long.
    """
    numbers = _PACK(*[x if x.__class__ is float else _NO_FLOAT.get(x, 0.0) for x in _NUMBERS(row)])
    return zlib.crc32(numbers, zlib.crc32((_TEXT % _TEXTS(row)).encode(), salt))


_FLOATS = ("loss", "value", "test", "share", "suggest_seconds", "queue_seconds", "seconds", "started")
_PLACES = {name: place for place, name in enumerate(("run", *TRIAL_COLUMNS))}
_NUMBERS = itemgetter(*(_PLACES[name] for name in _FLOATS))
_TEXTS = itemgetter(*(place for name, place in _PLACES.items() if name not in _FLOATS))
_TEXT = "%s\n" * (len(_PLACES) - len(_FLOATS))
_PACK = struct.Struct(f"<{len(_FLOATS)}d").pack
_NO_FLOAT: dict[object, float] = {None: math.nan, "nan": -math.nan}  # which themselves are never stored


def to_row(trial: Trial) -> tuple[Any, ...]:
    """The trial's values of `TRIAL_COLUMNS`."""
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
    """The trial of values of `TRIAL_COLUMNS`."""
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
    """The outcome of values of `OUTCOME_COLUMNS`."""
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
    """The value as JSON text in ASCII, floats to the last bit."""
    return "[]" if value == () else _encode(value)  # most trials have neither folds nor steps


def to_number(x: float | None) -> float | str | None:
    """What SQLite keeps of a number."""
    return None if x is None else float(x) if x == x else "nan"


def from_number(x: float | str | None) -> float | None:
    """The number of which `to_number` made this."""
    return None if x is None else float(x)


def to_text(text: str) -> str:
    """The text, with what has no place in UTF-8 (lone surrogates) written as an escape."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text

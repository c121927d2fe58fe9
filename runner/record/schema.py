"""The tables of ``study.db``, and a trial as a row of them.

Floats come back bit for bit. SQLite has no NaN and would store it as NULL, so it is stored as
the text "nan"; and it would lose the sign of -0.0 in a REAL column, so columns that may hold one
have no type. Within JSON, NaN and infinities are Python's words ``NaN``, ``Infinity``.
"""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from runner.errors import JournalError
from runner.trial import Origin, Outcome, Status, Trial

DATABASE: Final = "study.db"
STUDY_FILE: Final = "study.yaml"
LOCK: Final = "study.lock"

APPLICATION_ID: Final = int.from_bytes(b"five", "big")
SCHEMA: Final = 2

SHARED: Final = threading.Lock()
"""Held while a reader is connected, and while the writer connects. SQLite shares the log's index
between the connections of one process, so a writer that came upon a reader's read-only index
could not write."""

_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: making it takes longer than its work
_STRICT_SINCE = (3, 37)
_TABLES = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) {strict};
CREATE TABLE runs (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
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
    announcement TEXT NOT NULL DEFAULT '',
    end_reason TEXT NOT NULL DEFAULT '',
    failed INTEGER NOT NULL DEFAULT 0,
    conclusion TEXT NOT NULL DEFAULT ''
) {strict};
CREATE TABLE trials (
    run INTEGER NOT NULL REFERENCES runs (key),
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
    attempts INTEGER NOT NULL,
    PRIMARY KEY (run, number)
) {strict};
"""

TRIAL_COLUMNS: Final = (
    "number", "config", "status", "loss", "value", "test", "gradient", "metrics", "folds", "steps",
    "step_seconds", "share", "error", "origin", "known", "suggest_seconds", "queue_seconds", "seconds",
    "started", "worker", "attempts",
)  # fmt: skip

OUTCOME_COLUMNS: Final = (*TRIAL_COLUMNS[2:13], "seconds")
"""Those of what the evaluation gave; see `to_outcome`."""

# A number that is there already stays as it is. Not INSERT OR IGNORE: that would also drop,
# without a word, a row that breaks another constraint.
INSERT_TRIAL: Final = (
    f"INSERT INTO trials (run, {', '.join(TRIAL_COLUMNS)}) "
    f"VALUES ({', '.join('?' * (len(TRIAL_COLUMNS) + 1))}) ON CONFLICT (run, number) DO NOTHING"
)
SELECT_HISTORY: Final = f"SELECT {', '.join(TRIAL_COLUMNS)} FROM trials WHERE run = ? ORDER BY number"


def create_tables(db: sqlite3.Connection) -> None:
    """Make an empty database a journal."""
    strict = sqlite3.sqlite_version_info >= _STRICT_SINCE
    tables = _TABLES.format(strict="STRICT" if strict else "", number="ANY" if strict else "")
    db.executescript(
        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA}; BEGIN; {tables} COMMIT;"
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


def damaged(path: Path, what: str) -> JournalError:
    """The error of a journal that cannot be believed."""
    return JournalError(
        f"the journal is damaged: {what}.",
        where=str(path),
        hint="Restore the directory from a copy, or use another one.",
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says, and what decoding a row says, into a JournalError."""
    try:
        yield
    except sqlite3.ProgrammingError:  # a mistake of ours
        raise
    except sqlite3.Error as error:
        raise _explain(error, path) from error
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path, f"a row cannot be read ({error})") from error


def _explain(error: sqlite3.Error, path: Path) -> JournalError:
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        what, hint = "the disk is full", "Free some space and run again: all trials recorded so far are safe."
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        what, hint = f"it cannot be opened or written ({error})", "See to the permissions of the directory."
    elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        what, hint = "another program has locked it", "Close that program and try again."
    elif name.startswith("SQLITE_IOERR"):
        what, hint = f"the disk failed ({error})", "See to the disk and run again."
    else:
        return damaged(path, str(error))
    return JournalError(f"{what}.", where=str(path), hint=hint)


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
        outcome.share,
        to_text(outcome.error),
        trial.origin.value,
        trial.known,
        to_number(trial.suggest_seconds),
        to_number(trial.queue_seconds),
        to_number(outcome.seconds),
        to_number(trial.started),
        to_text(trial.worker),
        trial.attempts,
    )


def from_row(row: tuple[Any, ...]) -> Trial:
    """The trial of values of `TRIAL_COLUMNS`."""
    origin, known, suggest_seconds, queue_seconds, seconds, started, worker, attempts = row[13:]
    return Trial(
        row[0],
        json.loads(row[1]),
        to_outcome((*row[2:13], seconds)),
        Origin(origin),
        float(suggest_seconds),
        float(queue_seconds),
        float(started),
        worker,
        attempts,
        known,
    )


def to_outcome(row: tuple[Any, ...]) -> Outcome:
    """The outcome of values of `OUTCOME_COLUMNS`."""
    status, loss, value, test, gradient, metrics, folds, steps, step_seconds, share, error, seconds = row
    return Outcome(
        Status(status),
        from_number(loss),
        from_number(value),
        from_number(test),
        None if gradient is None else json.loads(gradient),
        json.loads(metrics),
        tuple(json.loads(folds)),
        error,
        float(seconds),
        tuple(json.loads(steps)),
        tuple(json.loads(step_seconds)),
        float(share),
    )


def to_json(value: object) -> str:
    """The value as JSON text in ASCII, floats to the last bit."""
    return "[]" if value == () else _encode(value)  # most trials have neither folds nor steps


def to_number(x: float | None) -> float | str | None:
    """What SQLite keeps of a number."""
    return "nan" if x is not None and math.isnan(x) else x


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

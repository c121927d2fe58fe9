"""A study enters its journal: runs that are not there yet are added, the others must be the same."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.errors import JournalError
from runner.journal.environments import ENVIRONMENTS, VERSIONS, differences, extended
from runner.journal.files.places import replacing
from runner.journal.plan import StudyPlan
from runner.journal.schema import RUN_COLUMNS, checksum, create_tables, salt_of, to_json

_NOT_ENDED = {"end_reason": "", "failed": 0, "conclusion": ""}
_NOT_BEGUN = {"announcement": "", **_NOT_ENDED}
_SELECT_RUNS = f"SELECT {', '.join(RUN_COLUMNS)} FROM runs"
_PUT_RUN = (
    f"INSERT OR REPLACE INTO runs ({', '.join(RUN_COLUMNS)}, checksum) "
    f"VALUES ({', '.join('?' * (len(RUN_COLUMNS) + 1))})"
)


def create_journal(path: Path, plan: StudyPlan) -> None:
    """Make the journal beside its place and move it there, so that there is never half of one."""
    facts = {
        **plan.facts,
        "version": plan.version,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": 0,
        "study": plan.yaml,
    }
    with replacing(path) as new, closing(make_journal(new, facts)):
        pass


def make_journal(path: Path, facts: Mapping[str, Any]) -> sqlite3.Connection:
    """Make an empty journal with a name of its own and these facts in ``meta``."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    create_tables(db)
    write_meta(db, {**facts, "journal": secrets.token_hex(8), "session": 0, "open": False})
    return db


def write_meta(db: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    """Write these keys of ``meta``."""
    rows = [(key, to_json(value)) for key, value in facts.items()]
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", [(*row, checksum(row)) for row in rows])


def read_meta(db: sqlite3.Connection) -> dict[str, Any]:
    """Read ``meta`` by its keys."""
    return {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM meta")}


def enter(db: sqlite3.Connection, folder: Path, plan: StudyPlan) -> dict[str, int]:
    """Enter a study, within a transaction, and return the keys of its runs."""
    salt = salt_of(_compare_studies(db, folder, plan)["journal"])
    there = {row[1]: dict(zip(RUN_COLUMNS, row, strict=True)) for row in db.execute(_SELECT_RUNS)}
    problems = {run["problem"] for run in there.values()}
    if problems and problems.isdisjoint(plan.problems):
        raise JournalError(
            f"expected a study on these problems, got one of the same name on {', '.join(sorted(problems))}.",
            where=str(folder),
            hint="Use another --out, or another 'name'.",
        )
    keys = {}
    for planned in plan.runs:
        run = there.get(planned.id)
        if run is None:
            keys[planned.id] = len(there) + 1
            there[planned.id] = run = {"key": keys[planned.id], **planned.row, **_NOT_BEGUN}
            insert_runs(db, [run], [0], salt)
            continue
        keys[planned.id] = run["key"]
        if mismatch := plan.compare(str(planned.row["label"]), json.loads(run["identity"]), planned.identity):
            raise JournalError(
                f"the recorded run '{planned.id}' differs: {mismatch.message}.",
                where=str(folder),
                hint=mismatch.hint,
            )
        # An earlier version may have recorded less of the identity.
        changed: dict[str, Any] = {"identity": planned.row["identity"]}
        if planned.row["budget"] != run["budget"]:  # it may continue, or must state again why not
            changed |= {"budget": planned.row["budget"], **_NOT_ENDED}
        if any(run[key] != value for key, value in changed.items()):
            put_run(db, run | changed, salt)
    write_meta(db, {"runs": len(there)})
    return keys


def enter_environment(db: sqlite3.Connection, folder: Path, plan: StudyPlan, strict: bool) -> list[str]:
    """Record, within a transaction, the versions under which a study continues; list the changes.

    Raises
    ------
    JournalError
        Where a version has changed and ``strict`` is set.
    """
    before = read_meta(db).get(ENVIRONMENTS, ())
    now = plan.versions
    (trials,) = db.execute("SELECT coalesce(sum(trials), 0) FROM counts").fetchone()
    changed = differences(before[-1][VERSIONS], now) if before and trials else []
    if changed and strict:
        raise JournalError(
            f"its trials were evaluated with other versions: {'; '.join(changed)}.",
            where=str(folder),
            hint="Install the earlier versions, use another --out, or leave out --strict.",
        )
    write_meta(db, {ENVIRONMENTS: extended(before, now, trials)})
    return changed


def insert_runs(
    db: sqlite3.Connection, runs: Sequence[Mapping[str, Any]], trials: Sequence[int], salt: int
) -> None:
    """Write the rows of new runs and their trial counts, within a transaction."""
    for run, count in zip(runs, trials, strict=True):
        put_run(db, run, salt)
        put_count(db, run["key"], count, salt)


def get_run(db: sqlite3.Connection, key: int) -> dict[str, Any]:
    """Read the row of a run, by its columns."""
    return dict(zip(RUN_COLUMNS, db.execute(f"{_SELECT_RUNS} WHERE key = ?", (key,)).fetchone(), strict=True))


def put_run(db: sqlite3.Connection, run: Mapping[str, Any], salt: int) -> None:
    """Write the row of a run, new or in place of its earlier one."""
    row = [run[name] for name in RUN_COLUMNS]
    db.execute(_PUT_RUN, (*row, checksum(row, salt)))


def put_count(db: sqlite3.Connection, run: int, trials: int, salt: int) -> None:
    """Write the trial count of a run, by its key."""
    row = (run, trials)
    db.execute("INSERT OR REPLACE INTO counts VALUES (?, ?, ?)", (*row, checksum(row, salt)))


def _compare_studies(db: sqlite3.Connection, folder: Path, plan: StudyPlan) -> dict[str, Any]:
    recorded = read_meta(db)
    for key, now in plan.facts.items():
        if recorded[key] != now:
            raise JournalError(
                f"the study's {key} was {recorded[key]!r} and is {now!r}.",
                where=str(folder),
                hint=f"Use another --out, or set '{key}' back to {recorded[key]!r}.",
            )
    return recorded

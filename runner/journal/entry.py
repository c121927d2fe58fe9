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
from runner.journal.environment import environment_of, version_of
from runner.journal.identity import (
    CODE,
    DERIVED,
    comparable,
    first_difference,
    problem_identity,
    run_identity,
    study_identity,
)
from runner.record.environments import ENVIRONMENTS, VERSIONS, differences, extended
from runner.record.places import replacing
from runner.record.schema import RUN_COLUMNS, checksum, create_tables, salt_of, to_json, to_number
from runner.study import RunSpec, Study

Identity = dict[str, Any]

_SELECT_RUNS = f"SELECT {', '.join(RUN_COLUMNS)} FROM runs"
_PUT_RUN = (
    f"INSERT OR REPLACE INTO runs ({', '.join(RUN_COLUMNS)}, checksum) "
    f"VALUES ({', '.join('?' * (len(RUN_COLUMNS) + 1))})"
)


def identities_of(study: Study) -> list[Identity]:
    """Of each run of a study."""
    files = {file.name: file.digest for file in study.files}
    problems = {
        problem.name: problem_identity(problem) | ({"files": files} if files else {})
        for problem in study.problems
    }
    return [run_identity(spec, problems[spec.problem.name]) for spec in study.runs]


def create_journal(path: Path, study: Study) -> None:
    """Make the journal beside its place and move it there, so that there is never half of one."""
    facts = {
        **study_identity(study),
        "version": version_of("fivefold") or "unknown",  # of a source tree
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": 0,
        "study": study.as_yaml(),
    }
    with replacing(path) as new, closing(make_journal(new, facts)):
        pass


def make_journal(path: Path, facts: Mapping[str, Any]) -> sqlite3.Connection:
    """Make an empty journal of a name of its own, of which these facts are told."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    create_tables(db)
    say(db, {**facts, "journal": secrets.token_hex(8), "session": 0, "open": False})
    return db


def say(db: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    """Write these keys of ``meta``."""
    rows = [(key, to_json(value)) for key, value in facts.items()]
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", [(*row, checksum(row)) for row in rows])


def said(db: sqlite3.Connection) -> dict[str, Any]:
    """What ``meta`` says, by its keys."""
    return {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM meta")}


def enter(
    db: sqlite3.Connection, folder: Path, study: Study, identities: Sequence[Identity]
) -> dict[str, int]:
    """Enter a study, within a transaction; the keys of its runs."""
    salt = salt_of(_compare_studies(db, folder, study)["journal"])
    there = {row[1]: dict(zip(RUN_COLUMNS, row, strict=True)) for row in db.execute(_SELECT_RUNS)}
    problems = {run["problem"] for run in there.values()}
    if problems and problems.isdisjoint(problem.name for problem in study.problems):
        raise JournalError(
            f"it holds a study of the same name on other problems: {', '.join(sorted(problems))}.",
            where=str(folder),
            hint="Use another --out, or another 'name'.",
        )
    budget = to_json({"trials": study.budget.trials, "seconds": study.budget.seconds})
    keys = {}
    for spec, identity in zip(study.runs, identities, strict=True):
        run = there.get(spec.id)
        if run is None:
            keys[spec.id] = len(there) + 1
            there[spec.id] = run = _new(keys[spec.id], spec, identity, budget)
            insert_runs(db, [run], [0], salt)
            continue
        keys[spec.id] = run["key"]
        _compare(spec, json.loads(run["identity"]), identity, folder)
        changed: dict[str, Any] = {
            "identity": to_json(identity)
        }  # an earlier version may have recorded less of it
        if budget != run["budget"]:  # it may go on, or must say again why not
            changed |= {"budget": budget, "end_reason": "", "failed": 0, "conclusion": ""}
        if any(run[key] != value for key, value in changed.items()):
            put_run(db, run | changed, salt)
    say(db, {"runs": len(there)})
    return keys


def enter_environment(db: sqlite3.Connection, folder: Path, study: Study, strict: bool) -> list[str]:
    """Keep, within a transaction, under which versions a study is continued; what has changed.

    Raises
    ------
    JournalError
        Where something has, and ``strict`` is set.
    """
    kept = said(db).get(ENVIRONMENTS, ())
    now = environment_of(study)
    (trials,) = db.execute("SELECT coalesce(sum(trials), 0) FROM counts").fetchone()
    changed = differences(kept[-1][VERSIONS], now) if kept and trials else []
    if changed and strict:
        raise JournalError(
            f"its trials were evaluated with other versions: {'; '.join(changed)}.",
            where=str(folder),
            hint="Install the earlier versions, use another --out, or leave out --strict.",
        )
    say(db, {ENVIRONMENTS: extended(kept, now, trials)})
    return changed


def insert_runs(
    db: sqlite3.Connection, runs: Sequence[Mapping[str, Any]], trials: Sequence[int], salt: int
) -> None:
    """Write the rows of new runs, and how many trials each has, within a transaction."""
    for run, count in zip(runs, trials, strict=True):
        put_run(db, run, salt)
        put_count(db, run["key"], count, salt)


def get_run(db: sqlite3.Connection, key: int) -> dict[str, Any]:
    """The row of a run, by its columns."""
    return dict(zip(RUN_COLUMNS, db.execute(f"{_SELECT_RUNS} WHERE key = ?", (key,)).fetchone(), strict=True))


def put_run(db: sqlite3.Connection, run: Mapping[str, Any], salt: int) -> None:
    """Write the row of a run, new or in place of its earlier one."""
    row = [run[name] for name in RUN_COLUMNS]
    db.execute(_PUT_RUN, (*row, checksum(row, salt)))


def put_count(db: sqlite3.Connection, run: int, trials: int, salt: int) -> None:
    """Write how many trials a run has, by its key."""
    row = (run, trials)
    db.execute("INSERT OR REPLACE INTO counts VALUES (?, ?, ?)", (*row, checksum(row, salt)))


def _compare_studies(db: sqlite3.Connection, folder: Path, study: Study) -> dict[str, Any]:
    told = said(db)
    for key, now in study_identity(study).items():
        if told[key] != now:
            raise JournalError(
                f"the study's {key} was {told[key]!r} and is {now!r}.",
                where=str(folder),
                hint=f"Use another --out, or set '{key}' back to {told[key]!r}.",
            )
    return told


def _compare(spec: RunSpec, was: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    difference = first_difference(*comparable(was, now))
    if difference is None:
        return
    path, before, after = difference
    what, hint = f"its {path} was {before} and is {after}", "Use another --out, or change it back."
    if path.startswith(DERIVED):
        what = f"'{spec.label}' has laid itself out for another budget, and cannot grow"
        hint = "Use another --out, the earlier budget, points of its own, or other --methods."
    elif path.startswith("objective") and path.endswith(".text"):
        what = "the code of its objective has changed since"
    elif path.startswith(f"objective.{CODE}"):
        place = path.removeprefix(f"objective.{CODE}").lstrip(".")
        what = "the code of its objective has changed since" + (f": '{place}'" if place else "")
    elif path.startswith(f"method {CODE}"):
        what = "the code of its method has changed since"
    elif path == "objective.record_digest":
        what = "the study that it recalls has changed since"
    elif path.startswith("files"):
        what = f"its file '{path.partition('.')[2]}' has changed since" if "." in path else what
    elif path.startswith("objective.data"):
        what = "its data have changed since"
    raise JournalError(
        f"the run '{spec.id}' is there already, and {what}.",
        where=str(folder),
        hint=hint,
    )


def _new(key: int, spec: RunSpec, identity: Identity, budget: str) -> dict[str, Any]:
    return {
        "key": key,
        "id": spec.id,
        "label": spec.label,
        "method": identity["method"],
        "settings": to_json(identity["settings"]),
        "problem": spec.problem.name,
        "seed": spec.seed,
        "direction": spec.problem.direction,
        "metric": spec.problem.metric,
        "optimum": to_number(spec.problem.optimum_for(spec.problem_seed)),
        "budget": budget,
        "identity": to_json(identity),
        "announcement": "",
        "end_reason": "",
        "failed": 0,
        "conclusion": "",
    }

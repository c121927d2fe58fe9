"""Merge of study directories that are parts of one study.

Their runs and trials are copied to the last bit: nothing is evaluated, rounded or renumbered. Only the
properties of a directory are new: the name of the journal, the checksums that depend on it, and the order
of the runs, by seed, problem and method as in a study that was never split.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import JournalError, StudyError
from runner.journal.checks import Content
from runner.journal.entry import insert_runs, make_journal
from runner.journal.environments import ENVIRONMENTS, of_parts
from runner.journal.files.folder import is_in_use, lock_folder, prepare_folder
from runner.journal.files.places import replacing
from runner.journal.findings import damaged, explained
from runner.journal.reader import find_journal
from runner.journal.schema import (
    DATABASE,
    INSERT_TRIAL,
    RUN_COLUMNS,
    STUDY_FILE,
    TRIAL_COLUMNS,
    Row,
    salt_of,
    trial_checksum,
)
from runner.journal.snapshot import read_snapshot
from runner.study.file import trial_form
from runner.study.identity.identity import comparable, first_difference
from runner.study.yaml import dump, load_text

_OF_STUDY = ("name", "seed", "parallel", "order", "scheduler")
_OF_PROBLEM = ("space", "forbid", "direction", "metric", "objective", "files")
_LISTS = ("problems", "methods")
_TEST = TRIAL_COLUMNS.index("test")


@dataclass(frozen=True)
class Merged:
    """Result of `merge`.

    Attributes
    ----------
    runs, trials : int
        Their numbers.
    notes : tuple of str
        Warnings about the parts, such as what they had lost.
    """

    folder: Path
    runs: int
    trials: int
    notes: tuple[str, ...]


@dataclass
class _Run:
    """One run: its row by column, and its trials by number, without key and checksum."""

    row: dict[str, Any]
    trials: dict[int, Row]


def merge(folders: Sequence[str | Path], out: str | Path) -> Merged:
    """Join parts of a study into a new directory.

    A run may be in several of them, as in copies of one directory that were resumed: its trials are
    joined, and those with the same number must be equal.

    Parameters
    ----------
    out : str or Path
        A new directory, or an empty one.

    Raises
    ------
    ResultsError
        Where one of them is not a study directory.
    JournalError
        Where one is damaged or in use, or two do not fit together; names the first difference.
    StudyError
        Where the new directory cannot be made.
    """
    paths = [Path(folder) for folder in folders]
    if not paths:
        raise StudyError("expected study directories, got none.", where="merge", hint="Name two or more.")
    notes: list[str] = []
    parts = [(path, _read(path, notes)) for path in paths]
    first, whole = parts[0]
    for path, content in parts[1:]:
        _compare_studies(first, whole.facts(), path, content.facts())
    runs: dict[str, _Run] = {}
    for path, content in parts:
        _take(runs, content, path)
    ordered = _ordered(runs.values())
    _compare_problems(ordered)
    out = Path(out)
    _write(out, ordered, _facts([content for _, content in parts], ordered))
    return Merged(out, len(ordered), sum(len(run.trials) for run in ordered), tuple(notes))


def _read(folder: Path, notes: list[str]) -> Content:
    path = find_journal(folder)
    if is_in_use(folder):
        raise JournalError(
            "a live run is using the directory.", where=str(folder), hint="Wait for it or stop it."
        )
    with explained(path):
        seen = read_snapshot(folder, live=False, deep=True).undamaged(path)
    _check_study_file(seen.content.facts(), path)
    notes.extend(f"{folder}: {note}" for note in seen.notes)
    return seen.content


def _compare_studies(one: Path, first: Mapping[str, Any], other: Path, then: Mapping[str, Any]) -> None:
    for key in _OF_STUDY:
        if first[key] != then[key]:
            raise _unlike(other, f"the study's {key} is {then[key]!r}, and {first[key]!r} in {one}")
    keys = [_study_keys(facts) for facts in (first, then)]
    alike = [{key: given[key] for key in given if key not in (*_LISTS, "seeds")} for given in keys]
    for given in alike:
        if isinstance(given.get("trial"), dict):
            trial = dict(trial_form(given["trial"]))
            given["trial"] = {key: value for key, value in trial.items() if key != "problems"}
    if difference := first_difference(dict(sorted(alike[0].items())), dict(sorted(alike[1].items()))):
        key, before, after = difference
        raise _unlike(other, f"its '{key}' is {after}, and {before} in {one}")


def _take(runs: dict[str, _Run], content: Content, folder: Path) -> None:
    trials: dict[int, dict[int, Row]] = {}
    for row in content.trials:
        trials.setdefault(row[0], {})[row[1]] = row[1:-1]
    for row in content.runs:
        new = _Run(dict(zip(RUN_COLUMNS, row[:-1], strict=True)), trials.get(row[0], {}))
        name = str(new.row["id"])
        there = runs.setdefault(name, new)
        if there is new:
            continue
        _compare(f"the run '{name}'", there.row["identity"], new.row["identity"], folder)
        for number in there.trials.keys() & new.trials.keys():
            if _untested(there.trials[number]) != _untested(new.trials[number]):
                raise _unlike(folder, f"trial {number} of the run '{name}' differs from an earlier part")
            if there.trials[number][_TEST] is None:
                there.trials[number] = new.trials[number]
        row_of = max(there, new, key=lambda run: (len(run.trials), bool(run.row["end_reason"]))).row
        runs[name] = _Run(row_of, dict(sorted((new.trials | there.trials).items())))


def _untested(row: Row) -> Row:
    """Leave out the test value, which comes after the runs of one directory."""
    return (*row[:_TEST], *row[_TEST + 1 :])


def _ordered(runs: Iterable[_Run]) -> list[_Run]:
    """Sort by seed, problem and method, problems and methods in the order of their first appearance."""
    found = list(runs)
    problems = list(dict.fromkeys(run.row["problem"] for run in found))
    labels = list(dict.fromkeys(run.row["label"] for run in found))
    place = {name: i for i, name in enumerate(problems)}
    rank = {name: i for i, name in enumerate(labels)}
    return sorted(found, key=lambda run: (run.row["seed"], place[run.row["problem"]], rank[run.row["label"]]))


def _compare_problems(runs: Iterable[_Run]) -> None:
    """Check that all runs of a problem share it, and all of a method on it its settings."""
    problems: dict[str, str] = {}
    methods: dict[tuple[str, str], str] = {}
    for run in runs:
        problem, label = run.row["problem"], run.row["label"]
        identity = json.loads(run.row["identity"])
        seen = json.dumps({key: identity.get(key) for key in _OF_PROBLEM})
        _compare(f"the problem '{problem}'", problems.setdefault(problem, seen), seen)
        whole = run.row["identity"]
        _compare(f"'{label}' on '{problem}'", methods.setdefault((problem, label), whole), whole)


def _compare(what: str, one: str, other: str, folder: Path | None = None) -> None:
    if one == other:
        return
    if difference := first_difference(*comparable(json.loads(one), json.loads(other))):
        key, before, after = difference
        raise _unlike(folder, f"{what} differs between parts: its {key} is {before} and {after}")


def _unlike(folder: Path | None, what: str) -> JournalError:
    return JournalError(
        f"{what}.",
        where=str(folder or "merge"),
        hint="Only parts of one study can be joined; run them again from one study file.",
    )


def _facts(contents: Sequence[Content], runs: Sequence[_Run]) -> dict[str, Any]:
    """Join the facts of ``meta``."""
    facts = [content.facts() for content in contents]
    environments = [
        (one.get(ENVIRONMENTS, ()), len(content.trials)) for one, content in zip(facts, contents, strict=True)
    ]
    keys = [_study_keys(one) for one in facts]
    whole = dict(keys[0])
    for key in _LISTS:
        joined: list[Any] = []
        for given in keys:
            joined += [item for item in given.get(key, ()) if item not in joined]
        whole[key] = joined
    whole["seeds"] = sorted({run.row["seed"] for run in runs})
    single = [given["trial"].get("problems", {}) for given in keys if isinstance(given.get("trial"), dict)]
    if any(single):
        whole["trial"] = whole["trial"] | {"problems": {k: v for one in single for k, v in one.items()}}
    return {
        **{key: facts[0][key] for key in _OF_STUDY},
        "version": facts[0]["version"],
        "created": min(one["created"] for one in facts),
        "runs": len(runs),
        ENVIRONMENTS: of_parts(environments),
        "probes": {key: probe for one in facts for key, probe in one.get("probes", {}).items()},
        "study": dump(whole),
    }


def _check_study_file(facts: Mapping[str, Any], path: Path) -> None:
    """Raise JournalError where the study file of a part cannot be merged."""
    try:
        keys = _study_keys(facts)
    except (StudyError, ValueError, RecursionError):
        keys = {}
    trial = keys.get("trial", {})
    single = trial.get("problems", {}) if isinstance(trial, dict) else None
    if not all(isinstance(keys.get(key), list) for key in _LISTS) or not isinstance(single, dict):
        raise damaged(path, "its study file cannot be read")


def _study_keys(facts: Mapping[str, Any]) -> dict[str, Any]:
    found = load_text(facts["study"], STUDY_FILE)
    return found if isinstance(found, dict) else {}


def _write(out: Path, runs: Sequence[_Run], facts: Mapping[str, Any]) -> None:
    path = out / DATABASE
    try:
        with ExitStack() as stack:
            prepare_folder(out)
            lock_folder(out, stack)
            if path.exists():
                raise StudyError(
                    "expected a new or empty directory, got a study.",
                    where=str(out),
                    hint="Use another --out.",
                )
            with explained(path), replacing(path) as new, closing(make_journal(new, facts)) as db:
                _insert(db, runs, salt_of(_name(db)))
            with replacing(out / STUDY_FILE) as new:
                new.write_text(facts["study"], encoding="utf-8")
    except OSError as error:
        raise StudyError(
            f"the study directory cannot be written: {error.strerror or error}.",
            where=str(out),
            hint="Use another --out.",
        ) from None


def _insert(db: sqlite3.Connection, runs: Sequence[_Run], salt: int) -> None:
    with db:
        db.execute("BEGIN IMMEDIATE")
        rows = [run.row | {"key": key} for key, run in enumerate(runs, 1)]
        insert_runs(db, rows, [len(run.trials) for run in runs], salt)
        for key, run in enumerate(runs, 1):
            of_run = [(key, *trial) for trial in run.trials.values()]
            db.executemany(INSERT_TRIAL, [(*row, trial_checksum(row, salt)) for row in of_run])


def _name(db: sqlite3.Connection) -> str:
    (text,) = db.execute("SELECT value FROM meta WHERE key = 'journal'").fetchone()
    return str(json.loads(text))

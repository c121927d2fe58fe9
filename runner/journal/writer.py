"""Writing a study directory: one process at a time, one durable transaction per record."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner.errors import StudyError
from runner.journal.identity import (
    DERIVED,
    first_difference,
    problem_identity,
    run_identity,
    study_identity,
)
from runner.record.folder import lock_folder, prepare_folder, replacing
from runner.record.schema import (
    DATABASE,
    INSERT_TRIAL,
    SELECT_HISTORY,
    SHARED,
    STUDY_FILE,
    check_header,
    create_tables,
    damaged,
    explained,
    from_row,
    to_json,
    to_number,
    to_row,
    to_text,
)
from runner.study import RunSpec, Study
from runner.trial import Trial

_BUSY_SECONDS = 10.0


class Journal:
    """The one writer of a study directory; open it with `Journal.open`, close it or use ``with``.

    Attributes
    ----------
    folder : Path
    resumed : bool
        Whether the directory held this study already.

    Notes
    -----
    It may be used from any thread, by one at a time. The lock is the kernel's: it is free as
    soon as the process is gone, however it went.
    """

    def __init__(
        self, folder: Path, db: sqlite3.Connection, keys: dict[str, int], resumed: bool, open_: ExitStack
    ) -> None:
        self.folder, self.resumed = folder, resumed
        self._db, self._keys, self._open = db, keys, open_

    @classmethod
    def open(cls, folder: Path, study: Study) -> Journal:
        """Make the directory of a study, or open it again to go on.

        An existing directory may be extended, by methods, problems, seeds or budget, or be gone
        on with in part. A run that is in it already must be the same but for its budget; with
        another budget it counts as not ended.

        Parameters
        ----------
        folder : Path
        study : Study

        Raises
        ------
        StudyError
            Where the directory holds something else, holds a study that does not fit (names the
            first difference), is in use by a live run (names its process), or cannot be written.
        JournalError
            Where the journal is damaged, of another program or of another version.
        """
        folder = Path(folder)
        path = folder / DATABASE
        identities, yaml = _identities(study), study.as_yaml()
        with ExitStack() as stack:
            try:
                prepare_folder(folder)
                lock_folder(folder, stack)
                resumed = path.exists()
                with explained(path), SHARED:
                    if not resumed:
                        _create(path, study)
                    db = _connect(path, stack)
                    _check(db, path)
                    keys = _enter(db, folder, study, identities)
                (count,) = db.execute("SELECT count(*) FROM runs").fetchone()
                if count == len(keys) or not (folder / STUDY_FILE).exists():  # else it tells of less
                    with replacing(folder / STUDY_FILE) as new:
                        new.write_text(yaml, encoding="utf-8")
            except OSError as error:
                raise StudyError(
                    f"the study directory cannot be written: {error.strerror or error}.",
                    where=str(folder),
                    hint="Use another --out.",
                ) from None
            return cls(folder, db, keys, resumed, stack.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def history(self, run_id: str) -> list[Trial]:
        """The trials of a run that have ended, by number."""
        key = self._keys[run_id]
        with explained(self.folder / DATABASE):
            return [from_row(row) for row in self._db.execute(SELECT_HISTORY, (key,))]

    def record(self, ended: Sequence[tuple[str, Trial]]) -> None:
        """Make trials durable: all of them or, where it raises, none.

        A trial whose run has one of that number already is ignored.

        Parameters
        ----------
        ended : sequence of (str, Trial)
            With the `runner.study.RunSpec.id` of its run.

        Raises
        ------
        JournalError
            Where the disk is full or fails.
        """
        rows = [(self._keys[run_id], *to_row(trial)) for run_id, trial in ended]
        with explained(self.folder / DATABASE), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(INSERT_TRIAL, rows)

    def announce(self, run_id: str, sentence: str) -> None:
        """Keep what a method says before its run."""
        self._update("UPDATE runs SET announcement = ? WHERE key = ?", to_text(sentence), self._keys[run_id])

    def end_run(self, run_id: str, reason: str, failed: bool, conclusion: str) -> None:
        """Keep that a run has ended.

        Parameters
        ----------
        run_id : str
        reason : str
            Why; not empty.
        failed : bool
            Whether its method failed.
        conclusion : str
            What the method says after the run.
        """
        self._update(
            "UPDATE runs SET end_reason = ?, failed = ?, conclusion = ? WHERE key = ?",
            to_text(reason),
            int(failed),
            to_text(conclusion),
            self._keys[run_id],
        )

    def close(self) -> None:
        """Fold the log into the main file and give the directory free; a second time is harmless."""
        with explained(self.folder / DATABASE):
            self._open.close()

    def _update(self, statement: str, *values: str | int) -> None:
        with explained(self.folder / DATABASE):
            self._db.execute(statement, values)


def _identities(study: Study) -> list[dict[str, Any]]:
    """Of each run of a study."""
    problems = {problem.name: problem_identity(problem) for problem in study.problems}
    return [run_identity(spec, problems[spec.problem.name]) for spec in study.runs]


def _create(path: Path, study: Study) -> None:
    """Make the journal beside its place and move it there, so that there is never half of one."""
    try:
        package = version("fivefold")
    except PackageNotFoundError:  # run from its source tree
        package = "unknown"
    facts = {
        **study_identity(study),
        "version": package,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with replacing(path) as new, closing(sqlite3.connect(new, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        create_tables(db)
        db.executemany("INSERT INTO meta VALUES (?, ?)", [(k, to_json(v)) for k, v in facts.items()])


def _connect(path: Path, stack: ExitStack) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False)
    stack.callback(db.close)
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    check_header(db, path)
    (answer,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise damaged(path, " ".join(str(answer).split()))


def _enter(
    db: sqlite3.Connection, folder: Path, study: Study, identities: Sequence[dict[str, Any]]
) -> dict[str, int]:
    """Enter the runs that are not there yet, compare the others; the keys of all."""
    with db:
        db.execute("BEGIN IMMEDIATE")
        told = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM meta")}
        for key, now in study_identity(study).items():
            if told[key] != now:
                raise StudyError(
                    f"the study's {key} was {told[key]!r} and is {now!r}.",
                    where=str(folder),
                    hint=f"Use another --out, or set '{key}' back to {told[key]!r}.",
                )
        there = {row[0]: row for row in db.execute("SELECT id, key, identity, budget FROM runs")}
        problems = {row[0] for row in db.execute("SELECT DISTINCT problem FROM runs")}
        if problems and problems.isdisjoint(problem.name for problem in study.problems):
            raise StudyError(
                f"it holds a study of the same name on other problems: {', '.join(sorted(problems))}.",
                where=str(folder),
                hint="Use another --out, or another 'name'.",
            )
        budget = to_json({"trials": study.budget.trials, "seconds": study.budget.seconds})
        keys = {}
        for spec, identity in zip(study.runs, identities, strict=True):
            if spec.id not in there:
                keys[spec.id] = _insert(db, spec, identity, budget)
                continue
            _, keys[spec.id], was, earlier = there[spec.id]
            _compare(spec, json.loads(was), identity, folder)
            if budget != earlier:  # it may go on, or must say anew why not
                db.execute(
                    "UPDATE runs SET budget = ?, end_reason = '', failed = 0, conclusion = '' WHERE key = ?",
                    (budget, keys[spec.id]),
                )
    return keys


def _compare(spec: RunSpec, was: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    difference = first_difference(was, now)
    if difference is None:
        return
    path, before, after = difference
    what, hint = f"its {path} was {before} and is {after}", "Use another --out, or change it back."
    if path.startswith(DERIVED):
        what = f"'{spec.label}' has laid itself out for another budget, and cannot grow"
        hint = "Use another --out, the earlier budget, points of its own, or other --methods."
    elif path.startswith("objective") and path.endswith(".text"):
        what = "the code of its objective has changed since"
    elif path == "objective.record_digest":
        what = "the study that it recalls has changed since"
    elif path.startswith("objective.data"):
        what = "its data have changed since"
    raise StudyError(
        f"the run '{spec.id}' is there already, and {what}.",
        where=str(folder),
        hint=hint,
    )


def _insert(db: sqlite3.Connection, spec: RunSpec, identity: dict[str, Any], budget: str) -> int:
    row = {
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
    }
    cursor = db.execute(
        f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
    )
    return int(cursor.lastrowid or 0)

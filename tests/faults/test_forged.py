"""A directory whose checksums are right and whose values are not: refused with a sentence, everywhere.

Whoever makes a directory can make its checksums too. Each value of each table is replaced by one of another
kind; then what reads journals must say that it is damaged. Values of the right kind that make no sense may
be shown or refused, but nobody sees a traceback.
"""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from runner.errors import JournalError
from runner.journal import Journal, merge
from runner.problems import load_problem
from runner.record import read_journal, verify
from runner.record.schema import DATABASE, RUN_COLUMNS, TRIAL_COLUMNS, checksum, salt_of, trial_checksum
from tests.studies import play, study
from tests.test_cli import fivefold  # noqa: F401  (a fixture)

DEEP = "[" * 100_000
NOT_JSON = ["", "{", DEEP, '{"a":' * 100_000, "1,2", "[1][2]", "nul", "'a'"]
VALUES = [
    "null",
    "true",
    "7",
    "0.5",
    '"text"',
    "[]",
    "{}",
    '[{"a": 1}]',
    '[["a"]]',
    '{"a": [1]}',
    '{"a": {}}',
]
RIGHT = {
    "config": {"{}"},
    "metrics": {"{}"},
    "gradient": {"{}"},
    "folds": {"[]"},
    "steps": {"[]"},
    "step_seconds": {"[]"},
    "earlier": {"[]"},
    "settings": {"{}", '{"a": [1]}', '{"a": {}}'},
    "budget": set(),
    "identity": set(),
    "name": {'"text"'},
    "seed": {"7"},
    "parallel": {"7"},
    "order": {'"text"'},
    "scheduler": {'"text"', "{}", '{"a": [1]}', '{"a": {}}'},
    "version": {'"text"'},
    "created": set(),
    "journal": {'"text"'},
    "session": {"7"},
    "open": {"true"},
    "study": {'"text"'},
    "runs": set(),
    "probes": {"{}"},
}
"""Per column of JSON those of `VALUES` that it may have."""
TRIALS = ["config", "gradient", "metrics", "folds", "steps", "step_seconds", "earlier"]
RUNS = ["settings", "budget", "identity"]
META = [name for name in RIGHT if name not in (*TRIALS, *RUNS)]
OTHER = {
    "status": ["", "DONE", "completed"],
    "origin": ["", "elsewhere"],
    "number": [-1, 2**62],
    "known": [-1],
    "loss": ["", "1", "inf", 1, b"x"],
    "value": ["x"],
    "test": ["x"],
    "share": ["nan", "x"],
    "seconds": ["nan", None, "x"],
    "started": ["x", None],
    "suggest_seconds": ["x", None],
    "queue_seconds": ["x", None],
}
"""Values of another kind in columns that are no JSON."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "study"
    play(folder, study(seeds=2))
    return folder


def forge(folder, table, key, column, value):
    """Write a value into a row, and the row's checksum for it."""
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        (journal,) = db.execute("SELECT value FROM meta WHERE key = 'journal'").fetchone()
        salt = salt_of(json.loads(journal)) if json.loads(journal) else 0
        if table == "meta":
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, value, checksum((key, value))))
        elif table == "runs":
            db.execute(f"UPDATE runs SET {column} = ? WHERE key = ?", (value, key))
            row = db.execute(f"SELECT {', '.join(RUN_COLUMNS)} FROM runs WHERE key = ?", (key,)).fetchone()
            db.execute("UPDATE runs SET checksum = ? WHERE key = ?", (checksum(row, salt), key))
        else:
            run, number = key
            db.execute(f"UPDATE trials SET {column} = ? WHERE run = ? AND number = ?", (value, *key))
            number = value if column == "number" else number
            names = ", ".join(TRIAL_COLUMNS)
            query = f"SELECT run, {names} FROM trials WHERE run = ? AND number = ?"
            row = db.execute(query, (run, number)).fetchone()
            update = "UPDATE trials SET checksum = ? WHERE run = ? AND number = ?"
            db.execute(update, (trial_checksum(row, salt), run, number))


def copied(whole, tmp_path):
    shutil.rmtree(tmp_path / "forged", ignore_errors=True)
    shutil.copytree(whole, tmp_path / "forged")
    return tmp_path / "forged"


def is_refused(folder, tmp_path):
    """By all that reads a journal, with one sentence; `verify` names it, too."""
    for use in (
        lambda: read_journal(folder),
        lambda: Journal.open(folder, study(seeds=2)),
        lambda: merge([folder], tmp_path / "merged"),
        lambda: load_problem({"recorded": str(folder), "problem": "hill"}),
    ):
        with pytest.raises(JournalError, match="the journal is damaged: ") as caught:
            use()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500
    assert not verify(folder).whole
    return True


CASES = [
    *[("trials", (1, 3), name) for name in TRIALS],
    *[("runs", 2, name) for name in RUNS],
    *[("meta", name, name) for name in META],
]


@pytest.mark.parametrize(("table", "key", "column"), CASES)
def test_json_of_another_kind_is_damage(whole, tmp_path, table, key, column):
    for value in [*NOT_JSON, *VALUES]:
        if value not in RIGHT[column] and (column, value) != ("journal", '"text"'):
            folder = copied(whole, tmp_path)
            forge(folder, table, key, column, value)
            if column == "journal":  # the checksums of all rows begin with it
                assert not verify(folder).whole
                continue
            assert is_refused(folder, tmp_path), value


@pytest.mark.parametrize("column", OTHER)
def test_a_value_of_another_kind_is_damage(whole, tmp_path, column):
    for value in OTHER[column]:
        folder = copied(whole, tmp_path)
        try:
            forge(folder, "trials", (1, 5), column, value)
        except sqlite3.IntegrityError:
            continue  # the table itself refuses it
        assert is_refused(folder, tmp_path), value

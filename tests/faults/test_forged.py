"""A directory whose checksums are right and whose values are not: refused with a sentence, everywhere.

Whoever makes a directory can make its checksums too. Each value of each table is replaced by one of another
kind; then what reads journals must say that it is damaged. Values of the right kind that make no sense may
be shown or refused, but nobody sees a traceback.
"""

import io
import json
import random
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from rich.console import Console

from runner.api import run as launch
from runner.cli.tables import print_leaderboard
from runner.cli.verdict import print_verdict
from runner.errors import FivefoldError, JournalError
from runner.journal.reader import read_journal
from runner.journal.schema import DATABASE, RUN_COLUMNS, TRIAL_COLUMNS, checksum, salt_of, trial_checksum
from runner.journal.verify import verify
from runner.problems import evaluate, load_problem
from runner.report import make_page
from runner.results import Results
from runner.results.stats import Comparison
from runner.study.advice import gather_evidence
from runner.study.identity.plan import open_journal
from runner.study.merge import merge
from tests.cli.test_main import fivefold  # noqa: F401  (a fixture)
from tests.faults.soaking import SOAK, amount
from tests.studies import HILL, play, study

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
    "environments": {"[]"},
    "suspects": {"[]"},
    "begun/1": {"{}", '{"a": [1]}'},
}
"""Per column of JSON those of `VALUES` that it may have."""
TRIALS = ["config", "gradient", "metrics", "folds", "steps", "step_seconds", "earlier"]
RUNS = ["settings", "budget", "identity"]
META = [name for name in RIGHT if name not in (*TRIALS, *RUNS)]
OTHER = {
    "config": ['{"x": "text"}', '{"x": null}', '{"x": true}', '{"x": [1]}', ' {"x": 1.0}'],
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
        lambda: open_journal(folder, study(seeds=2)),
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
    values = [*NOT_JSON, *VALUES]
    if not SOAK:  # all readers are tried with each value, which takes a while: every column takes its share
        first = CASES.index((table, key, column)) % 3
        values = [*values[first::3], DEEP]
    for value in values:
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


FORMS = [
    7,
    {},
    {"float": [0]},
    {"float": ["a", "b"]},
    {"float": [2, 1]},
    {"float": [0, 1], "int": [0, 1]},
    {"float": [0, 1], "log": True},
    {"float": [0, 1], "log": 1},
    {"float": [0, float("inf")]},
    {"choice": 7},
    {"choice": [1]},
    {"choice": [[[1], []]]},
    {"choice": [[1, 7]]},
    {"choice": [[1, [["y", {}]]]]},
]
SPACES = [7, [], [["x", {"float": [0, 1]}]], *({"x": form} for form in FORMS)]


@pytest.mark.parametrize("space", SPACES)
def test_a_space_of_another_form_is_damage(whole, tmp_path, space):
    folder = copied(whole, tmp_path)
    identity = json.loads(read_journal(folder).runs[1].identity)
    forge(folder, "runs", 2, "identity", json.dumps(identity | {"space": space}))
    assert is_refused(folder, tmp_path)


@pytest.mark.parametrize("name", ["a\nb", "x" * 10_000, "\x1b[31m", "\0"])
def test_a_name_of_any_form_is_one_sentence(whole, tmp_path, name):
    folder = copied(whole, tmp_path)
    forge(folder, "runs", 2, "settings", "[]")
    forge(folder, "runs", 2, "id", name)
    assert is_refused(folder, tmp_path)


COMMANDS = [
    ["show", "forged"],
    ["report", "forged"],
    ["best", "forged"],
    ["export", "forged", "--format", "csv"],
    ["export", "forged", "--format", "optuna"],
    ["compare", "forged", "forged"],
    ["merge", "forged", "--out", "merged"],
    ["verify", "forged"],
    ["run", "recorded.yaml", "--workers", "0"],
    ["advise", "recorded.yaml", "--from", "forged", "--seconds", "1"],
]


@pytest.mark.parametrize("value", [DEEP, '{"x": [1]}'])
def test_every_command_answers_with_one_sentence_and_its_code(whole, tmp_path, fivefold, value):  # noqa: F811
    forge(copied(whole, tmp_path), "trials", (1, 3), "config", value)
    Path("recorded.yaml").write_text(
        "{name: again, problems: [{recorded: forged, problem: hill}], methods: [random], budget: {trials: 2}}"
    )
    for command in COMMANDS:
        code, out, err = fivefold(*command)
        assert code == 3, command
        assert "trial 3 of the run 'hill/random/0' has a config of an unexpected type" in out + err
        assert command[0] == "verify" or err.count("\n") == 1


ODD_NUMBERS = [None, "nan", 0.0, 1e308, -1e308, float("inf"), float("-inf"), -1.0]
ODD = {
    "config": ["{}", '{"x": 1e308}', '{"x": NaN}', '{"y": 1}', '{"model": "no"}'],
    "metrics": ['{"loss": 1e308}', '{"": 1}', '{"a": null}', '{"a": -Infinity}'],
    "folds": ["[1e308, -1e308]", "[NaN]"],
    "steps": ["[NaN, Infinity]", json.dumps([1.0] * 5000)],
    "step_seconds": ["[-1]", "[NaN, 1e308]"],
    "gradient": ['{"zz": 1.0}', '{"x": null}', '{"x": NaN}'],
    "earlier": ['["a"]'],
    "status": ["COMPLETED", "STOPPED", "FAILED", "INVALID"],
    "origin": ["cached", "replayed"],
    "number": [2**31 - 1],
    "known": [2**62, 5],
    "error": ["x" * 100_000],
    **dict.fromkeys(("loss", "value", "test"), ODD_NUMBERS),
    **dict.fromkeys(("share", "seconds", "started", "suggest_seconds", "queue_seconds"), ODD_NUMBERS[2:]),
}
ODD_RUNS = {
    "settings": ["{}", '{"sequence": 5}'],
    "budget": [
        json.dumps({"trials": t, "seconds": s}) for t, s in ((None, None), (-5, None), (10**18, -1.0))
    ],
    "seed": [0, 2**62],
    "optimum": ODD_NUMBERS,
    "direction": ["minimize", "maximize"],
    "end_reason": ["", "x"],
    "failed": [0, 1],
    **{name: ["", "x/y", "other"] for name in ("label", "problem", "method", "metric", "id")},
}
ODD_META = {
    "created": ['"0001-01-01T00:00:00+00:00"', '"9999-12-31T23:59:59+00:00"'],
    "parallel": ["1", str(10**18)],
    "order": ['"async"', '"other"'],
    "scheduler": ['"other"', "{}", '{"name": 5}'],
    "session": ["-1", str(10**30)],
    "seed": ["-1", str(10**30)],
    "study": [json.dumps(text) for text in ("", "a: [", "[" * 10_000, "problems: 7", "\0")],
    "probes": [json.dumps({key: {"config": "x", "loss": 1}}) for key in ("hill/0", f"hill/{10**30}", "0")],
}


def odd(folder, rng):
    """Replace up to three values by odd ones of the right kind."""
    for _ in range(rng.choice([1, 1, 3])):
        table = rng.choice(["trials", "trials", "runs", "meta"])
        kinds = {"trials": ODD, "runs": ODD_RUNS, "meta": ODD_META}[table]
        column = rng.choice(sorted(kinds))
        run, number = rng.randint(1, 8), rng.randint(0, 5)
        key = {"trials": (run, number), "runs": run, "meta": column}[table]
        try:
            forge(folder, table, key, column, value := rng.choice(kinds[column]))
        except (TypeError, OverflowError, sqlite3.IntegrityError):
            continue  # a number that was moved, or what the table refuses
        yield f"{table} {key} {column}: {str(value)[:60]}"


@pytest.mark.timeout(3600)
@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=amount(8, 500),
    suppress_health_check=list(HealthCheck),
    derandomize=not SOAK,
    phases=[Phase.generate],
)
def test_what_makes_no_sense_is_shown_or_refused(whole, tmp_path_factory, seed):
    rng, base = random.Random(seed), tmp_path_factory.mktemp("odd")
    folder = copied(whole, base)
    for done in odd(folder, rng):
        note(done)
    more = study(seeds=2, budget={"trials": 7})
    uses = [
        lambda: Results.open(folder).export(base, "csv"),
        lambda: print_leaderboard(Console(file=io.StringIO()), Results.open(folder)),
        lambda: print_verdict(Console(file=io.StringIO()), Comparison.of(Results.open(folder))),
        lambda: Results.open(folder).best(),
        lambda: make_page(Results.open(folder)) if seed % 4 == 0 else None,
        lambda: Results.open(folder).to_optuna(base / "to.db"),
        lambda: merge([folder, whole], base / "merged"),
        lambda: evaluate(load_problem({"recorded": str(folder), "problem": "hill"}), {"x": 0.5}, 1),
        lambda: gather_evidence([folder], HILL.space),
        lambda: verify(folder),
        lambda: launch(more, folder, workers=0),
    ]
    for use in uses:
        with suppress(FivefoldError):
            use()
    shutil.rmtree(base)

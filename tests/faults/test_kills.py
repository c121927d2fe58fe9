"""The driver is killed at random moments, again and again: the final table is the uninterrupted one's."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from runner.journal.reader import read_journal
from runner.results import Results
from runner.study.study import Study
from tests.faults import objectives
from tests.faults.soaking import amount

OBJECTIVES = Path(objectives.__file__)
SIX = ["exhaustive", "random", {"grid": {"points": 5}}, "bayes", "tpe", "gradient"]
STUDIES = {
    "six methods": {
        "problems": [f"{OBJECTIVES}:brief"],
        "methods": [{"exhaustive": {"resolution": 4}}, *SIX[1:]],
        "budget": {"trials": 15},
        "parallel": 2,
    },
    "shared": {
        "problems": [f"{OBJECTIVES}:few"],
        "methods": ["exhaustive", "random", "tpe"],
        "budget": {"trials": 16},
        "seeds": 4,
    },
    "staged": {
        "problems": [f"{OBJECTIVES}:steps"],
        "methods": ["random", "tpe"],
        "scheduler": "asha",
        "budget": {"trials": 12},
        "parallel": 3,
        "seeds": 3,
    },
}
COLUMNS = ["run", "number", "config", "status", "loss", "value", "error", "known"]


def command(path, folder, workers):
    arguments = ["run", path, "--out", folder, "--workers", workers]
    return [sys.executable, "-m", "runner.cli.main", *map(str, arguments)]


def rows(folder):
    """All that is recorded, as text, by run and number; nothing while there is no journal yet."""
    if not (folder / "study.db").exists():
        return {}
    trials = pd.DataFrame(read_journal(folder).trials)
    return {(row["run"], row["number"]): repr(tuple(row)) for _, row in trials.iterrows()}


def table(folder):
    trials = Results.open(folder).trials
    return trials.sort_values(["run", "number"])[COLUMNS].reset_index(drop=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Each study's file, and the table that it has where nobody kills it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    found = {}
    for name, keys in STUDIES.items():
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"name": name, "seeds": 2, **keys}))
        study = Study.load(path)
        from runner.api import run

        run(study, folder / name, workers=0)
        found[name] = path, table(folder / name)
    return found


def kill(process):
    """The driver alone, as the system would: Ray's processes are left to themselves."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize(
    "name, workers, kills",
    [
        ("six methods", 0, amount(2, 30)),
        pytest.param("staged", 2, amount(1, 12), marks=[pytest.mark.ray, pytest.mark.slow]),
        *amount([], [("shared", 0, 30), ("staged", 0, 30)]),
        *amount([], [pytest.param("six methods", 2, 12, marks=pytest.mark.ray)]),
    ],
)
def test_any_number_of_kills_leaves_the_table_of_the_uninterrupted_study(
    tmp_path, undisturbed, name, workers, kills
):
    path, expected = undisturbed[name]
    rng, counts = random.Random(f"{name} {workers}"), []
    while sum(counts) < kills:  # a study may be through before it was killed so often
        folder = tmp_path / str(len(counts))
        counts.append(killed(path, folder, workers, kills - sum(counts), rng))
        pd.testing.assert_frame_equal(table(folder), expected, check_exact=True)
    print(f"\n{name}, {workers} workers: {sum(counts)} kills in {len(counts)} studies")


def killed(path, folder, workers, most, rng):
    """Run a study to its end, with at most so many kills on the way; how many there were."""
    before = {}
    for count in range(most):
        process = subprocess.Popen(
            command(path, folder, workers), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        # From anywhere in the start to some way into the work that is left.
        wait_for(process, folder, before, rng.random() < 0.8, rng.random())
        if process.poll() is not None:
            _, err = process.communicate()
            assert process.returncode == 0, err
            assert before.items() <= rows(folder).items()
            return count
        family = psutil.Process(process.pid).children(recursive=True)
        kill(process)
        assert workers_have_ended(family)
        after = rows(folder)
        assert before.items() <= after.items(), "what was recorded once stays as it was"
        before = after
    done = subprocess.run(command(path, folder, workers), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "what another driver has left behind does not hinder this one"
    assert before.items() <= rows(folder).items()
    return most


def wait_for(process, folder, before, progress, share):
    """Until a random moment: some share of seconds, after the first new trial or from the start on."""
    until = time.monotonic() + 60
    while progress and process.poll() is None and time.monotonic() < until:
        if recorded(folder) > len(before):
            break
        time.sleep(0.01)
    until = time.monotonic() + 1.5 * share
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)


def recorded(folder):
    try:
        uri = f"{(folder / 'study.db').absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            return db.execute("SELECT count(*) FROM trials").fetchone()[0]
    except sqlite3.Error:  # not there yet
        return 0


def workers_have_ended(processes):
    """Whether the workers among them end by themselves; Ray's own processes take their time."""
    workers = [
        process for process in processes if name_of(process).startswith(("ray::_Inner", "ray::Worker"))
    ]
    _, alive = psutil.wait_procs(workers, timeout=30)
    return not alive


def name_of(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it is gone
        return ""

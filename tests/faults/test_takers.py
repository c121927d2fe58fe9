"""Trials that take the process, Ray or the whole command with them: the study ends, and says which did it."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml

from runner.journal.verify import verify
from runner.results import Results
from tests.faults import takers
from tests.faults.soaking import amount
from tests.faults.test_kills import command

FILE = Path(takers.__file__)


def write(tmp_path, name, **keys):
    path = tmp_path / "study.yaml"
    study = {"name": name, "problems": [f"{FILE}:{name}"], "methods": ["exhaustive"], "seeds": 1}
    path.write_text(yaml.safe_dump({**study, "budget": {"trials": 10}, "trial": {"retries": 1}, **keys}))
    return path


def run(path, folder, workers, timeout=120):
    return subprocess.run(command(path, folder, workers), capture_output=True, text=True, timeout=timeout)


def check(folder, crashed=1):
    trials = Results.open(folder).trials
    assert sorted(trials.loc[trials.status == "COMPLETED", "config/x"]) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert trials.loc[trials.status == "CRASHED", "config/x"].tolist() == [5] * crashed
    assert len(trials) == 9 + crashed
    assert verify(folder).whole


@pytest.mark.parametrize("number", amount([0, 1, 3], list(range(len(takers.KINDS)))))
def test_in_this_process_the_study_ends_and_the_culprit_is_a_row(tmp_path, number):
    done = run(write(tmp_path, f"taker{number}"), tmp_path / "out", 0)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    check(tmp_path / "out")


@pytest.mark.parametrize("name", ["threads", "processes"])
def test_what_trials_leave_behind_does_not_keep_the_command_from_its_end(tmp_path, name):
    done = run(write(tmp_path, name, budget={"trials": 3}), tmp_path / "out", 0, timeout=60)
    assert done.returncode == 0
    left = "Trials have left 3 threads or processes running; they are stopped now.\n"
    assert done.stderr in ("", left)


@pytest.mark.slow
@pytest.mark.ray
def test_a_trial_that_kills_ray_is_a_row_in_the_end(tmp_path):
    done = run(write(tmp_path, "raylet"), tmp_path / "out", 2, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "Ray was lost: its raylet on this machine has died. Starting another." in done.stdout
    check(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.ray
def test_a_trial_that_kills_the_whole_command_is_a_row_in_the_end(tmp_path):
    path = write(tmp_path, "driver")
    codes = []
    while not codes or codes[-1]:
        codes.append(run(path, tmp_path / "out", 2).returncode)
        assert codes[-1] in (0, -signal.SIGKILL)
        assert len(codes) < 6, "the study ends"
    check(tmp_path / "out")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_goes_away_interrupts_it_like_any_signal(tmp_path, number):
    path = write(tmp_path, "hanging", problems=[f"{FILE}:hanging"], methods=["random"])
    process = subprocess.Popen(
        command(path, tmp_path / "out", 0), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not (tmp_path / "out" / "study.db").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "every finished trial is saved" in err
    assert not psutil.wait_procs(family, timeout=10)[1]

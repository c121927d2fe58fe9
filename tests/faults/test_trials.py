"""Trials that misbehave: each ends as a row with the right status, and touches nothing else."""

import contextlib
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from runner.problems.isolation import preserve_generators
from runner.study.study import Study
from runner.trial import Status
from tests.engine.ray.test_engine import play
from tests.faults import objectives

OBJECTIVES = Path(objectives.__file__)

EXPECTED = {
    "innocent": (Status.COMPLETED, ""),
    "raises": (Status.FAILED, "ValueError: bad"),
    "interrupts": (Status.FAILED, "KeyboardInterrupt"),
    "none": (Status.INVALID, "None"),
    "nan": (Status.INVALID, "nan"),
    "infinite": (Status.INVALID, "inf"),
    "text": (Status.INVALID, "'0.5'"),
    "no metric": (Status.INVALID, "accuracy"),
    "large": (Status.COMPLETED, ""),
    "prints": (Status.COMPLETED, ""),
    "unpicklable": (Status.COMPLETED, ""),
    "exits": (Status.FAILED, "SystemExit: 3"),
    "leaves children": (Status.COMPLETED, ""),
    "shuffles": (Status.COMPLETED, ""),
    "looks": (Status.COMPLETED, ""),
    "exits hard": (Status.CRASHED, "died once"),
    "segfaults": (Status.CRASHED, "died once"),
    "kills itself": (Status.CRASHED, "died once"),
    "loops": (Status.TIMEOUT, "killed after 2 s"),
    "loops in C": (Status.TIMEOUT, "killed after 2 s"),
    "sleeps": (Status.TIMEOUT, "killed after 2 s"),
    "hangs with children": (Status.TIMEOUT, "killed after 2 s"),
    "balloon": (Status.CRASHED, "its limit is 0.8 GB"),
    "child's balloon": (Status.CRASHED, "its limit is 0.8 GB"),
}


def gone(pids, seconds=2.0):
    """Whether processes are gone within some seconds; zombies are."""
    until = time.monotonic() + seconds
    alive = set(pids)
    while alive and time.monotonic() < until:
        for pid in list(alive):
            with contextlib.suppress(psutil.Error):
                if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    continue
            alive.discard(pid)
        time.sleep(0.05)
    return not alive


class Trouble:
    """The objectives, in a copy that notes which processes they start."""

    def __init__(self, folder):
        self.noted, self.path = folder / "pids", folder / "objectives.py"
        self.noted.touch()
        text = OBJECTIVES.read_text(encoding="utf-8")
        assert 'PIDS = ""' in text
        self.path.write_text(text.replace('PIDS = ""', f"PIDS = {str(self.noted)!r}"), encoding="utf-8")

    def study(self, name, trials, **trial):
        return Study.build(
            name="trouble",
            problems=[f"{self.path}:{name}"],
            methods=["exhaustive"],
            seeds=1,
            budget={"trials": trials},
            trial=trial,
        )

    def pids(self):
        return [int(line) for line in self.noted.read_text().split()]


@pytest.fixture
def trouble(tmp_path):
    return Trouble(tmp_path)


def check(trials, kinds):
    assert {trial.config["kind"] for trial in trials} == set(kinds)
    assert len(trials) == len(kinds)
    for trial in trials:
        status, words = EXPECTED[trial.config["kind"]]
        assert trial.status is status, trial
        assert words in trial.outcome.error, trial
        assert trial.valid == (status is Status.COMPLETED)
        assert len(trial.outcome.metrics) <= 100
    return {trial.config["kind"]: trial for trial in trials}


@pytest.mark.ray
def test_on_workers_each_is_a_row_of_its_own(ray_workers, tmp_path, trouble):
    made = trouble.study("trouble", len(objectives.KINDS), timeout=2.0, memory_gb=4, retries=0)
    (trials,) = play(made, tmp_path / "study", ray_workers).values()
    there = check(trials, objectives.KINDS)
    late = [kind for kind in objectives.KINDS if EXPECTED[kind][0] is Status.TIMEOUT]
    assert all(2.0 < there[kind].outcome.seconds < 4.0 for kind in late)
    assert len(trouble.pids()) == 4
    assert gone(trouble.pids()), "the children of a trial end with it"

    with preserve_generators():
        made = trouble.study("harmless", len(objectives.HARMLESS))
        (trials,) = play(made, tmp_path / "here", None).values()
    here = check(trials, objectives.HARMLESS)
    assert here["looks"].outcome.loss == there["looks"].outcome.loss == 0.0, "no variable is left behind"
    assert here["looks"].outcome.metrics == there["looks"].outcome.metrics, "drawn from the global generators"
    for pid in trouble.pids()[4:]:  # in-process nobody ends them: they may be the caller's own
        psutil.Process(pid).kill()


@pytest.mark.ray
def test_a_trial_that_fills_the_memory_is_killed(ray_workers, tmp_path, trouble):
    made = trouble.study("greedy", len(objectives.GREEDY), memory_gb=0.8, retries=0)
    (trials,) = play(made, tmp_path / "study", ray_workers).values()
    found = check(trials, objectives.GREEDY)
    assert not found["balloon"].earlier


@pytest.mark.ray
@pytest.mark.parametrize(
    "name, status, tries",
    [("one_in_a_batch", Status.CRASHED, 3), ("slow_in_a_batch", Status.TIMEOUT, 1)],
)
def test_of_a_batch_only_the_culprit_is_blamed_and_what_had_ended_is_kept(
    ray_workers, tmp_path, trouble, name, status, tries
):
    made = trouble.study(name, 100, timeout=2.0, retries=1)
    (trials,) = play(made, tmp_path / "study", ray_workers).values()
    assert {trial.number for trial in trials} == set(range(100))
    blamed = {trial.config["x"]: trial.status for trial in trials if trial.status is not Status.COMPLETED}
    assert blamed == {50: status}
    begun = Counter(trouble.pids())
    assert begun.pop(50) <= tries
    assert set(begun.values()) == {1}, "each other one was evaluated once"

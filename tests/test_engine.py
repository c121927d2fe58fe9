"""The engine on real lanes."""

from pathlib import Path

import pytest

from runner.cluster import Connection
from runner.dispatch import Dispatcher
from runner.engine import NewestFirst, run_on_ray
from runner.errors import JournalError
from runner.inprocess import run_in_process
from runner.journal import Journal
from runner.study import Study
from runner.trial import Status
from tests.studies import study

OBJECTIVES = f"{Path(__file__).parent / 'objectives.py'}"


def play(made, folder, connection):
    """Run a study; without a connection in this process."""
    with Journal.open(folder, made) as journal:
        dispatcher = Dispatcher(made, journal)
        if connection is None:
            dispatcher.begin(1, "here")
            run_in_process(dispatcher)
        else:
            dispatcher.begin(connection.lanes, connection.where)
            run_on_ray(dispatcher, connection)
        return {spec.id: journal.history(spec.id) for spec in made.runs}


def table(runs):
    return {
        run: [(t.number, t.config, t.status, t.loss, t.known) for t in trials] for run, trials in runs.items()
    }


def one(name, **keys):
    given = {"name": name, "methods": ["random"], "seeds": 1, "budget": {"trials": 6}}
    return Study.build(problems=[f"{OBJECTIVES}:{name}"], **given | keys)


@pytest.mark.ray
def test_lanes_and_this_process_make_the_same_table(ray_lanes, tmp_path):
    made = study(
        problems=["branin", "conditional", f"{OBJECTIVES}:slow"],
        methods=["random", "tpe", "bayes", {"grid": {"points": 3}}],
        seeds=1,
        budget={"trials": 8},
        parallel=2,
    )
    here = table(play(made, tmp_path / "0", None))
    lone = Connection(1, "one lane")
    assert table(play(made, tmp_path / "1", lone)) == here
    assert table(play(made, tmp_path / "2", ray_lanes)) == here


@pytest.mark.ray
def test_every_lane_works_and_none_waits_for_long(ray_lanes, tmp_path):
    runs = play(one("slow", seeds=8, budget={"trials": 10}), tmp_path / "study", ray_lanes)
    trials = [trial for run in runs.values() for trial in run]
    assert len(trials) == 80
    by_worker = {w: sum(t.worker == w for t in trials) for w in {t.worker for t in trials}}
    assert len(by_worker) == 2
    # Eight seconds of work; the second lane may come up seconds after the first.
    assert min(by_worker.values()) >= 10
    assert len({t.outcome.metrics["pid"] for t in trials}) == 2
    assert all(t.value is None or t.loss == -t.value for t in (trial.outcome for trial in trials))


@pytest.mark.ray
def test_whatever_an_objective_does_is_a_row(ray_lanes, tmp_path):
    made = one(
        "wild",
        methods=[{"exhaustive": {}}],
        budget={"trials": 10},
        trial={"timeout": 1.0, "retries": 1},
    )
    (trials,) = play(made, tmp_path / "study", ray_lanes).values()
    assert sorted(t.config["x"] for t in trials) == list(range(10))
    expected = {
        0: (Status.CRASHED, "died 2 times"),
        1: (Status.TIMEOUT, "killed after 1 s"),
        2: (Status.FAILED, "ValueError: two"),
        3: (Status.INVALID, "nan"),
        4: (Status.INVALID, "None"),
        5: (Status.FAILED, "SystemExit: 4"),
    }
    for trial in trials:
        kind = trial.config["x"]
        status, words = expected.get(kind, (Status.COMPLETED, ""))
        assert trial.status is status, trial
        assert words in trial.outcome.error
        assert trial.valid == (status is Status.COMPLETED)


@pytest.mark.ray
def test_a_problem_that_does_not_reach_the_lanes_fails_with_the_reason(ray_lanes, tmp_path):
    (trials,) = play(one("homesick"), tmp_path / "study", ray_lanes).values()
    assert len(trials) == 6
    assert all(
        trial.status is Status.FAILED and "it wants to go home" in trial.outcome.error for trial in trials
    )


@pytest.mark.ray
def test_an_error_of_the_journal_ends_the_study(ray_lanes, tmp_path, monkeypatch):
    def full(self, ended):
        raise JournalError("no space is left.")

    monkeypatch.setattr(Journal, "record", full)
    with pytest.raises(JournalError, match="no space"):
        play(one("slow"), tmp_path / "study", ray_lanes)


class Thing:
    def __init__(self, trial_id, status="PENDING"):
        self.trial_id, self.status = trial_id, status


def test_the_newest_pending_trial_goes_first():
    scheduler = NewestFirst()
    a, b, c = (Thing(name) for name in "abc")
    assert scheduler.choose_trial_to_run(None) is None
    for thing in (a, b, c):
        scheduler.on_trial_add(None, thing)
    assert scheduler.choose_trial_to_run(None) is c
    assert scheduler.choose_trial_to_run(None) is c, "asking changes nothing"
    c.status = "RUNNING"
    assert scheduler.choose_trial_to_run(None) is b
    b.status = "TERMINATED"
    a.status = "ERROR"
    assert scheduler.choose_trial_to_run(None) is None

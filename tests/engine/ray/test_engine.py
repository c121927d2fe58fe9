"""The engine on real workers."""

import dataclasses
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray._private import worker as ray_worker

from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.local import run_in_process
from runner.engine.monitor import Monitor
from runner.engine.ray.callbacks import WorkerScheduler
from runner.engine.ray.experiment import run_on_ray
from runner.engine.ray.pickling import pack, pack_problems
from runner.errors import JournalError
from runner.journal import Journal
from runner.problems.base import FunctionProblem
from runner.problems.files.objective_files import objective_files
from runner.study.identity.plan import open_journal
from runner.study.study import Study
from runner.trial import Status
from tests.studies import HILL, study

OBJECTIVES = f"{Path(__file__).parents[2] / 'objectives.py'}"


def play(made, folder, connection):
    """Run a study; without a connection in this process."""
    with open_journal(folder, made) as journal:
        dispatcher = Dispatcher(made, journal)
        if connection is None:
            dispatcher.begin(1, "here")
            run_in_process(dispatcher)
        else:
            dispatcher.begin(connection.workers, connection.where, apart=True)
            run_on_ray(dispatcher, connection, pack_problems(made.problems), pack(objective_files()))
        return {spec.id: journal.history(spec.id) for spec in made.runs}


def table(runs):
    return {
        run: [(t.number, t.config, t.status, t.loss, t.known) for t in trials] for run, trials in runs.items()
    }


def one(name, **keys):
    given = {"name": name, "methods": ["random"], "seeds": 1, "budget": {"trials": 6}}
    return Study.build(problems=[f"{OBJECTIVES}:{name}"], **given | keys)


@pytest.mark.ray
def test_workers_and_this_process_make_the_same_table(ray_workers, tmp_path):
    made = study(
        problems=["branin", "conditional", f"{OBJECTIVES}:slow"],
        methods=["random", "tpe", "bayes", {"grid": {"points": 3}}],
        seeds=1,
        budget={"trials": 8},
        parallel=2,
        initial=[
            {"problem": "branin", "config": {"x1": 1.0, "x2": 2.0}},
            {"problem": "branin", "config": {"x1": 3.0, "x2": 2.0}, "value": 4.0},
        ],
    )
    here = table(play(made, tmp_path / "0", None))
    lone = dataclasses.replace(ray_workers, most_workers=1)
    assert table(play(made, tmp_path / "1", lone)) == here
    assert table(play(made, tmp_path / "2", ray_workers)) == here


@pytest.mark.ray
def test_every_worker_works(ray_workers, tmp_path):
    runs = play(one("slow", seeds=8, budget={"trials": 10}), tmp_path / "study", ray_workers)
    trials = [trial for run in runs.values() for trial in run]
    assert len(trials) == 80
    by_worker = {w: sum(t.worker == w for t in trials) for w in {t.worker for t in trials}}
    assert len(by_worker) == 2, "also the worker that came up seconds after the first"
    assert len({t.outcome.metrics["pid"] for t in trials}) == 2
    assert all(t.value is None or t.loss == -t.value for t in (trial.outcome for trial in trials))


@pytest.mark.ray
def test_whatever_an_objective_does_is_a_row(ray_workers, tmp_path):
    made = one(
        "wild",
        methods=[{"exhaustive": {}}],
        budget={"trials": 10},
        trial={"timeout": 1.0, "retries": 1},
    )
    (trials,) = play(made, tmp_path / "study", ray_workers).values()
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


class Homesick:
    """Cannot be unpickled in another process."""

    def __reduce__(self):
        return _arrive, (os.getpid(),)


def _arrive(pid):
    if os.getpid() != pid:
        raise RuntimeError("it wants to go home")
    return Homesick()


@pytest.mark.ray
def test_a_problem_that_does_not_reach_the_workers_fails_with_the_reason(ray_workers, tmp_path):
    thing = Homesick()
    problem = FunctionProblem(lambda config: config["x"] if thing else None, HILL.space, "homesick")
    made = study(problems=[problem], methods=["random"], seeds=1, budget={"trials": 6})
    (trials,) = play(made, tmp_path / "study", ray_workers).values()
    assert len(trials) == 6
    assert all(
        trial.status is Status.FAILED and "it wants to go home" in trial.outcome.error for trial in trials
    )


@pytest.mark.ray
@pytest.mark.parametrize("name", ["neighbourly", "messy"])
def test_what_surrounds_an_objective_is_the_same_everywhere(ray_workers, tmp_path, name):
    here = play(one(name), tmp_path / "here", None)
    assert {trial.status for trial in next(iter(here.values()))} == {Status.COMPLETED}
    assert table(play(one(name), tmp_path / "workers", ray_workers)) == table(here)
    if name == "messy":
        assert {trial.loss for trial in next(iter(here.values()))} == {1.0}


@pytest.mark.ray
def test_a_crash_spends_the_seconds_that_it_took(ray_workers, tmp_path):
    made = one("deadly", budget={"trials": 9, "seconds": 1.5}, trial={"retries": 0})
    (trials,) = play(made, tmp_path / "study", ray_workers).values()
    assert all(trial.status is Status.CRASHED and trial.outcome.seconds >= 1.0 for trial in trials)
    seconds = [trial.outcome.seconds + trial.suggest_seconds for trial in trials]
    assert sum(seconds[:-1]) < 1.5 <= sum(seconds), "the last one begins within the budget and ends beyond it"


@pytest.mark.ray
def test_workers_that_stay_away_are_spoken_of(ray_workers, tmp_path, monkeypatch):
    monkeypatch.setattr("runner.engine.ray.callbacks._PATIENCE_SECONDS", 0.0)
    heard = []

    class Ears(Monitor):
        def note(self, text):
            heard.append(text)

    made = one("slow")
    with open_journal(tmp_path / "study", made) as journal:
        dispatcher = Dispatcher(made, journal, Ears())
        dispatcher.begin(2, "on workers")
        run_on_ray(dispatcher, ray_workers, pack_problems(made.problems), pack(objective_files()))
    assert [text for text in heard if "one needs 1 CPUs" in text]


@pytest.mark.ray
def test_nothing_of_a_study_stays_in_the_process(ray_workers, tmp_path):
    before = (
        len(ray_worker._post_init_hooks),
        ray_worker.print_to_stdstream,
        logging.getLogger("ray.tune").level,
    )
    play(one("slow"), tmp_path / "study", ray_workers)
    after = (
        len(ray_worker._post_init_hooks),
        ray_worker.print_to_stdstream,
        logging.getLogger("ray.tune").level,
    )
    assert after == before


@pytest.mark.ray
def test_an_error_of_the_journal_ends_the_study(ray_workers, tmp_path, monkeypatch):
    def full(self, ended, batches=()):
        raise JournalError("no space is left.")

    monkeypatch.setattr(Journal, "record", full)
    with pytest.raises(JournalError, match="no space"):
        play(one("slow"), tmp_path / "study", ray_workers)


class Thing:
    placement_group_factory = "resources"

    def __init__(self, trial_id, proposals=False):
        self.trial_id, self.proposals, self.status = trial_id, proposals, "PENDING"


class Cache:
    def __init__(self):
        self.most = {}

    def increase_max(self, key, by):
        self.most[key] = self.most.get(key, 0) + by


class Controller:
    """What Tune gives its schedulers."""

    def __init__(self):
        self._tune_controller = self
        self._actor_cache = Cache()
        self._resetting_trials = set()


def test_the_newest_pending_trial_goes_first_and_every_worker_is_kept():
    dispatcher, controller = SimpleNamespace(workers=2), Controller()
    scheduler = WorkerScheduler(dispatcher)
    a, b, c = (Thing(name) for name in "abc")
    assert scheduler.choose_trial_to_run(controller) is None
    for thing in (a, b):
        scheduler.on_trial_add(controller, thing)
    assert controller._actor_cache.most == {"resources": 2}
    dispatcher.workers = 5
    scheduler.on_trial_add(controller, c)
    assert controller._actor_cache.most == {"resources": 5}
    assert scheduler.choose_trial_to_run(controller) is c
    assert scheduler.choose_trial_to_run(controller) is c, "asking changes nothing"
    controller._resetting_trials.add(c)
    assert scheduler.choose_trial_to_run(controller) is b, "the other has its worker"
    c.status = "RUNNING"
    assert scheduler.choose_trial_to_run(controller) is b
    b.status = "TERMINATED"
    a.status = "ERROR"
    assert scheduler.choose_trial_to_run(controller) is None


def test_a_question_does_not_wait_for_a_worker_to_start():
    scheduler, controller = WorkerScheduler(SimpleNamespace(workers=3)), Controller()
    request, later = Thing("request", proposals=True), Thing("later")
    for thing in (Thing("earlier"), request, later):
        scheduler.on_trial_add(controller, thing)
    assert scheduler.choose_trial_to_run(controller) is request
    controller._resetting_trials.add(request)
    assert scheduler.choose_trial_to_run(controller) is later


@pytest.mark.ray
@pytest.mark.parametrize("scheduler", ["asha", {"median": {"least": 2}}])
def test_what_is_stopped_early_is_the_same_on_any_number_of_workers(ray_workers, tmp_path, scheduler):
    made = Study.build(
        name="staged",
        problems=[f"{OBJECTIVES}:stepwise"],
        methods=["random", "tpe"],
        seeds=2,
        budget={"trials": 8},
        parallel=2,
        scheduler=scheduler,
    )
    here = play(made, tmp_path / "0", None)
    there = play(made, tmp_path / "2", ray_workers)
    assert table(there) == table(here)
    for trials in here.values():
        assert Status.STOPPED in {trial.status for trial in trials}
        assert len(trials) > 8
        spent = sum(trial.outcome.share for trial in trials)
        assert 8 - 1e-9 <= spent < 9, "full evaluations, of which the last may begin before they are spent"
        assert all(trial.outcome.share == 1.0 for trial in trials if trial.valid)


GROWS = """
import ray
from ray.cluster_utils import Cluster
from runner import Float, Study, problem, run
from runner.engine.monitor import Monitor
from runner.problems.files.objective_files import objective_files

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 80_000_000})
ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")


@problem(space={"x": Float(0, 1)})
def slow(config):
    import os
    import time

    time.sleep(0.05)
    return {"loss": config["x"], "pid": os.getpid()}


class Grow(Monitor):
    trials = 0

    def ended(self, index, trial):
        self.trials += 1
        if self.trials == 40:
            self.node = cluster.add_node(num_cpus=2, object_store_memory=80_000_000)
        if self.trials == 400:
            cluster.remove_node(self.node, allow_graceful=False)


study = Study.build(name="grow", problems=[slow], methods=["random"], seeds=1, budget={"trials": 600})
trials = run(study, out="out", monitor=Grow()).trials
print(len(trials), trials["metrics/pid"].nunique(), (trials["status"] == "COMPLETED").all())
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.ray
@pytest.mark.slow
def test_workers_come_and_go_with_the_nodes_of_a_cluster(tmp_path):
    script = tmp_path / "grow.py"
    script.write_text(GROWS, encoding="utf-8")
    # The address of this cluster is written where others would find it, so it gets a place of its
    # own, with a short name, as the names of sockets must be.
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place, "ray").mkdir()
        done = subprocess.run(
            [sys.executable, str(script)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"RAY_TMPDIR": place},
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    # One worker at the start, two more later, which are lost in the middle of their trials.
    assert done.stdout.split() == ["600", "3", "True"]

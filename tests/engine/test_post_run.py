"""What is evaluated after the runs: held-out tests of incumbents, and probes; once, durably, unseen."""

import dataclasses
import math
import signal

import numpy as np
import pytest

import runner
from runner import api as launch
from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.post_run import PostRun
from runner.errors import EngineError, StudyInterrupted
from runner.journal.reader import read_journal
from runner.journal.verify import verify
from runner.problems.base import FunctionProblem, Problem
from runner.results.stats import Comparison
from runner.results.stats.fairness import fairness
from runner.space import Float, Space
from runner.study.identity.plan import open_journal
from runner.study.merge import merge
from runner.study.study import Study
from runner.trial import Outcome, Status, Trial

SPACE = Space({"x": Float(0.0, 1.0)})


class Held(Problem):
    """A parabola with a test that lies elsewhere, and that counts how often it was asked."""

    name, space, has_test = "held", SPACE, True

    def __init__(self, broken=False, stop=None):
        self._broken, self._stop, self._asked, self._tested = broken, stop, [], []

    def evaluate(self, config, seed):
        self._asked.append(config["x"])
        return (config["x"] - 0.5) ** 2 + seed % 7

    def test_score(self, config, seed):
        if len(self._tested) == self._stop:
            signal.raise_signal(signal.SIGINT)
        self._tested.append(config["x"])
        if self._broken:
            raise RuntimeError("no test today")
        return (config["x"] - 0.4) ** 2 + seed % 7


def study_of(problem, **keys):
    given = {"name": "after", "problems": [problem], "methods": ["random", "tpe"], "seeds": 2}
    return Study.build(**given | {"budget": {"trials": 8}} | keys)


def trail(trials):
    """The rows of a run's successive incumbents."""
    best = trials["loss"].cummin()
    return trials[best < best.shift(fill_value=math.inf)]


def test_every_incumbent_has_a_test_value_and_no_other_trial(tmp_path):
    problem = Held()
    results = runner.run(study_of(problem), tmp_path, workers=0)
    for _, trials in results.trials.groupby("run", sort=False):
        rows = trail(trials)
        seed = round(float((trials["loss"] - (trials["config/x"] - 0.5) ** 2).iloc[0]))
        np.testing.assert_allclose(rows["test"], (rows["config/x"] - 0.4) ** 2 + seed)
        assert trials.drop(rows.index)["test"].isna().all()
    assert results.runs["incumbent_test"].notna().all()
    steps = results.incumbents()
    assert steps["test"].notna().all()  # that of the incumbent, after each trial
    assert verify(tmp_path).whole


def test_nothing_is_evaluated_twice(tmp_path):
    first, again = Held(), Held()
    before = runner.run(study_of(first), tmp_path, workers=0).trials
    after = runner.run(study_of(again), tmp_path, workers=0).trials
    assert again._tested == again._asked == []
    assert before.equals(after)
    longer = Held()
    runner.run(study_of(longer, budget={"trials": 12}), tmp_path, workers=0)
    assert len(longer._asked) <= 2 * 2 * 4  # new trials only: the probes are there already
    assert not set(longer._tested) & set(first._tested)


def test_the_table_is_the_same_but_for_the_test(tmp_path):
    """Extended in two steps or run at once: no method has seen a test value on the way."""
    columns = ["run", "number", "config", "loss", "status", "test"]
    whole = runner.run(study_of(Held(), budget={"trials": 12}), tmp_path / "whole", workers=0).trials
    runner.run(study_of(Held()), tmp_path / "parts", workers=0)
    parts = runner.run(study_of(Held(), budget={"trials": 12}), tmp_path / "parts", workers=0).trials
    assert whole[columns].equals(parts[columns])


def test_methods_are_told_of_no_test_value(tmp_path):
    study = study_of(Held())
    runner.run(study, tmp_path, workers=0)
    longer = study_of(Held(), budget={"trials": 12})
    with open_journal(tmp_path, longer) as journal:
        assert any(trial.outcome.test is not None for trial in journal.history("held/tpe/0"))
        runs = Dispatcher(longer, journal).runs
        assert all(trial.outcome.test is None for run in runs for trial in run.ended.values())


def test_an_interruption_loses_nothing(tmp_path):
    first = Held(stop=3)
    with pytest.raises(StudyInterrupted):
        runner.run(study_of(first), tmp_path, workers=0)
    known = read_journal(tmp_path).trials["test"]
    again = Held()
    results = runner.run(study_of(again), tmp_path, workers=0)
    assert len(results.trials) == 32
    assert results.runs["incumbent_test"].notna().all()
    assert sum(test is not None for test in known) >= len(set(first._tested) - set(again._tested))


def test_a_test_that_fails_is_told_and_not_tried_for_ever(tmp_path):
    class Notes(runner.api.Monitor):
        told = ()

        def note(self, text):
            self.told += (text,)

    notes = Notes()
    results = runner.run(study_of(Held(broken=True)), tmp_path, workers=0, monitor=notes)
    assert results.ok
    assert results.runs["incumbent_test"].isna().all()
    assert any("no test today" in text for text in notes.told)
    again = Held(broken=True)
    runner.run(study_of(again), tmp_path, workers=0)
    assert again._tested == []


def test_a_probe_of_each_block_gives_its_loss_again(tmp_path):
    problem = Held()
    runner.run(study_of(problem), tmp_path, workers=0)
    record = read_journal(tmp_path)
    assert list(record.probes) == ["held/0", "held/1"]
    for probe in record.probes.values():
        assert probe["loss"] in record.trials["loss"]
        assert probe["config"] in record.trials["config"]


def test_a_function_that_drifts_is_found_out(tmp_path):
    calls = []

    def drifting(config):
        calls.append(config)
        return config["x"] + len(calls) * 1e-3

    problem = FunctionProblem(drifting, SPACE, "drifting")
    results = runner.run(study_of(problem), tmp_path / "a", workers=0)
    checks = fairness(Comparison.of(results)).set_index("check")
    row = checks.loc["a probe point gives the same value in every run"]
    assert not row["passed"]
    assert "drifting seed 0" in row["detail"]
    steady = FunctionProblem(lambda config: config["x"], SPACE, "steady")
    checks = fairness(Comparison.of(runner.run(study_of(steady), tmp_path / "b", workers=0)))
    assert checks.set_index("check").at["a probe point gives the same value in every run", "passed"]
    noisy = dataclasses.replace(problem, noisy=True)
    checks = fairness(Comparison.of(runner.run(study_of(noisy), tmp_path / "c", workers=0)))
    assert checks.set_index("check")["passed"].isna()["a probe point gives the same value in every run"]


def test_one_method_needs_no_probe(tmp_path):
    problem = Held()
    study = study_of(problem, methods=["random"], seeds=1)
    with open_journal(tmp_path, study) as journal:
        assert not PostRun(study, journal).specs  # no trial, so no incumbent either
        outcome = Outcome(Status.COMPLETED, loss=1.0, value=1.0)
        journal.record([("held/random/0", Trial(0, {"x": 0.5}, outcome))])
        after = PostRun(study, journal)
        assert (after.tests, after.probes) == (1, 0)


def test_parts_join_whether_tested_or_not(tmp_path, monkeypatch):
    study = study_of(Held())
    runner.run(study, tmp_path / "tested", workers=0)
    monkeypatch.setattr(launch, "_evaluate_afterwards", lambda *some: None)
    runner.run(study_of(Held()), tmp_path / "untested", workers=0)
    for place, parts in enumerate((["tested", "untested"], ["untested", "tested"])):
        times = [tmp_path / name for name in parts]
        if place == 0:  # times differ between two runs of one study, so one is joined with its own copy
            times = [tmp_path / "tested", _copy_without_tests(tmp_path / "tested", tmp_path / "bare")]
        else:
            times = [tmp_path / "bare", tmp_path / "tested"]
        merge(times, tmp_path / f"merged{place}")
        found = read_journal(tmp_path / f"merged{place}")
        assert found.trials["test"] == read_journal(tmp_path / "tested").trials["test"]
        assert found.probes


def _copy_without_tests(source, target):
    """The same journal as it was before its incumbents were tested."""
    study = study_of(Held())
    with open_journal(source, study) as journal:
        histories = {spec.id: journal.history(spec.id) for spec in study.runs}
    with open_journal(target, study) as journal:
        for run, trials in histories.items():
            bare = [dataclasses.replace(t, outcome=dataclasses.replace(t.outcome, test=None)) for t in trials]
            journal.record([(run, trial) for trial in bare])
    return target


@pytest.mark.ray
def test_on_workers_it_is_the_same(tmp_path, monkeypatch):
    here = runner.run(study_of(Held()), tmp_path / "here", workers=0)
    with monkeypatch.context() as patch:  # the runs alone, so that Ray is started once
        patch.setattr(launch, "_evaluate_afterwards", lambda *some: None)
        bare = runner.run(study_of(Held()), tmp_path / "workers", workers=0)
    assert bare.trials["test"].isna().all()
    monkeypatch.setattr(launch, "SHORT_SECONDS", 0.0)
    workers = runner.run(study_of(Held()), tmp_path / "workers", workers=1)
    columns = ["run", "number", "config", "loss", "status", "test"]
    assert workers.trials[columns].equals(here.trials[columns])
    probes = read_journal(tmp_path / "workers").probes.values()
    assert {probe["loss"] for probe in probes} <= set(here.trials["loss"])
    assert len(probes) == 2


class Heard(runner.api.Monitor):
    def __init__(self):
        self.notes, self.counts = [], []

    def note(self, text):
        self.notes.append(text)

    def scored(self, done, total):
        self.counts.append((done, total))


def test_it_is_announced_and_counted(tmp_path):
    heard = Heard()
    runner.run(study_of(Held()), tmp_path, workers=0, monitor=heard)
    total = heard.counts[0][1]
    assert heard.counts == [(n, total) for n in range(1, total + 1)]
    assert any("best-so-far configs on held-out data and re-running 2 trials" in text for text in heard.notes)


class NoRay:
    """A session on Ray that does the runs, here, and then cannot do more."""

    started = True

    def __init__(self, *given):
        self.drives = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def drive(self, work, storage=None):
        self.drives += 1
        if self.drives > 1:
            raise EngineError("Ray could not be started: it timed out.")
        launch._run_here(work()[0], storage)


def test_where_it_fails_the_runs_have_ended_all_the_same(tmp_path, monkeypatch):
    heard = Heard()
    with monkeypatch.context() as patch:
        patch.setattr(launch, "RaySession", NoRay)
        results = runner.run(study_of(Held()), tmp_path, workers=2, monitor=heard)
    assert results.ok
    assert len(results.trials) == 32
    assert results.runs["incumbent_test"].isna().all()
    missing = (
        "Held-out scores are missing: Ray could not be started: it timed out. Run the same command again"
    )
    assert any(missing in text for text in heard.notes)
    again = runner.run(study_of(Held()), tmp_path, workers=0)
    assert again.runs["incumbent_test"].notna().all()


@pytest.mark.ray
def test_it_is_done_by_the_ray_of_the_runs(tmp_path, ray_workers, monkeypatch):
    from runner.engine.ray import connect as cluster

    connected = []
    connect = cluster.connect
    monkeypatch.setattr(cluster, "connect", lambda *given: connected.append(given) or connect(*given))
    study = Study.build(
        name="one ray",
        problems=[{"estimator": "sklearn.tree.DecisionTreeClassifier", "data": "iris",
                   "space": {"max_depth": {"int": [1, 4]}}}],
        methods=["random", "grid"], seeds=1, budget={"trials": 4},
    )  # fmt: skip
    results = runner.run(study, tmp_path, workers=2)
    assert results.runs["incumbent_test"].notna().all()
    assert len(connected) == 1

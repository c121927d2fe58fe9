"""What a script calls."""

import math

import numpy as np
import pytest

from runner import Float, Int, Results, Study, optimize, problem, run
from runner.errors import FivefoldError, JournalError, NoValidTrial
from runner.methods import METHODS, Method
from runner.study.identity.plan import open_journal
from runner.study.study import default_folder
from runner.trial import DONE, GIVEN_UP
from tests.studies import HILL, study


def bowl(config):
    return (config["x"] - 1) ** 2 + config["n"]


SPACE = {"x": Float(-5.0, 5.0), "n": Int(0, 3)}


@pytest.mark.parametrize("method", ["exhaustive", "random", "grid", "bayes", "tpe", "gradient"])
def test_every_method_optimizes(method):
    given = {"exhaustive": {"resolution": 5}} if method == "exhaustive" else method
    found = optimize(bowl, SPACE, method=given, trials=20)
    assert len(found.trials) == 20
    assert found.best_value == bowl(found.best_config) == found.trials["loss"].min()
    assert set(found.best_config) == {"x", "n"}


def test_one_seed_gives_one_search():
    first, again, other = (optimize(bowl, SPACE, "tpe", 12, seed=seed) for seed in (3, 3, 4))
    assert first.trials["config"].tolist() == again.trials["config"].tolist()
    assert first.trials["config"].tolist() != other.trials["config"].tolist()


def test_a_problem_brings_its_space_and_direction():
    found = optimize(HILL, trials=15, method="bayes")
    assert found.best_value == pytest.approx(2.0, abs=0.1)
    assert optimize(lambda c: -c["x"], {"x": [1, 2]}, "exhaustive", direction="maximize").best_config == {
        "x": 1
    }


@pytest.mark.parametrize(
    "objective, space, method, trials, status, says",
    [
        (lambda c: c["y"], {"x": Float(0, 1)}, "bayes", 3, "FAILED", r"KeyError: 'y' \(test_api.py, line"),
        (lambda c: math.nan, {"x": [1, 2]}, "random", 3, "INVALID", "metric 'loss': expected a finite"),
        (
            lambda c: None,
            {"x": [1, 2]},
            "exhaustive",
            3,
            "INVALID",
            "metric 'loss': expected a finite number, got None",
        ),
        (lambda c: {"error": 1}, {"x": [1, 2]}, "grid", 3, "INVALID", "the answer has no 'loss', only"),
    ],
)
def test_without_a_valid_trial_there_is_an_error_with_the_first_failure(
    objective, space, method, trials, status, says
):
    with pytest.raises(
        NoValidTrial, match=rf'was valid\. Trial 0 \({status}\), with {{"x":.*}}: {says}'
    ) as raised:
        optimize(objective, space, method, trials)
    assert raised.value.exit_code == 1
    found = raised.value.trials
    assert set(found["status"]) == {status}
    assert len(found) == (2 if method in ("exhaustive", "grid") else 3)


@pytest.mark.parametrize("method", ["random", "bayes", "tpe", "grid", "gradient"])
def test_a_search_that_only_fails_is_not_gone_through(method):
    calls = []
    with pytest.raises(NoValidTrial, match="none of 10 trials was valid"):
        optimize(lambda c: calls.append(c) or c["y"], {"x": Float(0, 1)}, method, 50)
    assert len(calls) == 10


def test_a_study_that_only_fails_stops_early_unless_that_is_switched_off(tmp_path):
    @problem(space={"x": Float(0, 1)})
    def broken(config):
        return config["y"]

    keys = {
        "name": "s",
        "problems": [broken],
        "methods": ["random", "tpe"],
        "budget": {"trials": 15},
        "seeds": 2,
    }
    results = run(Study.build(**keys), tmp_path / "a", workers=0)
    assert results.runs["trials"].tolist() == [10] * 4
    assert results.runs["end_reason"].str.startswith(GIVEN_UP).all()
    assert results.runs["end_reason"].str.contains("KeyError: 'y'").all()
    assert not results.runs["failed"].any()
    assert not results.ok
    assert np.isinf(results.reach()["trials"]).all()  # as bad at any budget
    whole = Study.build(**keys, trial={"give_up_after": 0})
    assert run(whole, tmp_path / "b", workers=0).runs["trials"].tolist() == [15] * 4
    assert run(whole, tmp_path / "a", workers=0).runs["trials"].tolist() == [15] * 4  # it goes on


class Tires(Method):
    """Proposes three configs and then raises; or is done at once."""

    name, summary, reference = "tires", "for tests", "none"

    def propose(self, space, completed, pending, number, rng):
        if number == 3:
            raise RuntimeError("tired")
        return space.sample(rng)


def test_a_method_that_fails_on_the_way_is_warned_of(monkeypatch):
    monkeypatch.setitem(METHODS._classes, "tires", Tires)
    with pytest.warns(UserWarning, match="the search ended early: the method raised RuntimeError: tired"):
        assert len(optimize(bowl, SPACE, "tires", 9).trials) == 3
    monkeypatch.setattr(Tires, "propose", lambda *_: DONE)
    with pytest.raises(NoValidTrial, match="there was no trial: the method has nothing more to propose"):
        optimize(bowl, SPACE, "tires", 9)


def test_a_kept_search_goes_on(tmp_path):
    calls = []

    @problem(space=SPACE)
    def counted(config):
        calls.append(config)
        return bowl(config)

    optimize(counted, trials=5, out=tmp_path / "kept")
    found = optimize(counted, trials=8, out=tmp_path / "kept")
    assert len(calls) == len(found.trials) == 8
    assert Results.open(tmp_path / "kept").best()[0]["value"] == found.best_value


@pytest.mark.ray
def test_workers_share_one_search(ray_workers):
    found = optimize(bowl, SPACE, "random", trials=6, workers=2)
    assert len(found.trials) == 6
    assert found.trials["config"].tolist() == optimize(bowl, SPACE, "random", 6).trials["config"].tolist()


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: optimize(bowl), "space: required for a function."),
        (lambda: optimize(HILL, SPACE), "space: the problem 'hill' has its own space."),
        (
            lambda: optimize(HILL, direction="minimize"),
            "direction: the problem 'hill' has its own direction, maximize.",
        ),
        (lambda: optimize(bowl, SPACE, "baes"), "unknown method 'baes'. Did you mean 'bayes'?"),
        (lambda: optimize(bowl, SPACE, trials=0), "budget.trials"),
        (
            lambda: optimize(bowl, SPACE, workers=-1),
            "workers: expected a non-negative integer, got -1.",
        ),
        (lambda: optimize(bowl, SPACE, workers="2"), "workers: expected a non-negative integer, got '2'."),
        (lambda: optimize(bowl, {"x": (0, 1)}), "ambiguous pair (0, 1): a range or two options."),
        (lambda: optimize(bowl, {3: Float(0, 1)}), "space: expected strings as parameter names, got 3."),
        (lambda: optimize(3, SPACE), "expected a function, got 3"),
        (lambda: run(None), "study: expected a Study or the path of its file, got None."),
        (lambda: run("nowhere.yaml"), "nowhere.yaml: no such file."),
        (lambda: run(study(), workers=1.5), "workers: expected a non-negative integer, got 1.5."),
        (lambda: run(study(), workers=0, address="auto"), "address: cannot be combined with 0 workers."),
    ],
)
def test_wrong_calls_are_answered_by_a_sentence(call, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FivefoldError) as caught:
        call()
    assert says in str(caught.value)
    assert not (tmp_path / "results").exists()


def test_a_study_runs_from_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Study.build(
        name="Mine, at last"[:4], problems=[HILL], methods=["random"], seeds=2, budget={"trials": 3}
    )
    results = run(made, workers=0)
    assert str(results.folder) == "results/Mine"
    assert len(results.trials) == 6
    assert results.ok


@pytest.mark.parametrize(
    "name, folder", [("a b", "a-b"), ("../up", "up"), ("..", "study"), ("naïve", "naïve"), ("x/y", "x-y")]
)
def test_the_default_folder_is_a_plain_name(name, folder):
    assert default_folder(study(name=name)).parts == ("results", folder)


def test_a_run_that_stops_early_keeps_its_error_to_itself(tmp_path, monkeypatch):
    from runner.methods import Random

    def burst(self, space, completed, pending, number, rng):
        if number == 2:
            raise ZeroDivisionError("in the method")
        return space.sample(rng)

    monkeypatch.setattr(Random, "propose", burst)
    results = run(study(methods=["random", "tpe"]), tmp_path / "study", workers=0)
    assert not results.ok
    runs = results.runs.set_index("method")
    assert runs.loc["random", "failed"].all()
    assert (runs.loc["random", "trials"] == 2).all()
    assert runs.loc["random", "end_reason"].str.contains("ZeroDivisionError: in the method").all()
    assert (runs.loc["tpe", "trials"] == 6).all()


def test_in_use_is_refused_for_a_script_too(tmp_path):

    with (
        open_journal(tmp_path / "study", study()),
        pytest.raises(JournalError, match="a live run is using the directory"),
    ):
        run(study(), tmp_path / "study", workers=0)

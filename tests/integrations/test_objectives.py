"""Objectives of other programs, unchanged: hyperopt's and Ray Tune's. No Ray is started."""

import subprocess
import sys
from pathlib import Path

import hyperopt
import numpy as np
import pytest
from hyperopt import hp
from hyperopt.pyll import scope
from ray import cloudpickle, tune

from runner import Choice, Float, optimize
from runner.errors import FivefoldError, NoValidTrial
from runner.integrations.objectives import as_problem
from runner.problems import evaluate
from tests.studies import HILL


class Recorder:
    """An objective that keeps what it was called with."""

    __name__ = "recorder"

    def __init__(self, loss):
        self.loss, self.calls = loss, []

    def __call__(self, given):
        self.calls.append(given)
        return self.loss(given)


# -- hyperopt ----------------------------------------------------------------------------------------

TREE = {
    "x": hp.normal("x", 0, 2),
    "twice": 2 * hp.uniform("half", 0, 1),
    "model": hp.choice(
        "model",
        [
            {"type": "svm", "C": hp.lognormal("C", 0, 1)},
            {
                "type": "net",
                "depth": scope.int(hp.quniform("depth", 1, 5, 1)),
                "layers": hp.choice("layers", [(8,), (8, 8)]),
            },
        ],
    ),
    "units": hp.qloguniform("units", np.log(8), np.log(64), 8),
    "kind": hp.choice("kind", ["a", "b"]),
}


def fmin_loss(args):
    model = args["model"]
    loss = (args["x"] - 1) ** 2 + args["twice"] + (0.1 * model["C"] if "C" in model else 0.5 * model["depth"])
    return {"loss": loss, "status": hyperopt.STATUS_OK, "attachments": {"text": "more"}}


def shape(args):
    """Keys and types, without values."""
    if isinstance(args, dict):
        return tuple(sorted((key, shape(value)) for key, value in args.items()))
    return type(args).__name__ if not isinstance(args, tuple) else args


@pytest.mark.parametrize("method", ["random", "tpe", "bayes"])
def test_an_objective_of_fmin_is_called_as_fmin_calls_it(method):
    ours, theirs = Recorder(fmin_loss), Recorder(fmin_loss)
    found = optimize(ours, TREE, method, trials=24)
    hyperopt.fmin(
        theirs,
        TREE,
        hyperopt.rand.suggest,
        60,
        rstate=np.random.default_rng(0),
        verbose=False,
        show_progressbar=False,
    )
    assert found.trials["status"].tolist() == ["COMPLETED"] * 24
    assert {shape(args) for args in ours.calls} <= {shape(args) for args in theirs.calls}
    assert all(8 <= args["units"] <= 64 and args["units"] % 8 == 0 for args in ours.calls)
    assert fmin_loss(found.best_config)["loss"] == pytest.approx(found.best_value)
    assert {args["model"]["type"] for args in ours.calls} == {"svm", "net"}


def test_a_single_expression_is_given_bare():
    found = optimize(lambda x: (x - 2.0) ** 2, hp.uniform("x", -5, 5), "bayes", 14)
    assert found.best_config == pytest.approx(2.0, abs=0.05)


def test_a_failure_that_is_reported_is_one():
    with pytest.raises(
        NoValidTrial, match=r"none of 2 trials was valid\..* reported the status 'fail'"
    ) as raised:
        optimize(lambda x: {"status": "fail"}, hp.uniform("x", 0, 1), "random", 2)
    assert raised.value.trials["status"].tolist() == ["FAILED"] * 2


def test_one_parameter_at_two_places_is_one():
    x = hp.uniform("x", 0, 1)
    calls = Recorder(lambda args: args["a"])
    optimize(calls, {"a": x, "b": hp.choice("c", [x, 5])}, "random", 12)
    assert all(args["b"] in (args["a"], 5) for args in calls.calls)


# -- Ray Tune ----------------------------------------------------------------------------------------

PARAM_SPACE = {
    "model": {"rate": tune.loguniform(1e-4, 1.0), "layers": tune.choice([[8], [8, 8]]), "fixed": "relu"},
    "units": tune.qlograndint(8, 64, 8),
    "shift": tune.randn(0.0, 1.0),
    "kind": tune.grid_search(["a", "b"]),
    "data": np.arange(3),
}


def check_config(config):
    assert set(config) == {"model", "units", "shift", "kind", "data"}
    assert set(config["model"]) == {"rate", "layers", "fixed"}
    assert config["model"]["layers"] in ([8], [8, 8])
    assert config["units"] in range(8, 65, 8)
    assert isinstance(config["units"], int)
    assert isinstance(config["shift"], float)
    assert config["kind"] in ("a", "b")
    assert config["data"].tolist() == [0, 1, 2]


def reporting(config):
    check_config(config)
    for step in range(3):
        tune.report({"accuracy": -abs(np.log10(config["model"]["rate"]) + 2) - 1 / (1 + step), "step": step})


def returning(config):
    check_config(config)
    return {"accuracy": -abs(np.log10(config["model"]["rate"]) + 2) - 1 / 3}


def yielding(config):
    check_config(config)
    yield {"accuracy": -100.0}
    yield returning(config)


class Stepping(tune.Trainable):
    def setup(self, config):
        check_config(config)
        self.rate, self.end = config["model"]["rate"], 3

    def step(self):
        return {
            "accuracy": -abs(np.log10(self.rate) + 2) - 1 / (1 + self.iteration),
            "done": self.iteration == self.end - 1,
        }


@pytest.mark.parametrize("trainable", [reporting, returning, yielding, Stepping])
def test_a_trainable_of_ray_tune_is_called_as_tune_calls_it(trainable, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = optimize(trainable, PARAM_SPACE, "bayes", 14, metric="accuracy", direction="maximize")
    assert found.trials["error"].tolist() == [""] * 14
    assert found.best_value == pytest.approx(-abs(np.log10(found.best_config["model"]["rate"]) + 2) - 1 / 3)
    check_config(found.best_config)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_class_is_stopped_by_a_rule_as_in_tune():
    class Endless(Stepping):
        def step(self):
            return super().step() | {"done": False}

    found = optimize(
        Endless,
        PARAM_SPACE,
        "random",
        2,
        metric="accuracy",
        direction="maximize",
        stop={"training_iteration": 5},
    )
    assert (found.trials["metrics/training_iteration"] == 5).all()


def test_data_given_with_parameters_arrive():
    def train(config, data=None):
        return {"loss": config["x"] * data.sum()}

    found = optimize(tune.with_parameters(train, data=np.ones(3)), {"x": tune.uniform(0, 1)}, "random", 3)
    assert found.best_value == pytest.approx(3 * found.best_config["x"])


SPACES = [{"x": hp.uniform("x", 0, 1)}, {"x": Float(0, 1)}, {"x": tune.uniform(0, 1)}]
each_space = pytest.mark.parametrize("space", SPACES, ids=["hyperopt", "own", "ray.tune"])


def reports_all(config):
    for step in range(3):
        tune.report({"eval": {"loss": config["x"] + 1 / (1 + step)}, "loss": config["x"], "step": step})


def reports_and_returns(config):
    tune.report({"loss": 5.0})
    return {"eval/loss": config["x"] + 1 / 3, "loss": config["x"]}


def reports_with_a_gradient(config):
    tune.report({"eval": {"loss": config["x"] + 1 / 3}, "loss": config["x"], "gradient": {"x": 1.0}})


def reports_what_is_asked(config):
    context = tune.get_context()
    assert tune.get_checkpoint() is None
    assert context.get_trial_id()
    assert context.get_trial_dir() == str(Path.cwd())
    reports_all(config)
    tune.report({"more": 1})


def yields_and_reports(config):
    yield {"eval": {"loss": 9.0}, "loss": 9.0}
    tune.report({"eval": {"loss": config["x"] + 1 / 3}, "loss": config["x"]})


class Counting(tune.Trainable):
    def setup(self, config):
        self.x, self.n = config["x"], 0

    def step(self):
        self.n += 1
        return {"eval": {"loss": self.x + 1 / self.n, "n": self.n}, "loss": self.x, "done": self.n >= 9}


@each_space
@pytest.mark.parametrize("metric, best", [("eval/loss", 1 / 3), ("loss", 0.0)])
@pytest.mark.parametrize(
    "objective",
    [
        reports_all,
        reports_and_returns,
        reports_with_a_gradient,
        reports_what_is_asked,
        yields_and_reports,
        Counting,
    ],
)
def test_reports_are_heard_with_a_space_of_any_form(objective, metric, best, space, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    stop = {"stop": {"eval": {"n": 3}}} if objective is Counting else {}
    found = optimize(objective, space, "random", 3, metric=metric, **stop)
    assert found.trials["error"].tolist() == [""] * 3
    assert found.best_value == pytest.approx(found.best_config["x"] + best)


@pytest.mark.parametrize("stop", [{"eval/n": 4}, {"eval": {"n": 4}}, {"training_iteration": 4, "eval/n": 7}])
def test_a_rule_may_name_what_is_nested(stop, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = optimize(Counting, SPACES[1], "random", 1, stop=stop)
    assert found.trials["metrics/eval/n"].tolist() == [4]


def test_a_rule_that_names_what_is_not_there_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(NoValidTrial, match=r"stop: the result has no 'eval/m', only \["):
        optimize(Counting, SPACES[1], "random", 1, stop={"eval/m": 4})


LAZY = """
import sys
from runner import Float, optimize

def train(config):
    from ray import tune
    tune.report({"loss": config["x"]})

def steps(config):
    yield config["x"] + 1
    yield config["x"]

assert optimize(steps, {"x": Float(0, 1)}, "random", 2).trials["steps"].notna().all()
assert "ray" not in sys.modules
print(optimize(train, {"x": Float(0, 1)}, "random", 2).trials["status"].tolist())
"""


def test_a_function_that_imports_ray_when_it_is_called_is_heard(tmp_path):
    """And where nothing names Ray it is not loaded."""
    (tmp_path / "lazy.py").write_text(LAZY)
    command = [sys.executable, str(tmp_path / "lazy.py")]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ended.stdout.strip() == "['COMPLETED', 'COMPLETED']", ended.stderr


def test_steps_of_our_own_stay_steps_beside_ray():
    def steps(config):
        yield config["x"] + 1
        yield config["x"]

    assert "ray.tune" in sys.modules
    found = optimize(steps, {"x": Float(0, 1)}, "random", 1)
    assert found.trials["steps"][0].count(",") == 1
    assert found.best_value == found.best_config["x"]


@each_space
def test_the_options_of_an_objective_are_those_of_its_signature(space):
    def seeded(config, seed=None):
        return config["x"] + (seed is None)

    found = optimize(seeded, space, "random", 2)
    assert (found.best_value > 1) == (space is SPACES[2])  # as Tune calls it


@pytest.mark.parametrize("space", [{"m": {"r": tune.uniform(0, 1)}}, {"m/r": Float(0, 1)}])
def test_a_gradient_is_nested_as_the_config_is(space):
    found = optimize(lambda config: {"loss": 1.0, "gradient": {"m": {"r": 2.0}}}, space, "random", 1)
    assert found.trials["gradient"].tolist() == ['{"m/r":2.0}']


def test_an_optimisation_begins_with_configs_as_the_objective_gets_them():
    space = {"a": hp.uniform("x", 0, 1), "epochs": 10, "c": hp.choice("c", [None, (8,)])}
    calls = Recorder(lambda given: given["a"])
    begin = [{"a": 0.25, "epochs": 10}, {"c": (8,)}, {"config": {"a": 0.5, "c": None}, "value": 0.5}]
    optimize(calls, space, "tpe", 3, initial=begin)
    assert calls.calls[0]["a"] == 0.25
    assert calls.calls[1]["c"] == (8,)
    nested = Recorder(lambda given: given["m"]["r"])
    optimize(
        nested, {"m": {"r": tune.uniform(0, 1)}, "n": 3}, "random", 1, initial=[{"m": {"r": 0.5}, "n": 3}]
    )
    assert nested.calls == [{"m": {"r": 0.5}, "n": 3}]
    with pytest.raises(FivefoldError, match=r"initial\[0\].epochs: expected the constant 10, got 20"):
        optimize(calls, space, "tpe", 3, initial=[{"epochs": 20}])


def test_a_foreign_objective_travels():
    """And says what it is by what it holds, constants included."""
    made, _ = as_problem(reports_all, {"x": tune.uniform(0, 1), "epochs": 10}, None)
    assert "Fixed(value=10)" in repr(made.function)
    assert as_problem(loss := Recorder(None), {"x": Float(0, 1)}, None)[0].function is loss
    assert evaluate(cloudpickle.loads(cloudpickle.dumps(made)), {"x": 0.5}, 0).loss == 0.5


def test_what_a_trainable_raises_or_leaves_out_is_a_failure():
    with pytest.raises(NoValidTrial, match=r"the only trial was not valid\..* AssertionError"):
        optimize(reporting, PARAM_SPACE | {"extra": 1}, "random", 1, metric="accuracy")
    with pytest.raises(NoValidTrial, match=r"never reported 'loss', only \['accuracy', 'step'\]"):
        optimize(reporting, PARAM_SPACE, "random", 1)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: optimize(HILL, metric="height"), "metric: the problem 'hill' has its own metric"),
        (
            lambda: optimize(len, {"x": Float(0, 1)}, stop={"a": 1}),
            "stop: only for a trainable class of Ray Tune",
        ),
        (
            lambda: optimize(len, {"x": Float(0, 1)}, metric=["a", "b"]),
            "metric: expected the name of one metric",
        ),
        (lambda: optimize(Stepping, {"x": Float(0, 1)}, stop=5), "stop: expected a mapping from results"),
        (
            lambda: optimize(Stepping, {"x": Float(0, 1)}, stop={"a": {"b": "c"}}),
            "stop: expected a mapping from results",
        ),
        (
            lambda: optimize(Stepping, {"x": Float(0, 1)}, stop=lambda *_: True),
            "stop: expected a mapping from results",
        ),
        (
            lambda: optimize(len, {"x": tune.sample_from(lambda _: 1)}),
            "x: unsupported ray.tune domain Function",
        ),
        (
            lambda: optimize(len, {"x": hp.uniform("a", 0, 1), "y": hp.uniform("a", 0, 1)}),
            "a: duplicate label",
        ),
        (lambda: optimize(len, {"x": hp.uniform("a", 0, 1), "y": tune.uniform(0, 1)}), "a mixture of"),
    ],
)
def test_what_cannot_be_searched_is_named(call, says):
    with pytest.raises(FivefoldError) as caught:
        call()
    assert says in str(caught.value)


def test_our_own_forms_are_called_as_before():
    calls = Recorder(lambda config: config["x"])
    optimize(calls, {"x": [1, 2], "kind": Choice({"a": {"y": Float(0, 1)}, "b": {}})}, "random", 8)
    assert all(
        set(config) == ({"x", "kind", "y"} if config["kind"] == "a" else {"x", "kind"})
        for config in calls.calls
    )

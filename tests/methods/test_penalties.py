"""An objective that answers with a huge constant where it cannot evaluate breaks no method."""

import sys

import pytest

from runner.methods import METHODS
from runner.problems.base import FunctionProblem
from runner.problems.evaluation import evaluate
from runner.space import Choice, Float, Int, Space
from runner.testing import simulate

SPACES = {
    "continuous": Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}),
    "mixed": Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0), "k": Choice(["a", "b"]), "n": Int(1, 5)}),
}
WHERE = {
    "half": lambda config: config["x"] > 0.5,
    "nearly everywhere": lambda config: config["x"] > 0.04,
    "everywhere": lambda config: True,
}


def made(name):
    return METHODS[name](resolution=3) if name == "exhaustive" else METHODS[name]()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("name", ["random", "grid", "exhaustive", "gradient", "tpe", "bayes"])
def test_penalties_break_no_method(name, direction, where, space):
    """Warnings are errors here, so nothing overflows either."""
    sign = 1.0 if direction == "minimize" else -1.0

    def objective(config):
        if WHERE[where](config):
            return {"loss": sign * sys.float_info.max, "gradient": {"x": sign * 1e300, "y": 0.0}}
        gradient = {"x": sign * 2 * (config["x"] - 0.2), "y": sign}
        return {"loss": sign * ((config["x"] - 0.2) ** 2 + config["y"]), "gradient": gradient}

    problem = FunctionProblem(objective, SPACES[space], "p", direction=direction)
    trials = simulate(made(name), problem.space, lambda config: evaluate(problem, config, seed=0), 14)
    assert len(trials) >= 4
    assert all(trial.valid for trial in trials)


@pytest.mark.parametrize("name", ["gradient", "tpe", "bayes"])
def test_a_method_learns_beside_penalties(name):
    problem = FunctionProblem(
        lambda c: 1e300 if c["x"] > 0.5 else (c["x"] - 0.2) ** 2 + (c["y"] - 0.7) ** 2,
        SPACES["continuous"],
        "p",
    )
    trials = simulate(made(name), problem.space, lambda config: evaluate(problem, config, seed=0), 40)
    assert min(trial.loss for trial in trials) < 0.02

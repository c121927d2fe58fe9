"""Every exact gradient against differences of fourth order, along a random direction."""

import numpy as np
import pytest

from runner.problems import PROBLEMS, evaluate
from runner.seeds import rng_for

SMOOTH = {  # problem: step; small where the loss has kinks, whose sides differ
    "data_weights": 1e-3,
    "elastic_net": 2e-5,
    "gp_likelihood": 1e-3,
    "hinge_features": 2e-5,
    "kernel_ridge": 1e-3,
    "kernel_ridge_ard": 1e-3,
    "lasso": 2e-5,
    "lasso_features": 2e-5,
    "logistic_l2": 1e-3,
    "logistic_l2_features": 1e-3,
    "logistic_synthetic50": 1e-3,
    "network_unrolled": 1e-3,
    "penalty_digits": 2e-5,
    "quadratic20": 1e-3,
    "ridge": 1e-3,
    "ridge_features": 1e-3,
    "softmax_l2": 1e-3,
    "softmax_l2_classes": 1e-3,
    "softmax_l2_features": 1e-3,
}


@pytest.mark.parametrize("name", sorted(SMOOTH))
def test_the_gradient_equals_differences_of_fourth_order_to_1e_6(name):
    problem, h = PROBLEMS[name](), SMOOTH[name]
    if name == "network_unrolled":
        pytest.importorskip("autograd")
    rng = rng_for("fourth order", name)
    row = rng.uniform(0.2, 0.8, problem.space.d)
    config = problem.space.decode(row)
    row = problem.space.encode(config)
    way = rng.standard_normal(problem.space.d) / np.sqrt(problem.space.d)
    columns = [i for i, (key, domain) in enumerate(problem.space.dimensions) if domain.levels is None]
    names = {problem.space.names[i]: i for i in columns if problem.space.names[i] in config}

    def at(t):
        moved = {key: problem.space.dimensions[i][1].decode(row[i] + t * way[i]) for key, i in names.items()}
        return {**config, **moved}

    def loss(t):
        outcome = evaluate(problem, at(t), 3)
        assert not outcome.error
        return outcome.loss

    gradient = evaluate(problem, config, 3).gradient
    assert set(gradient) == set(names)
    tiny, ends = 1e-6, [at(sign * 1e-6) for sign in (-1, 1)]
    told = sum(gradient[key] * (ends[1][key] - ends[0][key]) / (2 * tiny) for key in names)
    measured = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
    assert told == pytest.approx(measured, rel=1e-6, abs=1e-8)

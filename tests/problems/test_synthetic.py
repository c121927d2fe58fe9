import math

import numpy as np
import pytest
from scipy.optimize import minimize

from runner.problems import PROBLEMS, evaluate
from runner.seeds import rng_for
from runner.space import Float

SYNTHETIC = [
    "ackley",
    "branin",
    "conditional",
    "hartmann6",
    "mixed",
    "rosenbrock",
    "rosenbrock_gradient",
    "sphere",
]
CONTINUOUS = [name for name in SYNTHETIC if name not in ("conditional", "mixed")]


def loss(problem, config):
    return evaluate(problem, config, 0).loss


def at(*x):
    return {f"x{i}": float(value) for i, value in enumerate(x, start=1)}


@pytest.mark.parametrize(
    "name, config, value, digits",
    [
        # The optima as Dixon and Szegoe, and Surjanovic and Bingham's library, print them.
        ("branin", at(-math.pi, 12.275), 0.397887, 6),
        ("branin", at(math.pi, 2.275), 0.397887, 6),
        ("branin", at(9.42478, 2.475), 0.397887, 6),
        ("hartmann6", at(0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573), -3.32237, 5),
        ("ackley", at(0, 0, 0, 0, 0), 0.0, 12),
        ("rosenbrock", at(1, 1, 1, 1), 0.0, 12),
        # Points whose values follow by hand.
        ("branin", at(0, 0), 36 + 10 * (1 - 1 / (8 * math.pi)) + 10, 10),
        ("rosenbrock", at(0, 0, 0, 0), 3.0, 12),
        ("rosenbrock", at(-1, 1, 1, 1), 4.0, 12),
        ("ackley", at(1, 1, 1, 1, 1), 20 - 20 * math.exp(-0.2), 12),
        ("mixed", {"x": 0.3, "rate": 1e-2, "count": 17, "kind": "round"}, 0.1 + 1.0 + 0.2, 12),
        ("conditional", {"model": "constant"}, 1.0, 12),
        ("conditional", {"model": "linear", "penalty": 1.0}, 0.5, 12),
        ("conditional", {"model": "tree", "depth": 16, "share": 0.7}, 1.1, 12),
    ],
)
def test_values_are_those_of_the_literature(name, config, value, digits):
    assert loss(PROBLEMS[name](), config) == pytest.approx(value, abs=0.5 * 10**-digits)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_every_minimiser_reaches_the_optimum(name):
    problem = PROBLEMS[name]()
    assert problem.minimisers
    for config in problem.minimisers:
        assert loss(problem, config) == pytest.approx(problem.optimum, abs=1e-12)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_no_local_search_gets_below_the_optimum(name):
    problem = PROBLEMS[name]()
    names = problem.space.names
    bounds = [(domain.low, domain.high) for _, domain in problem.space.dimensions]
    rng = rng_for("local search", name)
    starts = [list(problem.space.sample(rng).values()) for _ in range(10)]
    starts += [list(config.values()) for config in problem.minimisers]

    def f(x):
        clipped = np.clip(x, *np.transpose(bounds))
        return loss(problem, dict(zip(names, clipped.tolist(), strict=True)))

    ends = [minimize(f, start, bounds=bounds, method="L-BFGS-B").fun for start in starts]
    assert min(ends) == pytest.approx(problem.optimum, abs=1e-9)
    assert min(ends) >= problem.optimum - 1e-12


@pytest.mark.parametrize("name", CONTINUOUS)
def test_no_minimiser_is_in_the_middle_or_on_the_edge(name):
    problem = PROBLEMS[name]()
    for config in problem.minimisers:
        row = problem.space.encode(config)
        assert (row > 0.01).all()
        assert (row < 0.99).all()
        assert (abs(row - 0.5) > 1e-3).all()


def test_the_gradient_of_rosenbrock_comes_with_rosenbrock():
    plain, with_gradient = PROBLEMS["rosenbrock"](), PROBLEMS["rosenbrock_gradient"]()
    rng = rng_for("rosenbrock")
    for _ in range(20):
        config = plain.space.sample(rng)
        assert loss(plain, config) == loss(with_gradient, config)
    outcome = evaluate(with_gradient, at(1, 1, 1, 1), 0)
    assert set(outcome.gradient.values()) == {0.0}


def test_in_mixed_the_best_x_depends_on_the_category():
    problem = PROBLEMS["mixed"]()
    grid = np.linspace(0, 1, 101).tolist()
    best = {
        kind: min(grid, key=lambda x: loss(problem, {"x": x, "rate": 1e-3, "count": 7, "kind": kind}))
        for kind in ("round", "flat", "steep")
    }
    assert best == {"round": 0.3, "flat": 0.5, "steep": 0.8}


def test_conditional_has_only_the_parameters_of_its_model():
    space = PROBLEMS["conditional"]().space
    rng = rng_for("conditional")
    seen = {tuple(space.sample(rng)) for _ in range(50)}
    assert seen == {("model",), ("model", "penalty"), ("model", "depth", "share")}


def test_the_seed_has_no_influence():
    for name in SYNTHETIC:
        problem = PROBLEMS[name]()
        config = problem.space.sample(rng_for(name))
        assert evaluate(problem, config, 1).loss == evaluate(problem, config, 2).loss
        assert all(isinstance(domain, Float) for _, domain in problem.space.dimensions) == (
            name in CONTINUOUS
        )

"""ray.tune's domains; nothing here starts Ray."""

import random

import numpy as np
import pytest
from hyperopt import hp
from ray import tune
from scipy import stats

from runner.convert import from_ray_tune, to_space
from runner.domains import Choice, Float, Int
from runner.errors import SpaceError
from runner.seeds import rng_for


@pytest.mark.parametrize(
    "given, domain",
    [
        (tune.uniform(-1, 2), Float(-1.0, 2.0)),
        (tune.loguniform(1e-4, 1e-1), Float(1e-4, 1e-1, log=True)),
        (tune.quniform(0, 1, 0.25), Float(0.0, 1.0, step=0.25)),
        (tune.randint(1, 10), Int(1, 9)),
        (tune.lograndint(1, 100), Int(1, 99, log=True)),
        (tune.qrandint(2, 10, 2), Int(2, 10, step=2)),
        (tune.qrandint(2, 10, 1), Int(2, 9)),
        (tune.randint(3, 4), Choice([3])),
        (tune.choice(["a", 1, None]), Choice(["a", 1, None])),
        (tune.grid_search([1, 2]), Choice([1, 2])),
        (5, Choice([5])),
    ],
)
def test_every_domain_is_read_and_holds_what_ray_draws(given, domain):
    assert from_ray_tune({"x": given}).params == (("x", domain),)
    if hasattr(given, "sample"):
        rng = np.random.RandomState(0)
        random.seed(0)
        for value in given.sample(size=50, random_state=rng):
            plain = value.item() if isinstance(value, np.generic) else value
            assert domain.canonical(plain) == plain


def test_dicts_are_joined_by_slashes_and_choices_of_dicts_are_conditional():
    space = to_space(
        {
            "optimizer": {"lr": tune.loguniform(1e-4, 1), "momentum": 0.9},
            "model": tune.choice([{"kind": "svm", "C": tune.uniform(1, 2)}, {"kind": "tree"}]),
        }
    )
    rng = rng_for("nested")
    seen = {tuple(space.sample(rng)) for _ in range(30)}
    fixed = ("optimizer/lr", "optimizer/momentum", "model/kind")
    assert seen == {fixed, (*fixed, "model/C")}


@pytest.mark.parametrize(
    "given, says",
    [
        ({"x": tune.randn(0, 1)}, "x: the law Normal is unbounded, or unknown here. Use uniform"),
        ({"x": tune.qloguniform(1, 10, 1)}, "x: a quantised logarithmic range has no domain here"),
        (
            {"x": tune.sample_from(lambda spec: 1)},
            "x: a Function of ray.tune has no domain here. Use uniform",
        ),
        ({"a": {"x": tune.randn(0, 1)}}, "a/x: the law Normal is unbounded"),
        (
            {"a/x": 1, "a": {"x": tune.uniform(0, 1)}},
            "a/x: two parts of the space have this name. Rename one.",
        ),
        ({"x": tune.choice([tune.uniform(0, 1), 3])}, "x: an option is a range of values itself"),
        ({"x": tune.choice([[1, 2], [3]])}, "x: the option [1, 2] is a list"),
        ({"x": tune.uniform(0, 1), "y": hp.uniform("y", 0, 1)}, "mixes the forms of hyperopt and ray.tune"),
        ({"x": tune.uniform(0, 1), "y": stats.uniform(0, 1)}, "mixes the forms of ray.tune and scikit-learn"),
    ],
)
def test_what_has_no_domain_is_refused_with_its_name(given, says):
    with pytest.raises(SpaceError) as caught:
        to_space(given)
    assert says in str(caught.value)

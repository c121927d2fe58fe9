"""Spaces of other programs in a Tune search, and points to try first; no Ray is started."""

import numpy as np
import pytest
from hyperopt import hp
from hyperopt.pyll import scope
from ray import tune
from ray.tune.search.hyperopt import HyperOptSearch
from scipy import stats

from runner import optimize
from runner.errors import SpaceError
from runner.search import (
    BayesSearch,
    ExhaustiveSearch,
    GradientSearch,
    GridSearch,
    RandomSearch,
    TPESearch,
)
from runner.space import Choice, Float
from runner.trial import Status
from tests.space.formats.test_ray_tune import PARAM_SPACE, as_tune_draws

NAMED = [ExhaustiveSearch, RandomSearch, GridSearch, BayesSearch, TPESearch, GradientSearch]
each_search = pytest.mark.parametrize("named", NAMED)
MARKS = [("__ref_ph", "0a1b"), ("__ref_ph", "2c3d")]  # what Tune puts in the place of objects


def drive(search, trials, metric="loss"):
    configs = []
    for i in range(trials):
        config = search.suggest(f"t{i}")
        if not isinstance(config, dict):
            break
        configs.append(config)
        search.on_trial_complete(f"t{i}", {metric: float(i)})
    return configs


def adopted(param_space, named=TPESearch, samples=6, **options):
    search = named(**options)
    assert search.set_search_properties("loss", "min", param_space, num_samples=samples)
    return search


def in_optimize(space, trials):
    """What an objective of `optimize` is called with."""
    calls = []
    optimize(lambda config: calls.append(config) or 0.0, space, "random", trials)
    return calls


SPACES = {
    "hyperopt": {
        "a": hp.uniform("x", 0, 1),
        "l": [hp.randint("r", 3), {}],
        "k": hp.choice("c", [(1,), None]),
    },
    "ray.tune": {"a/b": tune.uniform(4, 8), "n": {"m": tune.choice([[8], [8, 8]])}, "fixed": {"z": 1}},
    "scikit-learn": {"a": stats.norm(0, 1), "b": [(1,), "x"], "c": np.array([1, 2])},
    "scikit-optimize": {"a": (1e-3, 1e3, "log-uniform"), "b": [1, 2]},
    "own": {"a": Float(0, 1), "c": Choice({"u": {"x": Float(0, 1)}, "v": {}}), "n": range(3)},
}


def shape(value):
    """Kinds without values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list | tuple) else type(value)


@pytest.mark.parametrize("name", SPACES)
def test_a_space_means_the_same_in_a_tune_search_and_in_optimize(name):
    suggested = drive(RandomSearch(SPACES[name], "loss", "min"), 40)
    called = in_optimize(SPACES[name], 40)
    assert {repr(shape(config)) for config in suggested} == {repr(shape(config)) for config in called}


def test_a_hyperopt_space_is_suggested_as_by_hyperoptsearch():
    space = {
        "l": [hp.uniform("a", 0, 1), hp.uniform("b", 0, 1)],
        "k": [1, 2],
        "e": {},
        "n": {"m": hp.randint("r", 5)},
        "c": hp.choice("c", [None, [1, 2], {"z": hp.uniform("zz", 0, 1)}]),
    }
    theirs = HyperOptSearch(space, metric="m", mode="max")
    seen = {repr(shape(theirs.suggest(f"t{i}"))) for i in range(20)}
    for named in (TPESearch, RandomSearch, BayesSearch):
        configs = drive(named(space, "m", "max"), 20, "m")
        assert {repr(shape(config)) for config in configs} == seen
        assert configs[0]["e"] == {}
        assert configs[0]["k"] == (1, 2)


@each_search
def test_options_of_any_kind_are_chosen_among(named):
    space = {
        "layers": tune.choice([[8], [8, 8]]),
        "dict": tune.choice([{"a": 1}, {"a": 2, "b": [1]}]),
        "tuple": tune.grid_search([(1,), None]),
        "array": tune.choice(MARKS),
    }
    search = adopted(space, named, samples=16)
    configs = drive(search, 16)
    for key, options in (
        ("layers", [[8], [8, 8]]),
        ("dict", [{"a": 1}, {"a": 2, "b": [1]}]),
        ("tuple", [(1,), None]),
        ("array", MARKS),
    ):
        assert all(config[key] in options for config in configs)
        assert {repr(config[key]) for config in configs} == set(map(repr, options))


@pytest.mark.parametrize("named", [RandomSearch, GridSearch, BayesSearch, TPESearch, GradientSearch])
def test_a_trainable_never_gets_a_domain(named):
    for config in drive(adopted(PARAM_SPACE, named, samples=12), 12):
        merged = {key: config.get(key, value) for key, value in PARAM_SPACE.items()}
        merged["opt"] = config["opt"] | {"beta": 0.9}
        as_tune_draws(merged)


@pytest.mark.parametrize("key", ["a/b", "a.b", "a b", "é", "/", 1, ("a", 2)])
def test_keys_are_left_as_they_are(key):
    (config,) = drive(adopted({key: tune.uniform(4, 8)}), 1)
    assert list(config) == [key]
    assert 4 <= config[key] <= 8


def test_a_key_that_is_no_name_is_refused():
    with pytest.raises(SpaceError, match="expected a non-empty string as a parameter name, got ''"):
        adopted({"": tune.uniform(4, 8)})
    with pytest.raises(SpaceError, match="a/b: duplicate name"):
        adopted({"a/b": tune.uniform(4, 8), "a": {"b": tune.uniform(4, 8)}})


def test_values_that_are_no_dicts_are_refused():
    with pytest.raises(SpaceError, match="expected a dict of parameters, got a space of x"):
        TPESearch(hp.uniform("x", 0, 1), "loss", "min")


def test_a_config_that_hyperopt_cannot_compute_has_failed_and_the_search_goes_on(caplog):
    root = scope.sqrt(hp.uniform("x", -1, 1))
    search = TPESearch({"half": 1 / hp.randint("n", 2), "root": root}, "loss", "min", trials=12, seed=1)
    configs = drive(search, 12)
    assert all(config["half"] == 1.0 for config in configs)
    failed = [trial for trial in search._run.ended.values() if trial.status is Status.FAILED]
    assert len(failed) + len(configs) == 12
    assert "division by zero" in failed[0].outcome.error
    hopeless = RandomSearch({"x": hp.uniform("x", 0, 1) / 0}, "loss", "min")
    assert hopeless.suggest("t") == "FINISHED"
    assert "100 consecutive configs could not be computed: ZeroDivisionError" in caplog.text


# -- points ------------------------------------------------------------------------------------------

CONSTANTS = {
    "x": tune.uniform(0, 1),
    "epochs": 10,
    "o": {"lr": tune.loguniform(1e-3, 1), "name": "sgd"},
    "data": MARKS[0],
    "layers": tune.choice([[8], [8, 8]]),
}


@each_search
def test_points_may_hold_what_is_fixed(named):
    points = [
        {"x": 0.5, "epochs": 10},
        {"o": {"lr": 0.1, "name": "sgd"}, "data": object()},
        {"layers": [8, 8]},
    ]
    options = {"resolution": 3} if named is ExhaustiveSearch else {}
    configs = drive(adopted(CONSTANTS, named, points_to_evaluate=points, samples=9, **options), 4)
    assert configs[0]["x"] == 0.5
    assert configs[1]["o"] == {"lr": 0.1}
    assert configs[2]["layers"] == [8, 8]
    assert all(set(config) == {"x", "o", "layers"} for config in configs)


@pytest.mark.parametrize(
    "point, says",
    [
        ({"x": 0.5, "epochs": 20}, "epochs: expected the constant 10, got 20"),
        ({"o": {"name": "adam"}}, "o/name: expected the constant 'sgd', got 'adam'"),
        ({"epoch": 10}, "epoch: unknown parameter. Did you mean 'epochs'?"),
        ({"layers": [9]}, "layers: expected one of"),
        ({"x": 2}, "x: expected a value from"),
        (3, "expected a dict, got 3"),
    ],
)
def test_points_that_the_space_has_not_are_named(point, says):
    with pytest.raises(SpaceError) as caught:
        adopted(CONSTANTS, points_to_evaluate=[{"x": 0.1}, point])
    assert "points_to_evaluate[1]" in str(caught.value)
    assert says in str(caught.value)


def test_points_of_a_hyperopt_space_are_written_by_keys_or_by_labels():
    space = {"a": hp.uniform("x", 0, 1), "epochs": 10, "c": hp.choice("kind", [None, (8,)])}
    points = [{"a": 0.5, "epochs": 10, "c": (8,)}, {"x": 0.25, "kind": None}]
    configs = drive(TPESearch(space, "loss", "min", points_to_evaluate=points), 2)
    assert configs == [{"a": 0.5, "c": (8,), "epochs": 10}, {"a": 0.25, "c": None, "epochs": 10}]


def test_known_results_are_written_as_configs_are():
    known = {"x": 0.5, "epochs": 10, "o": {"lr": 0.1}, "layers": [8], "unknown": 3}
    search = adopted(CONSTANTS, evaluated=[(known, 3.0)])
    search.suggest("t")
    search.add_evaluated_point(known | {"x": 0.25}, 2.0)
    assert [trial.config for trial in search._initial.known] == [
        {"x": x, "o/lr": 0.1, "layers": "[0] [8]"} for x in (0.5, 0.25)
    ]

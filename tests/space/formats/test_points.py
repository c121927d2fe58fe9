"""Configs as other programs write them, read back as values of parameters."""

import numpy as np
import pytest
from hyperopt import hp
from ray import tune
from scipy import stats

from runner.errors import SpaceError
from runner.seeds import rng_for
from runner.space import Choice, Float
from runner.space.formats import to_view
from runner.space.formats.points import equal
from tests.space.formats.test_hyperopt import SPACES as HYPEROPT
from tests.space.formats.test_ray_tune import PARAM_SPACE

VIEWS = {
    "ray.tune": PARAM_SPACE,
    **{name: HYPEROPT[name] for name in ("containers", "rounded", "numbers as keys", "a single parameter")},
    "scikit-learn": [
        {"kernel": ["linear"], "C": stats.expon(scale=3), "n": stats.poisson(3)},
        {"kernel": ["rbf"], "C": stats.uniform(1, 2), "scale": [0.1, 1.0, 10.0], "object": [(1,), None]},
    ],
    "own": {"kind": Choice({"a": {"x": Float(0, 1)}, "b": {}}), "n": range(3), "object": [[1], [2]]},
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_config_is_read_back(name):
    """What is rounded, or a quantile, may be read back as a neighbour that means the same."""
    view, rng = to_view(VIEWS[name], scales=True), rng_for("back")
    for _ in range(60):
        native = view.native(view.space.sample(rng))
        again = view.native(view.space.canonical(view.point(native)))
        assert alike(native, again), (native, again)
        assert view.point(native, strict=False) == view.point(native)


def alike(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    return a == pytest.approx(b, rel=1e-6, abs=1e-9) if isinstance(a, float) else np.array_equal(a, b)


TUNE = to_view(
    {
        "x": tune.uniform(0, 1),
        "epochs": 10,
        "o": {"lr": tune.loguniform(1e-3, 1), "opt": "sgd", "betas": [0.9, 0.99]},
        "data": ("__ref_ph", "0a1b"),
        "array": np.arange(3),
        "m": tune.choice([{"k": "svm", "C": tune.uniform(0, 1)}, {"k": "rf", "n": tune.randint(1, 9)}]),
        "same": tune.choice([{"v": tune.uniform(0, 1)}, {"v": tune.uniform(5, 6)}]),
        "layers": tune.choice([[8], [8, 8], None]),
    }
)
HP = to_view(
    {
        "a": hp.uniform("x", 0, 1),
        "epochs": 10,
        "c": hp.choice("cc", [None, (8,), {"z": hp.normal("zz", 0, 1)}]),
        "s": 2 * hp.uniform("half", 0, 1),
    }
)


@pytest.mark.parametrize(
    "view, given, values",
    [
        (TUNE, {}, {}),
        (TUNE, {"x": 0.5, "epochs": 10}, {"x": 0.5}),
        (TUNE, {"epochs": 10.0, "array": np.arange(3), "data": object()}, {}),
        (TUNE, {"o": {"lr": 0.1, "opt": "sgd", "betas": (0.9, 0.99)}}, {"o/lr": 0.1}),
        (TUNE, {"o/lr": 0.1, "o/opt": "sgd"}, {"o/lr": 0.1}),
        (TUNE, {"m": {"k": "svm"}}, {"m/k": "svm"}),
        (TUNE, {"m": {"C": 0.5}}, {"m/k": "svm", "m/C": 0.5}),
        (TUNE, {"m": {"k": "rf", "n": 5}}, {"m/k": "rf", "m/n": 5}),
        (TUNE, {"m/k": "rf", "m/n": 5}, {"m/k": "rf", "m/n": 5}),
        (TUNE, {"m": {}}, {}),
        (TUNE, {"same": {"v": 5.5}}, {"same": "[1] {'v': same/v}", "same/v": 5.5}),
        (TUNE, {"layers": [8, 8]}, {"layers": "[1] [8, 8]"}),
        (TUNE, {"layers": (8,)}, {"layers": "[0] [8]"}),
        (TUNE, {"layers": None}, {"layers": None}),
        (HP, {"a": 0.5, "epochs": 10}, {"x": 0.5}),
        (HP, {"x": 0.5}, {"x": 0.5}),
        (HP, {"c": [8], "half": 0.25}, {"cc": "[1] (8,)", "half": 0.25}),
        (HP, {"c": {"z": 0.0}}, {"cc": "[2] {'z': zz (quantile)}", "zz (quantile)": 0.5}),
        (HP, {"zz": 0.0}, {"zz (quantile)": 0.5}),
        (HP, {"zz (quantile)": 0.25}, {"zz (quantile)": 0.25}),
    ],
)
def test_a_config_may_be_given_in_part(view, given, values):
    assert view.point(given) == values


@pytest.mark.parametrize(
    "view, given, says",
    [
        (TUNE, {"epochs": 20}, "epochs: expected the constant 10, got 20."),
        (TUNE, {"epochs": True}, "epochs: expected the constant 10, got True."),
        (TUNE, {"o": {"opt": "adam"}}, "o/opt: expected the constant 'sgd', got 'adam'."),
        (TUNE, {"array": np.arange(4)}, "array: expected the constant"),
        (TUNE, {"y": 1}, "y: unknown parameter. Known are:"),
        (TUNE, {"o": {"beta": 1}}, "o/beta: unknown parameter. Did you mean 'betas'?"),
        (TUNE, {"o": 3}, "o: expected a dict, got 3."),
        (TUNE, {"m": {"k": "svm", "n": 5}}, "m: expected one of"),
        (TUNE, {"layers": [9]}, "layers: expected one of ['[8]', '[8, 8]', 'None'], got [9]."),
        (
            HP,
            {"s": 1.0},
            "s: a computed value cannot be converted back to its parameters. Give",
        ),
        (HP, {"epochs": 11}, "epochs: expected the constant 10"),
        (HP, {"c": {"z": "a"}}, "c: expected one of"),
        (HP, {"zz": 100.0}, "zz: value 100.0 is outside the searched range"),
        (to_view(hp.uniform("x", 0, 1)), {"y": 1}, "unknown parameters ['y']"),
    ],
)
def test_what_does_not_fit_is_named(view, given, says):
    with pytest.raises(SpaceError) as caught:
        view.point(given)
    assert says in str(caught.value)


def test_what_does_not_fit_may_be_left_out():
    assert TUNE.point({"x": 0.5, "epochs": 20, "y": 1, "o": 3}, strict=False) == {"x": 0.5}
    assert HP.point({"a": 0.5, "s": 1.0, "half": 0.5}, strict=False) == {"x": 0.5, "half": 0.5}
    own = to_view({"x": Float(0, 1)})
    assert own.point({"x": 0.5, "y": 1}, strict=False) == {"x": 0.5}


def test_a_branch_that_is_open_is_left_open():
    view = to_view({"m": tune.choice([{"v": tune.uniform(0, 1), "a": 1}, {"v": tune.uniform(0, 1), "b": 2}])})
    assert view.point({"m": {"v": 0.5}}) == {"m/v": 0.5}
    assert view.point({"m": {"v": 0.5, "b": 2}})["m"].startswith("[1]")


class Odd:
    def __eq__(self, other):
        raise RuntimeError("cannot be compared")

    __hash__ = None


@pytest.mark.parametrize(
    "a, b, expected",
    [
        (1, 1.0, True),
        (1, True, False),
        (np.bool_(True), True, True),
        ([1, (2,)], (1, [2]), True),
        ({"a": np.ones(2)}, {"a": np.ones(2)}, True),
        ({"a": np.ones(2)}, {"a": np.ones(3)}, False),
        (np.ones(1), 1.0, False),
        (Odd(), 1, False),
        (float, float, True),
    ],
)
def test_what_counts_as_equal(a, b, expected):
    assert equal(a, b) is expected

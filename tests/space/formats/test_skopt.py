"""Ranges of scikit-optimize. It is not installed here: its classes are recognised by their names."""

import numpy as np
import pytest

from runner import Choice, Float, Int, SearchCV, optimize
from runner.errors import SpaceError
from runner.space.formats import to_view
from runner.space.formats.study_file import parse_domain
from tests.integrations.sklearn.estimators import Dummy

X, Y = np.zeros((8, 2)), np.arange(8) % 2


class Dimension:
    """The base class of skopt's."""


class Real(Dimension):
    def __init__(self, low, high, prior="uniform"):
        self.low, self.high, self.prior = low, high, prior

    def rvs(self, n_samples=1, random_state=None):
        raise AssertionError("a list would come")


class Integer(Real):
    pass


class Categorical(Dimension):
    def __init__(self, categories):
        self.categories = tuple(categories)

    rvs = Real.rvs


for kind in (Dimension, Real, Integer, Categorical):
    kind.__module__ = "skopt.space.space"

LOG = Float(1e-6, 1e6, log=True)


@pytest.mark.parametrize(
    "given, domain",
    [
        ((1e-6, 1e6, "log-uniform"), LOG),
        ((1e-6, 1e6, "log-uniform", 10), LOG),
        ([1e-6, 1e6, "log-uniform"], LOG),
        ((np.float64(1e-6), np.float32(1e6), "log-uniform"), LOG),
        ((0.0, 1, "uniform"), Float(0.0, 1.0)),
        ((1, 100, "log-uniform"), Int(1, 100, log=True)),
        ((np.int64(1), 10, "uniform"), Int(1, 10)),
        (Real(1e-6, 1e6, "log-uniform"), LOG),
        (Real(0, 1), Float(0.0, 1.0)),
        (Integer(1, 9), Int(1, 9)),
        (Categorical(["a", "b"]), Choice(["a", "b"])),
        # what is no range
        (("a", "b"), Choice(["a", "b"])),
        ((True, False), Choice([True, False])),
        ((0.1, 0.5, "sqrt"), Choice([0.1, 0.5, "sqrt"])),
        ((1, 2, "uniform", "x"), Choice([1, 2, "uniform", "x"])),
        ((1, 2, 3), Choice([1, 2, 3])),
        ((7,), Choice([7])),
    ],
)
def test_every_form_is_read(given, domain):
    assert to_view({"x": given}).space.params == (("x", domain),)
    if isinstance(given, tuple):
        assert parse_domain(given, "x") == domain


@pytest.mark.parametrize(
    "given, says",
    [
        ((10.0, 0.1, "log-uniform"), "x: expected low < high, got low=10.0 and high=0.1"),
        ((0, 10, "log-uniform"), "x: expected low > 0 with log: true, got low=0"),
        ((1, 5), "For a range write Float(1, 5) or (1, 5, 'uniform'); for two options [1, 5]."),
        ((0.5, 0.1), "a range or two options"),
    ],
)
def test_what_does_not_fit_is_named(given, says):
    for read in (lambda: to_view({"x": given}), lambda: parse_domain(given, "x")):
        with pytest.raises(SpaceError) as caught:
            read()
        assert says in str(caught.value)


@pytest.mark.parametrize("method", ["random", "grid", "bayes", "tpe", "gradient"])
def test_a_search_goes_over_the_whole_range(method):
    space = {"level": (1e-6, 1e6, "log-uniform"), "mark": Categorical([(1,), None])}
    found = SearchCV(Dummy(), space, method=method, n_trials=8, cv=2, random_state=0).fit(X, Y)
    levels = [params["level"] for params in found.cv_results_["params"]]
    assert len(set(levels)) >= 3
    assert all(1e-6 <= level <= 1e6 for level in levels)
    assert max(levels) / min(levels) > 100
    assert {params["mark"] for params in found.cv_results_["params"]} <= {(1,), None}


def test_a_function_is_searched_over_it_too():
    found = optimize(lambda config: config["x"], {"x": (1e-6, 1e6, "log-uniform")}, "random", 12)
    assert found.best_value < 1  # half of the draws are: with probability 1 - 2**-12


def test_a_pair_is_two_options_to_the_methods_of_scikit_learn_alone():
    def levels(method):
        search = SearchCV(Dummy(), {"level": (0.5, 4.0)}, method=method, cv=2, random_state=0)
        return sorted(params["level"] for params in search.fit(X, Y).cv_results_["params"])

    assert levels("grid") == [0.5, 4.0]
    with pytest.warns(
        UserWarning, match=r"pair \(0.5, 4.0\) is taken as two options.*For a range write Float"
    ):
        assert levels("random") == [0.5, 4.0]
    with pytest.raises(SpaceError, match="a range or two options"):
        levels("bayes")

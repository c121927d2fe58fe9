"""Lists of any kind; numbers and steps are tested with the domains."""

from array import array
from collections import UserList, deque

import numpy as np
import pandas as pd
import pytest

from runner import Choice, Int, SearchCV, optimize
from runner.errors import SpaceError
from runner.space.formats import parse_domain
from runner.space.ranges import as_list
from tests.integrations.sklearn.estimators import Dummy

X, Y = np.zeros((8, 2)), np.arange(8) % 2
LISTS = [
    [1, 2, 3],
    (1, 2, 3),
    range(1, 4),
    range(3, 0, -1),
    deque([1, 2, 3]),
    UserList([1, 2, 3]),
    array("i", [1, 2, 3]),
    np.array([1, 2, 3]),
    np.array([1, 2, 3], dtype=object),
    pd.Series([1, 2, 3]),
    pd.Index([1, 2, 3]),
    pd.array([1, 2, 3]),
    pd.Series([1, 2, 3]).astype("category"),
]
each_list = pytest.mark.parametrize("given", LISTS, ids=lambda given: type(given).__name__)


class Tensor:
    """As those of PyTorch and JAX: items are tensors."""

    def __init__(self, values):
        self.values, self.ndim = values, np.ndim(values)

    def __len__(self):
        return len(self.values)

    def tolist(self):
        return list(self.values)


@each_list
def test_a_list_of_any_kind_is_a_list(given):
    assert sorted(as_list(given)) == [1, 2, 3]
    assert sorted(Choice(given).options) == [1, 2, 3]
    assert {type(option) for option in Choice(given).options} == {int}
    assert sorted(parse_domain({"choice": given}, "x").options) == [1, 2, 3]


@each_list
@pytest.mark.parametrize("method", ["grid", "exhaustive", "random", "bayes", "tpe"])
def test_options_in_a_list_of_any_kind_are_searched(given, method):
    found = SearchCV(Dummy(), {"level": given}, method=method, n_trials=9, cv=2, random_state=1).fit(X, Y)
    assert {params["level"] for params in found.cv_results_["params"]} == {1, 2, 3}
    found = optimize(lambda config: config["n"], {"n": given}, method, 9)
    assert found.best_config == {"n": 1}


def test_tensors_are_lists():
    assert as_list(Tensor([1.5, 2.5])) == [1.5, 2.5]
    with pytest.raises(SpaceError, match="got 2 dimensions"):
        as_list(Tensor([[1], [2]]))


@pytest.mark.parametrize(
    "given",
    ["123", b"123", bytearray(b"1"), {1, 2}, {1: 2}.keys(), iter([1]), np.array(3), np.float64(3), 3, None],
)
def test_what_has_no_order_or_is_no_list_is_none(given):
    assert as_list(given) is None
    with pytest.raises(SpaceError, match="expected a list or mapping of options"):
        Choice(given)


@pytest.mark.parametrize("given", [range(10**9), range(10**30), np.arange(1_000_001)])
def test_a_list_that_is_too_long_is_refused_at_once(given):
    with pytest.raises(SpaceError, match=r"expected at most 1,000,000 options, got more\. Use an Int"):
        Choice(given)


@pytest.mark.parametrize(
    "given, domain",
    [
        (range(1, 6), Int(1, 5)),
        (range(10, 0, -3), Int(1, 10, step=3)),
        (range(0, 10**9, 5), Int(0, 10**9 - 5, step=5)),
        (range(3, 4), Choice([3])),
    ],
)
def test_a_range_is_one_of_integers(given, domain):
    assert parse_domain(given, "x") == domain


def test_an_empty_range_has_no_option():
    with pytest.raises(SpaceError, match="x: expected at least one option"):
        parse_domain(range(0), "x")

"""Normalised regret and expected minima, against hand-made numbers and plain enumeration."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.results.stats.regret import expected_min, normalised
from tests.comparisons import NOTHING_MORE, SPENT, compared

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def test_by_hand():
    # Draws 1 .. 5 have the median 3; the optimum is 0, so a loss of 1.5 is half-way.
    losses = {("p", "random", 0): [5.0, 4.0, 3.0, 2.0, 1.0], ("p", "tpe", 0): [9.0, 1.5, None, 1.5, 0.75]}
    c = compared(losses, optimum=0.0)
    row = c.instances.iloc[0]
    assert (row["f_opt"], row["f_ref"], row["n_random"]) == (0.0, 3.0, 5)
    assert (row["f_opt_source"], row["f_ref_source"]) == ("known", "random draws")
    found = c.curves("trials", [1, 2, 5])
    assert found["regret"].tolist() == pytest.approx([1, 1, 1 / 3, 1, 0.5, 0.25])


def test_maximised_metrics_are_losses_inside():
    losses = {("p", "random", 0): [-0.5, -0.6, -0.7, -0.8, -0.9], ("p", "tpe", 0): [-0.95] * 5}
    c = compared(losses, direction="maximize", optimum=1.0)
    assert c.instances["f_opt"][0] == -1.0
    assert c.cells()["value"].tolist() == [0.9, 0.95]
    assert c.cells()["regret"].tolist() == pytest.approx([0.1 / 0.3, 0.05 / 0.3])


def test_where_the_optimum_comes_from():
    losses = {("p", "random", 0): [5.0, 4.0, 3.0, 2.0, 1.0], ("p", "exhaustive", 0): [9.0, 0.5]}
    assert compared(losses).instances["f_opt_source"][0] == "best seen"
    c = compared(
        losses,
        end=lambda p, m, s: NOTHING_MORE if m == "exhaustive" else SPENT,
        settings={"exhaustive": {"resolution": None}},
    )
    assert c.instances["f_opt_source"][0] == "exhaustive"
    low = compared(losses, optimum=0.75).instances.iloc[0]
    assert (low["f_opt"], low["f_opt_source"]) == (0.5, "best seen, below the stated optimum")


def test_without_random_search_first_trials_are_the_reference():
    c = compared({("p", "tpe", 0): [None, 4.0, 1.0], ("p", "bayes", 0): [8.0, 2.0, 0.0]})
    row = c.instances.iloc[0]
    assert (row["f_ref"], row["f_ref_source"], row["n_random"]) == (6.0, "first trials", 0)
    sobol = compared({("p", "random", 0): [1.0] * 9}, settings={"random": {"sequence": "sobol"}})
    assert sobol.instances["n_random"][0] == 0  # its points are not independent
    assert sobol.random is None


def test_constant_losses_are_flat():
    c = compared({("p", "random", 0): [2.0] * 6, ("p", "tpe", 0): [2.0, None] * 3})
    assert c.instances["flat"].all()
    assert c.cells()["regret"].tolist() == [0.0, 0.0]
    assert "same loss" in c.empty
    # A plateau that most draws hit: what is above it is as bad as can be, and nothing is divided by 0.
    c = compared({("p", "random", 0): [2.0, 2.0, 2.0, 5.0, 2.0], ("p", "tpe", 0): [3.0] * 5})
    assert c.cells()["regret"].tolist() == [0.0, 1.0]


@given(loss=FINITE, opt=FINITE, span=st.floats(1e-3, 1e6), scale=st.floats(1e-3, 1e3), shift=FINITE)
@settings(max_examples=80)
def test_a_change_of_unit_changes_nothing(loss, opt, span, scale, shift):
    first = normalised(np.array([loss]), np.array([opt]), np.array([opt + span]))
    again = normalised(*(np.array([scale * x + shift]) for x in (loss, opt, opt + span)))
    assert 0 <= first[0] <= 1
    assert again[0] == pytest.approx(first[0], abs=1e-6 * (1 + abs(shift) / (scale * span)))


def test_no_overflow():
    assert normalised(np.array([1e308]), np.array([-1e308]), np.array([1.7e308]))[0] == pytest.approx(2 / 2.7)
    assert math.isnan(normalised(np.array([math.nan]), np.array([0.0]), np.array([1.0]))[0])


@given(draws=st.lists(FINITE, min_size=1, max_size=7), data=st.data())
@settings(max_examples=60)
def test_the_expected_minimum_is_that_of_all_subsets(draws, data):
    m = data.draw(st.integers(1, len(draws)))
    every = [min(some) for some in itertools.combinations(draws, m)]
    assert expected_min(np.array(draws), m) == pytest.approx(np.mean(every), rel=1e-9, abs=1e-6)


def test_the_expected_minimum_at_its_ends():
    draws = np.array([3.0, 1.0, 2.0])
    assert expected_min(draws, 1) == pytest.approx(2.0)
    assert expected_min(draws, 3) == 1.0
    assert math.isnan(expected_min(draws, 4))
    assert math.isnan(expected_min(np.zeros(0), 1))
    plateau = np.full(200, 0.1)
    assert expected_min(plateau, 17) == 0.1  # to the last bit, or nobody would ever hit it
    values = [expected_min(np.arange(50.0), m) for m in (1, 1.5, 2, 10, 49.5, 50)]
    assert values == sorted(values, reverse=True)

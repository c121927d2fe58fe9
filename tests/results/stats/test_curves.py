"""Incumbent curves: known when they were seen, never before."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.results.stats.curves import at, grid_to
from tests.comparisons import NOTHING_MORE, SPENT, compared

SPEEDY = {("p", "slow", 0): [0.5, 0.4, 0.1], ("p", "random", 0): [0.9] * 3}
ENDS = {("slow", 0): 10.0, ("slow", 1): 10.0, ("slow", 2): 40.0}


def test_nothing_is_credited_before_it_was_seen():
    """Results .50 at 10 s, .40 at 20 s, .10 at 60 s: at 25 s the truth is .40.

    The next result would be .10 and a straight line .36; both are wrong.
    """
    x, y = np.array([10.0, 20.0, 60.0]), np.array([0.5, 0.4, 0.1])
    grid = np.array([5.0, 10.0, 19.999, 20.0, 25.0, 59.999, 60.0, 100.0])
    np.testing.assert_array_equal(at(x, y, grid), [math.nan, 0.5, 0.5, 0.4, 0.4, 0.4, 0.1, 0.1])
    assert np.isnan(at(np.zeros(0), np.zeros(0), grid)).all()


def test_nor_by_the_curves_of_a_study():
    c = compared(SPEEDY, seconds=lambda p, method, s, n: ENDS.get((method, n), 1.0))
    found = c.curves("seconds", [5.0, 10.0, 25.0, 59.9, 60.0])
    slow = found[found["method"] == "slow"]
    np.testing.assert_array_equal(slow["loss"], [math.nan, 0.5, 0.4, 0.4, 0.1])
    np.testing.assert_array_equal(slow["imputed"], [True, False, False, False, False])
    assert slow["regret"].iloc[0] == 1.0
    by_trial = c.curves("trials", [1, 2, 3])
    np.testing.assert_array_equal(by_trial[by_trial["method"] == "slow"]["loss"], [0.5, 0.4, 0.1])


@given(
    steps=st.lists(st.tuples(st.floats(0.001, 10), st.floats(-5, 5)), min_size=1, max_size=12),
    extra=st.floats(-5, 5),
    moment=st.floats(0, 60),
)
@settings(max_examples=60, deadline=None)
def test_what_comes_later_changes_nothing(steps, extra, moment):
    spent = np.cumsum([seconds for seconds, _ in steps])
    values = np.minimum.accumulate([value for _, value in steps])
    later = max(moment, spent[-1]) + 1.0
    before = at(spent, values, np.array([moment]))
    after = at(np.r_[spent, later], np.r_[values, min(values[-1], extra)], np.array([moment]))
    np.testing.assert_array_equal(before, after)
    assert np.isnan(before[0]) == (moment < spent[0])


def test_thinking_is_part_of_the_seconds_and_not_of_compute():
    c = compared(SPEEDY, seconds=2.0, suggest=0.5)
    assert c.steps["seconds"].tolist() == [2.5, 5.0, 7.5] * 2
    assert c.steps["compute"].tolist() == [2.0, 4.0, 6.0] * 2


def test_equivalents_add_up_to_whole_evaluations():
    losses = {("p", m, 0): [1.0] * 10 for m in ("a", "b")}
    c = compared(losses, shares=lambda *key: 0.1)
    assert c.axis == "equivalents"
    assert c.common() == pytest.approx(1.0)
    assert c.curves("equivalents", [1.0])["reached"].all()  # ten tenths are one, whatever floats say
    assert c.curves("equivalents", [0.5])["loss"].notna().all()


def test_the_comparison_holds_as_far_as_all_have_come():
    sizes = {("p", "a", 0): 5, ("p", "b", 0): 9, ("p", "a", 1): 7, ("p", "b", 1): 8}
    losses = {key: [1.0] * n for key, n in sizes.items()}
    assert compared(losses).common() == 5
    # A run that ended of itself keeps its last incumbent and limits nobody.
    c = compared(losses, end=lambda p, m, s: NOTHING_MORE if (m, s) == ("a", 0) else SPENT)
    assert c.common() == 7
    assert c.cells()["reached"].all()
    # Of an interrupted study the blocks that are complete count, and the others as far as they go.
    c = compared(losses | {("p", "b", 1): []}, end=lambda p, m, s: "" if s == 1 else SPENT)
    assert c.common() == 5
    assert c.cells()["used"].tolist() == [True, True, False, False]
    assert c.unfinished
    assert compared({key: [] for key in losses}, end="").common() == 0


def test_a_gap_is_not_passed():
    """Trials 0, 1 and 3 have ended: the run has come as far as 2, and 3 is not counted yet."""
    losses = {("p", "a", 0): [3.0, 2.0, 1.0], ("p", "b", 0): [3.0, 2.0, 1.0, 0.5]}
    c = compared(losses, numbers={("p", "a", 0): [0, 1, 3]}, end="")
    assert c.reach["settled"].tolist() == [2, 4]
    assert c.common() == 2
    found = c.curves("trials", [2.0, 4.0])
    assert found["loss"].tolist() == [2.0, 2.0, 2.0, 0.5]
    assert found["reached"].tolist() == [True, False, True, True]


def test_grids():
    np.testing.assert_array_equal(grid_to(5, "trials"), [1, 2, 3, 4, 5])
    many = grid_to(5000, "trials")
    assert many[0] == 1
    assert many[-1] == 5000
    assert len(many) <= 60
    assert (many == np.round(many)).all()
    seconds = grid_to(100.0, "seconds", 0.5)
    assert seconds[0] == pytest.approx(0.5)
    assert seconds[-1] == pytest.approx(100)
    assert len(grid_to(0.0)) == len(grid_to(math.nan)) == 0

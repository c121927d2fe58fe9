"""Limits, ticks and labels of axes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report.figures.marks import Axis, Line, Panel, Points, Tiles
from runner.report.figures.scale import Scale, scales, short

NUMBERS = st.floats(-1e12, 1e12).filter(lambda v: v == 0 or abs(v) > 1e-9)


def panel(x, y, kind="linear", **marks):
    values = (np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    return Panel(Axis("x", kind), Axis("y", kind), (Line(*values, **marks),))


@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_all_values_are_within_the_limits_and_ticks_within_them_too(values):
    x, _ = scales(panel(values, values))
    places = x(np.array(values))
    assert ((places >= -1e-9) & (places <= 1 + 1e-9)).all()
    ticks = x.ticks()
    assert 1 <= len(ticks) <= 12
    assert all(x.low - 1e-9 * abs(x.low) <= value <= x.high + 1e-9 * abs(x.high) for value, _ in ticks)
    assert len({text for _, text in ticks}) == len(ticks)


@given(st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=8))
def test_equal_ratios_are_equal_distances_on_a_log_axis(values):
    x, _ = scales(panel(values, values, "log"))
    middle = np.sqrt(x.low * x.high)
    assert float(x(middle)) == pytest.approx(0.5)
    assert 1 <= len(x.ticks()) <= 12


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf, -np.inf], [0.0, 0.0], [5.0]])
def test_there_is_an_axis_where_there_is_nothing_to_show(values):
    for kind in ("linear", "log"):
        x, _ = scales(panel(values, values, kind))
        assert x.low < x.high
        assert np.isfinite([x.low, x.high]).all()


def test_nothing_stays_at_the_end_of_the_axis_and_tiles_fill_it():
    zero, _ = scales(panel([0.0, 10.0], [0.0, 10.0]))
    assert zero.low == 0
    tiles = Tiles(np.array([1.0, 10.0]), np.array([1.0, 10.0]), 1.0, 1.0)
    x, _ = scales(Panel(Axis("x", "log"), Axis("y", "log"), (tiles,)))
    assert (x.low, x.high) == pytest.approx((10**-0.5, 10**1.5))


def test_a_vertical_list_of_names_begins_at_the_top():
    names = Axis("", "category", categories=("first", "second"))
    _, y = scales(Panel(Axis("x"), names, (Points(np.zeros(2), np.arange(2.0)),)))
    assert float(y(0.0)) > float(y(1.0))
    assert [text for _, text in y.ticks()] == ["first", "second"]


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0"),
        (0.00314, "0.00314"),
        (1e-7, "1e-7"),
        (-2.5, "−2.5"),
        (12000, "12\u2009000"),
        (2.5e9, "2.5e9"),
        (100.0, "100"),
        (np.nan, "–"),
        (np.inf, "∞"),
        (1e20, "1e20"),
    ],
)
def test_a_number_is_short(value, text):
    assert short(value) == text


def test_ticks_of_a_narrow_range_far_from_zero_have_different_labels():
    labels = [text for _, text in Scale(Axis("x"), 1000.001, 1000.002).ticks()]
    assert len(set(labels)) == len(labels) > 1

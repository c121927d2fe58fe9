"""A panel as SVG: the right shapes at the right places, and no name that breaks out."""

from xml.etree import ElementTree

import numpy as np
import pytest

from runner.report.figures.marks import Axis, Band, Bars, Line, Panel, Points, Rule, Shade, Tiles
from runner.report.figures.palette import MARKERS, Style, styles
from runner.report.figures.svg import WIDTH, draw, marker

EVIL = '"><script>alert(1)</script>&'
METHODS = styles(["random", EVIL], "random")


def shapes(text, kind):
    return [node for node in ElementTree.fromstring(text).iter() if kind in node.get("class", "").split()]


def test_every_name_is_escaped():
    names = Axis(EVIL, "category", categories=(EVIL,))
    marks = (
        Points(np.zeros(1), np.zeros(1), 1, EVIL, texts=(EVIL,)),
        Rule(0.0, "x", EVIL),
        Tiles(np.zeros(1), np.zeros(1), 1.0, 1.0, texts=(EVIL,), hints=(EVIL,)),
        Bars(np.zeros(1), np.zeros(1), np.ones(1), [1], (EVIL,)),
    )
    text, _ = draw(Panel(Axis(EVIL), names, marks, EVIL), METHODS, EVIL)
    assert "<script" not in text
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == EVIL
    assert EVIL in [node.text for node in root.iter("text")]


def test_a_step_holds_its_value_until_the_next_x_and_nan_breaks_the_line():
    line = Line(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 1.0]), 0, "a", step=True, markers=False)
    fixed = {"x": Axis("x", limits=(0, 2)), "y": Axis("", limits=(0, 1))}
    text, hover = draw(Panel(**fixed, marks=(line,)), METHODS, "")
    (path,) = shapes(text, "line")
    corners = [tuple(map(float, part.split())) for part in path.get("d")[1:].split("L")]
    (x0, y0), corner, (x1, y1), _, (x2, y2) = corners
    assert corner == (x1, y0)
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1)
    assert y1 == y2 < y0  # the page counts from the top
    assert hover["lines"] == [{"m": 0, "name": "a", "step": True, "x": [0, 1, 2], "y": [0, 1, 1]}]
    broken = Line(np.arange(4.0), np.array([0.0, np.nan, 1.0, 1.0]), 0, "a", markers=False)
    text, hover = draw(Panel(**fixed, marks=(broken,)), METHODS, "")
    assert shapes(text, "line")[0].get("d").count("M") == 2
    assert hover["lines"][0]["y"] == [0, None, 1, 1]


def test_what_is_missing_or_not_positive_on_a_log_axis_is_not_drawn():
    x, y = np.array([1.0, 2.0, np.nan, 4.0]), np.array([-1.0, 0.0, 1.0, np.inf])
    marks = (Line(x, y, 0, "a"), Points(x, y, 1), Band(x, y, y, 0), Shade(3.0, np.inf), Rule(np.nan))
    text, _ = draw(Panel(Axis("x", "log"), Axis("y", "log"), marks), METHODS, "")
    assert "nan" not in text
    assert "inf" not in text
    ElementTree.fromstring(text)


def test_every_marker_has_a_shape_of_its_own():
    drawn = {marker(Style("a", 1, name)) for name in MARKERS}
    assert len(drawn) == len(MARKERS)


def test_a_panel_of_names_is_as_high_as_it_needs():
    def height(n):
        names = Axis("", "category", categories=tuple(map(str, range(n))))
        text, _ = draw(Panel(Axis("x"), names, (Points(np.zeros(n), np.arange(float(n))),)), METHODS, "")
        wide, high = map(float, ElementTree.fromstring(text).get("viewBox").split()[2:])
        assert wide == WIDTH
        return high

    assert height(12) > height(6) > height(2)

"""Figures as files: whole, the same each time, and with names of any kind."""

import matplotlib as mpl
import numpy as np
import pandas as pd

from runner.report.figures.marks import Axis, Band, Bars, Figure, Line, Panel, Points, Rule, Shade, Tiles
from runner.report.figures.palette import styles
from runner.report.figures.plot import render

NAMES = ("random", r"$\frac$ {", "_hidden", "方法 <b>&")


def figure():
    x = np.arange(1.0, 9.0)
    curves = (
        Band(x, x - 0.5, x + 0.5, 1, True),
        Line(x, x, 1, NAMES[1], True),
        Shade(6, 9),
        Rule(2.0, "y", "at"),
    )
    rows = Axis("", "category", categories=NAMES)
    four = np.arange(4.0)
    bars = (
        Bars(four, np.zeros(4), four + 1, [0, 1, None, 3]),
        Points(four, four, 3, low=four - 1, high=four + 1),
    )
    tiles = Tiles(
        np.array([1.0, 10.0]), np.ones(2), 1.0, 1.0, (0, 3), unsure=(True, False), texts=("", NAMES[3])
    )
    shades = Tiles(np.zeros(1), np.zeros(1), 1.0, 1.0, shade=np.array([np.nan]))
    panels = (
        Panel(Axis("x"), Axis("$y$", "log"), curves, NAMES[1]),
        Panel(Axis("x"), rows, (*bars, shades, Rule(1.0, "x", "here"))),
        Panel(Axis("x", "log"), Axis("y", "log"), (tiles, Points(x, x, 0, faint=True))),
    )
    return Figure(
        "f", f"A finding about {NAMES[3]}", "How.", "n = 1.", panels, pd.DataFrame(), (0, 1, 2, 3), "d"
    )


def test_any_name_is_drawn_the_same_each_time_and_no_setting_is_changed():
    before = dict(mpl.rcParams)
    png, svg = render(figure(), styles(NAMES, "random"))
    assert dict(mpl.rcParams) == before
    assert png.startswith(b"\x89PNG")
    assert r"$\frac$ {" in svg.decode()
    assert "<b>" not in svg.decode()
    assert (png, svg) == render(figure(), styles(NAMES, "random"))


def test_a_figure_without_panels_is_an_empty_sheet():
    png, _ = render(Figure("f", "Nothing", "How.", "n = 0.", (), pd.DataFrame()), ())
    assert png.startswith(b"\x89PNG")

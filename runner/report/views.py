"""Data for the templates: a figure with its drawings and files, and a table with its cells."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from runner._text import duration
from runner.report.figures import svg
from runner.report.figures.marks import Figure, readable
from runner.report.figures.palette import Style
from runner.report.figures.scale import short
from runner.results.spreadsheet import to_csv

MOST_EMBEDDED: Final = 24_000
"""Bytes of CSV up to which a figure carries its data in the page, so that a page of 40 figures stays below
a megabyte of data; larger tables are files only."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes
    ----------
    small : str
        Fainter, beside the text: an interval, a count.
    value : float, optional
        The sort key; NaN goes to the end.
    kind : str
        CSS classes.
    """

    text: str
    small: str = ""
    value: float | None = None
    kind: str = ""

    @property
    def sort(self) -> str:
        """The sort key as the page has it; empty if it is missing."""
        return "" if self.value is None or not math.isfinite(self.value) else f"{self.value:.10g}"


@dataclass(frozen=True)
class Head:
    """The head of a column, with a tooltip; ``left``: the column holds text."""

    text: str
    hint: str = ""
    left: bool = False


@dataclass(frozen=True)
class Table:
    """A table; ``series`` gives rows the markers of their methods, ``lead`` is the row to highlight."""

    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    series: Sequence[int | None] = ()
    lead: int | None = None
    sortable: bool = True


@dataclass(frozen=True)
class Drawn:
    """One panel as drawn in the page."""

    key: str
    title: str
    svg: Markup


@dataclass(frozen=True)
class FigureView:
    """A figure as drawn in the page, with the address of its data."""

    figure: Figure
    panels: tuple[Drawn, ...]
    csv: str

    @property
    def name(self) -> str:
        """The name of the files, and the anchor."""
        return self.figure.name


class Album:
    """The figures of a page, each drawn once, with the data for hovering.

    Parameters
    ----------
    styles : sequence of Style
        The styles of the page's methods.
    """

    def __init__(self, styles: Sequence[Style]) -> None:
        self.styles = tuple(styles)
        self.figures: dict[str, Figure] = {}
        self.hover: dict[str, dict[str, Any]] = {}

    def add(self, figure: Figure | None, inline: bool = True) -> FigureView | None:
        """Keep a figure for the files, and draw it for the page; ``inline`` False: a table shows it there."""
        if figure is None:
            return None
        figure = readable(figure)
        self.figures[figure.name] = figure
        drawn = []
        for number, panel in enumerate(figure.panels if inline else ()):
            key = f"{figure.name}-{number}"
            label = f"{figure.title}. {panel.title}" if panel.title else figure.title
            text, hover = svg.draw(panel, self.styles, label)
            if hover:
                self.hover[key] = hover
            drawn.append(Drawn(key, panel.title, Markup(text)))
        return FigureView(figure, tuple(drawn), csv_link(figure.name, figure.table))

    def marker(self, series: int) -> Markup:
        """Draw the marker of a method, for legends and tables."""
        return Markup(svg.marker(self.styles[series]))


def csv_link(name: str, frame: pd.DataFrame) -> str:
    """Address the data of a figure: in the page if they are small, else in ``tables/``."""
    if len(frame) * max(1, len(frame.columns)) * 4 > MOST_EMBEDDED:
        return f"tables/{name}.csv"
    data = to_csv(frame).encode()
    if len(data) > MOST_EMBEDDED:
        return f"tables/{name}.csv"
    return f"data:text/csv;base64,{base64.b64encode(data).decode()}"


def number(value: Any, digits: int = 3) -> str:
    """Format a number; a dash if it is missing."""
    return short(math.nan if _missing(value) else float(value), digits)


def interval(low: Any, high: Any, digits: int = 3) -> str:
    """Format an interval; empty if it is missing."""
    return "" if _missing(low) or _missing(high) else f"[{number(low, digits)}, {number(high, digits)}]"


def percent(value: Any) -> str:
    """Format a share as percent; a dash if it is missing."""
    return "–" if _missing(value) else f"{float(value):.0%}"


def seconds(value: Any) -> str:
    """Format a duration; a dash if it is missing."""
    return "–" if _missing(value) else duration(float(value))


def cell(value: Any, digits: int = 3, low: Any = None, high: Any = None, kind: str = "") -> Cell:
    """Make a cell of a number with its interval."""
    found = math.nan if _missing(value) else float(value)
    return Cell(number(found, digits), interval(low, high, digits), found, kind)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))

"""Figures as data, before anything is drawn.

A `Figure` holds panels, a panel two axes and marks. Two modules draw the same description: `svg` for the
page and `plot` for files. Series are positions in the list of methods of the page, so that a method has one
colour and one marker everywhere; None is neutral.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Literal, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner._text import printable

Floats = NDArray[np.float64]
Series = int | None


@dataclass(frozen=True)
class Axis:
    """One axis of a panel.

    Attributes
    ----------
    label : str
        The quantity with its unit and direction.
    kind : "linear", "log" or "category"
    limits : tuple of float, optional
        Default: fit the marks.
    categories : tuple of str
        The names at 0, 1, ...; a vertical axis has the first one on top.
    """

    label: str
    kind: Literal["linear", "log", "category"] = "linear"
    limits: tuple[float, float] | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A curve; NaN breaks it. ``step``: each value holds until the next x."""

    x: Floats
    y: Floats
    series: Series = None
    name: str = ""
    step: bool = False
    dashed: bool = False
    markers: bool = True


@dataclass(frozen=True)
class Band:
    """The area between two curves."""

    x: Floats
    lower: Floats
    upper: Floats
    series: Series = None
    step: bool = False


@dataclass(frozen=True)
class Points:
    """Points, with intervals along x if ``low`` and ``high`` are given.

    ``texts`` are tooltips. ``faint``: many points, drawn small.
    """

    x: Floats
    y: Floats
    series: Series = None
    name: str = ""
    low: Floats | None = None
    high: Floats | None = None
    texts: tuple[str, ...] = ()
    faint: bool = False


@dataclass(frozen=True)
class Bars:
    """Horizontal bars from ``start`` to ``end`` at the places ``y``, each ``height`` high.

    ``visible``: bars are drawn wide enough to be seen, however short they are.
    """

    y: Floats
    start: Floats
    end: Floats
    series: Sequence[Series]
    texts: tuple[str, ...] = ()
    height: float = 0.7
    tone: float = 1.0
    visible: bool = False


@dataclass(frozen=True)
class Tiles:
    """Rectangles around (x, y): coloured by a method, or by a shade from 0 to 1.

    ``unsure`` ones are hatched. ``texts`` are drawn inside, ``hints`` are tooltips.
    """

    x: Floats
    y: Floats
    width: float
    height: float
    series: tuple[Series, ...] = ()
    shade: Floats | None = None
    unsure: tuple[bool, ...] = ()
    texts: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A line across the panel at a value of x or y, with a label at its end."""

    at: float
    along: Literal["x", "y"] = "y"
    text: str = ""


@dataclass(frozen=True)
class Shade:
    """A grey part of the panel, from one x to another, where no conclusion is possible."""

    start: float
    end: float


Mark = Line | Band | Points | Bars | Tiles | Rule | Shade


@dataclass(frozen=True)
class Panel:
    """One pair of axes with the marks between them."""

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    title: str = ""

    @property
    def rows(self) -> int:
        """Number of categories of the vertical axis; 0 if it is numeric."""
        return len(self.y.categories) if self.y.kind == "category" else 0


@dataclass(frozen=True)
class Figure:
    """A figure with its title, caption and data.

    Attributes
    ----------
    name : str
        The name of its files, and its anchor in the page.
    title : str
        The finding that it shows.
    how : str
        The caption: how to read it, in a sentence or two.
    n : str
        The data it rests on: seeds, problems, trials.
    table : pandas.DataFrame
        The data behind it, as in its CSV.
    legend : tuple of int
        The positions of the methods in the legend.
    dashed : str
        The meaning of dashed lines.
    """

    name: str
    title: str
    how: str
    n: str
    panels: tuple[Panel, ...]
    table: pd.DataFrame = field(repr=False)
    legend: tuple[int, ...] = ()
    dashed: str = ""


T = TypeVar("T")


def readable(part: T) -> T:
    """Escape characters in a figure, or a part of one, that could reorder or hide the text around them.

    Strings come from studies: a control character would also make the SVG file unreadable.
    """
    if isinstance(part, str):
        return cast("T", printable(part))
    if isinstance(part, tuple):
        return cast("T", tuple(map(readable, part)))
    if not is_dataclass(part) or isinstance(part, type):
        return part
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    escaped = {name: readable(value) for name, value in values.items() if _holds_strings(value)}
    return cast("T", replace(part, **escaped))


def _holds_strings(value: object) -> bool:
    return isinstance(value, str | tuple) or (is_dataclass(value) and not isinstance(value, type))

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
        With its unit and its direction.
    kind : "linear", "log" or "category"
    limits : tuple of float, optional
        Default: what the marks need.
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
    """Points, with intervals along x where ``low`` and ``high`` are given.

    ``texts`` say what each point is, for who points at it. ``faint``: many points, drawn small.
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

    ``visible``: each can be seen, however short it is.
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

    ``unsure`` ones are hatched. ``texts`` stand inside, ``hints`` are for who points at them.
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
    """A line across the panel at a value of x or y, with a word at its end."""

    at: float
    along: Literal["x", "y"] = "y"
    text: str = ""


@dataclass(frozen=True)
class Shade:
    """A grey part of the panel, from one x to another, where nothing may be concluded."""

    start: float
    end: float


Mark = Line | Band | Points | Bars | Tiles | Rule | Shade


@dataclass(frozen=True)
class Panel:
    """One pair of axes with what is drawn between them."""

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    title: str = ""

    @property
    def rows(self) -> int:
        """Categories of the vertical axis; 0 where it has numbers."""
        return len(self.y.categories) if self.y.kind == "category" else 0


@dataclass(frozen=True)
class Figure:
    """A figure and all that is said of it.

    Attributes
    ----------
    name : str
        Of its files, and its place in the page.
    title : str
        What it shows to be so: the finding.
    how : str
        How to read it, one sentence.
    n : str
        What it rests on: seeds, problems, trials.
    panels : tuple of Panel
    table : pandas.DataFrame
        The data behind it, as in its CSV.
    legend : tuple of int
        The methods to explain.
    dashed : str
        What dashed lines are.
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
    """A figure, or a part of one, in whose texts nothing can reorder or hide what is around it.

    Texts come from studies: a control character would also make its SVG file unreadable.
    """
    if isinstance(part, str):
        return cast("T", printable(part))
    if isinstance(part, tuple):
        return cast("T", tuple(map(readable, part)))
    if not is_dataclass(part) or isinstance(part, type):
        return part
    texts = {field.name: getattr(part, field.name) for field in fields(part)}
    kept = {name: readable(value) for name, value in texts.items() if _holds_text(value)}
    return cast("T", replace(part, **kept))


def _holds_text(value: object) -> bool:
    return isinstance(value, str | tuple) or (is_dataclass(value) and not isinstance(value, type))

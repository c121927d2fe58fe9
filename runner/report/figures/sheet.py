"""The comparison behind all figures of a page, and the look of each method."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from runner.report.figures.marks import Axis, Band, Floats, Line, Mark
from runner.report.figures.offscale import Limit
from runner.report.figures.palette import Style
from runner.report.figures.scale import is_wide
from runner.results.frames import HUGE
from runner.results.stats import Comparison

LOWER = "lower is better"
REGRET = f"normalised regret, {LOWER}"


@dataclass(frozen=True)
class Sheet:
    """A comparison and the styles of its methods, by their positions."""

    comparison: Comparison
    styles: tuple[Style, ...]

    @cached_property
    def shown(self) -> list[str]:
        """The methods that are drawn, in the page's order; see `Comparison.foremost`."""
        return self.comparison.foremost

    @cached_property
    def legend(self) -> tuple[int, ...]:
        """The positions of the methods that are drawn."""
        return tuple(i for i, style in enumerate(self.styles) if style.name in set(self.shown))

    @property
    def names(self) -> list[str]:
        """All methods, in the page's order."""
        return [style.name for style in self.styles]

    @property
    def average(self) -> str:
        """The name of the average of regrets, capitalised."""
        return "Mean" if len(self.comparison.problems) == 1 else "Interquartile mean"

    def limit(self, problem: str, losses: bool = False) -> Limit:
        """The limit of penalties among a problem's values, in its own direction, or among its losses."""
        sign = 1.0 if losses else self.comparison.signs[problem]
        return Limit(min(HUGE, self.comparison.ceilings.get(problem, HUGE)), sign)

    def series(self, method: str) -> int | None:
        """Look up the position of a method; None for other names."""
        for i, style in enumerate(self.styles):
            if style.name == method:
                return i
        return None

    def by_method(self, frame: pd.DataFrame) -> Iterator[tuple[int, str, pd.DataFrame]]:
        """Yield (position, method, rows) of the methods in a frame that are drawn, in the page's order."""
        groups = dict(iter(frame[frame["method"].isin(self.shown)].groupby("method", sort=False)))
        for i in self.legend:
            name = self.styles[i].name
            if name in groups:
                yield i, name, groups[name]


def rests_on(frame: pd.DataFrame) -> str:
    """Write the number of problems and seeds behind a frame, for a caption."""
    if not len(frame):
        return "n = 0"
    problems, seeds = int(frame["problems"].max()), int(frame["seeds"].min())
    return f"n = {plural(problems, 'problem')} × {plural(seeds, 'seed')}."


def plural(n: int, what: str) -> str:
    """Write a number of things: 1 trial, 2 trials."""
    return f"{n:,} {what}".replace(",", "\u2009") if n == 1 else f"{n:,} {what}s".replace(",", "\u2009")


def floats(frame: pd.DataFrame, column: str) -> Floats:
    """Convert a column to floats, NaN where it is missing."""
    return frame[column].to_numpy(dtype=np.float64, na_value=math.nan)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert rows to mappings, None for missing values."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def value_axis(label: str, *columns: Floats) -> Axis:
    """Choose a log axis if all values are positive and far apart, else a linear one."""
    values = np.concatenate([np.ravel(column) for column in columns]) if columns else np.zeros(0)
    values = values[np.isfinite(values)]
    log = len(values) > 0 and is_wide(float(values.min()), float(values.max()))
    return Axis(label, "log" if log else "linear")


def curve(
    rows: pd.DataFrame,
    column: str,
    series: int | None,
    name: str,
    band: tuple[str, str] | None = None,
    step: bool = True,
    dashed: bool = False,
) -> list[Mark]:
    """Draw one method over the budget."""
    rows = rows.sort_values("budget", kind="stable")
    x = floats(rows, "budget")
    marks: list[Mark] = []
    if band is not None:
        marks.append(Band(x, floats(rows, band[0]), floats(rows, band[1]), series, step))
    marks.append(Line(x, floats(rows, column), series, name, step, dashed))
    return marks

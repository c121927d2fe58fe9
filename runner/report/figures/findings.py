"""Findings about methods for titles: which are lowest, which are level, and from which budget on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from runner._text import named
from runner.report.figures.scale import short

_EQUAL = 1e-12
"""Tolerance for values and regrets: sums in another order differ by less."""


def lowest(values: Mapping[str, float]) -> list[str]:
    """Find all names with the least value, in their order; names with NaN are left out."""
    known = {name: value for name, value in values.items() if not math.isnan(value)}
    if not known:
        return []
    least = min(known.values())
    return [
        name
        for name, value in known.items()
        if value == least or math.isclose(value, least, rel_tol=_EQUAL, abs_tol=_EQUAL)
    ]


def verb(names: Sequence[str], one: str, several: str) -> str:
    """Join methods with the verb form that agrees: a is, a and b are."""
    return f"{named(names)} {one if len(names) == 1 else several}"


def lead(wide: pd.DataFrame, unit: str) -> str:
    """Describe which curve is lowest at the end, since when, and which were level with it before.

    Parameters
    ----------
    wide : pandas.DataFrame
        One row per budget, ascending, up to the common budget; one column per method.
    unit : str
        The unit of the budget.
    """
    budgets = [short(float(budget)) for budget in wide.index]
    first = [lowest(dict(zip(wide.columns, row, strict=True))) for row in wide.to_numpy(dtype=np.float64)]
    at_end = first[-1]
    since = 1 + max((i for i, names in enumerate(first) if names != at_end), default=-1)
    if len(at_end) == len(wide.columns) > 1:
        return (
            f"All methods are level from {budgets[since]} {unit} on"
            if since
            else f"All methods are level over {unit}"
        )
    title = verb(at_end, "is lowest", "are level and lowest")
    if since == 0:
        return f"{title} throughout, over {unit}"
    level = since
    while level and set(at_end) < set(first[level - 1]):
        level -= 1
    title += f" from {budgets[since]} {unit} on"
    if level < since:
        others = named(_others(wide.columns, first[level:since], at_end))
        title += f", level with {others} {f'from {budgets[level]}' if level else 'before'}"
    return title


def _others(order: Iterable[str], sets: Iterable[Sequence[str]], without: Sequence[str]) -> list[str]:
    others = {name for names in sets for name in names} - set(without)
    return [name for name in order if name in others]

"""What titles say of methods: who is lowest, who is level with whom, and from when on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from runner._text import named
from runner.report.figures.scale import short

_EQUAL = 1e-12
"""Of values, and of regrets between 0 and 1: sums in another order differ by less."""


def lowest(values: Mapping[str, float]) -> list[str]:
    """All names with the least of some values, in their order; those without one take no part."""
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
    """The methods with the verb that suits their number: a is, a and b are."""
    return f"{named(names)} {one if len(names) == 1 else several}"


def lead(wide: pd.DataFrame, unit: str) -> str:
    """Who has the lowest curve at the end, since when, and who was level with it before.

    Parameters
    ----------
    wide : pandas.DataFrame
        One row per budget, ascending, as far as anything is compared; one column per method.
    unit : str
        Of the budget.
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
    said = verb(at_end, "is lowest", "are level and lowest")
    if since == 0:
        return f"{said} throughout, over {unit}"
    level = since
    while level and set(at_end) < set(first[level - 1]):
        level -= 1
    said += f" from {budgets[since]} {unit} on"
    if level < since:
        others = named(_others(wide.columns, first[level:since], at_end))
        said += f", level with {others} {f'from {budgets[level]}' if level else 'before'}"
    return said


def _others(order: Iterable[str], sets: Iterable[Sequence[str]], without: Sequence[str]) -> list[str]:
    found = {name for names in sets for name in names} - set(without)
    return [name for name in order if name in found]

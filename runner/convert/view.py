"""A space that methods can search, and what its configs stand for elsewhere.

Methods search numbers, strings, booleans and None within bounds. Other programs also choose among
objects (estimators, arrays, functions), draw from laws without bounds, and nest their configs. A
`View` holds both: the space, and the function from one of its configs to what the other program
would have made.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.domains import Choice, Domain, Float, Int, typed
from runner.errors import SpaceError, clip
from runner.space import Config, Space

Read = Callable[[Any], Any]
"""From the value of a parameter to what it stands for."""

QUANTILE = " (quantile)"
"""Ends the name of a parameter whose values are quantiles of a law."""
ROUNDED = " (before rounding)"
"""Ends the name of a parameter whose values are rounded to a step that has no even law."""
_TAIL = 1e-6  # of an unbounded law is cut off at either end
_SLACK = 1e-9
_MOST_CHARACTERS = 40
_ORDERED = 3  # so many numbers in a row are steps of a scale; two are two options


@dataclass(frozen=True)
class View:
    """A space and what its configs stand for.

    Attributes
    ----------
    space : Space
    native : callable
        From a config of the space to what it stands for.
    """

    space: Space
    native: Callable[[Config], Any]


def itself(value: Any) -> Any:
    """What a value stands for, where it is plain."""
    return value


def options(given: Sequence[Any], name: str) -> tuple[Domain, Read]:
    """A domain for a list of options of any kind, and how it is read.

    Plain values stand for themselves. Of a list with others each option is named by its position
    and its text. Three or more numbers in ascending or descending order are steps of a scale, so
    that a method may see that the third lies between the second and the fourth.

    Parameters
    ----------
    given : sequence
        With repeats, which are left out.
    name : str
        What errors call it.

    Raises
    ------
    SpaceError
        Where there is none.
    """
    values = [value.item() if isinstance(value, np.generic) else value for value in given]
    if not all(map(_plain, values)):
        labels = [value if _plain(value) else _label(i, value) for i, value in enumerate(values)]
        meant = dict(zip(map(typed, labels), given, strict=True))
        return _choice(labels, name), lambda value: meant[typed(value)]
    if len(values) >= _ORDERED and _ordered(values):
        return Int(0, len(values) - 1), lambda index: given[index]
    return _choice(values, name), itself


def _choice(values: Sequence[Any], name: str) -> Choice:
    try:
        return Choice(list({typed(value): value for value in values}.values()))
    except SpaceError as error:
        raise error.at(name) from None


def _plain(value: object) -> bool:
    # NaN equals nothing, so that as an option it has to be an object.
    return type(value) in (str, int, float, bool, type(None)) and value == value


def _ordered(values: Sequence[Any]) -> bool:
    if any(type(value) not in (int, float) for value in values):
        return False
    steps = [b > a for a, b in itertools.pairwise(values)]
    distinct = len(set(values)) == len(values)
    return distinct and (all(steps) or not any(steps))


def _label(position: int, value: object) -> str:
    try:
        text = " ".join(repr(value).split())
    except Exception:  # whatever an object's own repr raises
        text = type(value).__name__
    return f"[{position}] {clip(text, _MOST_CHARACTERS)}"


def quantiles(law: Any) -> tuple[Domain, Read]:
    """A domain for a law that is known by its quantiles (``ppf``), and how it is read.

    Parameters
    ----------
    law : object
        With ``ppf``, as scipy's frozen distributions have it. Of an unbounded end a millionth of the
        probability is cut off. Whole numbers are read as such.
    """
    ends = (law.ppf(0.0), law.ppf(1.0))
    low, high = (
        end if math.isfinite(limit) else abs(end - _TAIL) for end, limit in zip((0.0, 1.0), ends, strict=True)
    )
    whole = hasattr(getattr(law, "dist", None), "pmf")

    def read(u: Any) -> float | int:
        value = float(law.ppf(u))
        # The mass of a discrete law's first value begins at 0, where ppf gives the one before it.
        return int(max(value, law.support()[0])) if whole else value

    return Float(low, high), read


def bell(mean: float, deviation: float) -> Any:
    """A normal distribution, for `quantiles`."""
    from scipy import stats  # most of a second, which few spaces need

    return stats.norm(mean, deviation)


def rounded(value: float, q: float | None, low: float = -math.inf, high: float = math.inf) -> float:
    """The multiple of ``q`` that is nearest, of those between two ends; the value where ``q`` is None."""
    if q is None:
        return float(value)
    steps = round(value / q)
    steps = max(steps, math.ceil(low / q - _SLACK)) if math.isfinite(low) else steps
    steps = min(steps, math.floor(high / q + _SLACK)) if math.isfinite(high) else steps
    return float(f"{steps * q:.12g}")

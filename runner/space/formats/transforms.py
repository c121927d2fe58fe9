"""Transforms for distributions of other libraries that have no domain here.

A transform maps a value of the parameter's domain to its native value (`read`) and back (`invert`).
An unbounded distribution is searched by its quantiles, a rounding one by the value before rounding,
and a scale by the position on it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

from runner.errors import SpaceError
from runner.space.domains import Choice, Domain, Float, Int, same

QUANTILE = " (quantile)"
"""Suffix of the name of a parameter whose values are probabilities, mapped to quantiles."""
ROUNDED = " (before rounding)"
"""Suffix of the name of a parameter whose values are rounded to multiples that are not equally likely."""
_TAIL = 1e-6  # probability cut off at an unbounded end: 4.75 standard deviations of a normal one
_SLACK = 1e-9  # rounding error, in steps
_MIN_SCALE = 3  # ascending numbers that make a scale; two are two options


class Transform(Protocol):
    """A mapping between the values of a domain and native values."""

    def read(self, value: Any) -> Any:
        """Map a value of the domain to its native value."""

    def invert(self, native: Any) -> Any:
        """Map a native value to a value, possibly outside the domain; SpaceError if it is not a number."""


@dataclass(frozen=True)
class Normal:
    """A normal distribution, as scipy.stats takes most of a second to import."""

    mean: float
    deviation: float

    def ppf(self, u: float) -> float:
        """Return the quantile of a probability."""
        from scipy.special import ndtri

        return float(self.mean + self.deviation * ndtri(u))

    def cdf(self, x: float) -> float:
        """Return the probability of a smaller value."""
        from scipy.special import ndtr

        return float(ndtr((x - self.mean) / self.deviation))


@dataclass(frozen=True)
class Quantile:
    """A distribution with known quantiles.

    Parameters
    ----------
    distribution : object
        With ``cdf`` and ``ppf``, like scipy's frozen distributions, or ``icdf``, like its newer ones.
    log : bool, default False
        The distribution is that of the logarithm.
    q : float, optional
        Values are rounded to multiples of it.
    """

    distribution: Any
    log: bool = False
    q: float | None = None

    @property
    def domain(self) -> Domain:
        """The probabilities, less a millionth at each unbounded end."""
        bounds = ((0.0, self._ppf(0.0)), (1.0, self._ppf(1.0)))
        low, high = (u if math.isfinite(x) else abs(u - _TAIL) for u, x in bounds)
        return Float(low, high)

    def read(self, value: Any) -> float | int:
        """Return the quantile; an integer if the distribution is discrete."""
        x = self._ppf(value)
        if self._discrete:
            # At probability 0, ppf of a discrete distribution is the value below the first one.
            return int(max(x, self.distribution.support()[0]))
        return rounded(_exp(x) if self.log else x, self.q)

    def invert(self, native: Any) -> float:
        """Return the probability of a smaller value; for a discrete distribution the middle of the step."""
        x = _number(native)
        if self._discrete:
            return float(self.distribution.cdf(x - 1) + self.distribution.cdf(x)) / 2
        if self.log:
            x = math.log(x) if x > 0 else -math.inf
        return float(self.distribution.cdf(x))

    @property
    def _discrete(self) -> bool:
        if not hasattr(self.distribution, "ppf"):  # scipy's newer distributions
            return any(base.__name__ == "DiscreteDistribution" for base in type(self.distribution).__mro__)
        return hasattr(getattr(self.distribution, "dist", self.distribution), "pmf")

    def _ppf(self, u: float) -> float:
        return float(
            (self.distribution.ppf if hasattr(self.distribution, "ppf") else self.distribution.icdf)(u)
        )


@dataclass(frozen=True)
class Rounded:
    """A number that is rounded to a multiple of a step between two bounds.

    Parameters
    ----------
    low, high : float
        Infinite if a bound may be rounded to a multiple outside the range, as in hyperopt.
    integer : bool, default False
        Convert the result to int.
    """

    q: float
    low: float = -math.inf
    high: float = math.inf
    integer: bool = False

    def read(self, value: Any) -> float | int:
        """Return the nearest multiple."""
        multiple = rounded(value, self.q, self.low, self.high)
        return int(multiple) if self.integer else multiple

    def invert(self, native: Any) -> float:
        """Return the number itself."""
        return _number(native)


@dataclass(frozen=True)
class Scale:
    """An ordered list of numbers, searched by position, so that a method sees which are adjacent."""

    values: tuple[Any, ...]

    def read(self, value: Any) -> Any:
        """Return the number at a position."""
        return self.values[value]

    def invert(self, native: Any) -> int:
        """Return the position of a number."""
        for position, value in enumerate(self.values):
            if same(value, native) or value == native:
                return position
        raise SpaceError(f"expected one of {list(self.values)}, got {native!r}.")


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _number(native: object) -> float:
    if isinstance(native, bool) or not isinstance(native, Real):
        raise SpaceError(f"expected a number, got {native!r}.")
    return float(native)


def rounded(value: float, q: float | None, low: float = -math.inf, high: float = math.inf) -> float:
    """Round to the nearest multiple of ``q`` between two bounds; return the value if ``q`` is None."""
    if q is None or not math.isfinite(value):
        return float(value)
    steps = round(value / q)
    steps = max(steps, math.ceil(low / q - _SLACK)) if math.isfinite(low) else steps
    steps = min(steps, math.floor(high / q + _SLACK)) if math.isfinite(high) else steps
    return float(f"{steps * q:.12g}")


def multiples(kind: type[Float] | type[Int], low: float, high: float, step: float) -> Domain:
    """Make a domain of the multiples of a step from ``low`` to ``high``; a `Choice` if there is only one.

    Raises
    ------
    SpaceError
        If there is none, the step is not positive, or it is not an integer for an `Int`.
    """
    if step <= 0:
        raise SpaceError(f"expected a positive step, got {step}.")
    first, last = math.ceil(low / step - _SLACK), math.floor(high / step + _SLACK)
    if first > last:
        raise SpaceError(f"there is no multiple of {step} between {low} and {high}.")
    if kind is Int:
        if int(step) != step:
            raise SpaceError(f"expected an integer as the step, got {step}.")
        bounds = (first * int(step), last * int(step))
        return Choice(bounds[:1]) if first == last else Int(*bounds, step=None if step == 1 else int(step))
    low, high = (float(f"{i * step:.12g}") for i in (first, last))
    return Choice([low]) if first == last else Float(low, high, step=step)


def in_order(values: Sequence[Any]) -> bool:
    """Check for three or more distinct numbers in ascending or descending order."""
    if len(values) < _MIN_SCALE or any(type(value) not in (int, float) for value in values):
        return False
    rising = [b > a for a, b in itertools.pairwise(values)]
    return len(set(values)) == len(values) and (all(rising) or not any(rising))

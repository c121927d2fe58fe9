"""What the value of a parameter means where the other program's distribution has no domain here.

A transform reads a value of the parameter's domain (`read`) and finds the value that means
something (`place`). A distribution without bounds is searched by its quantiles, one that rounds by
what it rounds, and a scale by the position on it.
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
"""Ends the name of a parameter whose values are quantiles of a distribution."""
ROUNDED = " (before rounding)"
"""Ends the name of a parameter whose values are rounded to multiples that are not equally likely."""
_TAIL = 1e-6  # the probability that is cut off at an unbounded end: 4.75 deviations of a normal one
_SLACK = 1e-9  # of a step: a rounding error
_ORDERED = 3  # so many numbers in a row are steps of a scale; two are two options


class Transform(Protocol):
    """From the values of a domain to what they mean, and back."""

    def read(self, value: Any) -> Any:
        """What a value of the domain means."""

    def place(self, meant: Any) -> Any:
        """The value that means something, perhaps beyond the domain; SpaceError for no number."""


@dataclass(frozen=True)
class Bell:
    """A normal distribution, by its quantiles; scipy.stats would take most of a second to import.

    Parameters
    ----------
    mean, deviation : float
    """

    mean: float
    deviation: float

    def ppf(self, u: float) -> float:
        """The quantile of a probability."""
        from scipy.special import ndtri

        return float(self.mean + self.deviation * ndtri(u))

    def cdf(self, x: float) -> float:
        """The probability of less."""
        from scipy.special import ndtr

        return float(ndtr((x - self.mean) / self.deviation))


@dataclass(frozen=True)
class Quantile:
    """A distribution that is known by its quantiles.

    Parameters
    ----------
    distribution : object
        With ``ppf`` and ``cdf``, as scipy's frozen distributions have them (or ``icdf``, as its
        newer ones do).
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
        """The probabilities; of an unbounded end a millionth is cut off."""
        ends = ((0.0, self._ppf(0.0)), (1.0, self._ppf(1.0)))
        low, high = (end if math.isfinite(limit) else abs(end - _TAIL) for end, limit in ends)
        return Float(low, high)

    def read(self, value: Any) -> float | int:
        """The quantile; an integer where the distribution is discrete."""
        x = self._ppf(value)
        if self._discrete:
            # The mass of a discrete distribution's first value begins at 0, where ppf gives the one before.
            return int(max(x, self.distribution.support()[0]))
        return rounded(_exp(x) if self.log else x, self.q)

    def place(self, meant: Any) -> float:
        """The probability of less; the middle of the step of a discrete distribution."""
        x = _number(meant)
        if self._discrete:
            return float(self.distribution.cdf(x - 1) + self.distribution.cdf(x)) / 2
        if self.log:
            x = math.log(x) if x > 0 else -math.inf
        return float(self.distribution.cdf(x))

    @property
    def _discrete(self) -> bool:
        if not hasattr(self.distribution, "ppf"):  # of scipy's newer distributions
            return any(base.__name__ == "DiscreteDistribution" for base in type(self.distribution).__mro__)
        return hasattr(getattr(self.distribution, "dist", self.distribution), "pmf")

    def _ppf(self, u: float) -> float:
        return float(
            (self.distribution.ppf if hasattr(self.distribution, "ppf") else self.distribution.icdf)(u)
        )


@dataclass(frozen=True)
class Rounded:
    """A number that is rounded to a multiple of a step, of those between two ends.

    Parameters
    ----------
    q : float
    low, high : float
        Infinite where a multiple outside the range may be that of its end, as in hyperopt.
    whole : bool, default False
        Whether it is an integer.
    """

    q: float
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False

    def read(self, value: Any) -> float | int:
        """The nearest multiple."""
        found = rounded(value, self.q, self.low, self.high)
        return int(found) if self.whole else found

    def place(self, meant: Any) -> float:
        """The number itself."""
        return _number(meant)


@dataclass(frozen=True)
class Scale:
    """A list of numbers in order: a method sees positions, so that it knows what lies between.

    Parameters
    ----------
    values : tuple
    """

    values: tuple[Any, ...]

    def read(self, value: Any) -> Any:
        """The number at a position."""
        return self.values[value]

    def place(self, meant: Any) -> int:
        """The position of a number."""
        for position, value in enumerate(self.values):
            if same(value, meant) or value == meant:
                return position
        raise SpaceError(f"value {meant!r} is none of {list(self.values)}.")


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _number(meant: object) -> float:
    if isinstance(meant, bool) or not isinstance(meant, Real):
        raise SpaceError(f"expected a number, got {meant!r}.")
    return float(meant)


def rounded(value: float, q: float | None, low: float = -math.inf, high: float = math.inf) -> float:
    """The multiple of ``q`` that is nearest, of those between two ends; the value where there is none."""
    if q is None or not math.isfinite(value):
        return float(value)
    steps = round(value / q)
    steps = max(steps, math.ceil(low / q - _SLACK)) if math.isfinite(low) else steps
    steps = min(steps, math.floor(high / q + _SLACK)) if math.isfinite(high) else steps
    return float(f"{steps * q:.12g}")


def multiples(kind: type[Float] | type[Int], low: float, high: float, step: float) -> Domain:
    """The multiples of a step from ``low`` to ``high``, both included; a `Choice` where it is one.

    Raises
    ------
    SpaceError
        Where there is none, the step is not above 0, or integers are wanted and it is none.
    """
    if step <= 0:
        raise SpaceError(f"the step is {step}; more than 0 was expected.")
    first, last = math.ceil(low / step - _SLACK), math.floor(high / step + _SLACK)
    if first > last:
        raise SpaceError(f"no multiple of {step} lies between {low} and {high}.")
    if kind is Int:
        if int(step) != step:
            raise SpaceError(f"the step is {step}; an integer was expected.")
        ends = (first * int(step), last * int(step))
        return Choice(ends[:1]) if first == last else Int(*ends, step=None if step == 1 else int(step))
    low, high = (float(f"{i * step:.12g}") for i in (first, last))
    return Choice([low]) if first == last else Float(low, high, step=step)


def in_order(values: Sequence[Any]) -> bool:
    """Whether the values are three or more distinct numbers in ascending or descending order."""
    if len(values) < _ORDERED or any(type(value) not in (int, float) for value in values):
        return False
    rising = [b > a for a, b in itertools.pairwise(values)]
    return len(set(values)) == len(values) and (all(rising) or not any(rising))

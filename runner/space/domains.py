"""Domains of a hyper-parameter: `Float`, `Int`, `Choice`.

A domain maps its values to [0, 1] and back; no other code handles logarithms, steps, rounding or
categories. A domain with finitely many values numbers them as *levels* 0, 1, ...; each level has an
interval of [0, 1], so that a uniform draw from [0, 1] decodes to a uniform distribution (of the
logarithm, if ``log`` is set), and encodes as the middle of its interval.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np

from runner.errors import SpaceError
from runner.space.ranges import (
    as_list,
    check_float_range,
    check_int_range,
    check_range,
    describe_range,
    even_level,
    even_log_int,
    even_place,
    most_floats,
    read_float,
    read_int,
)

Value = str | int | float | bool | None
Params = tuple[tuple[str, "Domain"], ...]

# Tolerances for rounding errors, e.g. of values that were written with 12 digits and read again.
_SLACK = 1e-9  # past a bound, relative to the range
_OFF_STEP = 1e-6  # from a multiple of the step, in steps


def typed(value: object) -> tuple[str, object]:
    """Pair a value with its type's name, so that 1, 1.0 and True are three values."""
    return type(value).__name__, value


def same(a: object, b: object) -> bool:
    """Check that two values are equal and of one type."""
    return typed(a) == typed(b)


class Domain(ABC):
    """The values that a hyper-parameter may take; use `Float`, `Int` or `Choice`."""

    def __getstate__(self) -> dict[str, object]:
        # Without cached properties: using a domain must not change its pickle, since scikit-learn and
        # joblib compare pickles.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]

    @property
    @abstractmethod
    def levels(self) -> int | None:
        """Number of values, or None if continuous."""

    @abstractmethod
    def encode(self, value: Value) -> float:
        """Map a value to its position in [0, 1]; SpaceError if it is not in the domain."""

    @abstractmethod
    def decode(self, u: float) -> Value:
        """Map a position in [0, 1] to its value; positions outside are clipped."""

    @abstractmethod
    def level(self, index: int) -> Value:
        """Return the value of a level; TypeError if continuous."""

    @property
    @abstractmethod
    def most_points(self) -> int:
        """Maximum number of distinct evenly spaced points; for categories always all of them."""

    @abstractmethod
    def point(self, index: int, count: int) -> Value:
        """Return one of ``count`` evenly spaced values (log-aware), including both bounds.

        A single point is the middle; ``count`` is at most `most_points`.
        """

    @abstractmethod
    def index(self, value: object) -> int:
        """Return the level of a value; TypeError if continuous, SpaceError if not in the domain."""

    @abstractmethod
    def canonical(self, value: object) -> Value:
        """Convert a value to the domain's type and grid; SpaceError if it is not in the domain."""

    @abstractmethod
    def describe(self) -> dict[str, object]:
        """Return the form of a study file (see `runner.space.formats.parse_space`)."""


@dataclass(frozen=True)
class Float(Domain):
    """A real number between two bounds, both included.

    Parameters
    ----------
    low, high : float
        The bounds; ``low < high``.
    log : bool, default False
        Uniform in the logarithm; needs ``low > 0``.
    step : float, optional
        Only ``low, low + step, ...`` up to ``high``; not with ``log``.

    Raises
    ------
    SpaceError
        If bounds, log and step are inconsistent.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", read_float(self.low, "low"))
        object.__setattr__(self, "high", read_float(self.high, "high"))
        if self.step is not None:
            object.__setattr__(self, "step", read_float(self.step, "step"))
        check_range(self.low, self.high, self.log, self.step)
        check_float_range(self.low, self.high, self.log, self.step)

    @cached_property
    def levels(self) -> int | None:
        if self.step is None:
            return None
        return math.floor((self.high - self.low) / self.step + _SLACK) + 1

    def encode(self, value: Value) -> float:
        x = self.canonical(value)
        if self.levels is not None:
            return (self._nearest(x) + 0.5) / self.levels
        if self.log:
            return math.log(x / self.low) / math.log(self.high / self.low)
        return (x - self.low) / (self.high - self.low)

    def decode(self, u: float) -> float:
        u = min(max(float(u), 0.0), 1.0)
        if self.levels is not None:
            return self.level(min(int(u * self.levels), self.levels - 1))
        if u in (0.0, 1.0):
            return self.low if u == 0.0 else self.high
        x = self.low * (self.high / self.low) ** u if self.log else self.low + u * (self.high - self.low)
        return min(max(x, self.low), self.high)

    def level(self, index: int) -> float:
        low, step = self._decimals
        x = float(low + index * step)
        return self.high if abs(x - self.high) <= _SLACK * float(step) else x

    @property
    def most_points(self) -> int:
        return most_floats(self.low, self.high, self.log) if self.levels is None else self.levels

    def point(self, index: int, count: int) -> float:
        if self.levels is not None:
            return self.level(even_level(index, count, self.levels))
        last = count - 1
        if self.log or last == 0 or not math.isfinite(last * max(abs(self.low), abs(self.high))):
            return self.decode(even_place(index, count))
        if index in (0, last):
            return self.low if index == 0 else self.high
        # From -5 to 5 the 7th of 11 points is exactly 1.0, which a sum of steps would miss by rounding.
        return (self.low * (last - index) + self.high * index) / last

    def canonical(self, value: object) -> float:
        x = read_float(value, "value")
        if not self.low <= x <= self.high:
            bound = self.low if x < self.low else self.high
            if abs(x - bound) > _SLACK * (bound if self.log else self.high - self.low):
                raise SpaceError(f"expected a value from {self.low} to {self.high}, got {x}.")
            x = bound
        if self.step is None:
            return x
        level = self.level(self._nearest(x))
        if abs(level - x) > _OFF_STEP * self.step:
            raise SpaceError(f"expected {self.low} plus a multiple of {self.step}, got {x}.")
        return level

    def index(self, value: object) -> int:
        return self._nearest(self.canonical(value))

    def describe(self) -> dict[str, object]:
        return describe_range("float", self.low, self.high, self.log, self.step)

    @cached_property
    def _decimals(self) -> tuple[Decimal, Decimal]:
        """Low and step as decimals, so that 0.1 + 2 * 0.1 is 0.3."""
        if self.step is None:
            raise TypeError("a continuous Float has no levels")
        return Decimal(repr(self.low)), Decimal(repr(self.step))

    def _nearest(self, x: float) -> int:
        if self.step is None or self.levels is None:
            raise TypeError("a continuous Float has no levels")
        return min(round((x - self.low) / self.step), self.levels - 1)


@dataclass(frozen=True)
class Int(Domain):
    """An integer between two bounds, both included.

    Parameters
    ----------
    low, high : int
        The bounds; ``low < high``.
    log : bool, default False
        Uniform in the logarithm; needs ``low >= 1``.
    step : int, optional
        Only ``low, low + step, ...`` up to ``high``; not with ``log``.

    Raises
    ------
    SpaceError
        If bounds, log and step are inconsistent.
    """

    low: int
    high: int
    log: bool = False
    step: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", read_int(self.low, "low"))
        object.__setattr__(self, "high", read_int(self.high, "high"))
        if self.step is not None:
            object.__setattr__(self, "step", read_int(self.step, "step"))
        check_range(self.low, self.high, self.log, self.step)
        check_int_range(self.low, self.high, self.log, self.step)

    @cached_property
    def levels(self) -> int:
        return (self.high - self.low) // (self.step or 1) + 1

    def encode(self, value: Value) -> float:
        x = self.canonical(value)
        if not self.log:
            return (self.index(x) + 0.5) / self.levels
        a, b = self._log_bounds
        return ((math.log(x - 0.5) + math.log(x + 0.5)) / 2 - a) / (b - a)

    def decode(self, u: float) -> int:
        u = min(max(float(u), 0.0), 1.0)
        if not self.log:
            return self.level(min(int(u * self.levels), self.levels - 1))
        a, b = self._log_bounds
        return min(max(math.floor(math.exp(a + u * (b - a)) + 0.5), self.low), self.high)

    def level(self, index: int) -> int:
        return self.low + index * (self.step or 1)

    @property
    def most_points(self) -> int:
        return self.levels

    def point(self, index: int, count: int) -> int:
        if self.log:
            return even_log_int(index, count, self.low, self.high)
        return self.level(even_level(index, count, self.levels))

    def canonical(self, value: object) -> int:
        x = read_int(value, "value")
        if not self.low <= x <= self.high:
            raise SpaceError(f"expected a value from {self.low} to {self.high}, got {x}.")
        if (x - self.low) % (self.step or 1):
            raise SpaceError(f"expected {self.low} plus a multiple of {self.step}, got {x}.")
        return x

    def index(self, value: object) -> int:
        return (self.canonical(value) - self.low) // (self.step or 1)

    def describe(self) -> dict[str, object]:
        return describe_range("int", self.low, self.high, self.log, self.step)

    @cached_property
    def _log_bounds(self) -> tuple[float, float]:
        return math.log(self.low - 0.5), math.log(self.high + 0.5)


@dataclass(frozen=True, init=False, eq=False)
class Choice(Domain):
    """One of several values, each optionally with conditional hyper-parameters.

    Parameters
    ----------
    options : sequence, array or mapping
        The values (strings, numbers, booleans or None) in a list, tuple, range or array; or a mapping
        from each value to the parameters that exist only if it is chosen: a ``{name: domain}`` dict,
        or an empty one or None for no parameters.

    Raises
    ------
    SpaceError
        If there is no option, a duplicate one, or one that is not a scalar.
    """

    options: tuple[Value, ...]
    branches: tuple[Params, ...]

    def __init__(self, options: Sequence[Value] | Mapping[Value, Mapping[str, Domain] | None]) -> None:
        values = list(options) if isinstance(options, Mapping) else as_list(options)
        if values is None:
            raise SpaceError(f"expected a list or mapping of options, got {options!r}.")
        if not values:
            raise SpaceError("expected at least one option, got none.")
        subspaces = list(options.values()) if isinstance(options, Mapping) else [None] * len(values)
        object.__setattr__(self, "options", tuple(_scalar(value) for value in values))
        object.__setattr__(self, "branches", tuple(_branch(sub) for sub in subspaces))
        if len(self._level_of) < len(self.options):
            duplicate = next(v for i, v in enumerate(self.options) if self._level_of[typed(v)] != i)
            raise SpaceError(f"duplicate option {duplicate!r}.")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Choice):
            return NotImplemented
        return [*self._level_of] == [*other._level_of] and self.branches == other.branches

    def __hash__(self) -> int:
        return hash((self.options, self.branches))

    @property
    def levels(self) -> int:
        return len(self.options)

    @cached_property
    def _level_of(self) -> dict[tuple[str, object], int]:
        return {typed(value): i for i, value in enumerate(self.options)}

    @property
    def conditional(self) -> bool:
        """True if an option has conditional parameters."""
        return any(self.branches)

    def encode(self, value: Value) -> float:
        return (self.index(value) + 0.5) / self.levels

    def decode(self, u: float) -> Value:
        return self.options[min(max(int(u * self.levels), 0), self.levels - 1)]

    def level(self, index: int) -> Value:
        return self.options[index]

    @property
    def most_points(self) -> int:
        return self.levels

    def point(self, index: int, count: int) -> Value:
        del count  # leaving categories out would not be a coarser grid
        return self.options[index]

    def canonical(self, value: object) -> Value:
        return self.options[self.index(value)]

    def index(self, value: object) -> int:
        """Return the level of a value; SpaceError if it is not an option."""
        scalar = value.item() if isinstance(value, np.generic) else value
        try:
            return self._level_of[typed(scalar)]
        except (KeyError, TypeError):  # a TypeError is an unhashable value
            raise SpaceError(f"expected one of {list(self.options)}, got {value!r}.") from None

    def describe(self) -> dict[str, object]:
        if not self.conditional:
            return {"choice": list(self.options)}
        subs = [{name: domain.describe() for name, domain in branch} for branch in self.branches]
        return {"choice": dict(zip(self.options, subs, strict=True))}


def _scalar(value: object) -> Value:
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) not in (str, int, float, bool, type(None)):
        raise SpaceError(
            "expected strings, numbers, booleans or null as options, "
            f"got {value!r}, a {type(value).__name__}.",
            hint="Choose by a name, and build the object from it in the objective.",
        )
    if value != value:
        raise SpaceError("an option cannot be NaN, which is not equal to itself.", hint="Use null.")
    return value  # type: ignore[return-value]


def _branch(sub: Mapping[str, Domain] | None) -> Params:
    if sub is not None and not isinstance(sub, Mapping):
        raise SpaceError(f"expected a mapping of an option's parameters, got {sub!r}.")
    return tuple((sub or {}).items())

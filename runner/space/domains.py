"""What one hyper-parameter may be: `Float`, `Int`, `Choice`.

A domain maps its values to [0, 1] and back, and nothing else in the program knows about logs,
steps, rounding or categories. A domain with finitely many values numbers them as *levels*
0, 1, ...; each level owns an interval of [0, 1], so that a uniform draw of [0, 1] decodes to the
uniform law (of the logarithm, where ``log`` is set), and encodes as the middle of its interval.
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

_SLACK = 1e-9  # how far past an end a value may lie and still be taken for it: a rounding error
_OFF_STEP = 1e-6  # how far from a step, in steps


def typed(value: object) -> tuple[str, object]:
    """A value with its type's name: equal exactly where two values are one (1, 1.0, True are three)."""
    return type(value).__name__, value


def same(a: object, b: object) -> bool:
    """Whether two values are one value: of one type and equal (so 1, 1.0 and True are three)."""
    return typed(a) == typed(b)


class Domain(ABC):
    """The values that a hyper-parameter may take; use `Float`, `Int` or `Choice`."""

    def __getstate__(self) -> dict[str, object]:
        # Without what is remembered: a domain that was used is the same as one that was not, also to
        # who compares pickles, as scikit-learn and joblib do.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]

    @property
    @abstractmethod
    def levels(self) -> int | None:
        """How many values there are, or None for a continuum."""

    @abstractmethod
    def encode(self, value: Value) -> float:
        """The value's place in [0, 1]; raises SpaceError where it is not in the domain."""

    @abstractmethod
    def decode(self, u: float) -> Value:
        """The value at a place in [0, 1]; places outside are taken as the nearest end."""

    @abstractmethod
    def level(self, index: int) -> Value:
        """The value of a level; TypeError for a continuum."""

    @property
    @abstractmethod
    def most_points(self) -> int:
        """The number of evenly spread points that are distinct; categories have all of theirs."""

    @abstractmethod
    def point(self, index: int, count: int) -> Value:
        """One of that many evenly spread values (log-aware), both ends included; a single one is the middle.

        Parameters
        ----------
        index : int
            0, 1, ...
        count : int
            `most_points` at the most.
        """

    @abstractmethod
    def index(self, value: object) -> int:
        """The level of a value; TypeError for a continuum, SpaceError where it is not in the domain."""

    @abstractmethod
    def canonical(self, value: object) -> Value:
        """The value as this domain writes it; raises SpaceError where it is not in it."""

    @abstractmethod
    def describe(self) -> dict[str, object]:
        """The form that a study file would have (see `runner.space.formats.parse_space`)."""


@dataclass(frozen=True)
class Float(Domain):
    """A real number between two ends, both included.

    Parameters
    ----------
    low, high : float
        The ends; ``low < high``.
    log : bool, default False
        Spread evenly in the logarithm; needs ``low > 0``.
    step : float, optional
        Only ``low, low + step, ...`` up to ``high``; not together with ``log``.

    Raises
    ------
    SpaceError
        Where the ends, the log or the step do not fit together.
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
        # -5 to 5 in 11 points meets 1.0, which a sum of steps would miss by rounding.
        return (self.low * (last - index) + self.high * index) / last

    def canonical(self, value: object) -> float:
        x = read_float(value, "value")
        if not self.low <= x <= self.high:
            end = self.low if x < self.low else self.high
            if abs(x - end) > _SLACK * (end if self.log else self.high - self.low):
                raise SpaceError(f"value {x} is outside {self.low} to {self.high}.")
            x = end
        if self.step is None:
            return x
        level = self.level(self._nearest(x))
        if abs(level - x) > _OFF_STEP * self.step:
            raise SpaceError(f"value {x} is not on the grid from {self.low} in steps of {self.step}.")
        return level

    def index(self, value: object) -> int:
        return self._nearest(self.canonical(value))

    def describe(self) -> dict[str, object]:
        return describe_range("float", self.low, self.high, self.log, self.step)

    @cached_property
    def _decimals(self) -> tuple[Decimal, Decimal]:
        """Low and step as written, so that 0.1 + 2 * 0.1 reads 0.3."""
        if self.step is None:
            raise TypeError("a continuous Float has no levels")
        return Decimal(repr(self.low)), Decimal(repr(self.step))

    def _nearest(self, x: float) -> int:
        if self.step is None or self.levels is None:
            raise TypeError("a continuous Float has no levels")
        return min(round((x - self.low) / self.step), self.levels - 1)


@dataclass(frozen=True)
class Int(Domain):
    """A whole number between two ends, both included.

    Parameters
    ----------
    low, high : int
        The ends; ``low < high``.
    log : bool, default False
        Spread evenly in the logarithm; needs ``low >= 1``.
    step : int, optional
        Only ``low, low + step, ...`` up to ``high``; not together with ``log``.

    Raises
    ------
    SpaceError
        Where the ends, the log or the step do not fit together.
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
        a, b = self._log_ends
        return ((math.log(x - 0.5) + math.log(x + 0.5)) / 2 - a) / (b - a)

    def decode(self, u: float) -> int:
        u = min(max(float(u), 0.0), 1.0)
        if not self.log:
            return self.level(min(int(u * self.levels), self.levels - 1))
        a, b = self._log_ends
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
            raise SpaceError(f"value {x} is outside {self.low} to {self.high}.")
        if (x - self.low) % (self.step or 1):
            raise SpaceError(f"value {x} is not on the grid from {self.low} in steps of {self.step}.")
        return x

    def index(self, value: object) -> int:
        return (self.canonical(value) - self.low) // (self.step or 1)

    def describe(self) -> dict[str, object]:
        return describe_range("int", self.low, self.high, self.log, self.step)

    @cached_property
    def _log_ends(self) -> tuple[float, float]:
        return math.log(self.low - 0.5), math.log(self.high + 0.5)


@dataclass(frozen=True, init=False, eq=False)
class Choice(Domain):
    """One of several values, each perhaps with hyper-parameters of its own.

    Parameters
    ----------
    options : sequence, array or mapping
        The values (strings, numbers, booleans or None) in a list of any kind, a range or an array;
        or a mapping from each value to the parameters that exist only where it is chosen: a
        ``{name: domain}`` dict, or an empty one or None for a value that has none.

    Raises
    ------
    SpaceError
        Where there is no option, an option comes twice or is not a scalar.
    """

    options: tuple[Value, ...]
    branches: tuple[Params, ...]

    def __init__(self, options: Sequence[Value] | Mapping[Value, Mapping[str, Domain] | None]) -> None:
        values = list(options) if isinstance(options, Mapping) else as_list(options)
        if values is None:
            raise SpaceError(f"the options are {options!r}; a list or a mapping was expected.")
        if not values:
            raise SpaceError("there is no option.", hint="Give at least one value.")
        subspaces = list(options.values()) if isinstance(options, Mapping) else [None] * len(values)
        object.__setattr__(self, "options", tuple(_scalar(value) for value in values))
        object.__setattr__(self, "branches", tuple(_branch(sub) for sub in subspaces))
        if len(self._level_of) < len(self.options):
            twice = next(v for i, v in enumerate(self.options) if self._level_of[typed(v)] != i)
            raise SpaceError(f"the option {twice!r} comes twice.")

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
        """Whether an option has parameters of its own."""
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
        del count  # categories are whole: leaving some out would not be a coarser grid
        return self.options[index]

    def canonical(self, value: object) -> Value:
        return self.options[self.index(value)]

    def index(self, value: object) -> int:
        """The level of a value; raises SpaceError where it is no option."""
        scalar = value.item() if isinstance(value, np.generic) else value
        try:
            return self._level_of[typed(scalar)]
        except (KeyError, TypeError):  # a TypeError is an unhashable value
            raise SpaceError(f"value {value!r} is none of {list(self.options)}.") from None

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
            f"the option {value!r} is a {type(value).__name__}; "
            "a string, number, boolean or null was expected.",
            hint="Choose by a name, and build the object from it in the objective.",
        )
    if value != value:
        raise SpaceError("an option is NaN, which equals nothing.", hint="Use null.")
    return value  # type: ignore[return-value]


def _branch(sub: Mapping[str, Domain] | None) -> Params:
    if sub is not None and not isinstance(sub, Mapping):
        raise SpaceError(f"the parameters of an option are {sub!r}; a mapping was expected.")
    return tuple((sub or {}).items())

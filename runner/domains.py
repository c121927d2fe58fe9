"""What one hyper-parameter may be: `Float`, `Int`, `Choice`.

A domain maps its values to [0, 1] and back, and nothing else in the program knows about logs,
steps, rounding or categories. A domain with finitely many values numbers them as *levels*
0, 1, ...; each level owns an interval of [0, 1], so that a uniform draw of [0, 1] decodes to the
uniform law (of the logarithm, where ``log`` is set), and encodes as the middle of its interval.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runner.errors import SpaceError

Value = str | int | float | bool | None
Params = tuple[tuple[str, "Domain"], ...]


def same(a: object, b: object) -> bool:
    """Whether two values are one value: of one type and equal (so 1, 1.0 and True are three)."""
    return type(a) is type(b) and a == b


class Domain(ABC):
    """The values that a hyper-parameter may take; use `Float`, `Int` or `Choice`."""

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

    @abstractmethod
    def spread(self, points: int) -> tuple[Value, ...]:
        """That many distinct values, evenly spread (log-aware), both ends included.

        One point is the middle. A domain with fewer values gives them all.
        """

    @abstractmethod
    def canonical(self, value: object) -> Value:
        """The value as this domain writes it; raises SpaceError where it is not in it."""

    @abstractmethod
    def describe(self) -> dict[str, object]:
        """The form that a study file would have (see `runner.convert.parse_space`)."""


def _number(value: object, name: str, kind: type[int] | type[float]) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise SpaceError(f"{name} is {value!r}; a number was expected.")
    if not math.isfinite(value):
        raise SpaceError(f"{name} is {value!r}; a finite number was expected.")
    if kind is int and int(value) != value:
        raise SpaceError(
            f"{name} is {value!r}; a whole number was expected.", hint="Use a Float for fractions."
        )
    return float(value) if kind is float else int(value)


def _check_range(low: float, high: float, log: bool, step: float | None) -> None:
    if low >= high:
        raise SpaceError(
            f"low is {low} and high is {high}; low must be less than high.",
            hint="For one fixed value leave the parameter out of the space, or use a Choice of one.",
        )
    if log and low <= 0:
        raise SpaceError(
            f"low is {low} with log: true; a logarithmic range must start above 0.",
            hint="Raise low (1e-6, say), or drop log.",
        )
    if step is not None and step <= 0:
        raise SpaceError(f"step is {step}; a step must be more than 0.")
    if step is not None and step > high - low:
        raise SpaceError(f"step is {step}, larger than the range from {low} to {high}.")
    if log and step is not None:
        raise SpaceError("log and step exclude each other.", hint="Drop one, or list the values in a Choice.")


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
        object.__setattr__(self, "low", float(_number(self.low, "low", float)))
        object.__setattr__(self, "high", float(_number(self.high, "high", float)))
        if self.step is not None:
            object.__setattr__(self, "step", float(_number(self.step, "step", float)))
        _check_range(self.low, self.high, self.log, self.step)

    @property
    def levels(self) -> int | None:
        if self.step is None:
            return None
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def encode(self, value: Value) -> float:
        x = self.canonical(value)
        if self.step is not None:
            return (self._index(x) + 0.5) / (self.levels or 1)
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
        if self.step is None:
            raise TypeError("a continuous Float has no levels")
        # Rounded to the step's own digits, so that 0.1 + 2 * 0.1 reads 0.3.
        return min(float(np.format_float_positional(self.low + index * self.step, precision=12)), self.high)

    def spread(self, points: int) -> tuple[float, ...]:
        if self.levels is not None:
            return tuple(self.level(i) for i in _spread_levels(self.levels, points))
        return tuple(self.decode(u) for u in _even(points))

    def canonical(self, value: object) -> float:
        x = float(_number(value, "value", float))
        slack = 1e-9 * (self.high - self.low)
        if not self.low - slack <= x <= self.high + slack:
            raise SpaceError(f"value {x} is outside {self.low} to {self.high}.")
        x = min(max(x, self.low), self.high)
        return x if self.step is None else self.level(self._index(x))

    def describe(self) -> dict[str, object]:
        return _describe_range("float", self.low, self.high, self.log, self.step)

    def _index(self, x: float) -> int:
        if self.step is None or self.levels is None:
            raise TypeError("a continuous Float has no levels")
        index = min(round((x - self.low) / self.step), self.levels - 1)
        if abs(self.low + index * self.step - x) > 1e-6 * self.step:
            raise SpaceError(f"value {x} is not on the grid from {self.low} in steps of {self.step}.")
        return index


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
        object.__setattr__(self, "low", _number(self.low, "low", int))
        object.__setattr__(self, "high", _number(self.high, "high", int))
        if self.step is not None:
            object.__setattr__(self, "step", _number(self.step, "step", int))
        _check_range(self.low, self.high, self.log, self.step)

    @property
    def levels(self) -> int:
        return (self.high - self.low) // (self.step or 1) + 1

    def encode(self, value: Value) -> float:
        x = self.canonical(value)
        if not self.log:
            return (self._index(x) + 0.5) / self.levels
        a, b = self._log_ends()
        return ((math.log(x - 0.5) + math.log(x + 0.5)) / 2 - a) / (b - a)

    def decode(self, u: float) -> int:
        u = min(max(float(u), 0.0), 1.0)
        if not self.log:
            return self.level(min(int(u * self.levels), self.levels - 1))
        a, b = self._log_ends()
        return min(max(math.floor(math.exp(a + u * (b - a)) + 0.5), self.low), self.high)

    def level(self, index: int) -> int:
        return self.low + index * (self.step or 1)

    def spread(self, points: int) -> tuple[int, ...]:
        if not self.log:
            return tuple(self.level(i) for i in _spread_levels(self.levels, points))
        count = min(points, self.levels)
        ideal = [round(self.low * (self.high / self.low) ** u) for u in _even(count)]
        for i in range(1, count):  # rounding may have made neighbours equal: push up, then down
            ideal[i] = max(ideal[i], ideal[i - 1] + 1)
        for i in range(count - 1, -1, -1):
            ideal[i] = min(ideal[i], self.high - (count - 1 - i))
        return tuple(ideal)

    def canonical(self, value: object) -> int:
        x = int(_number(value, "value", int))
        if not self.low <= x <= self.high:
            raise SpaceError(f"value {x} is outside {self.low} to {self.high}.")
        if (x - self.low) % (self.step or 1):
            raise SpaceError(f"value {x} is not on the grid from {self.low} in steps of {self.step}.")
        return x

    def describe(self) -> dict[str, object]:
        return _describe_range("int", self.low, self.high, self.log, self.step)

    def _index(self, x: int) -> int:
        return (x - self.low) // (self.step or 1)

    def _log_ends(self) -> tuple[float, float]:
        return math.log(self.low - 0.5), math.log(self.high + 0.5)


@dataclass(frozen=True, init=False)
class Choice(Domain):
    """One of several values, each perhaps with hyper-parameters of its own.

    Parameters
    ----------
    options : sequence or mapping
        The values (strings, numbers, booleans or None), or a mapping from each value to the
        parameters that exist only where it is chosen: a ``{name: domain}`` dict, or an empty
        one or None for a value that has none.

    Raises
    ------
    SpaceError
        Where there is no option, an option comes twice or is not a scalar.
    """

    options: tuple[Value, ...]
    branches: tuple[Params, ...]

    def __init__(self, options: Sequence[Value] | Mapping[Value, Mapping[str, Domain] | None]) -> None:
        if isinstance(options, str) or not isinstance(options, Sequence | Mapping):
            raise SpaceError(f"the options are {options!r}; a list or a mapping was expected.")
        subspaces = options.values() if isinstance(options, Mapping) else [None] * len(options)
        object.__setattr__(self, "options", tuple(_scalar(value) for value in options))
        object.__setattr__(self, "branches", tuple(tuple((sub or {}).items()) for sub in subspaces))
        if not self.options:
            raise SpaceError("there is no option.", hint="Give at least one value.")
        for i, value in enumerate(self.options):
            if any(same(value, other) for other in self.options[:i]):
                raise SpaceError(f"the option {value!r} comes twice.")

    @property
    def levels(self) -> int:
        return len(self.options)

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

    def spread(self, points: int) -> tuple[Value, ...]:
        del points  # categories are whole: leaving some out would not be a coarser grid
        return self.options

    def canonical(self, value: object) -> Value:
        return self.options[self.index(value)]

    def index(self, value: object) -> int:
        """The level of a value; raises SpaceError where it is no option."""
        for i, option in enumerate(self.options):
            if same(value, option):
                return i
        raise SpaceError(f"value {value!r} is none of {list(self.options)}.")

    def describe(self) -> dict[str, object]:
        if not self.conditional:
            return {"choice": list(self.options)}
        subs = [{name: domain.describe() for name, domain in branch} for branch in self.branches]
        return {"choice": dict(zip(self.options, subs, strict=True))}


def _scalar(value: object) -> Value:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise SpaceError(
        f"the option {value!r} is a {type(value).__name__}; a string, number, boolean or null was expected.",
        hint="Choose by a name, and build the object from it in the objective.",
    )


def _even(points: int) -> Iterable[float]:
    return [0.5] if points == 1 else [float(u) for u in np.linspace(0.0, 1.0, points)]


def _spread_levels(levels: int, points: int) -> list[int]:
    if points == 1:
        return [(levels - 1) // 2]
    count = min(points, levels)
    return [(i * (levels - 1) + (count - 1) // 2) // (count - 1) for i in range(count)] if count > 1 else [0]


def _describe_range(kind: str, low: float, high: float, log: bool, step: float | None) -> dict[str, object]:
    described: dict[str, object] = {kind: [low, high]}
    if log:
        described["log"] = True
    if step is not None:
        described["step"] = step
    return described

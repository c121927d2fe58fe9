"""The arithmetic of numeric ranges: reading numbers and lists, checking ends, spreading points.

The limits below keep every value of a domain apart in the 53 bits of a float's mantissa, so
that encoding and decoding a value gives it back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from runner.errors import SpaceError

_NUMBERS = (int, float, np.integer, np.floating)
_APART = 2.0**-49  # sixteen times the gap between neighbours of 1: more than rounding moves a point
_FINEST = 1e-12  # the least step or range, as a share of the larger end
_MOST_INT_LEVELS = 2**50
_LARGEST_LOG_INT = 2**43
_MOST_OPTIONS = 1_000_000  # of a choice: a list of them takes a second; no method could tell as many apart


def read_float(value: object, name: str) -> float:
    """A finite number as a float; SpaceError, which calls it ``name``, for anything else."""
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        raise SpaceError(f"{name} is {value!r}; a number was expected.")
    try:
        x = float(value)
    except OverflowError:
        x = math.inf
    if not math.isfinite(x):
        raise SpaceError(f"{name} is {value!r}; a finite number was expected.")
    return x


def read_int(value: object, name: str) -> int:
    """A whole number as an int; SpaceError, which calls it ``name``, for anything else."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    x = read_float(value, name)
    if not x.is_integer():
        raise SpaceError(
            f"{name} is {value!r}; a whole number was expected.", hint="Use a Float for fractions."
        )
    return int(x)


def as_list(given: Any) -> list[Any] | None:
    """The items of a list of any kind, or None for what is none.

    Parameters
    ----------
    given : object
        A sequence other than a string (list, tuple, range, deque), a NumPy array, a tensor, or a
        column or index of pandas. What has no order, such as a set, is no list.

    Raises
    ------
    SpaceError
        Where an array has several dimensions, or there are more than a million items.
    """
    dimensions = getattr(given, "ndim", 0)
    is_array = isinstance(dimensions, int) and dimensions > 0 and hasattr(given, "tolist")
    if isinstance(given, str | bytes | bytearray) or not (isinstance(given, Sequence) or is_array):
        return None
    if is_array and dimensions > 1:
        raise SpaceError(f"the options have {dimensions} dimensions; 1 was expected.")
    if not _fits(given):
        raise SpaceError(
            f"there are more than {_MOST_OPTIONS:,} options.", hint="Use an Int or a Float with a step."
        )
    # As scikit-learn takes them, scalars of NumPy stay what they are.
    return list(given.tolist() if is_array and not isinstance(given, np.ndarray) else given)


def _fits(given: Any) -> bool:
    try:
        return len(given) <= _MOST_OPTIONS
    except OverflowError:  # a range of more than 2**63 integers
        return False


def check_range(low: float, high: float, log: bool, step: float | None) -> None:
    """Raise SpaceError where two ends, a log and a step do not fit together."""
    if low >= high:
        raise SpaceError(
            f"low is {low} and high is {high}; low must be less than high.",
            hint="For one fixed value leave the parameter out of the space, or use a Choice of one.",
        )
    if log and low <= 0:
        raise SpaceError(
            f"low is {low} with log: true; a logarithmic range must start above 0.",
            hint=f"Raise low ({'1' if isinstance(low, int) else '1e-6'}, say), or drop log.",
        )
    if step is not None and step <= 0:
        raise SpaceError(f"step is {step}; a step must be more than 0.")
    if step is not None and step > high - low:
        raise SpaceError(f"step is {step}, larger than the range from {low} to {high}.")
    if log and step is not None:
        raise SpaceError("log and step exclude each other.", hint="Drop one, or list the values in a Choice.")


def check_float_range(low: float, high: float, log: bool, step: float | None) -> None:
    """Raise SpaceError where floats cannot tell the values of a range apart."""
    finest = _FINEST * max(abs(low), abs(high))
    if not math.isfinite(high - low) or (log and not math.isfinite(high / low)):
        raise SpaceError(f"the range from {low} to {high} is too wide for floats.")
    if high - low < finest:
        raise SpaceError(f"the range from {low} to {high} is too narrow for floats.")
    if step is not None and step < finest:
        raise SpaceError(
            f"step is {step}, too fine for floats between {low} and {high}.", hint="Drop the step."
        )


def check_int_range(low: int, high: int, log: bool, step: int | None) -> None:
    """Raise SpaceError where [0, 1] in floats cannot tell the values of a range apart."""
    if (high - low) // (step or 1) >= _MOST_INT_LEVELS or (log and high > _LARGEST_LOG_INT):
        limit = (
            f"up to {_LARGEST_LOG_INT:,} with log: true" if log else f"in up to {_MOST_INT_LEVELS:,} values"
        )
        raise SpaceError(
            f"the range from {low} to {high} is too wide; whole numbers {limit} can be searched.",
            hint="Use a Float and round it in the objective.",
        )


def even_place(index: int, count: int) -> float:
    """One of that many places in [0, 1], evenly spread with both ends; a single one is the middle."""
    if count == 1:
        return 0.5
    return 1.0 if index == count - 1 else index * (1.0 / (count - 1))


def even_level(index: int, count: int, levels: int) -> int:
    """One of that many distinct level indices, evenly spread with both ends; a single one is the middle."""
    if count == 1:
        return (levels - 1) // 2
    return (index * (levels - 1) + (count - 1) // 2) // (count - 1)


def even_log_int(index: int, count: int, low: int, high: int) -> int:
    """One of that many distinct integers, evenly spread in the logarithm with both ends."""
    ideal: int = round(low * (high / low) ** even_place(index, count))
    # Near low the ideal ones are closer than integers are: there every integer is taken.
    return min(max(ideal, low + index), high - (count - 1 - index))


def most_floats(low: float, high: float, log: bool) -> int:
    """The number of evenly spread floats of a range that are surely distinct."""
    if log:
        return int(math.log(high / low) / _APART)
    return int(min((high - low) / (_APART * max(abs(low), abs(high))), 2.0**53))


def describe_range(kind: str, low: float, high: float, log: bool, step: float | None) -> dict[str, object]:
    """A range in the form that a study file has."""
    described: dict[str, object] = {kind: [low, high]}
    if log:
        described["log"] = True
    if step is not None:
        described["step"] = step
    return described

"""Arithmetic of numeric ranges: reading numbers and lists, checking bounds, spacing points.

The limits below keep the values of a domain distinct in the 53 bits of a float's mantissa, so that
encoding and decoding a value returns it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from runner.errors import SpaceError

_NUMBERS = (int, float, np.integer, np.floating)
_MIN_GAP = 2.0**-49  # 16 times the gap between floats just below 1: more than rounding moves a point
_MIN_RELATIVE = 1e-12  # least step or range, relative to the larger bound: 4,500 units in the last place
_MAX_INT_LEVELS = 2**50  # leaves 3 bits of the 53 for the middle of a level's interval
_MAX_LOG_INT = 2**43  # its neighbours are 2^-48 apart in [0, 1]
_MAX_OPTIONS = 1_000_000  # a list of them takes a second, and no method could learn about as many


def read_float(value: object, name: str) -> float:
    """Convert a finite number to float; raise a SpaceError that mentions ``name`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        raise SpaceError(f"expected a number as {name}, got {value!r}.")
    try:
        x = float(value)
    except OverflowError:
        x = math.inf
    if not math.isfinite(x):
        raise SpaceError(f"expected a finite number as {name}, got {value!r}.")
    return x


def read_int(value: object, name: str) -> int:
    """Convert an integer to int; raise a SpaceError that mentions ``name`` for anything else."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    x = read_float(value, name)
    if not x.is_integer():
        raise SpaceError(f"expected an integer as {name}, got {value!r}.", hint="Use a Float for fractions.")
    return int(x)


def as_list(given: Any) -> list[Any] | None:
    """Convert an ordered collection to a list; return None for anything else.

    Parameters
    ----------
    given : object
        A sequence other than a string (list, tuple, range, deque), a NumPy array, a tensor, or a
        column or index of pandas. Unordered collections, such as sets, give None.

    Raises
    ------
    SpaceError
        If an array has several dimensions, or there are more than a million items.
    """
    dimensions = getattr(given, "ndim", 0)
    is_array = isinstance(dimensions, int) and dimensions > 0 and hasattr(given, "tolist")
    if isinstance(given, str | bytes | bytearray) or not (isinstance(given, Sequence) or is_array):
        return None
    if is_array and dimensions > 1:
        raise SpaceError(f"expected a 1-dimensional array of options, got {dimensions} dimensions.")
    if not _fits(given):
        raise SpaceError(
            f"expected at most {_MAX_OPTIONS:,} options, got more.", hint="Use an Int or a Float with a step."
        )
    # NumPy scalars are not converted, as in scikit-learn.
    return list(given.tolist() if is_array and not isinstance(given, np.ndarray) else given)


def _fits(given: Any) -> bool:
    try:
        return len(given) <= _MAX_OPTIONS
    except OverflowError:  # a range of more than 2**63 integers
        return False


def check_range(low: float, high: float, log: bool, step: float | None) -> None:
    """Raise SpaceError if bounds, log and step are inconsistent."""
    if low >= high:
        raise SpaceError(
            f"expected low < high, got low={low} and high={high}.",
            hint="For one fixed value leave the parameter out of the space, or use a Choice of one.",
        )
    if log and low <= 0:
        raise SpaceError(
            f"expected low > 0 with log: true, got low={low}.",
            hint=f"Raise low (for example to {'1' if isinstance(low, int) else '1e-6'}), or drop log.",
        )
    if step is not None and step <= 0:
        raise SpaceError(f"expected step > 0, got step={step}.")
    if step is not None and step > high - low:
        raise SpaceError(f"expected step <= high - low, got step={step}, low={low} and high={high}.")
    if log and step is not None:
        raise SpaceError(
            "log cannot be combined with step.", hint="Drop one, or list the values in a Choice."
        )


def check_float_range(low: float, high: float, log: bool, step: float | None) -> None:
    """Raise SpaceError if the values of a range are not distinct as floats."""
    finest = _MIN_RELATIVE * max(abs(low), abs(high))
    if not math.isfinite(high - low) or (log and not math.isfinite(high / low)):
        raise SpaceError(f"the range from {low} to {high} is too wide for floats.")
    if high - low < finest:
        raise SpaceError(f"the range from {low} to {high} is too narrow for floats.")
    if step is not None and step < finest:
        raise SpaceError(
            f"step {step} is too fine for floats between {low} and {high}.", hint="Drop the step."
        )


def check_int_range(low: int, high: int, log: bool, step: int | None) -> None:
    """Raise SpaceError if the values of a range do not have distinct positions in [0, 1]."""
    if (high - low) // (step or 1) >= _MAX_INT_LEVELS or (log and high > _MAX_LOG_INT):
        limit = f"high <= {_MAX_LOG_INT:,} with log: true" if log else f"at most {_MAX_INT_LEVELS:,} values"
        raise SpaceError(
            f"expected {limit}, got low={low} and high={high}.",
            hint="Use a Float and round it in the objective.",
        )


def even_place(index: int, count: int) -> float:
    """Return one of ``count`` evenly spaced positions in [0, 1], including both bounds."""
    if count == 1:
        return 0.5
    return 1.0 if index == count - 1 else index * (1.0 / (count - 1))


def even_level(index: int, count: int, levels: int) -> int:
    """Return one of ``count`` distinct, evenly spaced level indices, including both bounds."""
    if count == 1:
        return (levels - 1) // 2
    return (index * (levels - 1) + (count - 1) // 2) // (count - 1)


def even_log_int(index: int, count: int, low: int, high: int) -> int:
    """Return one of ``count`` distinct integers, evenly spaced in the logarithm, including both bounds."""
    ideal: int = round(low * (high / low) ** even_place(index, count))
    # Near low the ideal points are less than 1 apart: every integer is taken there.
    return min(max(ideal, low + index), high - (count - 1 - index))


def most_floats(low: float, high: float, log: bool) -> int:
    """Bound the number of evenly spaced floats of a range that are certainly distinct."""
    if log:
        return int(math.log(high / low) / _MIN_GAP)
    return int(min((high - low) / (_MIN_GAP * max(abs(low), abs(high))), 2.0**53))


def describe_range(kind: str, low: float, high: float, log: bool, step: float | None) -> dict[str, object]:
    """Write a range in the form of a study file."""
    described: dict[str, object] = {kind: [low, high]}
    if log:
        described["log"] = True
    if step is not None:
        described["step"] = step
    return described

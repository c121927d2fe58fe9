"""Turn any answer of an objective, valid or not, into an `Outcome`.

A problem answers with a number, or with a mapping that holds the metric and perhaps more. Nested values
have their keys joined by "/", as in Ray Tune. The sign turns here and nowhere
else: a maximised metric becomes a minimised loss, and its gradient with it.

Numbers are Python's and NumPy's numbers, arrays and tensors of one element, `Decimal` and `Fraction`; not
booleans, dates, complex numbers and strings, though `float` takes some of them. Missing values (NumPy's
masked, pandas' NA) count as NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, SupportsFloat

import numpy as np

from runner.errors import ProblemError, clip
from runner.problems.base import Problem
from runner.space.formats import flat_dict
from runner.trial import Outcome, Status

_RESERVED = {"loss", "gradient", "gradient_log", "gradient_exact", "test", "folds"}
_NOT_NUMBERS = (*"bcmMSUV",)  # NumPy's kinds of booleans, complex numbers, durations, dates, text, records
# Bounds on a row of the journal: far beyond what anyone reads, small enough for a million rows.
_MOST_METRICS = 100
_MOST_FOLDS = 1000
_MOST_ERROR_CHARACTERS = 2000  # room for a message, a hint and a place
_MOST_SHORT = 80  # characters of a value within a message


def judge(problem: Problem, answer: object, config: Mapping[str, Any] | None = None) -> Outcome:
    """Turn an objective's answer into an outcome, without its duration.

    Parameters
    ----------
    problem : Problem
    answer : object
    config : mapping, optional
        The evaluated config; needed for ``gradient_log``.

    Raises
    ------
    ProblemError
        Never for a bad metric (that is INVALID), only for a malformed gradient, test or fold.
    """
    sign = sign_of(problem)
    values: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {problem.metric: answer}
    other = _RESERVED - {problem.metric, "loss"}
    flat = flat_dict({name: inner for name, inner in values.items() if name not in other})
    key = problem.metric if problem.metric in flat else "loss"
    if key not in flat:
        return Outcome(
            Status.INVALID,
            error=limited(f"the answer has no '{problem.metric}', only {sorted(map(str, flat))}."),
        )
    value = as_number(flat[key])
    if value is None or not math.isfinite(value):
        return Outcome(Status.INVALID, error=invalid_metric(key, flat[key]))
    return Outcome(
        Status.COMPLETED,
        loss=sign * value,
        value=value,
        test=_test(values.get("test")),
        gradient=_gradient(problem, values, config or {}, sign),
        metrics=_metrics(flat, key) | exactness(values.get("gradient_exact")),
        folds=_folds(values.get("folds", ()), sign),
    )


def sign_of(problem: Problem) -> float:
    """Get the factor between metric and loss."""
    return -1.0 if problem.direction == "maximize" else 1.0


def as_number(value: object) -> float | None:
    """Convert a value to a float: NaN if it is missing, None if it is not a number."""
    if type(value) is float:
        return value
    try:
        if np.ma.is_masked(value) or _is_na(value):
            return math.nan
        if getattr(getattr(value, "dtype", None), "kind", "") in _NOT_NUMBERS:
            return None
        if callable(item := getattr(value, "item", None)):  # of arrays and tensors, and NumPy's scalars
            value = item()
        if isinstance(value, bool | complex | np.complexfloating) or not isinstance(value, SupportsFloat):
            return None
        return float(value)
    except OverflowError:  # an int beyond the largest float
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]
    except Exception:  # an array of several elements, or whatever else an object raises
        return None


def _is_na(value: object) -> bool:
    return type(value).__name__ == "NAType"  # pandas' NA, without importing pandas


def _test(answer: object) -> float | None:
    value = as_number(answer)
    if answer is not None and value is None:
        raise ProblemError(f"'test': expected a number, got {shown(answer)}.")
    return value


def _folds(answer: object, sign: float) -> tuple[float, ...]:
    numbers = [as_number(fold) for fold in answer] if isinstance(answer, Iterable) else [None]
    folds = tuple(sign * x for x in numbers if x is not None)
    if len(folds) < len(numbers) or isinstance(answer, str | Mapping):
        raise ProblemError(f"'folds': expected a list of numbers, got {shown(answer)}.")
    if len(folds) > _MOST_FOLDS:
        raise ProblemError(f"'folds': expected at most {_MOST_FOLDS:,} numbers, got {len(folds):,}.")
    return folds


def exactness(answer: object) -> dict[str, float]:
    """Turn ``gradient_exact`` into a metric: 0 if it is False, else nothing."""
    truncated = not answer if isinstance(answer, bool | np.bool_) else as_number(answer) == 0.0
    return {"gradient_exact": 0.0} if truncated else {}


def by_value(slope: float, value: object) -> float:
    """Convert a derivative by a value's natural logarithm to one by the value; NaN unless it is positive."""
    number = as_number(value)
    return slope / number if number is not None and number > 0 else math.nan


def _gradient(
    problem: Problem, values: Mapping[str, Any], config: Mapping[str, Any], sign: float
) -> dict[str, float] | None:
    """Read the gradient of the loss in the parameters' own units; ``gradient`` precedes ``gradient_log``."""
    native, log = (_slopes(problem, key, values.get(key)) for key in ("gradient", "gradient_log"))
    if native is None and log is None:
        return None
    for name in log or {}:
        if name in config and not by_value(1.0, config[name]) > 0:
            raise ProblemError(
                f"'gradient_log' names '{name}', whose value {shown(config[name])} has no logarithm."
            )
    scaled = {name: by_value(x, config.get(name)) for name, x in (log or {}).items()}
    return {name: sign * x for name, x in (scaled | (native or {})).items() if math.isfinite(x)}


def _slopes(problem: Problem, key: str, gradient: object) -> dict[str, float] | None:
    if gradient is None:
        return None
    if not isinstance(gradient, Mapping):
        raise ProblemError(f"'{key}': expected a mapping of parameters to numbers, got {shown(gradient)}.")
    slopes: dict[str, float] = {}
    for name, value in flat_dict(gradient).items():
        if name not in problem.space.names:
            raise ProblemError(f"'{key}' names '{name}', which is not a parameter.")
        number = as_number(value)
        if number is None:
            raise ProblemError(f"'{key}' of '{name}': expected a number, got {shown(value)}.")
        slopes[str(name)] = number
    return slopes


def _metrics(flat: Mapping[str, Any], key: str) -> dict[str, float]:
    numbers = ((str(name), as_number(v)) for name, v in flat.items() if name not in _RESERVED and name != key)
    return dict([(name, x) for name, x in numbers if x is not None][:_MOST_METRICS])


def invalid_metric(name: str, value: object) -> str:
    """Describe a metric that is not a finite number."""
    return limited(f"metric '{name}': expected a finite number, got {shown(value)}.")


def limited(message: str, end: str = "") -> str:
    """Clip the message of an outcome to a length that a table can hold, but not its end."""
    return clip(message, _MOST_ERROR_CHARACTERS - len(end)) + end


def shown(value: object) -> str:
    """Describe a value in a message: a number or string itself, of other objects the type."""
    if isinstance(value, int | float | str | Decimal | Fraction | np.generic | None):
        return clip(repr(value), _MOST_SHORT)
    if _is_na(value):
        return "<NA>"
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        return "masked"
    return clip(f"a {type(value).__name__}", _MOST_SHORT)

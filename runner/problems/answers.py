"""Any answer of an objective, also a wrong one, turned into an `Outcome`.

A problem answers with a number, or with a mapping that holds the metric and perhaps more. What is
nested in it is known by its keys joined by "/", as in Ray Tune. The sign turns here and nowhere
else: a maximised metric becomes a minimised loss, and its gradient with it.

A number is whatever `float` takes and means: Python's and NumPy's numbers, arrays and tensors of one
element, `Decimal` and `Fraction`. Truth values, dates, complex numbers and text are none. What is
marked as missing (NumPy's masked, pandas' NA) counts as NaN.
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
_NO_NUMBERS = (*"bcmMSUV",)  # NumPy's kinds of truth values, complex numbers, durations, dates, text, records
_MOST_METRICS = 100
_MOST_FOLDS = 1000
_MOST_ERROR_CHARACTERS = 2000
_MOST_SHORT = 80


def judge(problem: Problem, answer: object, config: Mapping[str, Any] | None = None) -> Outcome:
    """Turn an objective's answer into an outcome, without its duration.

    Parameters
    ----------
    problem : Problem
    answer : object
    config : mapping, optional
        Where it was evaluated; ``gradient_log`` needs it.

    Raises
    ------
    ProblemError
        Never for a bad metric (that is INVALID), only for a malformed gradient, test or fold.
    """
    sign = sign_of(problem)
    given: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {problem.metric: answer}
    other = _RESERVED - {problem.metric, "loss"}
    flat = flat_dict({name: inner for name, inner in given.items() if name not in other})
    key = problem.metric if problem.metric in flat else "loss"
    if key not in flat:
        return Outcome(
            Status.INVALID,
            error=sentence(f"the answer has no '{problem.metric}', only {sorted(map(str, flat))}."),
        )
    value = as_number(flat[key])
    if value is None or not math.isfinite(value):
        return Outcome(
            Status.INVALID,
            error=sentence(f"the metric '{key}' is {shown(flat[key])}; a finite number was expected."),
        )
    return Outcome(
        Status.COMPLETED,
        loss=sign * value,
        value=value,
        test=_test(given.get("test")),
        gradient=_gradient(problem, given, config or {}, sign),
        metrics=_metrics(flat, key) | exactness(given.get("gradient_exact")),
        folds=_folds(given.get("folds", ()), sign),
    )


def sign_of(problem: Problem) -> float:
    """What turns its metric into a loss, and back."""
    return -1.0 if problem.direction == "maximize" else 1.0


def as_number(value: object) -> float | None:
    """The value as a float, NaN where it is marked as missing, or None where it is no number."""
    if type(value) is float:
        return value
    try:
        if np.ma.is_masked(value) or _is_na(value):
            return math.nan
        if getattr(getattr(value, "dtype", None), "kind", "") in _NO_NUMBERS:
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
    """Whether it is pandas' mark of what is missing; pandas is not imported for it."""
    return type(value).__name__ == "NAType"


def _test(given: object) -> float | None:
    value = as_number(given)
    if given is not None and value is None:
        raise ProblemError(f"'test' is {shown(given)}; a number was expected.")
    return value


def _folds(given: object, sign: float) -> tuple[float, ...]:
    """The losses per fold; ProblemError where they are no short list of numbers."""
    numbers = [as_number(fold) for fold in given] if isinstance(given, Iterable) else [None]
    folds = tuple(sign * x for x in numbers if x is not None)
    if len(folds) < len(numbers) or isinstance(given, str | Mapping):
        raise ProblemError(f"'folds' is {shown(given)}; a list of numbers was expected.")
    if len(folds) > _MOST_FOLDS:
        raise ProblemError(f"'folds' holds {len(folds):,} numbers; at most {_MOST_FOLDS:,} are kept.")
    return folds


def exactness(given: object) -> dict[str, float]:
    """What is kept of ``gradient_exact``: a metric that is 0 where it was False, else nothing."""
    truncated = not given if isinstance(given, bool | np.bool_) else as_number(given) == 0.0
    return {"gradient_exact": 0.0} if truncated else {}


def by_value(slope: float, value: object) -> float:
    """A derivative by a value, from the one by its natural logarithm; NaN where there is none."""
    number = as_number(value)
    return slope / number if number is not None and number > 0 else math.nan


def _gradient(
    problem: Problem, given: Mapping[str, Any], config: Mapping[str, Any], sign: float
) -> dict[str, float] | None:
    """Of the loss, in the parameters' own units; ``gradient`` counts where ``gradient_log`` is given, too."""
    native, log = (_slopes(problem, key, given.get(key)) for key in ("gradient", "gradient_log"))
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
    """A mapping of parameters to numbers; ProblemError where it is none."""
    if gradient is None:
        return None
    told = key.replace("_log", " by logarithm")
    if not isinstance(gradient, Mapping):
        raise ProblemError(
            f"the {told} is {shown(gradient)}; a mapping of parameters to numbers was expected."
        )
    slopes: dict[str, float] = {}
    for name, value in flat_dict(gradient).items():
        if name not in problem.space.names:
            raise ProblemError(f"the {told} names '{name}', which is no parameter.")
        number = as_number(value)
        if number is None:
            raise ProblemError(f"the {told} of '{name}' is {shown(value)}; a number was expected.")
        slopes[str(name)] = number
    return slopes


def _metrics(flat: Mapping[str, Any], key: str) -> dict[str, float]:
    numbers = ((str(name), as_number(v)) for name, v in flat.items() if name not in _RESERVED and name != key)
    kept = [(name, x) for name, x in numbers if x is not None]
    return dict(kept[:_MOST_METRICS])


def sentence(text: str, end: str = "") -> str:
    """What an outcome says of itself, at a length that a table can hold; the end is not cut off."""
    return clip(text, _MOST_ERROR_CHARACTERS - len(end)) + end


def shown(value: object) -> str:
    """A value in few words: a number or text itself, of other things the kind."""
    if isinstance(value, int | float | str | Decimal | Fraction | np.generic | None):
        return clip(repr(value), _MOST_SHORT)
    if _is_na(value):
        return "<NA>"
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        return "masked"
    return clip(f"a {type(value).__name__}", _MOST_SHORT)

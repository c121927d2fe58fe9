"""Ranges in the format of scikit-optimize's ``BayesSearchCV``: tuples with a prior, and its objects."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Final

from runner.space.domains import Domain, Float, Int
from runner.space.formats.forms import SKOPT, form_of
from runner.space.formats.options import plain

_PRIORS: Final = {"uniform": False, "log-uniform": True, "loguniform": True}
_SHORTEST, _LONGEST = 3, 4  # low, high, prior, and perhaps the base of the logarithm


def skopt_range(given: Any) -> Domain | None:
    """Read ``(low, high, prior)`` or ``(low, high, prior, base)``; return None for anything else.

    Two bounds without a prior are ambiguous, see `is_pair`.

    Parameters
    ----------
    given : object
        A tuple or list, with integer bounds for a range of integers; or a ``Real`` or ``Integer``.

    Raises
    ------
    SpaceError
        If the bounds are inconsistent.
    """
    integer = any(base.__name__ == "Integer" for base in type(given).__mro__)
    if form_of(given) == SKOPT and hasattr(given, "low"):
        low, high, prior, base = given.low, given.high, given.prior, []
    elif isinstance(given, tuple | list) and _SHORTEST <= len(given) <= _LONGEST:
        low, high, prior, *base = map(plain, given)
        integer = isinstance(low, Integral) and isinstance(high, Integral)
    else:
        return None
    if not (all(map(_is_number, (low, high, *base))) and isinstance(prior, str) and prior in _PRIORS):
        return None
    return Int(low, high, log=_PRIORS[prior]) if integer else Float(low, high, log=_PRIORS[prior])


def is_pair(given: Any) -> bool:
    """Check for a tuple of two numbers: two options in scikit-learn, a range in scikit-optimize."""
    return isinstance(given, tuple) and len(given) == 2 and all(map(_is_number, map(plain, given)))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)

"""The form that all statistics share: how much data each number rests on, or why there is none.

Every statistic is a frame whose last columns are ``problems``, ``seeds`` and ``reason``. The reason is
empty beside a number; beside NaN it is a sentence. So there is always a table, and nothing has to be
caught.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

import numpy as np
import pandas as pd

from runner._text import counted

LEVEL: Final = 0.95
"""The level of all intervals; the convention of the field."""
LEAST_SEEDS: Final = 3
"""For an interval: two seeds leave one degree of freedom, where t is 12.7."""
FEW_SEEDS: Final = 5
"""Below this intervals are wide and rest on Student's t; and there are no fixed targets."""
LEAST_PROBLEMS: Final = 6
"""For a test across problems: with fewer, Wilcoxon's two-sided p cannot come below 0.05."""
CD_PROBLEMS: Final = 10
"""For critical differences; Demsar (2006) asks for N > 10 before the chi-squared holds."""

_KINDS: Final[dict[str, Any]] = {"float": np.float64, "int": np.int64, "bool": np.bool_}
_MISSING: Final[dict[str, Any]] = {"string": pd.NA, "float": np.nan, "int": 0, "bool": False}


class Memo(Protocol):
    """Anything that keeps the statistics computed from it, so that a page computes each of them once."""

    memo: dict[tuple[object, ...], Any]


_Of = TypeVar("_Of", bound=Memo)
_Rest = ParamSpec("_Rest")


def cached(
    statistic: Callable[Concatenate[_Of, _Rest], pd.DataFrame],
) -> Callable[Concatenate[_Of, _Rest], pd.DataFrame]:
    """Keep a statistic with the comparison that it is of; each call gets a copy."""

    @wraps(statistic)
    def once(comparison: _Of, /, *args: _Rest.args, **kwargs: _Rest.kwargs) -> pd.DataFrame:
        key = (statistic.__module__, statistic.__name__, args, *sorted(kwargs.items()))
        if key not in comparison.memo:
            comparison.memo[key] = statistic(comparison, *args, **kwargs)
        frame: pd.DataFrame = comparison.memo[key]
        return frame.copy()

    return once


def table(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str], reason: str = "") -> pd.DataFrame:
    """Make a statistic from rows.

    Parameters
    ----------
    rows : sequence of mapping
        Keys that a row lacks are missing values; ``problems``, ``seeds`` and ``reason`` too.
    kinds : mapping of str to "string", "float", "int" or "bool"
        The columns in their order, without the last three.
    reason : str
        The reason of the only row of a table without rows.
    """
    columns = {**kinds, "problems": "int", "seeds": "int", "reason": "string"}
    rows = list(rows) or [{"reason": reason or "there is nothing to compare."}]
    frame: dict[str, Any] = {}
    for name, kind in columns.items():
        missing = "" if name == "reason" else _MISSING[kind]
        values = [row.get(name, missing) for row in rows]
        if kind == "string":
            frame[name] = pd.array(values, dtype="string")
        else:
            values = [_MISSING[kind] if value is None else value for value in values]
            frame[name] = np.array(values, dtype=_KINDS[kind])
    return pd.DataFrame(frame)


def refused(frame: pd.DataFrame) -> str:
    """The reason why a statistic has no number at all; empty if it has one."""
    reasons = [str(reason) for reason in frame["reason"]]
    return reasons[0] if reasons and all(reasons) else ""


def too_few_seeds(seeds: int, least: int = LEAST_SEEDS) -> str:
    """The reason why a statistic that needs more seeds has no number; empty if there are enough."""
    return "" if seeds >= least else f"only {counted(seeds, 'seed')}; at least {least} are needed."


def too_few_problems(problems: int, least: int = LEAST_PROBLEMS) -> str:
    """`too_few_seeds` for problems."""
    return "" if problems >= least else f"only {counted(problems, 'problem')}; at least {least} are needed."

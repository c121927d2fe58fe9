"""What all statistics have in common: on how much each number rests, or why there is none.

Every statistic is a frame with the columns ``problems``, ``seeds`` and ``reason``. Where a number
stands the reason is empty; where it may not be given the number is NaN and the reason is a
sentence. So a table is always there, and nothing has to be caught.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from runner._text import counted

SHAPE: Final = ("problems", "seeds", "reason")
"""The last columns of every statistic."""

LEVEL: Final = 0.95
"""Of all intervals."""

LEAST_SEEDS: Final = 3
"""For an interval."""
FEW_SEEDS: Final = 5
"""Below this intervals are wide and rest on Student's t; and there are no fixed targets."""
LEAST_PROBLEMS: Final = 6
"""For a test across problems: with fewer, Wilcoxon's two-sided p cannot come below 0.05."""
CD_PROBLEMS: Final = 10
"""For critical differences."""

_KINDS: Final[dict[str, Any]] = {"text": "string", "float": np.float64, "int": np.int64, "bool": np.bool_}
_MISSING: Final[dict[str, Any]] = {"text": pd.NA, "float": np.nan, "int": 0, "bool": False}


def table(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str], reason: str = "") -> pd.DataFrame:
    """Rows as a statistic.

    Parameters
    ----------
    rows : sequence of mapping
        What a row lacks is missing; ``problems``, ``seeds`` and ``reason`` too.
    kinds : mapping of str to "text", "float", "int" or "bool"
        The columns in their order, without the last three.
    reason : str
        Of the one row that stands where there is none.
    """
    columns = {**kinds, "problems": "int", "seeds": "int", "reason": "text"}
    given = list(rows) or [{"reason": reason or "there is nothing to compare."}]
    found = {}
    for name, kind in columns.items():
        missing = "" if name == "reason" else _MISSING[kind]
        values = [row.get(name, missing) for row in given]
        if kind == "float":
            found[name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        else:
            found[name] = (
                pd.array(values, dtype=_KINDS[kind]) if kind == "text" else np.array(values, _KINDS[kind])
            )
    return pd.DataFrame(found)


def refused(frame: pd.DataFrame) -> str:
    """Why a statistic has no number at all; empty where it has one."""
    reasons = [str(reason) for reason in frame["reason"]]
    return reasons[0] if reasons and all(reasons) else ""


def too_few_seeds(seeds: int, least: int = LEAST_SEEDS) -> str:
    """Why there is no interval, or no other statistic that needs so many seeds; empty where there is."""
    if seeds >= least:
        return ""
    return f"it rests on {counted(seeds, 'seed')}; at least {least} are needed."


def too_few_problems(problems: int, least: int = LEAST_PROBLEMS) -> str:
    """The same of problems."""
    if problems >= least:
        return ""
    return f"it rests on {counted(problems, 'problem')}; at least {least} are needed."

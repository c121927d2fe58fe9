"""Incumbents at a bound of their range: the search space may be too small."""

from __future__ import annotations

import json
import math
from typing import Any, Final

import pandas as pd

from runner.results.stats.shape import table

EDGE: Final = 0.02
"""Share of a range, on its own scale, that counts as its bound: one point of a grid of 50."""
_WARNING: Final = 0.5
"""Share of the runs at a bound that makes a warning; by chance it is `EDGE`."""

_KINDS: Final[dict[str, str]] = {
    "problem": "string",
    "parameter": "string",
    "method": "string",
    "side": "string",
    "share": "float",
    "warning": "bool",
}


def boundaries(runs: pd.DataFrame, parameters: pd.DataFrame) -> pd.DataFrame:
    """Count how often the last incumbents lie at the lower or upper bound of a parameter's range.

    Parameters
    ----------
    parameters : pandas.DataFrame
        `runner.results.stats.source.parameters_of`.

    Returns
    -------
    pandas.DataFrame
        problem, parameter, method, side ("lower" or "upper"), share (of the runs whose incumbent has the
        parameter), warning (at least half of them, and at least two). Only numbers with at least three
        values.
    """
    incumbents: dict[tuple[str, str], list[dict[str, Any]]] = {}
    known = runs.dropna(subset=["incumbent_config"])
    for problem, method, config in zip(
        known["problem"], known["method"], known["incumbent_config"], strict=True
    ):
        incumbents.setdefault((problem, method), []).append(json.loads(config))
    numbers = parameters[
        parameters["kind"].ne("choice") & (parameters["high"] - parameters["low"]).gt(1e-300)
    ]
    rows = []
    for row in numbers.to_dict("records"):
        if row["kind"] == "int" and row["high"] - row["low"] < 2:
            continue
        for (problem, method), configs in incumbents.items():
            if problem != row["problem"]:
                continue
            places = [_place(row, c[row["parameter"]]) for c in configs if row["parameter"] in c]
            for side, count in (
                ("lower", sum(place <= EDGE for place in places)),
                ("upper", sum(place >= 1 - EDGE for place in places)),
            ):
                if places:
                    rows.append(_row(row, method, side, count, len(places)))
    return table(rows, _KINDS, "no incumbent has a parameter with a range.")


def _place(row: dict[Any, Any], value: float) -> float:
    """Map a value to its place in the range, 0 at the lower bound and 1 at the upper."""
    low, high = float(row["low"]), float(row["high"])
    if row["log"]:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)


def _row(row: dict[Any, Any], method: str, side: str, count: int, size: int) -> dict[str, Any]:
    found = {"problem": row["problem"], "parameter": row["parameter"], "method": method, "side": side}
    warning = count >= 2 and count / size >= _WARNING
    return found | {"share": count / size, "warning": warning, "problems": 1, "seeds": size}

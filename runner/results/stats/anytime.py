"""Average regret over the budget, with what random search would give with as much, and with twice as much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.stats.averages import Resampled
from runner.results.stats.blocks import Blocks
from runner.results.stats.intervals import iqm
from runner.results.stats.regret import expected_min, normalised
from runner.results.stats.shape import table
from runner.results.stats.targets import NO_RANDOM

Floats = NDArray[np.float64]

DRAWS: Final = 400
EXPECTED: Final = "random (expected)"
TWICE: Final = "random 2x"

_KINDS: Final[dict[str, str]] = {
    "method": "text",
    "kind": "text",
    "budget": "float",
    **dict.fromkeys(("regret", "lower", "upper", "q25", "q50", "q75"), "float"),
    "reached": "bool",
}


def anytime(
    over: Sequence[Blocks], grid: Floats, common: float, lines: Sequence[dict[str, Any]]
) -> pd.DataFrame:
    """The average regret of each method at each budget.

    Parameters
    ----------
    over : sequence of Blocks
        The blocks of regrets at each budget.
    grid : array
    common : float
        The largest budget that all have reached.
    lines : sequence of dict
        Rows of `reference_lines`.

    Returns
    -------
    pandas.DataFrame
        method, kind ("method" or "reference"), budget, regret (IQM, or mean of one problem), lower,
        upper, q25, q50, q75 (over the blocks), reached (by all runs that count at the common budget).
    """
    rows: list[dict[str, Any]] = []
    for budget, blocks in zip(grid, over, strict=True):
        sample = Resampled(blocks, draws=DRAWS)
        size, pooled = len(blocks.methods), blocks.pooled()
        columns = {"regret": sample.middle}
        if pooled.shape[1]:
            columns |= dict(
                zip(("q25", "q50", "q75"), np.quantile(pooled, [0.25, 0.5, 0.75], axis=1), strict=True)
            )
        if not sample.reason:
            columns |= dict(zip(("lower", "upper"), sample.levels(), strict=True))
        rest = {"kind": "method", "budget": budget, "reached": budget <= common * (1 + 1e-9)}
        rest |= {**sample.rest(), "reason": sample.reason}
        for m in range(size):
            rows.append(
                {"method": blocks.methods[m], **rest, **{name: some[m] for name, some in columns.items()}}
            )
    return table([*rows, *lines], _KINDS, "no budget was reached by every method.")


def reference_lines(
    draws: pd.DataFrame, instances: pd.DataFrame, used: set[tuple[str, int]], grid: Floats
) -> list[dict[str, Any]]:
    """What random search is expected to reach with a budget of trials, and with twice as many.

    Without bias, from all its draws of each instance: no further runs are needed. Twice the budget
    needs twice as many draws, so where it ran as long as the others this line ends half-way.
    """
    keys = zip(instances["problem"], instances["seed"], strict=True)
    spans = dict(zip(keys, zip(instances["f_opt"], instances["f_ref"], strict=True), strict=True))
    curves: dict[str, list[Floats]] = {EXPECTED: [], TWICE: []}
    problems: set[str] = set()
    for key, losses in draws.groupby(["problem", "seed"], sort=False)["loss"]:
        if key not in used:
            continue
        problems.add(str(key[0]))
        every = losses.to_numpy(dtype=np.float64)
        valid = every[np.isfinite(every)]
        share = len(valid) / len(every)
        f_opt, f_ref = spans[key]
        for name, times in ((EXPECTED, 1), (TWICE, 2)):
            found = np.array([_expected(valid, times * b, share, len(every)) for b in grid])
            curves[name].append(normalised(found, np.full_like(found, f_opt), np.full_like(found, f_ref)))
    rows: list[dict[str, Any]] = []
    for name, some in curves.items():
        if not some:
            rows.append({"method": name, "kind": "reference", "reason": NO_RANDOM})
            continue
        pooled = np.stack(some)
        seeds = len(some) // max(1, len(problems))
        for b, column in zip(grid, pooled.T, strict=True):
            row: dict[str, Any] = {"method": name, "kind": "reference", "budget": b}
            row |= {"problems": len(problems), "seeds": seeds, "reason": "random search has too few draws."}
            if np.isfinite(column).all():
                middle = float(column.mean() if len(problems) == 1 else iqm(column))
                row |= {"regret": middle, "reached": True, "reason": ""}
            rows.append(row)
    return rows


def _expected(valid: Floats, b: float, share: float, draws: int) -> float:
    """E[min of b draws]; NaN where there are not so many. Failed draws find nothing."""
    if b > draws or not len(valid):
        return float("nan")
    return expected_min(valid, min(len(valid), max(1.0, b * share)))

"""Regret, rank and area over the budget, and random search with the same budget and twice the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.stats import averages
from runner.results.stats.averages import Resampled
from runner.results.stats.comparison import Comparison
from runner.results.stats.curves import Axis, grid_to
from runner.results.stats.intervals import iqm
from runner.results.stats.regret import expected_min, normalised
from runner.results.stats.shape import table
from runner.results.stats.targets import NO_RANDOM

Floats = NDArray[np.float64]

DRAWS: Final = 400
"""Resamples per budget: a band in a figure needs less precision than a verdict, which takes 2000."""
EXPECTED: Final = "random (expected)"
TWICE: Final = "random 2x"
_MOST_POINTS: Final = 40
"""Budgets on a curve of averages: dense enough for a line on a page, cheap enough to resample each."""

_KINDS: Final[dict[str, str]] = {
    "method": "string",
    "kind": "string",
    "budget": "float",
    **dict.fromkeys(("regret", "lower", "upper", "q25", "q50", "q75"), "float"),
    "reached": "bool",
}


def anytime(
    comparison: Comparison, axis: Axis | None = None, grid: Sequence[float] | Floats | None = None
) -> pd.DataFrame:
    """Compute the average regret of each method over the budget.

    Returns
    -------
    pandas.DataFrame
        method, kind ("method", or "reference" on axes that count), budget, regret (IQM, or mean of one
        problem), lower, upper, q25, q50, q75 (over the blocks), reached (by all runs that count at the
        common budget).
    """
    axis = axis or comparison.axis
    points = comparison.grid(axis) if grid is None else np.asarray(grid, dtype=np.float64)
    if grid is None and len(points) > _MOST_POINTS:
        points = points[np.unique(np.geomspace(1, len(points), _MOST_POINTS).round().astype(int) - 1)]
    lines = []
    if axis in ("trials", "equivalents"):
        lines = reference_lines(comparison.draws, comparison.instances, comparison.used(axis), points)
    common = comparison.common(axis)
    rows: list[dict[str, Any]] = []
    for budget, blocks in zip(points, comparison.blocks_over(points, axis), strict=True):
        sample, pooled = Resampled(blocks, draws=DRAWS), blocks.pooled()
        columns = {"regret": sample.middle}
        if pooled.shape[1]:
            quartiles = np.quantile(pooled, [0.25, 0.5, 0.75], axis=1)
            columns |= dict(zip(("q25", "q50", "q75"), quartiles, strict=True))
        if not sample.reason:
            columns |= dict(zip(("lower", "upper"), sample.levels(), strict=True))
        rest = {"kind": "method", "budget": budget, "reached": budget <= common * (1 + 1e-9)}
        rest |= {**sample.rest(), "reason": sample.reason}
        rows += [
            {"method": method, **rest, **{name: column[m] for name, column in columns.items()}}
            for m, method in enumerate(blocks.methods)
        ]
    return table([*rows, *lines], _KINDS, "no budget was reached by every method.")


def ranks(
    comparison: Comparison, axis: Axis | None = None, grid: Sequence[float] | Floats | None = None
) -> pd.DataFrame:
    """Compute the average rank of each method over the budget: method, budget, rank, lower, upper, pool.

    Ranks depend on the other methods; ``pool`` is their number.
    """
    axis = axis or comparison.axis
    points = comparison.grid(axis) if grid is None else np.asarray(grid, dtype=np.float64)
    points = points if len(points) else np.zeros(1)
    parts = []
    for budget, losses in zip(points, comparison.blocks_over(points, axis, losses=True), strict=True):
        part = averages.mean_ranks(losses)  # not of regrets, which are equal above 1
        part.insert(1, "budget", float(budget))
        part.insert(5, "pool", len(comparison.methods))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def areas(comparison: Comparison, axis: Axis | None = None) -> pd.DataFrame:
    """Compute the mean regret over the budget, up to the common one: method, auc, lower, upper."""
    axis = axis or comparison.axis
    most = comparison.common(axis)
    grid = grid_to(most, axis, comparison.least(axis))
    blocks = comparison.blocks(most, axis)
    if not len(grid):
        return averages.mean_table(blocks, "auc")
    known, regret = comparison.points(grid, axis)
    valid = ~np.isnan(known.loss[:, -1])
    heights = comparison.layout.blocks(averages.area(grid, regret), known.reached[:, -1], valid)
    table_of_areas = averages.mean_table(heights, "auc")
    copies = blocks.constant & table_of_areas["reason"].eq("").to_numpy(dtype=bool)  # without any spread
    return table_of_areas.assign(
        reason=table_of_areas["reason"].mask(copies, averages.COPIES),
        lower=table_of_areas["lower"].mask(copies).clip(lower=0),
        upper=table_of_areas["upper"].mask(copies).clip(upper=1),
    )


def reference_lines(
    draws: pd.DataFrame, instances: pd.DataFrame, used: set[tuple[str, int]], grid: Floats
) -> list[dict[str, Any]]:
    """Compute what random search is expected to reach with a budget of trials, and with twice as many.

    The estimate is unbiased, from all draws of each instance, so no further runs are needed. Twice the
    budget needs twice as many draws, so if random search ran as long as the others this line ends half-way.
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
            minima = np.array([_expected(valid, times * b, share, len(every)) for b in grid])
            curves[name].append(normalised(minima, np.full_like(minima, f_opt), np.full_like(minima, f_ref)))
    rows: list[dict[str, Any]] = []
    for name, regrets in curves.items():
        if not regrets:
            rows.append({"method": name, "kind": "reference", "reason": NO_RANDOM})
            continue
        pooled = np.stack(regrets)
        seeds = len(regrets) // max(1, len(problems))
        for b, column in zip(grid, pooled.T, strict=True):
            row: dict[str, Any] = {"method": name, "kind": "reference", "budget": b}
            row |= {"problems": len(problems), "seeds": seeds, "reason": "random search has too few draws."}
            if np.isfinite(column).all():
                middle = float(column.mean() if len(problems) == 1 else iqm(column))
                row |= {"regret": middle, "reached": True, "reason": ""}
            rows.append(row)
    return rows


def _expected(valid: Floats, b: float, share: float, draws: int) -> float:
    """E[min of b draws]; NaN if there are fewer draws. Failed draws find nothing."""
    if b > draws or not len(valid):
        return float("nan")
    return expected_min(valid, min(len(valid), max(1.0, b * share)))

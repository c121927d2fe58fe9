"""Incumbent curves on a grid: the best result that each run had when a budget was spent.

A curve is a step function: at a budget between two trials the earlier incumbent counts. Interpolating, or
taking the next trial, would credit a result before it was seen, and that favours methods with few, slow
results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Axis = Literal["trials", "equivalents", "seconds", "compute"]

AXES: Final[tuple[Axis, ...]] = ("trials", "equivalents", "seconds", "compute")
AXIS_TITLES: Final[dict[str, str]] = {
    "trials": "Trials",
    "equivalents": "Full evaluations",
    "seconds": "Seconds of evaluation and proposals, on one worker",
    "compute": "CPU-seconds of evaluation",
}

_ROUNDING: Final = 1e-9  # of sums of shares: ten tenths are one
_MOST_WHOLE = 200
"""Trials up to which a curve has every integer; above it a page cannot show the difference."""
_POINTS = 60
"""Points of all other curves: about 20 per decade of the usual three."""


def at(x: Floats, y: Floats, grid: Floats) -> Floats:
    """Look up the value that is known at each point of a grid.

    Parameters
    ----------
    x : array, shape (n,)
        Ascending budgets at which each value became known.
    y : array, shape (n,)
    grid : array, shape (m,)

    Returns
    -------
    array, shape (m,)
        y of the last x that is not above the point; NaN before the first.
    """
    return _taken(y, last_known(x, grid))


def last_known(x: Floats, grid: Floats) -> NDArray[np.intp]:
    """Find the position of the last x that is not above each point of a grid, or -1."""
    return np.searchsorted(x, grid, side="right") - 1


def _taken(y: Floats, where: NDArray[np.intp]) -> Floats:
    if not len(y):
        return np.full(where.shape, np.nan)
    return np.where(where >= 0, y[np.maximum(where, 0)], np.nan)


def grid_to(most: float, axis: Axis = "trials", least: float = 0.0) -> Floats:
    """Space budgets up to the largest: integers if they are few, else evenly in the logarithm.

    Parameters
    ----------
    most : float
        The largest budget; the grid is empty if it is 0.
    least : float
        The start of a grid of seconds; a thousandth of the largest if it is 0.
    """
    if not most > 0 or not math.isfinite(most):
        return np.zeros(0)
    if axis in ("trials", "equivalents"):
        whole = np.arange(1.0, math.floor(most + _ROUNDING) + 1)
        if len(whole) > _MOST_WHOLE:
            whole = np.unique(np.round(np.geomspace(1, whole[-1], _POINTS)))
        return whole if len(whole) else np.array([most])
    return np.geomspace(max(least, most / 1000), most, _POINTS)


@dataclass(frozen=True)
class Curves:
    """The incumbents of all runs at the budgets of a grid; arrays of shape (runs, budgets).

    Attributes
    ----------
    grid : array, shape (budgets,)
    loss, value, test : array
        NaN before the first valid trial; test is the incumbent's metric on data that no method saw.
    reached : array of bool
        True if the run has spent the budget, or ended of itself before.
    """

    grid: Floats
    loss: Floats
    value: Floats
    test: Floats
    reached: NDArray[np.bool_]


def curves(steps: pd.DataFrame, reach: pd.DataFrame, grid: Floats, axis: Axis = "trials") -> Curves:
    """Look up the incumbents of all runs at the budgets of a grid.

    Parameters
    ----------
    steps : pandas.DataFrame
        `runner.results.Results.incumbents`.
    reach : pandas.DataFrame
        `runner.results.Results.reach`; its runs, in their order, are those of the curves.
    grid : array, shape (budgets,)
    axis : "trials", "equivalents", "seconds" or "compute"
    """
    grid = np.asarray(grid, dtype=np.float64)
    loose = grid * (1 + _ROUNDING) if axis == "equivalents" else grid
    spans = _spans(steps)
    spent = steps[axis].to_numpy(dtype=np.float64)
    rows = np.full((len(reach), len(grid)), -1, dtype=np.intp)  # of the steps; -1 before the first one
    for row, (run, settled) in enumerate(zip(reach["run"], reach["settled"], strict=True)):
        start = spans.get(run, 0)
        where = last_known(spent[start : start + int(settled)], loose)
        rows[row] = np.where(where >= 0, start + where, -1)
    found = {name: _taken(steps[name].to_numpy(dtype=np.float64), rows) for name in ("loss", "value", "test")}
    limits = reach[axis].to_numpy(dtype=np.float64)[:, None] * (1 + _ROUNDING)
    return Curves(grid, found["loss"], found["value"], found["test"], (grid <= limits) & (limits > 0))


def _spans(steps: pd.DataFrame) -> dict[str, int]:
    """Find the first row of each run; the rows of a run are adjacent."""
    runs = steps["run"].to_numpy()
    if not len(runs):
        return {}
    first = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]])
    return dict(zip(runs[first].tolist(), first.tolist(), strict=True))


def common_budget(reach: pd.DataFrame, axis: Axis = "trials") -> float:
    """Find the largest budget at which the methods can be compared.

    It is the smallest that any run has reached, of the blocks (problem, seed) that are complete; if none
    is complete, of those that have begun. A run that ended of itself keeps its last incumbent and sets no
    limit.

    Returns
    -------
    float
        0.0 if no block has begun in all its runs; NaN if every run ended of itself.
    """
    blocks = reach.groupby(["problem", "seed"], sort=False, observed=True)
    least = blocks[axis].min()
    complete = blocks["ended"].all()
    counted = least[complete & (least > 0)] if (complete & (least > 0)).any() else least[least > 0]
    if not len(counted):
        return 0.0
    most = float(counted.min())
    return most if math.isfinite(most) else math.nan

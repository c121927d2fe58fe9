"""What methods reach on the average: regret, its difference to another method, rank, area.

Over several problems the average of regrets is the interquartile mean (IQM) over all blocks; with
one problem it is the mean. Ranks and areas are means over the problems of means over the seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from runner.stats.blocks import Blocks
from runner.stats.intervals import DRAWS, Scope, drawn_interval, iqm, mean_interval, resampled_iqm
from runner.stats.pairs import jeffreys
from runner.stats.shape import table, too_few_problems, too_few_seeds

Floats = NDArray[np.float64]

COPIES = "its runs are copies of each other: the seed changes nothing, so there is no spread to judge by."
NO_BLOCK = "no block is complete at this budget."
_RANGE = {"lower": "float", "upper": "float"}


def interval_reason(blocks: Blocks, scope: Scope = "seeds") -> str:
    """Why no interval may be given; empty where one may."""
    if not blocks.problems:
        return NO_BLOCK
    return too_few_seeds(blocks.fewest) or (
        too_few_problems(len(blocks.problems)) if scope == "problems" else ""
    )


class Resampled:
    """The average regret of each method, with resamples that all its intervals come from.

    Parameters
    ----------
    blocks : Blocks
        Of regrets.
    scope : "seeds" or "problems"
    draws : int
    mean : bool
        The mean instead of the IQM, also with several problems.

    Attributes
    ----------
    middle : array, shape (methods,)
        IQM, or the mean where there is one problem; NaN without a block.
    drawn : array, shape (draws, methods)
        Empty where no interval may be given.
    reason : str
        Why there is none.
    """

    def __init__(
        self, blocks: Blocks, scope: Scope = "seeds", draws: int = DRAWS, mean: bool = False
    ) -> None:
        self.blocks, self.scope = blocks, scope
        self.reason = interval_reason(blocks, scope)
        self.one = len(blocks.problems) == 1
        pooled = blocks.pooled()
        if not blocks.problems:
            self.middle = np.full(len(blocks.methods), np.nan)
        else:
            self.middle = pooled.mean(axis=1) if self.one or mean else iqm(pooled)
        self.drawn = np.zeros((0, len(blocks.methods)))
        if not self.reason:
            self.drawn = resampled_iqm(blocks, scope, draws, mean=self.one or mean)

    def level(self, m: int) -> tuple[float, float]:
        """The interval of a method's average, within what a regret can be."""
        low, high = self._interval(
            self.middle[m], self.drawn[:, m], [value[m] for value in self.blocks.values]
        )
        return max(0.0, low), min(1.0, high)

    def difference(self, m: int, to: int) -> tuple[float, float, float]:
        """A method's average minus another's, with its interval, paired."""
        middle = float(self.middle[m] - self.middle[to])
        if m == to:
            return 0.0, 0.0, 0.0
        gaps = [value[m] - value[to] for value in self.blocks.values]
        low, high = self._interval(middle, self.drawn[:, m] - self.drawn[:, to], gaps)
        return middle, low, high

    def best(self) -> Floats:
        """For each method the share of resamples in which its average is the lowest, ties shared."""
        if not len(self.drawn):
            return np.full(len(self.middle), np.nan)
        lowest = self.drawn == self.drawn.min(axis=1, keepdims=True)
        return np.asarray((lowest / lowest.sum(axis=1, keepdims=True)).mean(axis=0))

    def copies(self, methods: Sequence[int]) -> bool:
        """Whether on every problem the runs of these methods are copies, so that there is no spread."""
        names = [self.blocks.methods[m] for m in methods]
        return (
            bool(self.blocks.problems) and max(self.blocks.independent(names)) == 1 and self.scope == "seeds"
        )

    def rest(self) -> dict[str, Any]:
        """What it rests on."""
        return {"problems": len(self.blocks.problems), "seeds": self.blocks.fewest}

    def _interval(self, middle: float, drawn: Floats, values: list[Floats]) -> tuple[float, float]:
        if self.one:
            _, low, high = mean_interval(tuple(values), self.scope)
            return float(low), float(high)
        return drawn_interval(float(middle), drawn, tuple(values), self.scope)


def regrets(sample: Resampled) -> pd.DataFrame:
    """The average regret of each method: method, regret, lower, upper, p_best (see `Resampled`)."""
    rows = []
    best = sample.best()
    for m, method in enumerate(sample.blocks.methods):
        row: dict[str, Any] = {"method": method, "regret": sample.middle[m], "p_best": best[m]}
        row |= {**sample.rest(), "reason": sample.reason or (COPIES if sample.copies([m]) else "")}
        if not row["reason"]:
            row["lower"], row["upper"] = sample.level(m)
        rows.append(row)
    return table(rows, {"method": "text", "regret": "float", **_RANGE, "p_best": "float"})


def differences(sample: Resampled, to: str, rope: float) -> pd.DataFrame:
    """Each method's average regret minus that of another, paired.

    Returns
    -------
    pandas.DataFrame
        method, to, difference, lower, upper, tied (the interval reaches into the ROPE, or none may be
        given).
    """
    rows = []
    j = sample.blocks.methods.index(to)
    for m, method in enumerate(sample.blocks.methods):
        if m == j:
            continue
        row: dict[str, Any] = {"method": method, "to": to, "tied": True, **sample.rest()}
        row["difference"] = sample.middle[m] - sample.middle[j]
        row["reason"] = sample.reason or (COPIES if sample.copies([m, j]) else "")
        if not row["reason"]:
            row["difference"], row["lower"], row["upper"] = sample.difference(m, j)
            row["tied"] = row["lower"] < rope and row["upper"] > -rope
        elif row["reason"] == COPIES:  # what differs, differs always
            row["tied"] = abs(row["difference"]) <= rope
        rows.append(row)
    kinds = {"method": "text", "to": "text", "difference": "float", **_RANGE, "tied": "bool"}
    return table(rows, kinds)


def ranked(values: Blocks) -> Blocks:
    """Ranks within each block, 1 for the lowest; ties share the mean of their ranks.

    What has no valid trial yet is to have a value of infinity, so that it is last.
    """
    ranks = tuple(stats.rankdata(value, axis=0).astype(np.float64) for value in values.values)
    return Blocks(values.methods, values.problems, ranks, values.seeds, values.planned, values.copies)


def mean_ranks(losses: Blocks, scope: Scope = "seeds") -> pd.DataFrame:
    """The mean over the problems of the mean rank over the seeds: method, rank, lower, upper.

    Ranks are whole numbers, so a few seeds may all give the same one, which proves little: where no
    rank differs from c in N blocks the interval is [c - u (c - 1), c + u (k - c)], with the upper
    Jeffreys bound u of what has happened in none of N. On one problem there is no interval.
    """
    blocks = ranked(losses)
    found = mean_table(blocks, "rank", scope)
    k = len(blocks.methods)
    found["lower"], found["upper"] = found["lower"].clip(lower=1), found["upper"].clip(upper=k)
    if len(blocks.problems) == 1:
        found["reason"] = found["reason"].where(found["reason"].ne(""), too_few_problems(1, 2))
        found["lower"] = found["upper"] = math.nan
        return found
    u = jeffreys(0, blocks.count)[2] if blocks.count else math.nan
    same = found["upper"].sub(found["lower"]).le(1e-12)
    rank = found["rank"]
    found["lower"] = found["lower"].where(~same, rank - u * (rank - 1))
    found["upper"] = found["upper"].where(~same, rank + u * (k - rank))
    return found


def mean_table(blocks: Blocks, name: str, scope: Scope = "seeds") -> pd.DataFrame:
    """Means over the problems of means over the seeds: method, ``name``, lower, upper."""
    reason = interval_reason(blocks, scope)
    rows: list[dict[str, Any]] = []
    means = blocks.means().mean(axis=1) if blocks.problems else np.full(len(blocks.methods), math.nan)
    low = high = np.full(len(blocks.methods), math.nan)
    if not reason:
        _, low, high = mean_interval(blocks.values, scope)
    for m, method in enumerate(blocks.methods):
        row: dict[str, Any] = {"method": method, name: means[m], "reason": reason}
        row |= {"problems": len(blocks.problems), "seeds": blocks.fewest, "lower": low[m], "upper": high[m]}
        rows.append(row)
    return table(rows, {"method": "text", name: "float", **_RANGE})


def area(budgets: Floats, values: Floats, log: bool = False) -> Floats:
    """The mean height of right-continuous steps over the budget, over the last axis.

    Parameters
    ----------
    budgets : array, shape (m,)
        Ascending; a value holds from its budget to the next, the last one at its own budget only.
    values : array, shape (..., m)
    log : bool
        Over the logarithm of the budget, so that early and late count alike.

    Notes
    -----
    With whole trials 1, 2, ..., B each budget counts once: (1 / B) sum_b f(b). On other grids what is
    left of the first budget counts as its value.
    """
    if len(budgets) == 1:
        return np.asarray(values[..., 0])
    whole = np.array_equal(budgets, np.arange(1.0, len(budgets) + 1))
    if whole and not log:
        return np.asarray(values.mean(axis=-1))
    x = np.log(budgets) if log else np.r_[budgets]
    widths = np.diff(x)
    first = 0.0 if log else x[0]
    total = (values[..., :-1] * widths).sum(axis=-1) + first * values[..., 0]
    return np.asarray(total / (widths.sum() + first))

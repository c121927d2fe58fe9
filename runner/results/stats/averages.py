"""Averages of the methods: regret, its difference to another method, rank, area.

Over several problems the average of regrets is the interquartile mean (IQM) over all blocks; with
one problem it is the mean. Ranks and areas are means over the problems of means over the seeds.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from runner.results.stats.blocks import Blocks
from runner.results.stats.intervals import (
    DRAWS,
    UNDECIDED,
    Scope,
    drawn_interval,
    iqm,
    mean_interval,
    resampled_iqm,
    shown,
)
from runner.results.stats.pairs import jeffreys
from runner.results.stats.shape import table, too_few_problems, too_few_seeds

Floats = NDArray[np.float64]

COPIES = "its runs are copies of each other: the seed changes nothing, so there is no spread to estimate."
NO_BLOCK = "no block is complete at this budget."
_RANGE = {"lower": "float", "upper": "float"}


def interval_reason(blocks: Blocks, scope: Scope = "seeds") -> str:
    """The reason why no interval can be given; empty if one can."""
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
        Regrets.
    scope : "seeds" or "problems"
    draws : int
        Number of resamples.
    mean : bool
        Use the mean instead of the IQM, also with several problems.

    Attributes
    ----------
    middle : array, shape (methods,)
        The IQM, or the mean of one problem; NaN without a block.
    reason : str
        The reason why no interval can be given; empty if one can.
    """

    def __init__(
        self, blocks: Blocks, scope: Scope = "seeds", draws: int = DRAWS, mean: bool = False
    ) -> None:
        self.blocks, self.scope, self.draws = blocks, scope, draws
        self.reason = interval_reason(blocks, scope)
        self.one = len(blocks.problems) == 1
        self._mean = self.one or mean
        pooled = blocks.pooled()
        if not blocks.problems:
            self.middle = np.full(len(blocks.methods), np.nan)
        else:
            self.middle = pooled.mean(axis=1) if self._mean else iqm(pooled)

    @cached_property
    def drawn(self) -> Floats:
        """The averages in the resamples, shape (draws, methods); empty if no interval can be given."""
        if self.reason:
            return np.zeros((0, len(self.blocks.methods)))
        return resampled_iqm(self.blocks, self.scope, self.draws, mean=self._mean)

    def levels(self) -> tuple[Floats, Floats]:
        """The interval of each method's average, clipped to the range of a regret."""
        if self.one:
            _, low, high = mean_interval(self.blocks.values, self.scope)
        else:
            low, high = drawn_interval(self.middle, self.drawn, self.blocks.values, self.scope)
        return np.maximum(0.0, low), np.minimum(1.0, high)

    def differences(self, to: int) -> tuple[Floats, Floats, Floats]:
        """Each method's average minus that of one of them, with its interval, paired."""
        middle = self.middle - self.middle[to]
        gaps = tuple(value - value[to] for value in self.blocks.values)
        if self.one:
            _, low, high = mean_interval(gaps, self.scope)
        else:
            low, high = drawn_interval(middle, self.drawn - self.drawn[:, [to]], gaps, self.scope)
        return middle, low, high

    def shown(self, to: int, rope: float) -> NDArray[np.str_]:
        """The standing of each method against one of them; see `runner.results.stats.intervals`."""
        if self.reason:
            return np.full(len(self.middle), UNDECIDED)
        exact = self.copies & self.copies[to]
        exact[to] = True
        return shown(*self.differences(to), rope, self.blocks.fewest, exact)

    def best(self) -> Floats:
        """The share of resamples in which each method's average is the lowest, ties shared."""
        if not len(self.drawn):
            return np.full(len(self.middle), np.nan)
        lowest = self.drawn == self.drawn.min(axis=1, keepdims=True)
        return np.asarray((lowest / lowest.sum(axis=1, keepdims=True)).mean(axis=0))

    def near(self, m: int, rope: float) -> float:
        """The share of resamples in which a method's average is within the rope of the lowest."""
        if not len(self.drawn):
            return math.nan
        return float((self.drawn[:, m] <= self.drawn.min(axis=1) + rope).mean())

    @property
    def copies(self) -> NDArray[np.bool_]:
        """True for each method whose runs are copies on every problem, so that there is no spread."""
        return self.blocks.constant & (self.scope == "seeds")

    def rest(self) -> dict[str, int]:
        """See `Blocks.rest`."""
        return self.blocks.rest()


def regrets(sample: Resampled) -> pd.DataFrame:
    """Tabulate the average regret of each method: method, regret, lower, upper, p_best (see `Resampled`)."""
    rows = []
    best, copies = sample.best(), sample.copies
    low = high = np.full(len(best), math.nan)
    if not sample.reason:
        low, high = sample.levels()
    for m, method in enumerate(sample.blocks.methods):
        row: dict[str, Any] = {"method": method, "regret": sample.middle[m], "p_best": best[m]}
        row |= {**sample.rest(), "reason": sample.reason or (COPIES if copies[m] else "")}
        if not row["reason"]:
            row |= {"lower": low[m], "upper": high[m]}
        rows.append(row)
    return table(rows, {"method": "string", "regret": "float", **_RANGE, "p_best": "float"})


def differences(sample: Resampled, to: str | None, rope: float) -> pd.DataFrame:
    """Subtract one method's average regret from that of each other, paired.

    Returns
    -------
    pandas.DataFrame
        method, to, difference, lower, upper, shown (see `runner.results.stats.intervals`).
    """
    kinds = {"method": "string", "to": "string", "difference": "float", **_RANGE, "shown": "string"}
    if to not in sample.blocks.methods:
        return table([], kinds, "the reference method is not among the methods.")
    rows = []
    j = sample.blocks.methods.index(to)
    words = sample.shown(j, rope)
    copies = sample.copies & sample.copies[j]
    if sample.reason:
        middle = sample.middle - sample.middle[j]
        low = high = np.full(len(middle), math.nan)
    else:
        middle, low, high = sample.differences(j)
    for m, method in enumerate(sample.blocks.methods):
        if m == j:
            continue
        row: dict[str, Any] = {"method": method, "to": to, "difference": middle[m], "shown": words[m]}
        row |= {**sample.rest(), "reason": sample.reason or (COPIES if copies[m] else "")}
        if not row["reason"]:
            row |= {"lower": low[m], "upper": high[m]}
        rows.append(row)
    return table(rows, kinds)


def ranked(values: Blocks) -> Blocks:
    """Rank the methods within each block, 1 for the lowest; ties share the mean of their ranks.

    Runs without a valid trial must have an infinite value, so that they are last.
    """
    ranks = tuple(stats.rankdata(value, axis=0).astype(np.float64) for value in values.values)
    return Blocks(values.methods, values.problems, ranks, values.seeds, values.planned, values.copies)


def mean_ranks(losses: Blocks) -> pd.DataFrame:
    """Average the ranks over the seeds, then over the problems: method, rank, lower, upper.

    Ranks are integers, so a few seeds may all give the same one, which proves little: if no rank differs
    from c in N blocks the interval is [c - u (c - 1), c + u (k - c)], with the upper Jeffreys bound u of
    an event that occurred in none of N. On one problem there is no interval.
    """
    blocks = ranked(losses)
    found = mean_table(blocks, "rank")
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


def mean_table(blocks: Blocks, name: str) -> pd.DataFrame:
    """Average over the seeds, then over the problems: method, ``name``, lower, upper."""
    reason = interval_reason(blocks)
    rows: list[dict[str, Any]] = []
    means = blocks.means().mean(axis=1) if blocks.problems else np.full(len(blocks.methods), math.nan)
    low = high = np.full(len(blocks.methods), math.nan)
    if not reason:
        _, low, high = mean_interval(blocks.values)
    for m, method in enumerate(blocks.methods):
        row: dict[str, Any] = {"method": method, name: means[m], "reason": reason, **blocks.rest()}
        rows.append(row | {"lower": low[m], "upper": high[m]})
    return table(rows, {"method": "string", name: "float", **_RANGE})


def area(budgets: Floats, values: Floats, log: bool = False) -> Floats:
    """Compute the mean height of right-continuous steps over the budget, over the last axis.

    Parameters
    ----------
    budgets : array, shape (m,)
        Ascending; a value holds from its budget to the next, the last one at its own budget only.
    values : array, shape (..., m)
    log : bool
        Average over the logarithm of the budget, so that early and late count alike.

    Notes
    -----
    With trials 1, 2, ..., B each budget counts once: (1 / B) sum_b f(b). On other grids everything to the
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

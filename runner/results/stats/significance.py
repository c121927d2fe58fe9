"""Tests across problems, on one value per method and problem: the mean over the seeds.

| symbol | here | meaning |
|---|---|---|
| N, k | problems, methods | |
| d_q  | difference of two methods on problem q | |
| r    | rope | half the width of the region of practical equivalence |
| R_j  | mean rank of method j | |
| q_a  | studentised range / sqrt(2) | |

Wilcoxon's signed ranks against the reference with Holm's correction and the Bayesian signed rank test
(Benavoli et al., ICML 2014; JMLR 18:77, 2017) are preferred. Critical differences (Demsar, JMLR 7:1,
2006) depend on the other methods, and separate little at the number of problems that studies have, so
they need at least ten problems.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from runner.results.stats.blocks import Blocks
from runner.results.stats.pairs import Pair
from runner.results.stats.shape import CD_PROBLEMS, table, too_few_problems
from runner.seeds import rng_for

Floats = NDArray[np.float64]

ALPHA: Final = 0.05
_SAMPLES: Final = 50_000
"""Standard error of a probability: at most 0.0022, below the second decimal that is shown."""
_CHUNK: Final = 5_000
"""Samples in memory at once."""


def wilcoxon_holm(blocks: Blocks, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Test each pair by Wilcoxon's signed ranks, two-sided, with Holm's correction over the pairs.

    Returns
    -------
    pandas.DataFrame
        method, against, statistic, p, p_holm, significant (p_holm below 0.05). Problems on which both
        are equal are left out of the ranks, as Wilcoxon did; p is 1 if all are.
    """
    means, reason = blocks.means(), too_few_problems(len(blocks.problems))
    rows: list[dict[str, Any]] = []
    for a, b in pairs:
        row: dict[str, Any] = {"method": a, "against": b, **blocks.rest(), "reason": reason}
        if not reason:
            x, y = means[blocks.methods.index(a)], means[blocks.methods.index(b)]
            row["statistic"], row["p"] = _wilcoxon(x, y)
        rows.append(row)
    if not reason:
        adjusted = holm([row["p"] for row in rows])
        for row, p in zip(rows, adjusted, strict=True):
            row |= {"p_holm": p, "significant": p < ALPHA}
    kinds = {"method": "string", "against": "string", "statistic": "float", "p": "float", "p_holm": "float"}
    return table(rows, {**kinds, "significant": "bool"})


def _wilcoxon(x: Floats, y: Floats) -> tuple[float, float]:
    if np.array_equal(x, y):
        return 0.0, 1.0
    found = stats.wilcoxon(x, y)
    return float(found.statistic), float(found.pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values by Holm's step-down method, in the given order."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    highest = 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - place) * p[i]))
        adjusted[i] = highest
    return adjusted.tolist()


def signed_rank(blocks: Blocks, pairs: Sequence[Pair], rope: float, samples: int = _SAMPLES) -> pd.DataFrame:
    """Test each pair by Bayesian signed ranks with a region of practical equivalence.

    With the pseudo-observation d_0 = 0 of weight 1/2, w ~ Dirichlet(1/2, 1, ..., 1), and

        theta_better = sum_ij w_i w_j [d_i + d_j > 2 r],  d = regret of B - regret of A.           (1)

    Returns
    -------
    pandas.DataFrame
        method, against, p_better, p_same, p_worse: the shares of draws in which each of the three is
        the largest.
    """
    means, reason = blocks.means(), too_few_problems(len(blocks.problems))
    rows: list[dict[str, Any]] = []
    for a, b in pairs:
        row: dict[str, Any] = {"method": a, "against": b, **blocks.rest(), "reason": reason}
        if not reason:
            d = means[blocks.methods.index(b)] - means[blocks.methods.index(a)]
            found = signed_rank_shares(d, rope, samples)
            row |= dict(zip(("p_better", "p_same", "p_worse"), found, strict=True))
        rows.append(row)
    kinds = dict.fromkeys(("p_better", "p_same", "p_worse"), "float")
    return table(rows, {"method": "string", "against": "string", **kinds})


def signed_rank_shares(d: Floats, rope: float, samples: int = _SAMPLES) -> tuple[float, float, float]:
    """Count how often above, within and below the ROPE has the largest share; see `signed_rank`."""
    d = np.r_[0.0, d]
    sums = d[:, None] + d[None, :]
    above = (sums > 2 * rope) + 0.5 * (sums == 2 * rope)
    below = (sums < -2 * rope) + 0.5 * (sums == -2 * rope)
    rng = rng_for("signed rank", len(d), samples)
    alpha = np.r_[0.5, np.ones(len(d) - 1)]
    counts = np.zeros(3)
    for start in range(0, samples, _CHUNK):
        w = rng.dirichlet(alpha, min(_CHUNK, samples - start))
        better = np.sum((w @ above) * w, axis=1)  # (1)
        worse = np.sum((w @ below) * w, axis=1)
        counts += np.bincount(
            np.stack([better, 1 - better - worse, worse], axis=1).argmax(axis=1), minlength=3
        )
    better, same, worse = (counts / samples).tolist()
    return better, same, worse


def friedman(blocks: Blocks) -> pd.DataFrame:
    """Test all methods by Friedman, in Iman and Davenport's form, with Nemenyi's critical difference.

        chi2 = 12 N / (k (k + 1)) (sum_j R_j^2 - k (k + 1)^2 / 4), corrected for ties              (1)
        F = (N - 1) chi2 / (N (k - 1) - chi2), with k - 1 and (k - 1)(N - 1) degrees of freedom     (2)
        CD = q_a sqrt(k (k + 1) / (6 N))                                                            (3)

    Returns
    -------
    pandas.DataFrame
        One row: methods (k), chi2, p, f, p_f, cd (NaN if its gate is closed), cd_needed (its length
        regardless), cd_reason.
    """
    means = blocks.means()
    k, n = means.shape
    row: dict[str, Any] = {"methods": k, **blocks.rest()}
    reason = too_few_problems(n)
    if not reason and k < 3:
        reason = "at least 3 methods are needed."
    if not reason:
        row |= _friedman(means)
        row["cd_needed"] = critical_difference(k, n)
        row["cd_reason"] = too_few_problems(n, CD_PROBLEMS)
        if not row["cd_reason"] and row["p_f"] >= ALPHA:
            row["cd_reason"] = "Friedman's test finds no difference among the methods."
        row["cd"] = math.nan if row["cd_reason"] else row["cd_needed"]
    numbers = dict.fromkeys(("chi2", "p", "f", "p_f", "cd", "cd_needed"), "float")
    return table([row | {"reason": reason}], {"methods": "int", **numbers, "cd_reason": "string"})


def _friedman(means: Floats) -> dict[str, float]:
    k, n = means.shape
    ranks = stats.rankdata(means, axis=0)
    if (ranks == ranks[0]).all():
        return {"chi2": 0.0, "p": 1.0, "f": 0.0, "p_f": 1.0}
    chi2, p = map(float, stats.friedmanchisquare(*means))  # (1)
    rest = n * (k - 1) - chi2
    if rest <= 1e-12 * n:
        return {"chi2": chi2, "p": p, "f": math.inf, "p_f": 0.0}
    f = (n - 1) * chi2 / rest  # (2)
    return {"chi2": chi2, "p": p, "f": f, "p_f": float(stats.f.sf(f, k - 1, (k - 1) * (n - 1)))}


def critical_difference(k: int, n: int, alpha: float = ALPHA) -> float:
    """Compute equation (3): the gap that two mean ranks of k methods on n problems must have."""
    q = float(stats.studentized_range.ppf(1 - alpha, k, np.inf)) / math.sqrt(2)
    return q * math.sqrt(k * (k + 1) / (6 * n))


def friedman_ranks(blocks: Blocks) -> pd.DataFrame:
    """Rank the methods by mean rank over the problems, and group those that cannot be told apart.

    Returns
    -------
    pandas.DataFrame
        method, rank, groups: comma-separated numbers of its groups. A group is a longest row of methods
        whose ranks lie within the critical difference; there is none if its gate is closed.
    """
    means = blocks.means()
    tested = friedman(blocks)
    reason = str(tested["reason"][0])
    cd = float(tested["cd"][0])
    if reason or not len(blocks.problems):
        rows = [{"method": method, **blocks.rest(), "reason": reason} for method in blocks.methods]
        return table(rows, {"method": "string", "rank": "float", "groups": "string"})
    ranks = stats.rankdata(means, axis=0).mean(axis=1)
    order = np.argsort(ranks, kind="stable")
    groups = _groups(ranks[order], cd)
    rows = [
        {
            "method": blocks.methods[i],
            "rank": float(ranks[i]),
            "groups": ",".join(
                str(g + 1) for g, (first, last) in enumerate(groups) if first <= place <= last
            ),
            **blocks.rest(),
        }
        for place, i in enumerate(order)
    ]
    return table(rows, {"method": "string", "rank": "float", "groups": "string"})


def _groups(ranks: Floats, cd: float) -> list[tuple[int, int]]:
    """Find first and last place of each longest row of at least two within the critical difference."""
    found: list[tuple[int, int]] = []
    if math.isnan(cd):
        return found
    for first in range(len(ranks)):
        last = int(np.searchsorted(ranks, ranks[first] + cd, side="right")) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found

"""P(A beats B): how often one method beats another in the same block.

| symbol | here | meaning |
|---|---|---|
| n_p, k_p | paired seeds of problem p; wins of A among them, a tie counts one half | |
| N, K     | sums of n_p and k_p | |
| p        | probability | the mean over the problems of P(A beats B) |

For one problem the interval is Jeffreys': quantiles of Beta(k + 1/2, n - k + 1/2). For several, the
posterior of each problem would draw the mean towards one half, the more so the fewer seeds and the
more problems, so that an interval of its draws misses the truth. The interval is therefore that of the
wins of all problems together, Beta(K' + 1/2, N' - K' + 1/2) (1), with equal weights of the problems:
K' = N' mean_p(k_p / n_p), N' = P^2 / sum_p(1 / n_p). It covers p in at least 95 % of cases: wins that
differ from problem to problem vary less than those of one coin.

A bootstrap of the wins is useless: five wins of five give [1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from runner.results.stats.blocks import Blocks
from runner.results.stats.shape import LEVEL, table, too_few_seeds

Floats = NDArray[np.float64]
Pair = tuple[str, str]

_COUNTS = {"wins": "int", "ties": "int", "losses": "int"}
_ESTIMATE = {"share": "float", "probability": "float", "lower": "float", "upper": "float"}
NO_EVIDENCE: Final = "no evidence"
SMALL: Final = "real but small"
MEANINGFUL: Final = "real and meaningful"


def all_pairs(methods: Sequence[str]) -> list[Pair]:
    """List all ordered pairs of different methods."""
    return [(a, b) for a in methods for b in methods if a != b]


def pairs_against(methods: Sequence[str], reference: str) -> list[Pair]:
    """Pair each method with the reference."""
    return [(method, reference) for method in methods if method != reference]


def jeffreys(wins: ArrayLike, n: ArrayLike) -> tuple[Any, Any, Any]:
    """Compute posterior mean and interval of a probability after a number of wins in n."""
    wins, n = np.asarray(wins, dtype=np.float64), np.asarray(n, dtype=np.float64)
    a, b = wins + 0.5, n - wins + 0.5
    low, high = (stats.beta.ppf(q, a, b) for q in (0.5 - LEVEL / 2, 0.5 + LEVEL / 2))
    return a / (a + b), low, high


def beats_by_problem(blocks: Blocks, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Estimate P(A beats B) on each problem.

    Returns
    -------
    pandas.DataFrame
        problem, method, against, wins, ties, losses, share (of wins, a tie counts one half),
        probability (posterior mean), lower, upper. Below three seeds there is no interval.
    """
    counts = _wins(blocks, pairs)
    sizes = counts.sum(axis=2)
    shares = (counts[:, :, 0] + counts[:, :, 1] / 2) / sizes
    middle, low, high = jeffreys(shares * sizes, sizes)
    rows = []
    for i, (a, b) in enumerate(pairs):
        for p, problem in enumerate(blocks.problems):
            n = int(sizes[i, p])
            row = {"problem": problem, "method": a, "against": b, "problems": 1, "seeds": n}
            row |= dict(zip(_COUNTS, counts[i, p].tolist(), strict=True)) | {"share": shares[i, p]}
            if not (reason := too_few_seeds(n)):
                row |= {"probability": middle[i, p], "lower": low[i, p], "upper": high[i, p]}
            rows.append(row | {"reason": reason})
    return table(rows, {"problem": "string", "method": "string", "against": "string", **_COUNTS, **_ESTIMATE})


def beats(blocks: Blocks, pairs: Sequence[Pair], gamma: float = 0.75) -> pd.DataFrame:
    """Estimate P(A beats B), averaged over the problems.

    Parameters
    ----------
    gamma : float, default 0.75
        Threshold that the upper bound of a meaningful difference exceeds (Bouthillier et al., MLSys
        2021).

    Returns
    -------
    pandas.DataFrame
        method, against, wins, ties, losses (blocks), share (the mean over the problems of the share
        of wins), probability (posterior mean), lower, upper, verdict: "no evidence" (lower up to
        0.5), "real but small" (upper up to gamma) or "real and meaningful".
    """
    rows: list[dict[str, Any]] = [{"method": a, "against": b} for a, b in pairs]
    size = len(blocks.problems)
    if not size:
        rows = [row | {"reason": "no block is complete."} for row in rows]
    elif pairs:
        counts = _wins(blocks, pairs)
        sizes = counts.sum(axis=2)
        fewest, totals = sizes.min(axis=1).tolist(), counts.sum(axis=1).tolist()
        shares = ((counts[:, :, 0] + counts[:, :, 1] / 2) / sizes).mean(axis=1)
        n = size**2 / (1 / sizes).sum(axis=1)
        middle, low, high = jeffreys(shares * n, n)  # (1)
        for i, row in enumerate(rows):
            row |= {"problems": size, "seeds": fewest[i], "share": shares[i]}
            row |= dict(zip(_COUNTS, totals[i], strict=True)) | {"reason": too_few_seeds(fewest[i])}
            if not row["reason"]:
                row |= {"probability": middle[i], "lower": low[i], "upper": high[i]}
                row["verdict"] = _judged(low[i], high[i], gamma)
    return table(rows, {"method": "string", "against": "string", **_COUNTS, **_ESTIMATE, "verdict": "string"})


def _judged(low: float, high: float, gamma: float) -> str:
    if low <= 0.5:
        return NO_EVIDENCE
    return MEANINGFUL if high > gamma else SMALL


def _wins(blocks: Blocks, pairs: Sequence[Pair]) -> NDArray[np.int64]:
    """Count wins, ties and losses of A, shape (pairs, problems, 3); blocks of two copies count once."""
    place = {method: m for m, method in enumerate(blocks.methods)}
    first, second = (np.array([place[pair[side]] for pair in pairs], dtype=np.intp) for side in (0, 1))
    found = np.zeros((len(pairs), len(blocks.problems), 3), dtype=np.int64)
    for p, (value, copy) in enumerate(zip(blocks.values, blocks.copies, strict=True)):
        x, y = value[first], value[second]
        counts = _first_of_copies(copy, first, second)
        for k, outcome in enumerate((x < y, x == y, x > y)):
            found[:, p, k] = (outcome & counts).sum(axis=1)
    return found


def _first_of_copies(
    copy: NDArray[np.int64], first: NDArray[np.intp], second: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Select the seeds of which no earlier one has copies of both runs, shape (pairs, seeds)."""
    seeds = copy.shape[1]
    found = np.ones((len(first), seeds), dtype=bool)
    earlier = np.tri(seeds, k=-1, dtype=bool)
    same = (copy[:, :, None] == copy[:, None, :]) & earlier
    repeats = same.any(axis=(1, 2))
    several = np.flatnonzero(repeats[first] & repeats[second])
    for i in several:
        found[i] = ~(same[first[i]] & same[second[i]]).any(axis=1)
    return found


def seeds_for(gamma: float, alpha: float = 0.05, power: float = 0.95) -> int:
    """Compute the paired seeds that show P(A beats B) > 1/2 if it is gamma (Noether's formula).

    Bouthillier et al. (2021) use it with 5 % for both errors: 29 for a gamma of 0.75.
    """
    z = stats.norm.ppf(1 - alpha) + stats.norm.ppf(power)
    return int(np.ceil((z / (np.sqrt(6.0) * (0.5 - gamma))) ** 2))

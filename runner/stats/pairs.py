"""How often one method beats another in the same block.

| symbol | here | meaning |
|---|---|---|
| n_p, k_p | paired seeds of problem p; wins of A among them, a tie counts one half | |
| N, K     | sums of n_p and k_p | |
| p        | probability | the mean over the problems of P(A beats B) |

For one problem the interval is Jeffreys': quantiles of Beta(k + 1/2, n - k + 1/2). For several, the
posterior of each problem would draw the mean towards one half, the more so the fewer seeds there
are and the more problems, so that an interval of its draws misses the truth. The interval is
therefore of the wins of all problems together, Beta(K' + 1/2, N' - K' + 1/2) (1), where each problem
has the same weight: K' = N' mean_p(k_p / n_p), N' = P^2 / sum_p(1 / n_p). It holds p at 95 % or more:
wins that differ from problem to problem vary less than those of one coin.

A bootstrap of the wins is of no use: five wins of five give [1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from runner.stats.blocks import Blocks
from runner.stats.shape import LEVEL, table, too_few_seeds

Floats = NDArray[np.float64]
Pair = tuple[str, str]

_COUNTS = {"wins": "int", "ties": "int", "losses": "int"}
_ESTIMATE = {"share": "float", "probability": "float", "lower": "float", "upper": "float"}
NO_EVIDENCE: Final = "no evidence"
SMALL: Final = "real but small"
MEANINGFUL: Final = "real and meaningful"


def all_pairs(methods: Sequence[str]) -> list[Pair]:
    """Every ordered pair of different methods."""
    return [(a, b) for a in methods for b in methods if a != b]


def pairs_against(methods: Sequence[str], reference: str) -> list[Pair]:
    """Every method against the reference."""
    return [(method, reference) for method in methods if method != reference]


def jeffreys(wins: float, n: float) -> tuple[float, float, float]:
    """Posterior mean and interval of a probability, after so many wins of n."""
    a, b = wins + 0.5, n - wins + 0.5
    low, high = (float(stats.beta.ppf(q, a, b)) for q in (0.5 - LEVEL / 2, 0.5 + LEVEL / 2))
    return a / (a + b), low, high


def beats_by_problem(blocks: Blocks, pairs: Sequence[Pair]) -> pd.DataFrame:
    """P(A beats B) on each problem.

    Returns
    -------
    pandas.DataFrame
        problem, method, against, wins, ties, losses, share (of wins, a tie counts one half),
        probability (posterior mean), lower, upper. Below three seeds there is no interval.
    """
    rows = []
    for a, b in pairs:
        for problem, (wins, ties, losses) in zip(blocks.problems, _wins(blocks, a, b), strict=True):
            n = wins + ties + losses
            row = {"problem": problem, "method": a, "against": b, "problems": 1, "seeds": n}
            row |= {"wins": wins, "ties": ties, "losses": losses, "share": (wins + ties / 2) / n}
            if not (reason := too_few_seeds(n)):
                row |= dict(zip(("probability", "lower", "upper"), jeffreys(wins + ties / 2, n), strict=True))
            rows.append(row | {"reason": reason})
    return table(rows, {"problem": "text", "method": "text", "against": "text", **_COUNTS, **_ESTIMATE})


def beats(blocks: Blocks, pairs: Sequence[Pair], gamma: float = 0.75) -> pd.DataFrame:
    """P(A beats B), the mean over the problems.

    Parameters
    ----------
    blocks : Blocks
    pairs : sequence of (str, str)
    gamma : float, default 0.75
        What an upper end must exceed for a difference to be meaningful (Bouthillier et al., MLSys
        2021).

    Returns
    -------
    pandas.DataFrame
        method, against, wins, ties, losses (blocks), share (the mean over the problems of the share
        of wins), probability (posterior mean), lower, upper, verdict: "no evidence" (lower up to
        0.5), "real but small" (upper up to gamma) or "real and meaningful".
    """
    rows = []
    for a, b in pairs:
        counts = np.array(_wins(blocks, a, b), dtype=np.float64).reshape(-1, 3)
        sizes = counts.sum(axis=1)
        row: dict[str, Any] = {"method": a, "against": b, "problems": len(sizes)}
        row |= dict(zip(_COUNTS, counts.sum(axis=0).astype(int).tolist(), strict=True))
        row["seeds"] = int(sizes.min()) if len(sizes) else 0
        reason = too_few_seeds(row["seeds"]) if len(sizes) else "no block is complete."
        if len(sizes):
            share = float(((counts[:, 0] + counts[:, 1] / 2) / sizes).mean())
            row["share"] = share
        if not reason:
            n = len(sizes) ** 2 / float((1 / sizes).sum())
            middle, low, high = jeffreys(share * n, n)  # (1)
            row |= {"probability": middle, "lower": low, "upper": high, "verdict": _judged(low, high, gamma)}
        rows.append(row | {"reason": reason})
    return table(rows, {"method": "text", "against": "text", **_COUNTS, **_ESTIMATE, "verdict": "text"})


def _judged(low: float, high: float, gamma: float) -> str:
    if low <= 0.5:
        return NO_EVIDENCE
    return MEANINGFUL if high > gamma else SMALL


def _wins(blocks: Blocks, a: str, b: str) -> list[tuple[int, int, int]]:
    """Wins, ties and losses of A per problem; blocks in which both runs are copies count once."""
    i, j = blocks.methods.index(a), blocks.methods.index(b)
    found = []
    for value, copy in zip(blocks.values, blocks.copies, strict=True):
        _, first = np.unique(copy[[i, j]], axis=1, return_index=True)
        x, y = value[i, first], value[j, first]
        found.append((int((x < y).sum()), int((x == y).sum()), int((x > y).sum())))
    return found


def seeds_for(gamma: float, alpha: float = 0.05, power: float = 0.95) -> int:
    """How many paired seeds show P(A beats B) > 1/2 where it is gamma (Noether's formula).

    Used by Bouthillier et al. (2021) with 5 % for both errors: 29 for a gamma of 0.75.
    """
    z = stats.norm.ppf(1 - alpha) + stats.norm.ppf(power)
    return int(np.ceil((z / (np.sqrt(6.0) * (0.5 - gamma))) ** 2))

"""Coverage of confidence intervals, on studies of simulated regrets whose truth is known."""

from __future__ import annotations

import time

import numpy as np
from scipy import stats

from runner.results.stats.averages import mean_ranks
from runner.results.stats.blocks import Blocks
from runner.results.stats.intervals import drawn_interval, iqm, mean_interval, resampled_iqm
from runner.results.stats.pairs import jeffreys

LARGE = 200_000
DRAWS = 1000


def regrets(rng, kind, centres, seeds):
    """Regrets of two methods, shape (problems, 2, seeds): what a block is like, both share.

    ``normal``: symmetric, with a difficulty per block. ``beta``: between 0 and 1, without. ``skewed``:
    log-normal, cut off at 1, with a difficulty per block.
    """
    size = (len(centres), seeds)
    hard = rng.normal(size=size)
    found = []
    for shift in (0.0, 0.05):
        centre = (centres + shift)[:, None]
        if kind == "normal":
            found.append(centre + 0.08 * hard + rng.normal(0, 0.05, size))
        elif kind == "beta":
            found.append(rng.beta(4 * centre, 4 * (1 - centre), size))
        else:
            found.append(np.minimum(1.0, centre * np.exp(0.3 * hard + 0.4 * rng.normal(size=size))))
    return np.stack(found, axis=1)


def truths(kind, centres):
    """IQM, difference of IQMs, mean, mean rank of the first method, and its P(beats the second)."""
    large = regrets(np.random.default_rng(1), kind, centres, LARGE // len(centres))
    middle = iqm(np.concatenate(list(large), axis=1))
    wins = (large[:, 0] < large[:, 1]).mean(axis=1)
    mean = float(large[:, 0].mean(axis=1).mean())
    return {
        "IQM": float(middle[0]),
        "difference of IQMs": float(middle[0] - middle[1]),
        "mean": mean,
        "average rank": float((2 - wins).mean()),
        "P(A beats B)": float(wins.mean()),
    }


def intervals(values):
    """The 95 % intervals of one study, by what they are of."""
    problems, _, seeds = values.shape
    numbers = np.arange(values.size // problems * problems).reshape(values.shape)
    names = tuple(f"p{i}" for i in range(problems))
    each = tuple(values)
    places = tuple(np.arange(seeds) for _ in names)
    blocks = Blocks(("a", "b"), names, each, places, problems * seeds, tuple(numbers))
    one = problems == 1
    drawn = resampled_iqm(blocks, draws=DRAWS, mean=one)
    pooled = blocks.pooled()
    middle = pooled.mean(axis=1) if one else iqm(pooled)
    first, gaps = tuple(x[0] for x in each), tuple(x[0] - x[1] for x in each)
    ranks = mean_ranks(blocks)
    wins = float((values[:, 0] < values[:, 1]).mean())
    if one:
        level, difference = (mean_interval(some)[1:] for some in (first, gaps))
    else:
        level = drawn_interval(float(middle[0]), drawn[:, 0], first, "seeds")
        gap = drawn[:, 0] - drawn[:, 1]
        difference = drawn_interval(float(middle[0] - middle[1]), gap, gaps, "seeds")
    return {
        "IQM": level,
        "difference of IQMs": difference,
        "mean": mean_interval(first)[1:],
        "average rank": (ranks["lower"][0], ranks["upper"][0]),
        "P(A beats B)": jeffreys(wins * problems * seeds, problems * seeds)[1:],
    }


def coverage(_scratch, kind, problems, seeds, studies):
    """The share of studies of which each interval holds the truth, in per cent."""
    rng = np.random.default_rng([problems, seeds, studies])
    centres = np.linspace(0.15, 0.6, problems) if problems > 1 else np.array([0.35])
    known = truths(kind, centres)
    if problems == 1:
        large = regrets(np.random.default_rng(1), kind, centres, LARGE)
        known["IQM"] = known["mean"]
        known["difference of IQMs"] = float((large[0, 0] - large[0, 1]).mean())
    hits = dict.fromkeys(known, 0)
    for _ in range(studies):
        for name, (low, high) in intervals(regrets(rng, kind, centres, seeds)).items():
            hits[name] += bool(low <= known[name] <= high)
    return {
        "held": {name: 100 * hit / studies for name, hit in hits.items()},
        "error": 100 * float(stats.binom.std(studies, 0.95)) / studies,
        "finished": time.time(),
    }

"""Intervals of what is averaged over problems and seeds: Student's t, and a paired bootstrap.

| symbol | here | meaning |
|---|---|---|
| P, n_p  | problems, seeds of problem p | |
| Y_mps   | values | of method m, problem p, seed s |
| mu_mp   | means over the seeds | |
| s2_p    | variance over the seeds of problem p | |
| nu      | df | degrees of freedom (Satterthwaite) |
| z, t_nu | quantiles of the normal and of Student's distribution | |

A resample of n values has a variance that is too small by (n - 1) / n, and a percentile interval
knows nothing of the degrees of freedom. Deviations are therefore multiplied by

    sqrt(n_p / (n_p - 1))  of the values from mu_mp, and  t_nu / z  of the resamples             (1)

without which "95 %" would hold the true value in 74 % of cases with 3 seeds of one problem.

Two scopes answer two questions. ``seeds``: what would these problems give again? Seeds are drawn
within each problem, the same for every method, since a block's methods share its difficulty.
``problems``: what would another problem like these give? Problems are drawn too.

An interval of a paired difference of regrets shows one of four things:

| word | the 95 % interval |
|---|---|
| equivalent | lies within the ROPE, and rests on at least five seeds |
| better, worse | lies below 0, or above it, and not within the ROPE |
| undecided | holds 0 and extends beyond the ROPE, or cannot be given |

To show nothing is no sign of equality: the fewer the data, the more is undecided.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from runner.results.stats.blocks import Blocks
from runner.results.stats.shape import FEW_SEEDS, LEVEL
from runner.seeds import rng_for

Floats = NDArray[np.float64]
Scope = Literal["seeds", "problems"]

BETTER: Final = "better"
EQUIVALENT: Final = "equivalent"
WORSE: Final = "worse"
UNDECIDED: Final = "undecided"

DRAWS: Final = 2000
"""Resamples: a tail of 2.5 % then holds 50 of them, so that bounds move little from draw to draw."""
_TRIM: Final = 0.25
"""Cut at both ends; what is left is interquartile."""
_Z: Final = float(stats.norm.ppf(0.5 + LEVEL / 2))


def iqm(values: Floats) -> Floats:
    """Average over the last axis without the lowest and the highest quarter."""
    n = values.shape[-1]
    cut = int(_TRIM * n)
    ordered = np.sort(values, axis=-1)
    return np.asarray(ordered[..., cut : n - cut].mean(axis=-1))


def degrees(variances: Floats, counts: Floats) -> Floats:
    """Compute Satterthwaite's degrees of freedom of a mean of means.

    Parameters
    ----------
    variances : array, shape (..., P)
        Over the seeds of each problem.
    counts : array, shape (P,)
        Seeds of each problem.

    Returns
    -------
    array, shape (...)
        At least the smallest n_p - 1; the sum of n_p - 1 where nothing varies.
    """
    parts = variances / counts
    total = parts.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = total**2 / (parts**2 / (counts - 1)).sum(axis=-1)
    return np.asarray(np.where(total > 0, found, (counts - 1).sum()))


def mean_interval(values: tuple[Floats, ...], scope: Scope = "seeds") -> tuple[Floats, Floats, Floats]:
    """Mean over problems of the means over seeds, with its interval.

    Parameters
    ----------
    values : tuple of array, each of shape (..., n_p)
        Problem by problem; n_p of at least 2, or for ``problems`` at least two problems.
    scope : "seeds" or "problems"

    Returns
    -------
    middle, lower, upper : arrays, shape (...)
    """
    counts = np.array([value.shape[-1] for value in values], dtype=np.float64)
    means = np.stack([value.mean(axis=-1) for value in values], axis=-1)
    middle = means.mean(axis=-1)
    size = len(values)
    if scope == "problems":
        spread = means.std(axis=-1, ddof=1) / math.sqrt(size)
        half = stats.t.ppf(0.5 + LEVEL / 2, size - 1) * spread
        return middle, middle - half, middle + half
    variances = np.stack([value.var(axis=-1, ddof=1) for value in values], axis=-1)
    spread = np.sqrt((variances / counts).sum(axis=-1)) / size
    half = stats.t.ppf(0.5 + LEVEL / 2, degrees(variances, counts)) * spread
    return middle, middle - half, middle + half


def resampled_iqm(blocks: Blocks, scope: Scope = "seeds", draws: int = DRAWS, mean: bool = False) -> Floats:
    """The IQM, or the mean, of each method in resamples of the blocks, paired, shape (draws, methods).

    The generator comes from the shape of the blocks only, so the same table gives the same draws.
    With problems drawn too, each gives as many seeds as the problem with the fewest has.
    """
    sizes = [len(seeds) for seeds in blocks.seeds]
    rng = rng_for("bootstrap", scope, draws, *sizes)
    size, least = len(sizes), min(sizes)
    parts = []
    for value in blocks.values:
        n = value.shape[1]
        mu = value.mean(axis=1, keepdims=True)
        stretched = mu + math.sqrt(n / (n - 1)) * (value - mu) if n > 1 else value  # (1)
        drawn = rng.integers(0, n, (draws, n if scope == "seeds" else least))
        parts.append(stretched[:, drawn])
    average = _mean if mean else iqm
    if scope == "seeds":
        pooled = np.concatenate(parts, axis=2)  # methods, draws, blocks
        return np.stack([average(one) for one in pooled], axis=1)
    chosen = rng.integers(0, size, (draws, size))[:, :, None]
    whole = np.stack(parts, axis=2)  # methods, draws, problems, seeds
    picked = [np.take_along_axis(one, chosen, axis=1).reshape(draws, -1) for one in whole]
    return np.stack([average(one) for one in picked], axis=1)


def _mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=-1))


def drawn_interval(
    middle: ArrayLike, drawn: Floats, values: tuple[Floats, ...], scope: Scope
) -> tuple[Floats, Floats]:
    """The intervals of statistics from their resamples.

    Parameters
    ----------
    middle : array, shape (...)
        The statistics.
    drawn : array, shape (draws, ...)
        Their resamples, of which each value was stretched by sqrt(n_p / (n_p - 1)).
    values : tuple of array, each of shape (..., n_p)
        What is averaged, problem by problem: it has the degrees of freedom of (1).
    scope : "seeds" or "problems"

    Returns
    -------
    lower, upper : arrays, shape (...)
    """
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0)
    size = len(values)
    wider: Floats | float
    if scope == "problems":
        wider = math.sqrt(size / (size - 1)) * stats.t.ppf(0.5 + LEVEL / 2, size - 1) / _Z
    else:
        counts = np.array([value.shape[-1] for value in values], dtype=np.float64)
        variances = np.stack([value.var(axis=-1, ddof=1) for value in values], axis=-1)
        wider = stats.t.ppf(0.5 + LEVEL / 2, degrees(variances, counts)) / _Z
    return middle + wider * (low - middle), middle + wider * (high - middle)


def shown(
    middle: ArrayLike, lower: ArrayLike, upper: ArrayLike, rope: float, seeds: int, exact: ArrayLike = False
) -> NDArray[np.str_]:
    """Say of each difference what its interval shows.

    Parameters
    ----------
    middle, lower, upper : array, shape (n,)
        Differences of regrets, and their intervals; NaN where none can be given. An interval of
        resamples may leave out its middle; it is extended to it.
    seeds : int
        The fewest seeds of any problem.
    exact : array of bool, shape (n,), optional
        True where the difference is the same with every seed, so that it needs no further ones.
    """
    middle, low, high = (np.asarray(x, dtype=np.float64) for x in (middle, lower, upper))
    low, high = np.minimum(low, middle), np.maximum(high, middle)  # NaN stays
    enough = np.asarray(exact, dtype=bool) | (seeds >= FEW_SEEDS)
    conditions = [enough & (low >= -rope) & (high <= rope), high < 0, low > 0]
    return np.select(conditions, [EQUIVALENT, BETTER, WORSE], UNDECIDED)

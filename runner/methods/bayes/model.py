"""Observations and hyper-parameters of a Gaussian process, from a history.

Hyper-parameters are fitted to a prefix of the history, after every result at first and less often
later, always from the same starts, so that they are a function of the history at a bounded cost;
a cache avoids fitting the same prefix again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from runner.methods.bayes.gaussian_process import Array, GaussianProcess, fit
from runner.methods.encoded import Cube
from runner.trial import Trial

_MIN_TIMED = 2  # distinct configs with seconds: one has no spread
# A fit costs O(n^3). Chosen by hand: a step of 1/50 of the history changes hyper-parameters little, and
# 400 points bound the cost of a proposal.
_REFIT_ALWAYS = 150
_REFITS_LATER = 50
_FIT_BEST = _FIT_NEWEST = 100
_FIT_POINTS = 400


def warped(losses: Array) -> Array:
    """Transform losses to targets: the worse half by rank only, then standardised.

    Losses above the (lower) median are replaced by quantiles of a normal distribution, by rank, with
    the spread of the rest. So a loss of 1e6 is merely the worst, and does not hide the differences
    between good ones. The result does not depend on the unit of the loss (half-rank warping, Song et
    al., 2024).

    Parameters
    ----------
    losses : ndarray, shape (n,)
        Finite, n >= 1.

    Returns
    -------
    ndarray, shape (n,)
        Mean 0 and standard deviation 1; zeros if all losses are equal.
    """
    n = len(losses)
    if np.min(losses) == np.max(losses):
        return np.zeros(n)
    median = np.sort(losses)[(n - 1) // 2]
    bad = losses > median
    # Halves cannot overflow, and scaling by a power of 2 is exact.
    gaps = np.where(bad, 0.0, 0.5 * median - 0.5 * losses)
    y = -np.ldexp(gaps, -int(np.frexp(np.max(gaps))[1]))
    # If the good half is a single value there is no spread to match; any will do.
    spread = math.sqrt(float(np.mean(y[~bad] ** 2))) or 1.0
    y = np.where(bad, spread * ndtri((rankdata(losses) - 0.5) / n), y)
    y = y - np.mean(y)
    standardised: Array = y / np.std(y)
    return standardised


def succeeded(trial: Trial) -> bool:
    """Check that a trial has a loss to learn from."""
    return trial.valid and trial.loss is not None and math.isfinite(trial.loss)


def observations(completed: Sequence[Trial], rows: Sequence[Array]) -> list[tuple[Array, float]]:
    """List each distinct row with its mean loss; failures count as the worst loss."""
    worst = max(trial.loss for trial in completed if succeeded(trial) and trial.loss is not None)
    losses = [t.loss if succeeded(t) and t.loss is not None else worst for t in completed]
    return _averaged(rows, losses)


def log_seconds(cube: Cube, completed: Sequence[Trial], rows: Sequence[Array]) -> GaussianProcess | None:
    """Model the logarithm of an evaluation's seconds; None if all known ones are equal.

    Its mean is relative to the mean of the known logarithms. Failed trials count: they took time, too.
    """
    timed = [i for i, trial in enumerate(completed) if 0.0 < trial.outcome.seconds < math.inf]
    averages = _averaged([rows[i] for i in timed], [math.log(completed[i].outcome.seconds) for i in timed])
    logs = np.array([log for _, log in averages])
    if len(averages) < _MIN_TIMED or np.ptp(logs) == 0:
        return None
    features, owner = cube.features(np.array([row for row, _ in averages])), cube.embedding.owner
    theta = hyperparameters(features, owner, logs, _standardised).copy()
    theta[-2:] += 2.0 * math.log(float(np.std(logs)))  # variances in the unit of the logarithm
    return GaussianProcess(features, owner, logs - np.mean(logs), theta)


def hyperparameters(
    features: Array,
    owner: NDArray[np.intp],
    values: Array,
    targets: Callable[[Array], Array] = warped,
) -> Array:
    """Fit hyper-parameters to the first values: all of them up to 150, then in steps of about 1/50.

    At most 400 values are fitted: the best, the newest, and others evenly from the rest.
    """
    n = len(values)
    n -= n % (n // _REFITS_LATER) if n > _REFIT_ALWAYS else 0
    y = targets(values[:n])
    chosen = np.arange(n)
    if n > _FIT_POINTS:
        always = {*np.argsort(y, kind="stable")[:_FIT_BEST].tolist(), *range(n - _FIT_NEWEST, n)}
        rest = [i for i in range(n) if i not in always]
        even = np.linspace(0, len(rest) - 1, _FIT_POINTS - len(always)).round().astype(int)
        chosen = np.array(sorted(always | {rest[i] for i in even}))
    return _fitted(features[chosen].tobytes(), owner.tobytes(), y[chosen].tobytes())


@lru_cache(maxsize=256)  # the runs of a study are interleaved
def _fitted(features: bytes, owner: bytes, y: bytes) -> Array:
    owners, targets = np.frombuffer(owner, dtype=np.intp), np.frombuffer(y)
    theta = fit(np.frombuffer(features).reshape(len(targets), len(owners)), owners, targets)
    theta.flags.writeable = False
    return theta


def _standardised(values: Array) -> Array:
    spread = np.std(values)
    return (values - np.mean(values)) / (spread or 1.0)


def _averaged(rows: Sequence[Array], values: Sequence[float]) -> list[tuple[Array, float]]:
    groups: dict[bytes, tuple[Array, list[float]]] = {}
    for row, value in zip(rows, values, strict=True):
        groups.setdefault(row.tobytes(), (row, []))[1].append(value)
    return [(row, sum(value / len(group) for value in group)) for row, group in groups.values()]

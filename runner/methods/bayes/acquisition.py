"""Acquisition functions, and the search for their maximiser.

Notation
--------
====================  ===========================================================================
``mean, std``         posterior mean and standard deviation at a row, without noise
``best``              the lowest posterior mean at the observations
``z``                 ``(best - xi - mean) / std``
``phi, Phi``          standard normal density and distribution function
``h(z)``              ``phi(z) + z Phi(z)``; EI is ``std h(z)``
``q``                 ``Phi(z) / h(z)``, the derivative of ``log h``
``c``                 posterior mean of the logarithm of an evaluation's seconds
====================  ===========================================================================

References
----------
EI: D. R. Jones, M. Schonlau and W. J. Welch, J. Global Optimization 13 (1998), eq. 15.
LogEI: S. Ament et al., "Unexpected Improvements to Expected Improvement", NeurIPS 2023, eq. 9.
UCB: N. Srinivas et al., ICML 2010. PI: H. J. Kushner, J. Basic Engineering 86 (1964).
Per second, ``log EI - c``: J. Snoek, H. Larochelle and R. P. Adams, NIPS 25 (2012), section 3.2.
Thompson sampling: W. R. Thompson, Biometrika 25 (1933); the draw is `runner.methods.bayes.thompson`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.optimize import minimize
from scipy.special import erfcx, log_ndtr, ndtr

from runner.methods.bayes.gaussian_process import Array, GaussianProcess
from runner.methods.encoded import Cube, Mask

Name = Literal["logei", "ei", "ucb", "pi", "thompson"]

_LOG_SQRT_2_PI = 0.5 * math.log(2.0 * math.pi)
_FAR_TAIL = -5e3  # below it 1 + z Phi / phi cancels in rounding, and its expansion is exact
# Effort of the search: chosen by hand so that a proposal takes tens of milliseconds, where the package's
# own search (10,000 draws, gradients by finite differences) takes 0.3 to 8 s. Climbing does the rest.
_UNIFORM_DRAWS = 512
_LOCAL_DRAWS = 48  # near each of the best observations
_STARTS_PER_POOL = 2  # best draws that climb; the cost grows in proportion
_MAX_PATTERNS = 8  # of active parameters, each of which gets a start of its own
_POLISH_ITERATIONS = 40  # of L-BFGS-B
_CLIMBS = 6  # rounds of gradient steps and changes of levels
_LOG10_STEPS = (-2.5, -0.5)  # lengths of local draws: from 0.3 % to 30 % of a parameter's range
_MIN_MOVED = 0.4  # share of the coordinates that a local draw moves


def log_h(z: Array) -> tuple[Array, Array]:
    """Compute ``log h(z)`` and its derivative ``q``, without underflow at any finite z; LogEI eq. 9."""
    z = np.asarray(z, dtype=np.float64)
    near = np.maximum(z, -1.0)
    h = np.exp(-0.5 * near**2 - _LOG_SQRT_2_PI) + near * ndtr(near)
    tail = np.clip(z, _FAR_TAIL, -1.0)
    mills = math.sqrt(0.5 * math.pi) * erfcx(-tail / math.sqrt(2.0))  # Phi / phi
    rest = 1.0 + tail * mills
    far = np.minimum(z, _FAR_TAIL)
    square = np.minimum(far**2, 1e300)  # below overflow; h(z) = phi(z) (1 / z^2 - 3 / z^4 + ...)
    below, beyond = z <= -1.0, z < _FAR_TAIL
    density = -0.5 * np.minimum(z**2, 1e300) - _LOG_SQRT_2_PI
    factor = np.where(beyond, np.log1p(-3.0 / square) - np.log(square), np.log(rest))
    value: Array = np.where(below, density + factor, np.log(h))
    q: Array = np.where(beyond, -far, np.where(below, mills / rest, ndtr(near) / h))
    return value, q


class Posterior(Protocol):
    """Means, standard deviations and their gradients: the inputs of an acquisition function."""

    def predict(self, Z: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation at features of shape (q, m), each (q,)."""

    def slopes(self, z: Array) -> tuple[float, float, Array, Array]:
        """Return mean and standard deviation at one point, shape (m,), and their gradients."""


@dataclass(frozen=True)
class Acquisition:
    """An acquisition function for a loss, to be maximised.

    Parameters
    ----------
    best : float
        The lowest loss so far, in the unit of the process's targets.
    kappa : float
        For "ucb": weight of the standard deviation.
    xi : float
        For the others: the least improvement that counts.
    """

    name: Name
    best: float
    kappa: float
    xi: float

    def __call__(self, mean: Array, std: Array) -> tuple[Array, Array, Array]:
        """Return the value and its derivatives by the mean and by the standard deviation."""
        if self.name == "thompson":  # the mean is a draw
            return -mean, -np.ones_like(mean), np.zeros_like(std)
        if self.name == "ucb":
            return self.kappa * std - mean, -np.ones_like(mean), np.full_like(std, self.kappa)
        z = (self.best - self.xi - mean) / std
        if self.name == "pi":  # its logarithm, which has the same maximiser and does not underflow
            value = log_ndtr(z)
            slope = np.exp(-0.5 * z**2 - _LOG_SQRT_2_PI - value)
            return value, -slope / std, -slope * z / std
        if self.name == "ei":
            density = np.exp(-0.5 * z**2 - _LOG_SQRT_2_PI)
            return std * (density + z * ndtr(z)), -ndtr(z), density
        value, q = log_h(z)
        return np.log(std) + value, -q / std, (1.0 - q * z) / std


@dataclass(frozen=True)
class Search:
    """Search for the new row of a space that maximises an acquisition function.

    Parameters
    ----------
    known : set of bytes
        Rows (``tobytes``) that must not be proposed again.
    seconds : GaussianProcess, optional
        Model of the logarithm of an evaluation's seconds; its mean is subtracted.
    """

    cube: Cube
    model: Posterior
    acquisition: Acquisition
    known: frozenset[bytes]
    rng: np.random.Generator
    seconds: GaussianProcess | None = None

    def best(self, anchors: Array) -> Array | None:
        """Find the best new row, shape (d,), or None.

        All rows of a small space are compared. Otherwise uniform draws, and draws near the anchors
        (good rows, shape (k, d)), are compared; the best of each pool and of each pattern of
        active parameters are improved by gradient steps and by single changes of level.
        """
        if self.cube.rows is not None:
            return self._first_new(self.cube.rows)
        uniform = self._allowed(self.rng.random((_UNIFORM_DRAWS, self.cube.space.d)))
        local = self._allowed(self._near(anchors))
        pool = np.concatenate([uniform, local])
        if not len(pool):
            return None
        values = self.values(pool)
        split = len(uniform)
        tops = [*_top(values[:split]), *(split + i for i in _top(values[split:]))]
        starts = dict.fromkeys([*tops, *self._best_of_patterns(pool, values)])
        climbed = np.array([self.cube.canonical(self.climb(pool[i])) for i in starts])
        finals = np.concatenate([climbed, pool[np.argsort(-values, kind="stable")]])
        return self._first_new(finals)

    def values(self, rows: Array) -> Array:
        """Evaluate the acquisition function at snapped rows, shape (n,)."""
        features = self.cube.features(rows)
        values = self.acquisition(*self.model.predict(features))[0]
        return values if self.seconds is None else values - self.seconds.mean(features)

    def climb(self, row: Array) -> Array:
        """Find a local maximiser near a snapped row, by gradient steps and changes of level in turn."""
        value = -math.inf
        for _ in range(_CLIMBS):
            exact = self.polish(row, self.cube.continuous)
            relaxed = self.cube.snap(self.polish(exact, self.cube.numeric)[None, :])
            levels = self.cube.neighbours(exact)
            tried = np.concatenate(
                [row[None, :], exact[None, :], self._allowed(np.concatenate([relaxed, levels]))]
            )
            values = self.values(tried)
            i = int(np.argmax(values))
            row = tried[i]
            if not len(levels) or values[i] <= value + 1e-9 * abs(value):
                break
            value = float(values[i])
        return row

    def polish(self, row: Array, free: Mask) -> Array:
        """Take gradient steps in the active numbers that are free."""
        embedding = self.cube.embedding
        mask = self.cube.active(row[None, :])
        moving = (mask[0] & free)[embedding.numeric]
        coordinates, columns = embedding.numeric[moving], embedding.columns[moving]
        if not len(coordinates):
            return row
        z = embedding(row[None, :], mask)[0]

        def loss(u: Array) -> tuple[float, Array]:
            z[columns] = u - 0.5
            mean, std, dmean, dstd = self.model.slopes(z)
            value, by_mean, by_std = self.acquisition(np.array(mean), np.array(std))
            rise = by_mean * dmean + by_std * dstd
            if self.seconds is not None:
                c, _, dc, _ = self.seconds.slopes(z)
                value, rise = value - c, rise - dc
            return -float(value), -rise[columns]

        result = minimize(
            loss,
            row[coordinates],
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * len(coordinates),
            options={"maxiter": _POLISH_ITERATIONS, "ftol": 1e-8, "gtol": 1e-6},
        )
        polished = row.copy()
        polished[coordinates] = result.x
        return polished

    def _near(self, anchors: Array) -> Array:
        """Draw rows near each anchor: some coordinates moved, by steps of many lengths."""
        rows = np.repeat(anchors, _LOCAL_DRAWS, axis=0)
        n, d = rows.shape
        steps = 10.0 ** self.rng.uniform(*_LOG10_STEPS, (n, 1)) * self.rng.standard_normal((n, d))
        moved = np.where(self.rng.random((n, d)) < max(_MIN_MOVED, 1.0 / d), rows + steps, rows)
        redrawn = self.rng.random((n, d)) < 1.0 / d
        categorical = np.array(self.cube.embedding.categories) > 0
        drawn = self.rng.random((n, d))
        return np.where(categorical, np.where(redrawn, drawn, rows), moved)

    def _allowed(self, rows: Array) -> Array:
        rows = self.cube.snap(rows)
        if not self.cube.space.forbid or not len(rows):
            return rows
        return rows[[self.cube.allows(row) for row in rows]]

    def _best_of_patterns(self, pool: Array, values: Array) -> Iterator[int]:
        patterns, member = np.unique(self.cube.active(pool), axis=0, return_inverse=True)
        if 1 < len(patterns) <= _MAX_PATTERNS:
            for pattern in range(len(patterns)):
                inside = np.flatnonzero(member.ravel() == pattern)
                yield int(inside[np.argmax(values[inside])])

    def _first_new(self, rows: Array) -> Array | None:
        values = self.values(rows) if len(rows) else np.empty(0)
        for i in np.argsort(-values, kind="stable"):
            row = self.cube.canonical(rows[i])
            if row.tobytes() not in self.known and self.cube.allows(row):
                return row
        return None


def _top(values: Array) -> Iterable[int]:
    return (int(i) for i in np.argsort(-values, kind="stable")[:_STARTS_PER_POOL])

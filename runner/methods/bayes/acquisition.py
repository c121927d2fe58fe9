"""What a Gaussian process says is worth trying, and the search for the best of it.

Notation
--------
====================  ===========================================================================
``mean, std``         posterior of the function at a row, without noise
``best``              the least loss so far, as the process sees it
``z``                 ``(best - xi - mean) / std``
``h(z)``              ``phi(z) + z Phi(z)`` with the normal density and law; EI is ``std h(z)``
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
_FAR_TAIL = -5e3  # below it 1 + z Phi / phi is lost in rounding, and its expansion is exact
_UNIFORM_DRAWS = 512
_LOCAL_DRAWS = 48
_STARTS_PER_POOL = 2
_MOST_PATTERNS = 8
_POLISH_ITERATIONS = 40
_CLIMBS = 6


def log_h(z: Array) -> tuple[Array, Array]:
    """``log h(z)`` and its derivative ``q``, without underflow at any finite z; LogEI eq. 9."""
    z = np.asarray(z, dtype=np.float64)
    near = np.maximum(z, -1.0)
    h = np.exp(-0.5 * near**2 - _LOG_SQRT_2_PI) + near * ndtr(near)
    tail = np.clip(z, _FAR_TAIL, -1.0)
    mills = math.sqrt(0.5 * math.pi) * erfcx(-tail / math.sqrt(2.0))  # Phi / phi
    rest = 1.0 + tail * mills
    far = np.minimum(z, _FAR_TAIL)
    square = np.minimum(far**2, 1e300)  # h(z) = phi(z) (1 / z^2 - 3 / z^4 + ...)
    below, beyond = z <= -1.0, z < _FAR_TAIL
    density = -0.5 * np.minimum(z**2, 1e300) - _LOG_SQRT_2_PI
    factor = np.where(beyond, np.log1p(-3.0 / square) - np.log(square), np.log(rest))
    value: Array = np.where(below, density + factor, np.log(h))
    q: Array = np.where(beyond, -far, np.where(below, mills / rest, ndtr(near) / h))
    return value, q


class Surface(Protocol):
    """What an acquisition function is made of: means and deviations, and how they change."""

    def predict(self, Z: Array) -> tuple[Array, Array]:
        """Mean and deviation at features of shape (q, m), each (q,)."""

    def slopes(self, z: Array) -> tuple[float, float, Array, Array]:
        """Mean and deviation at one point, shape (m,), and their gradients in it."""


@dataclass(frozen=True)
class Goal:
    """An acquisition function of a loss, to be maximised.

    Parameters
    ----------
    name : "logei", "ei", "ucb", "pi" or "thompson"
    best : float
        The least loss so far, in the unit of the process's targets.
    kappa : float
        Of "ucb": how many standard deviations of hope.
    xi : float
        Of the others: the least improvement that counts.
    """

    name: Name
    best: float
    kappa: float
    xi: float

    def __call__(self, mean: Array, std: Array) -> tuple[Array, Array, Array]:
        """The value and its derivatives in the mean and in the standard deviation."""
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
    """The row of a space that maximises an acquisition function and is not known yet.

    Parameters
    ----------
    cube : Cube
    model : Surface
    goal : Goal
    known : set of bytes
        The rows (``tobytes``) that must not come again.
    rng : numpy.random.Generator
    seconds : GaussianProcess, optional
        Of the logarithm of an evaluation's seconds; its mean is taken from the goal.
    """

    cube: Cube
    model: Surface
    goal: Goal
    known: frozenset[bytes]
    rng: np.random.Generator
    seconds: GaussianProcess | None = None

    def best(self, anchors: Array) -> Array | None:
        """The best new row, shape (d,), or None where none was found.

        A small space is compared whole. Otherwise uniform draws, and draws near the anchors
        (good rows, shape (k, d)), are compared; the best of each pool and of each pattern of
        active parameters are climbed by gradient and by single changes of level.
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
        climbed = np.array([self.cube.settle(self.climb(pool[i])) for i in starts])
        finals = np.concatenate([climbed, pool[np.argsort(-values, kind="stable")]])
        return self._first_new(finals)

    def values(self, rows: Array) -> Array:
        """The acquisition function at snapped rows, shape (n,)."""
        features = self.cube.features(rows)
        values = self.goal(*self.model.predict(features))[0]
        return values if self.seconds is None else values - self.seconds.mean(features)

    def climb(self, row: Array) -> Array:
        """A local maximiser near a snapped row: gradient steps and changes of level in turn."""
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
        """The row after gradient steps in those of its active numbers that are free."""
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
            value, by_mean, by_std = self.goal(np.array(mean), np.array(std))
            rise = by_mean * dmean + by_std * dstd
            if self.seconds is not None:
                c, _, dc, _ = self.seconds.slopes(z)
                value, rise = value - c, rise - dc
            return -float(value), -rise[columns]

        found = minimize(
            loss,
            row[coordinates],
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * len(coordinates),
            options={"maxiter": _POLISH_ITERATIONS, "ftol": 1e-8, "gtol": 1e-6},
        )
        polished = row.copy()
        polished[coordinates] = found.x
        return polished

    def _near(self, anchors: Array) -> Array:
        """Draws near each anchor: some coordinates moved, by steps of many lengths."""
        rows = np.repeat(anchors, _LOCAL_DRAWS, axis=0)
        n, d = rows.shape
        steps = 10.0 ** self.rng.uniform(-2.5, -0.5, (n, 1)) * self.rng.standard_normal((n, d))
        moved = np.where(self.rng.random((n, d)) < max(0.4, 1.0 / d), rows + steps, rows)
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
        if 1 < len(patterns) <= _MOST_PATTERNS:
            for pattern in range(len(patterns)):
                inside = np.flatnonzero(member.ravel() == pattern)
                yield int(inside[np.argmax(values[inside])])

    def _first_new(self, rows: Array) -> Array | None:
        values = self.values(rows) if len(rows) else np.empty(0)
        for i in np.argsort(-values, kind="stable"):
            row = self.cube.settle(rows[i])
            if row.tobytes() not in self.known and self.cube.allows(row):
                return row
        return None


def _top(values: Array) -> Iterable[int]:
    return (int(i) for i in np.argsort(-values, kind="stable")[:_STARTS_PER_POOL])

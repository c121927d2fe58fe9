"""A Parzen estimator on rows of the encoded cube: a mixture of products of kernels.

Each row has a kernel, and one further component is the uniform distribution. The kernel of a number
is a normal distribution truncated to [0, 1]; that of a category has its value, with the rest of the
probability spread evenly. In a coordinate that its row does not use a component is uniform, so rows
of other branches inform about shared parameters only. The numbers that all rows use are drawn jointly,
with their covariance among the rows, so that a valley is followed.

Notation
--------
====================  ===========================================================================
``n, d``              rows; encoded coordinates
``w``                 (n + 1,) weights of the components, the uniform one last
``h``                 (n, d) bandwidth of each row in each numeric coordinate
``e``                 uniform share of the kernel of a category of K values, ``K / (n + 1 + K)``
``S``                 covariance of the joint kernel, ``n^(-2 / (q + 4))`` times the rows' own
``q``                 numeric coordinates that all rows use
====================  ===========================================================================

References
----------
J. Bergstra, R. Bardenet, Y. Bengio and B. Kegl, NIPS 24 (2011), section 4: the bandwidth is the
greater gap to the neighbours. S. Watanabe, arXiv:2304.11127 (2023): the joint kernel (section 3.2)
and the least bandwidth (section 3.3.4). D. W. Scott, "Multivariate Density Estimation", 1992,
eq. 6.42: the covariance's factor.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import ndtr, ndtri

from runner.methods.encoded import Array, Cube

_MAX_BANDWIDTHS = 100  # least bandwidth 1/100 of the range, as hyperopt's min(100, n + 2); Watanabe, 3.3.4
_SHRINKAGE = 0.5  # of the covariances towards 0: of few rows they are mostly noise. Chosen by hand.
_MIN_SPREAD = 0.02  # standard deviation added to each coordinate, so that no direction collapses; by hand
_MIN_JOINT = 3  # rows: two span a line only


class Parzen:
    """The density of some rows relative to the uniform distribution.

    Parameters
    ----------
    rows : ndarray, shape (n, d)
        Snapped; n may be 0.
    weights : ndarray, shape (n,), optional
        Default: 1 each. The uniform component has 1.
    joint : bool, default False
        Draw numbers with their covariance.
    """

    def __init__(self, cube: Cube, rows: Array, weights: Array | None = None, joint: bool = False) -> None:
        self.cube, self.rows = cube, rows
        self._own = np.ones(len(rows)) if weights is None else weights
        w = np.append(self._own, 1.0)
        self.w: Array = w / np.sum(w)
        self._active = cube.active(rows)
        self._h = bandwidths(rows, self._active, cube.numeric)
        self._level = _levels(cube, rows)
        shared = np.flatnonzero(cube.numeric & self._active.all(axis=0))
        self._q = shared if joint and len(rows) >= _MIN_JOINT and len(shared) > 1 else shared[:0]
        if len(self._q):
            self._h[:, self._q] = np.sqrt(np.sum(self._C**2, axis=1))

    @cached_property
    def _C(self) -> Array:  # noqa: N802
        """The lower Cholesky factor of S."""
        q = len(self._q)
        S = np.cov(self.rows[:, self._q].T, aweights=self._own)
        S = (1.0 - _SHRINKAGE) * S + np.diag(_SHRINKAGE * np.diag(S) + _MIN_SPREAD**2)
        factor: Array = np.linalg.cholesky(S) * len(self.rows) ** (-1.0 / (q + 4))  # Scott, eq. 6.42
        return factor

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Draw rows, not snapped, shape (size, d)."""
        n, d = self.rows.shape
        component = rng.choice(n + 1, size, p=self.w)  # ~ Categorical(w)
        uniform, category = rng.random((size, d)), rng.random((size, d))
        step = rng.standard_normal((size, len(self._q)))
        drawn = uniform.copy()
        for j, count in enumerate(self.cube.embedding.categories):
            hit = np.flatnonzero(component < n)
            hit = hit[self._active[component[hit], j]]
            u = self.rows[component[hit], j]
            if count:
                same = category[hit, j] >= self._e(count)
                drawn[hit[same], j] = u[same]
            else:
                h = self._h[component[hit], j]
                low, high = ndtr(-u / h), ndtr((1.0 - u) / h)
                drawn[hit, j] = u + h * ndtri(low + uniform[hit, j] * (high - low))  # truncated normal
        if len(self._q):
            near = np.flatnonzero(component < n)
            moved = self.rows[np.ix_(component[near], self._q)] + step[near] @ self._C.T  # ~ N(row, S)
            drawn[np.ix_(near, self._q)] = 1.0 - np.abs(1.0 - np.abs(moved))  # reflected
        return np.clip(drawn, 0.0, 1.0)

    def log_density(self, rows: Array) -> Array:
        """Compute the logarithm of the density at snapped rows, shape (m, d), as an array (m,)."""
        n = len(self.rows)
        logs = np.zeros((len(rows), n + 1))
        active, level = self.cube.active(rows), _levels(self.cube, rows)
        for j, count in enumerate(self.cube.embedding.categories):
            if count:
                e = self._e(count)
                same = level[:, j, None] == self._level[None, :, j]
                kernel = np.where(same, math.log(count * (1.0 - e) + e), math.log(e))
            else:
                u, h = self.rows[:, j], self._h[:, j]
                inside = ndtr((1.0 - u) / h) - ndtr(-u / h)
                kernel = -0.5 * ((rows[:, j, None] - u) / h) ** 2 - np.log(
                    math.sqrt(2 * math.pi) * h * inside
                )
            logs[:, :n] += np.where(active[:, j, None] & self._active[None, :, j], kernel, 0.0)
        if len(self._q):
            logs[:, :n] += self._correlation(rows)
        logs += np.log(self.w)
        most = np.max(logs, axis=1)
        total: Array = most + np.log(np.sum(np.exp(logs - most[:, None]), axis=1))
        return total

    def _correlation(self, rows: Array) -> Array:
        """Compute the log ratio of the joint kernel to the product of its marginals, shape (m, n)."""
        away = rows[:, None, self._q] - self.rows[None, :, self._q]
        scaled = solve_triangular(self._C, away.reshape(-1, len(self._q)).T, lower=True)
        joint = np.sum(scaled**2, axis=0).reshape(away.shape[:2])
        h = self._h[0, self._q]
        marginal = np.sum((away / h) ** 2, axis=2)
        volume = float(np.sum(np.log(h)) - np.sum(np.log(np.diag(self._C))))
        ratio: Array = volume - 0.5 * (joint - marginal)
        return ratio

    def _e(self, count: int) -> float:
        return count / (len(self.rows) + 1 + count)


def bandwidths(rows: Array, active: NDArray[np.bool_], numeric: NDArray[np.bool_]) -> Array:
    """Compute the greater gap to the neighbours for each row and numeric coordinate, shape (n, d).

    At least ``1 / (m + 2)`` of the range for a coordinate of m rows, and at least a hundredth.
    """
    h = np.ones(rows.shape)
    for j in np.flatnonzero(numeric):
        hit = np.flatnonzero(active[:, j])
        m = len(hit)
        if not m:
            continue
        order = hit[np.argsort(rows[hit, j], kind="stable")]
        places = np.concatenate([[0.0], rows[order, j], [1.0]])
        gaps = places[1:] - places[:-1]
        if m > 1:  # the gap to a bound of the range says little
            gaps[0], gaps[-1] = gaps[1], gaps[-2]
        least = 1.0 / min(_MAX_BANDWIDTHS, m + 2)
        h[order, j] = np.minimum(np.maximum(np.maximum(gaps[:-1], gaps[1:]), least), 1.0)
    return h


def _levels(cube: Cube, rows: Array) -> NDArray[np.intp]:
    """Compute the index of each category, shape (n, d)."""
    counts = np.array(cube.embedding.categories, dtype=np.intp)
    levels: NDArray[np.intp] = np.minimum((rows * counts).astype(np.intp), np.maximum(counts - 1, 0))
    return levels

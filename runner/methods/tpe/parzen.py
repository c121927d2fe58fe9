"""A Parzen estimator on rows of the encoded cube: a mixture of products of kernels.

Around each row stands a kernel, and one further component is the uniform law. A number has a
normal law truncated to [0, 1], a category its value with the rest of the probability spread evenly.
Where a component's row does not use a coordinate its law there is uniform, so rows of other
branches say something of the parameters that branches share, and nothing of the others. The
numbers that all rows use are drawn together, with their covariance among the rows, so that a
valley is followed.

Notation
--------
====================  ===========================================================================
``n, d``              rows; encoded coordinates
``w``                 (n + 1,) weights of the components, the uniform one last
``h``                 (n, d) bandwidth of each row in each numeric coordinate
``e``                 share of the uniform law in a category's kernel, ``K / (n + 1 + K)``
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

_MOST_BANDWIDTHS = 100
_OWN = 0.5
"""Share of a coordinate's own variance that its covariances leave untouched."""
_LEAST_SPREAD = 0.02
_LEAST_JOINT = 3


class Parzen:
    """The density of some rows relative to the uniform law.

    Parameters
    ----------
    cube : Cube
    rows : ndarray, shape (n, d)
        Snapped; n may be 0.
    weights : ndarray, shape (n,), optional
        Default: 1 each. The uniform component has 1.
    joint : bool, default False
        Whether numbers are drawn with their covariance.
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
        self._q = shared if joint and len(rows) >= _LEAST_JOINT and len(shared) > 1 else shared[:0]
        if len(self._q):
            self._h[:, self._q] = np.sqrt(np.sum(self._C**2, axis=1))

    @cached_property
    def _C(self) -> Array:  # noqa: N802
        """The lower Cholesky factor of S."""
        q = len(self._q)
        S = np.cov(self.rows[:, self._q].T, aweights=self._own)
        S = (1.0 - _OWN) * S + np.diag(_OWN * np.diag(S) + _LEAST_SPREAD**2)
        factor: Array = np.linalg.cholesky(S) * len(self.rows) ** (-1.0 / (q + 4))
        return factor

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Rows of the density, not snapped, shape (size, d)."""
        n, d = self.rows.shape
        at = rng.choice(n + 1, size, p=self.w)  # Categorical(w)
        uniform, keeping, step = (
            rng.random((size, d)),
            rng.random((size, d)),
            rng.standard_normal((size, len(self._q))),
        )
        drawn = uniform.copy()
        for j, count in enumerate(self.cube.embedding.categories):
            hit = np.flatnonzero(at < n)
            hit = hit[self._active[at[hit], j]]
            u = self.rows[at[hit], j]
            if count:
                kept = keeping[hit, j] >= self._e(count)
                drawn[hit[kept], j] = u[kept]
            else:
                h = self._h[at[hit], j]
                low, high = ndtr(-u / h), ndtr((1.0 - u) / h)
                drawn[hit, j] = u + h * ndtri(low + uniform[hit, j] * (high - low))  # truncated normal
        if len(self._q):
            near = np.flatnonzero(at < n)
            moved = self.rows[np.ix_(at[near], self._q)] + step[near] @ self._C.T
            drawn[np.ix_(near, self._q)] = 1.0 - np.abs(1.0 - np.abs(moved))  # reflected
        return np.clip(drawn, 0.0, 1.0)

    def log_density(self, rows: Array) -> Array:
        """The logarithm of the density at snapped rows, shape (m, d), each (m,)."""
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
        found: Array = most + np.log(np.sum(np.exp(logs - most[:, None]), axis=1))
        return found

    def _correlation(self, rows: Array) -> Array:
        """What the joint kernel has more than the product of its marginals, shape (m, n)."""
        away = rows[:, None, self._q] - self.rows[None, :, self._q]
        scaled = solve_triangular(self._C, away.reshape(-1, len(self._q)).T, lower=True)
        joint = np.sum(scaled**2, axis=0).reshape(away.shape[:2])
        h = self._h[0, self._q]
        alone = np.sum((away / h) ** 2, axis=2)
        volume = float(np.sum(np.log(h)) - np.sum(np.log(np.diag(self._C))))
        more: Array = volume - 0.5 * (joint - alone)
        return more

    def _e(self, count: int) -> float:
        return count / (len(self.rows) + 1 + count)


def bandwidths(rows: Array, active: NDArray[np.bool_], numeric: NDArray[np.bool_]) -> Array:
    """Per row and numeric coordinate the greater gap to the neighbours, shape (n, d).

    A coordinate of m rows has at least ``1 / (m + 2)`` of its range, and at least a hundredth.
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
        if m > 1:  # the gap to an end of the range says little
            gaps[0], gaps[-1] = gaps[1], gaps[-2]
        least = 1.0 / min(_MOST_BANDWIDTHS, m + 2)
        h[order, j] = np.minimum(np.maximum(np.maximum(gaps[:-1], gaps[1:]), least), 1.0)
    return h


def _levels(cube: Cube, rows: Array) -> NDArray[np.intp]:
    """The index of each category, shape (n, d)."""
    counts = np.array(cube.embedding.categories, dtype=np.intp)
    levels: NDArray[np.intp] = np.minimum((rows * counts).astype(np.intp), np.maximum(counts - 1, 0))
    return levels

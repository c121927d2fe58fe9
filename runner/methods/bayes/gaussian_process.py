"""Gaussian process regression on the encoded cube: kernel, priors, fit, posterior.

Plain NumPy and SciPy, independent of spaces, trials and methods.

Notation
--------
====================  ===========================================================================
``n, m, d``           observations; feature columns; encoded coordinates
``Z``                 (n, m) features of the observed rows (`runner.methods.encoded.Embedding`)
``y``                 (n,) targets, to be minimised, about zero mean and unit variance
``ell``               (d,) length scale of each coordinate; each feature has its owner's
``s2, v``             signal variance; noise variance
``theta``             (d + 2,) ``log ell``, then ``log s2``, then ``log v``
``rho2``              squared scaled distance, sum over features of ``((z - z') / ell)^2``
``r``                 ``sqrt(5 rho2)``
``k``                 Matern-5/2, ``s2 (1 + r + r^2 / 3) exp(-r)``; RW eq. 4.17
``g``                 ``s2 (5 / 3) (1 + r) exp(-r)``, which is ``-2 dk / d rho2``
``K``                 (n, n) ``k(Z, Z) + v I``, with Cholesky factor ``L``
``alpha``             ``K^-1 y``
====================  ===========================================================================

References
----------
RW: C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press
2006.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

Array = NDArray[np.float64]

# Log-normal priors, (mean and variance of the logarithm): a length scale of half the cube and little
# noise, which the likelihood overrules within 20 or so results. In an ablation on BBOB functions in 5
# dimensions, median length scales of 0.5 sqrt(d) and 4.1 sqrt(d), or less noise, were no proven gain.
_LOG_ELL = (math.log(0.5), 1.0)
_LOG_S2 = (0.0, 1.0)
_LOG_V = (-7.0, 4.0)
# Bounds keep K well conditioned; all are at least 3.5 prior standard deviations out.
_ELL_BOUNDS = (math.log(5e-3), math.log(1e2))
_S2_BOUNDS = (math.log(1e-2), math.log(1e2))
_V_BOUNDS = (math.log(1e-8), 0.0)  # targets have variance 1: more noise than that explains nothing
_SECOND_START = math.log(1.5)  # long length scales: finds the fits in which few coordinates matter
_FIT_ITERATIONS = 60  # of L-BFGS-B; chosen by hand to bound the cost
_MIN_VARIANCE = 1e-14  # rounding of s2 - k'K^-1 k at an observation
_JITTERS = (1e-8, 1e-6, 1e-4)  # times s2, added up; from the least that helps


def matern(rho2: Array, s2: float) -> tuple[Array, Array]:
    """Compute the kernel ``k`` and the factor ``g`` of its derivative, at squared scaled distances."""
    r = np.sqrt(5.0 * rho2)
    decay = s2 * np.exp(-r)
    slope = (1.0 + r) * decay
    return slope + (5.0 / 3.0) * rho2 * decay, (5.0 / 3.0) * slope


def _rho2(A: Array, B: Array) -> Array:
    """Compute squared distances between the rows of scaled features, shape (len(A), len(B))."""
    squares: Array = np.sum(A * A, axis=1)[:, None] + np.sum(B * B, axis=1)[None, :] - 2.0 * (A @ B.T)
    return np.maximum(squares, 0.0, out=squares)


def log_posterior(theta: Array, Z: Array, owner: NDArray[np.intp], y: Array) -> tuple[float, Array]:
    """Compute log marginal likelihood plus log prior of hyper-parameters, and its gradient.

    Parameters
    ----------
    theta : ndarray, shape (d + 2,)
    Z : ndarray, shape (n, m)
    owner : ndarray of int, shape (m,)
    y : ndarray, shape (n,)

    Returns
    -------
    value : float
        Up to a constant.
    gradient : ndarray, shape (d + 2,)

    Raises
    ------
    numpy.linalg.LinAlgError
        If K is not positive definite in floating point.
    """
    d, n = len(theta) - 2, len(y)
    s2, v = math.exp(theta[d]), math.exp(theta[d + 1])
    S = Z / np.exp(theta[:d])[owner]
    rho2 = _rho2(S, S)
    np.fill_diagonal(rho2, 0.0)
    k, g = matern(rho2, s2)
    K = k.copy()
    K.flat[:: n + 1] += v
    L = cholesky(K, lower=True, overwrite_a=True, check_finite=False)
    alpha = cho_solve((L, True), y, check_finite=False)
    inverse, _ = dpotri(L, lower=1)  # fills the lower triangle only
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    # RW eq. 5.8 and 5.9: d log p / d theta_j = tr(W dK / d theta_j).
    value = -0.5 * float(y @ alpha) - float(np.sum(np.log(np.diag(L))))
    W = 0.5 * (np.outer(alpha, alpha) - inverse)
    gradient = np.empty(d + 2)
    gradient[d] = np.sum(W * k)
    gradient[d + 1] = v * np.trace(W)
    # dK / d log ell_j = g (z_j - z'_j)^2 / ell_j^2, summed without forming the differences.
    V = W * g
    per_feature = 2.0 * (np.sum(V, axis=1) @ (S * S) - np.sum(S * (V @ S), axis=0))
    gradient[:d] = np.bincount(owner, weights=per_feature, minlength=d)
    mean, variance = _prior(d)
    return value - 0.5 * float(np.sum((theta - mean) ** 2 / variance)), gradient - (theta - mean) / variance


def _prior(d: int) -> tuple[Array, Array]:
    parts = [*[_LOG_ELL] * d, _LOG_S2, _LOG_V]
    return np.array([mean for mean, _ in parts]), np.array([variance for _, variance in parts])


def fit(Z: Array, owner: NDArray[np.intp], y: Array) -> Array:
    """Find the hyper-parameters ``theta`` of greatest posterior density, from two fixed starts.

    The arguments are those of `log_posterior`; the result depends on nothing else.
    """
    d = int(owner[-1]) + 1
    bounds = [*[_ELL_BOUNDS] * d, _S2_BOUNDS, _V_BOUNDS]

    def loss(theta: Array) -> tuple[float, Array]:
        try:
            value, gradient = log_posterior(theta, Z, owner, y)
        except np.linalg.LinAlgError:
            return 1e25, np.zeros(d + 2)  # finite, and worse than any likelihood: L-BFGS-B steps back
        return -value, -gradient

    median, _ = _prior(d)
    flat = median.copy()
    flat[:d] = _SECOND_START
    fits = [
        minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": _FIT_ITERATIONS, "ftol": 1e-6, "gtol": 1e-3},
        )
        for start in (median, flat)
    ]
    best: Array = min(fits, key=lambda result: float(result.fun)).x
    return best


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """The posterior of a function, given observations and hyper-parameters.

    Raises
    ------
    numpy.linalg.LinAlgError
        On first use, if K is not positive definite in floating point.
    """

    Z: Array
    owner: NDArray[np.intp]
    y: Array
    theta: Array

    @property
    def s2(self) -> float:
        """The signal variance."""
        return math.exp(self.theta[-2])

    @property
    def v(self) -> float:
        """The noise variance."""
        return math.exp(self.theta[-1])

    @cached_property
    def scale(self) -> Array:
        """The length scale of each feature, shape (m,)."""
        scale: Array = np.exp(self.theta[:-2])[self.owner]
        return scale

    @cached_property
    def _S(self) -> Array:  # noqa: N802
        return self.Z / self.scale

    @cached_property
    def _L(self) -> Array:  # noqa: N802
        rho2 = _rho2(self._S, self._S)
        np.fill_diagonal(rho2, 0.0)
        K, _ = matern(rho2, self.s2)
        K.flat[:: len(K) + 1] += self.v
        for jitter in (0.0, *_JITTERS):  # for nearly coinciding rows with hardly any noise
            try:
                K.flat[:: len(K) + 1] += jitter * self.s2
                L: Array = cholesky(K, lower=True, check_finite=False)
            except np.linalg.LinAlgError:
                continue
            return L
        raise np.linalg.LinAlgError("the kernel matrix is not positive definite")

    @cached_property
    def _alpha(self) -> Array:
        return self.solve(self.y)

    def solve(self, t: Array) -> Array:
        """Compute ``K^-1 t`` for t of shape (n,)."""
        solution: Array = cho_solve((self._L, True), t, check_finite=False)
        return solution

    def covariances(self, Z: Array) -> tuple[Array, Array]:
        """Compute ``k`` and ``g`` between features of shape (q, m) and the observations, each (q, n)."""
        return matern(_rho2(Z / self.scale, self._S), self.s2)

    def covariance_slopes(self, z: Array) -> tuple[Array, Array]:
        """Compute ``k`` between a point, shape (m,), and the observations, (n,), and its gradient, (n, m).

        dk / dz = -g (z - Z) / ell^2, one row per observation.
        """
        k, g = self.covariances(z[None, :])
        return k[0], -g[0][:, None] * ((z - self.Z) / self.scale**2)

    def mean(self, Z: Array) -> Array:
        """Compute the posterior mean at features of shape (q, m); RW eq. 2.25."""
        mean: Array = self.covariances(Z)[0] @ self._alpha
        return mean

    def predict(self, Z: Array) -> tuple[Array, Array]:
        """Compute posterior mean and standard deviation, without noise, each (q,); RW eq. 2.25 and 2.26."""
        k, _ = self.covariances(Z)
        half = solve_triangular(self._L, k.T, lower=True, check_finite=False)
        variance = self.s2 - np.sum(half * half, axis=0)
        return k @ self._alpha, np.sqrt(np.maximum(variance, _MIN_VARIANCE))

    def slopes(self, z: Array) -> tuple[float, float, Array, Array]:
        """Compute mean and standard deviation at one point, shape (m,), and their gradients."""
        k, dk = self.covariance_slopes(z)
        w = self.solve(k)
        variance = self.s2 - float(k @ w)
        dmean: Array = dk.T @ self._alpha
        if variance <= _MIN_VARIANCE:
            return float(k @ self._alpha), math.sqrt(_MIN_VARIANCE), dmean, np.zeros_like(z)
        deviation = math.sqrt(variance)
        return float(k @ self._alpha), deviation, dmean, -(dk.T @ w) / deviation

    def with_pending(self, Z: Array) -> GaussianProcess:
        """Condition on the process's own mean at pending features, shape (p, m).

        The mean is unchanged; the standard deviation near the pending points falls, so that they are
        not proposed again (the kriging believer of Ginsbourger, Le Riche and Carraro, 2010).
        """
        if not len(Z):
            return self
        rows, y = np.concatenate([self.Z, Z]), np.concatenate([self.y, self.mean(Z)])
        return GaussianProcess(rows, self.owner, y, self.theta)

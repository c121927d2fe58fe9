"""A sample path of a Gaussian process posterior, for Thompson sampling.

Notation as in `runner.methods.bayes.gaussian_process`, and

====================  ===========================================================================
``F``                 number of features
``Omega, b``          frequencies, (F, m), of the kernel in scaled distance; phases, (F,)
``phi(z)``            ``sqrt(2 s2 / F) cos(Omega z / ell + b)``; ``phi(z)' phi(z')`` is about k
``w``                 (F,) standard normal: ``phi(z)' w`` is a sample of the prior
``update``            ``K^-1 (y - phi(Z) w - e)`` with e a sample of the noise
====================  ===========================================================================

References
----------
J. T. Wilson et al., "Efficiently Sampling Functions from Gaussian Process Posteriors", ICML 2020,
eq. 13 (a sample of the prior, corrected by the data).
A. Rahimi and B. Recht, "Random Features for Large-Scale Kernel Machines", NIPS 20 (2007).
RW eq. 4.15: the spectral density of a Matern kernel is a multivariate t, of 5 degrees of freedom.
"""

from __future__ import annotations

import math

import numpy as np

from runner.methods.bayes.gaussian_process import Array, GaussianProcess

_FEATURES = 512  # the prior's error is about F^(-1/2), 4 %; more cost time at each step of the search
_FREEDOM = 5.0  # degrees of freedom of the spectral density of a Matern-5/2 kernel


class PosteriorSample:
    """One function drawn from the posterior; its standard deviation is zero everywhere."""

    def __init__(self, process: GaussianProcess, rng: np.random.Generator) -> None:
        self._process = process
        m, n = process.Z.shape[1], len(process.y)
        stretch = np.sqrt(rng.chisquare(_FREEDOM, (_FEATURES, 1)) / _FREEDOM)
        self._omega: Array = rng.standard_normal((_FEATURES, m)) / stretch / process.scale
        self._b: Array = rng.uniform(0.0, 2.0 * math.pi, _FEATURES)
        self._w: Array = math.sqrt(2.0 * process.s2 / _FEATURES) * rng.standard_normal(_FEATURES)
        noise = math.sqrt(process.v) * rng.standard_normal(n)
        self._update = process.solve(process.y - self._prior(process.Z) - noise)

    def predict(self, Z: Array) -> tuple[Array, Array]:
        """Evaluate the function at features of shape (q, m), with zeros for the deviation; eq. 13."""
        k, _ = self._process.covariances(Z)
        return self._prior(Z) + k @ self._update, np.zeros(len(Z))

    def slopes(self, z: Array) -> tuple[float, float, Array, Array]:
        """Evaluate the function at one point, shape (m,), and its gradient; zeros for the deviation."""
        k, dk = self._process.covariance_slopes(z)
        angle = self._omega @ z + self._b
        value = float(self._w @ np.cos(angle) + k @ self._update)
        slope: Array = dk.T @ self._update - self._omega.T @ (self._w * np.sin(angle))
        return value, 0.0, slope, np.zeros_like(z)

    def _prior(self, Z: Array) -> Array:
        prior: Array = np.cos(Z @ self._omega.T + self._b) @ self._w
        return prior

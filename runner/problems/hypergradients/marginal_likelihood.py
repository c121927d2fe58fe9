"""The marginal likelihood of a Gaussian process: its gradient needs no inner problem.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
l_k, s, e  length scale of feature k; standard deviations of the signal and of the noise
F          s^2 exp(- sum_k (x_k - z_k)^2 / (2 l_k^2)), of the training rows
K, n       F + e^2 I; number of training rows
a          K^-1 y
W          K^-1 - a a'
=========  =======================================================================

n f = y'a / 2 + log det K / 2 + n log(2 pi) / 2, and n df/dx = sum of W o dK/dx / 2  (eq. 1), where
dF/dl_k = F o (x_k - z_k)^2 / l_k^3, dF/ds = 2 F / s and d(e^2 I)/de = 2 e I.

References
----------
C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006, eq. 2.30, 5.9.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import cho_solve, cholesky

from runner.problems.base import Problem
from runner.problems.hypergradients.bilevel import by_name, number, numbered, vector
from runner.problems.hypergradients.kernels import kernel, weighted_distances
from runner.problems.hypergradients.parts import FEATURES, Array, Part, parts
from runner.space import Float, Space
from runner.trial import Config

_FOLDS = 5  # as the other problems, for the same test rows; only the part trained on all of them is used


class MarginalLikelihood(Problem):
    """Length scales, signal and noise of a Gaussian process on the diabetes data.

    The loss is the negative logarithm of the marginal likelihood of the training rows (80 %),
    divided by their number; the test is the mean negative log density of the other rows. Features and
    target are standardised.
    """

    has_gradient = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._scales = numbered("length_", FEATURES["diabetes"])
        space = {scale: Float(1e-1, 1e2, log=True) for scale in self._scales}
        deviations = {"signal": Float(1e-1, 1e1, log=True), "noise": Float(5e-2, 5.0, log=True)}
        self.space = Space({**space, **deviations})
        self.default = {**dict.fromkeys(self._scales, 3.0), "signal": 1.0, "noise": 0.5}

    def evaluate(self, config: Config, seed: int) -> dict[str, object]:
        """See `Problem.evaluate`: loss, gradient, test and inner_work, which is 1."""
        part = parts("diabetes", _FOLDS, seed)[-1]
        lengths = vector(config, self._scales)
        s, e = number(config, "signal"), number(config, "noise")
        n = len(part.y)
        F = s**2 * kernel(part.X, part.X, 0.5 / lengths**2)
        L = cholesky(F + e**2 * np.eye(n), lower=True)
        a = cho_solve((L, True), part.y)
        W = cho_solve((L, True), np.eye(n)) - np.outer(a, a)
        M = W * F / (2 * n)
        slopes = weighted_distances(M, part.X, part.X) / lengths**3  # eq. 1, as those below
        return {
            "loss": float((0.5 * part.y @ a + np.log(np.diag(L)).sum()) / n + 0.5 * math.log(2 * math.pi)),
            "gradient": {
                **by_name(self._scales, slopes),
                "signal": float(2.0 / s * M.sum()),
                "noise": float(e * np.trace(W) / n),
            },
            "test": _held_out(part, lengths, s, e, L, a),
            "inner_work": 1,
        }


def _held_out(part: Part, lengths: Array, s: float, e: float, L: Array, a: Array) -> float:
    """Compute the mean negative log density of the held-out targets, each by itself."""
    V = s**2 * kernel(part.X_val, part.X, 0.5 / lengths**2)
    explained = (V * cho_solve((L, True), V.T).T).sum(axis=1)
    variance = np.maximum(s**2 - explained, 0.0) + e**2
    away = part.y_val - V @ a
    return float(0.5 * (np.log(2 * math.pi * variance) + away**2 / variance).mean())

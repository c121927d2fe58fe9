"""The smooth part of a multinomial logistic regression with L2 penalties.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
X, T       features with a last column of ones, (n, p + 1); one-hot labels, (n, c)
W, P       weights, (p + 1, c), flattened row by row where a vector is needed;
           probabilities, softmax of the rows of X W, (n, c)
B          L2 penalties of the weights, (p + 1, c)
=========  =======================================================================

Its value is the sum of log-losses + sum of B W^2 / 2, its slope X'(P - T) + B W. Its curvature
times V is X'(P o (R - sum_c P o R)) + B V with R = X V  (eq. 1).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from runner.problems.hypergradients.implicit import Linear
from runner.problems.hypergradients.orthant import Mask
from runner.problems.hypergradients.parts import Array

_MOST_FACTORISED = 200  # weights; beyond, conjugate gradients are faster


def log_losses(M: Array, T: Array) -> tuple[Array, Array]:
    """Compute the log-loss of each row from margins and one-hot labels, (n,), and probabilities, (n, c).

    Fits spend most of their time here; this takes a sixth of the time of scipy.special.logsumexp.
    """
    top = M.max(axis=1, keepdims=True)
    P = np.exp(M - top)
    total = P.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0] - (M * T).sum(axis=1), P / total


class Softmax:
    """The function of this module; a `runner.problems.hypergradients.orthant.Smooth`."""

    def __init__(self, X: Array, T: Array, B: Array) -> None:
        self.X, self.T, self.B = X, T, B

    @cached_property
    def bound(self) -> float:
        """Upper bound of the curvature; that of softmax is at most 1/2."""
        return float(0.5 * np.linalg.norm(self.X, 2) ** 2 + self.B.max())

    def at(self, w: Array) -> tuple[float, Array]:
        """See `Smooth.at`."""
        W = w.reshape(self.B.shape)
        values, P = log_losses(self.X @ W, self.T)
        slope = self.X.T @ (P - self.T) + self.B * W
        return float(values.sum() + 0.5 * (self.B * W**2).sum()), slope.ravel()

    def curvature(self, w: Array, support: Mask) -> tuple[Linear, Array]:
        """See `Smooth.curvature`: a matrix where the support is small, else the product of eq. 1."""
        X, B = self.X, self.B
        _, P = log_losses(X @ w.reshape(B.shape), self.T)
        diagonal = ((X**2).T @ (P * (1.0 - P)) + B).ravel()[support]
        feature, label = np.nonzero(support.reshape(B.shape))
        if len(feature) <= _MOST_FACTORISED:
            columns = X[:, feature]
            weighted = columns * P[:, label]
            H = (columns.T @ weighted) * (label[:, None] == label) - weighted.T @ weighted
            return np.asarray(H + np.diag(B[feature, label]), dtype=np.float64), diagonal
        V = np.zeros(B.size)

        def product(v: Array) -> Array:
            V[support] = v
            R = P * (X @ V.reshape(B.shape))
            R -= P * R.sum(axis=1, keepdims=True)
            return np.asarray((X.T @ R).ravel()[support] + B.ravel()[support] * v, dtype=np.float64)

        return product, diagonal

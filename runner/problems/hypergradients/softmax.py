"""Multinomial logistic regressions with L1 and L2 penalties, fitted to a stationary point.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
X, T       features with a last column of ones, (n, p + 1); one-hot labels, (n, c)
W, P       weights, (p + 1, c); probabilities, softmax of the rows of X W, (n, c)
A, B       L1 and L2 penalties of the weights, (p + 1, c)
h(W)       sum of log-losses + sum of A |W| + sum of B W^2 / 2
S          support: where W is not 0; s is the sign of W there
G          X'(P - T) + B W, the derivative of the smooth terms
=========  =======================================================================

The curvature of the smooth terms times V is X'(P o (R - sum_c P o R)) + B V with R = X V (eq. 1).
At a minimum G + A s = 0 on S and |G| <= A elsewhere (eq. 2).

The minimum is found by Newton steps within an orthant (Andrew and Gao, ICML 2007, with Newton's
direction): weights that are 0 and violate eq. 2 may move to their side, a weight that would
change its sign becomes 0; a factorisation or conjugate gradients solve for the step. Where that
changes many signs, accelerated proximal steps (Beck and Teboulle, 2009; restarted where h rises, O'Donoghue
and Candes, 2015) find the support.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.special import logsumexp, softmax

from runner.errors import ProblemError
from runner.problems.hypergradients.implicit import Linear, conjugate_gradients

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOLERANCE = 1e-10
_MOST_STEPS = 200
_MOST_HALVINGS = 40
_MOST_PRODUCTS = 200  # of a step; a worse direction is cheaper than more of them
_UNSTEADY = 3  # so many halvings say that the support is not yet found
_ACCELERATED = 100  # proximal steps to find it
_MOST_FACTORISED = 400  # weights; beyond, conjugate gradients are faster
_FORCING = 0.1  # each step's system is solved to this share of its slope, better towards the end


class Softmax(NamedTuple):
    """What `fit_softmax` found.

    Attributes
    ----------
    W : numpy.ndarray, shape (p + 1, c)
    P : numpy.ndarray, shape (n, c)
        Probabilities of the training rows.
    support : numpy.ndarray of bool, shape (p + 1, c)
        Where W is free to move; all of it where there is no L1 penalty.
    work : int
        Evaluations of the inner objective, and products with its curvature.
    """

    W: Array
    P: Array
    support: Mask
    work: int


def fit_softmax(
    X: Array, T: Array, A: Array, B: Array, start: Array | None = None, tolerance: float = TOLERANCE
) -> Softmax:
    """Fit by Newton steps within an orthant.

    Parameters
    ----------
    X, T, A, B
        See the module.
    start : numpy.ndarray, optional
        Weights to begin with; default 0.
    tolerance : float, default 1e-10
        Of the largest slope, as a share of the largest at W = 0.

    Raises
    ------
    ProblemError
        Where 200 steps do not reach the accuracy on which the gradient rests.
    """
    W = np.zeros_like(A) if start is None else start.copy()
    value, P, G = _inner(X, T, A, B, W)
    first = float(np.abs(X.T @ (1.0 / T.shape[1] - T)).max())
    least = tolerance * first
    work, tried = 1, _UNSTEADY if A.any() else 0
    for _ in range(_MOST_STEPS):
        if tried >= _UNSTEADY and A.any():
            W = _accelerated(X, T, A, B, W)
            value, P, G = _inner(X, T, A, B, W)
            work += _ACCELERATED + 1
        slope, support = _pseudo_slope(W, G, A)
        size = float(np.abs(slope).max())
        if size <= least:
            return Softmax(W, P, support if A.any() else np.ones_like(support), work)
        share = max(min(_FORCING, size / first), 0.1 * least / size, 1e-12)
        step, products = _newton_step(X, P, B, support, slope, share)
        W, (value, P, G), tried = _moved(X, T, A, B, W, step, slope, value)
        work += products + tried
    raise ProblemError(
        f"the fit left a slope of {size:.2g}; at most {least:.2g} was expected.", where="softmax"
    )


def _newton_step(
    X: Array, P: Array, B: Array, support: Mask, slope: Array, share: float
) -> tuple[Array, int]:
    """Newton's step on the support, solved to a share of the slope; and the products that it took."""
    H, diagonal = curvature(X, P, B, support)
    step = np.zeros_like(slope)
    if callable(H):
        step[support], _, products = conjugate_gradients(
            H, -slope[support], share, most=_MOST_PRODUCTS, diagonal=diagonal
        )
        return step, products
    step[support] = solve(H, -slope[support], assume_a="pos")
    return step, 1


def _moved(
    X: Array, T: Array, A: Array, B: Array, W: Array, step: Array, slope: Array, value: float
) -> tuple[Array, tuple[float, Array, Array], int]:
    """The weights after a step that is halved until h decreases enough, and how often h was asked."""
    side = np.where(W != 0.0, np.sign(W), -np.sign(slope))
    scale = 1.0
    for tried in range(1, _MOST_HALVINGS + 1):  # noqa: B007
        moved = W + scale * step
        moved[(np.sign(moved) != side) & (A > 0.0)] = 0.0
        found = _inner(X, T, A, B, moved)
        promised = float((slope * (moved - W)).sum())
        if found[0] <= value + 1e-4 * promised + 1e-12 * abs(value):
            break
        scale *= 0.5
    return moved, found, tried


def _accelerated(X: Array, T: Array, A: Array, B: Array, W: Array) -> Array:
    """Proximal steps with momentum."""
    length = 1.0 / (0.5 * np.linalg.norm(X, 2) ** 2 + B.max())  # softmax bends by a half at the most
    ahead, t = W, 1.0
    for _ in range(_ACCELERATED):
        *_, G = _inner(X, T, A, B, ahead)
        moved = ahead - length * G
        moved = np.sign(moved) * np.maximum(np.abs(moved) - length * A, 0.0)
        if float(((ahead - moved) * (moved - W)).sum()) > 0.0:
            t, ahead = 1.0, moved
        else:
            t, before = 0.5 * (1.0 + (1.0 + 4.0 * t * t) ** 0.5), t
            ahead = moved + (before - 1.0) / t * (moved - W)
        W = moved
    return np.asarray(W, dtype=np.float64)


def _inner(X: Array, T: Array, A: Array, B: Array, W: Array) -> tuple[float, Array, Array]:
    """The value h, P and G."""
    M = X @ W
    P = softmax(M, axis=1)
    value = logsumexp(M, axis=1).sum() - (M * T).sum() + (A * np.abs(W)).sum() + 0.5 * (B * W**2).sum()
    return float(value), P, X.T @ (P - T) + B * W


def _pseudo_slope(W: Array, G: Array, A: Array) -> tuple[Array, Mask]:
    """The slope towards the side on which h falls, 0 where eq. 2 holds; and where it may move."""
    at_zero = np.sign(G) * np.maximum(np.abs(G) - A, 0.0)
    slope = np.where(W != 0.0, G + A * np.sign(W), at_zero)
    return slope, (W != 0.0) | (slope != 0.0)


def curvature(X: Array, P: Array, B: Array, support: Mask) -> tuple[Linear, Array]:
    """The curvature between the supported weights, and its diagonal.

    A matrix where they are few, else the product of eq. 1.
    """
    feature, label = np.nonzero(support)
    diagonal = np.asarray(((X**2).T @ (P * (1.0 - P)) + B)[support], dtype=np.float64)
    if len(feature) <= _MOST_FACTORISED:
        columns = X[:, feature]
        weighted = columns * P[:, label]
        H = (columns.T @ weighted) * (label[:, None] == label) - weighted.T @ weighted
        return np.asarray(H + np.diag(B[support]), dtype=np.float64), diagonal
    V = np.zeros(support.shape)

    def product(v: Array) -> Array:
        V[support] = v
        R = P * (X @ V)
        R -= P * R.sum(axis=1, keepdims=True)
        return np.asarray((X.T @ R + B * V)[support], dtype=np.float64)

    return product, diagonal

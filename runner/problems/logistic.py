"""Ridge-penalised logistic regressions, fitted to the accuracy that an exact gradient needs.

All folds are fitted at once: they are padded with zero rows to one length, and ``P`` is 1 where a
row counts and 0 where it pads. With m = X w and p = 1 / (1 + exp(-m)) the inner objective is
h(w) = sum of P (log(1 + exp m) - t m) + sum_j penalty_j w_j^2 / 2, its gradient
X'P(p - t) + penalty w, and its second derivative X'P diag(p (1 - p)) X + diag(penalty).
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from runner.errors import ProblemError

Array = NDArray[np.float64]

_MOST_NEWTON_STEPS = 100
_NEWTON_TOLERANCE = 1e-10  # of the norm of grad h at w = 0
_MOST_HALVINGS = 30


def fit_logistic(X: Array, t: Array, P: Array, penalty: Array) -> tuple[Array, Array]:
    """Logistic regressions, several at once, by Newton's method with halved steps.

    Parameters
    ----------
    X : numpy.ndarray, shape (folds, n, p)
    t, P : numpy.ndarray, shape (folds, n)
        Labels 0 or 1; which rows count.
    penalty : numpy.ndarray, shape (p,)
        Of each weight, positive.

    Returns
    -------
    w : numpy.ndarray, shape (folds, p)
    H : numpy.ndarray, shape (folds, p, p)
        Second derivative of the inner objective at w.

    Raises
    ------
    ProblemError
        Where 100 steps do not reach the accuracy on which the gradient rests.
    """
    w = np.zeros((len(X), X.shape[2]))
    least = 0.0
    for _ in range(_MOST_NEWTON_STEPS):
        value, slope, H = _inner(X, t, P, penalty, w)
        size = np.abs(slope).max(axis=1)
        least = least or _NEWTON_TOLERANCE * float(size.max())
        if (size <= least).all():
            return w, H
        step = np.asarray(np.linalg.solve(H, -slope[..., None])[..., 0], dtype=np.float64)
        w = _halved(X, t, P, penalty, w, step, value, slope)
    raise ProblemError(
        f"Newton's method left a slope of {size.max():.2g}; at most {least:.2g} was expected.",
        where="logistic regression",
    )


def _inner(X: Array, t: Array, P: Array, penalty: Array, w: Array) -> tuple[Array, Array, Array]:
    """h, its gradient and its second derivative, of each fold."""
    m = (X @ w[..., None])[..., 0]
    p = _sigmoid(m)
    value = _inner_value(m, t, P, penalty, w)
    slope: Array = (X.transpose(0, 2, 1) @ (P * (p - t))[..., None])[..., 0] + penalty * w
    H = X.transpose(0, 2, 1) @ (X * (P * p * (1 - p))[..., None])
    H += np.diag(penalty)
    return value, slope, H


def _inner_value(m: Array, t: Array, P: Array, penalty: Array, w: Array) -> Array:
    return cast(Array, (P * (np.logaddexp(0, m) - t * m)).sum(axis=1) + 0.5 * (w**2 @ penalty))


def _halved(
    X: Array, t: Array, P: Array, penalty: Array, w: Array, step: Array, value: Array, slope: Array
) -> Array:
    """The weights after a step that is halved, in each fold, until h decreases enough."""
    scale = np.ones(len(w))
    promised = (slope * step).sum(axis=1)
    for _ in range(_MOST_HALVINGS):
        moved = w + scale[:, None] * step
        new = _inner_value((X @ moved[..., None])[..., 0], t, P, penalty, moved)
        # The slack is rounding: near the minimum the true decrease is below it.
        poor = new > value + 1e-4 * scale * promised + 1e-12 * np.abs(value)
        if not poor.any():
            break
        scale[poor] *= 0.5
    return moved


def log_loss(X: Array, t: Array, P: Array, w: Array) -> tuple[Array, Array]:
    """Mean log-losses, several at once, and their gradients.

    Parameters
    ----------
    X, t, P
        As in `fit_logistic`.
    w : numpy.ndarray, shape (folds, p)

    Returns
    -------
    value : numpy.ndarray, shape (folds,)
    slope : numpy.ndarray, shape (folds, p)
        Derivative of each value in its weights.
    """
    m = (X @ w[..., None])[..., 0]
    count = P.sum(axis=1)
    value = (P * (np.logaddexp(0, m) - t * m)).sum(axis=1) / count
    slope = (X.transpose(0, 2, 1) @ (P * (_sigmoid(m) - t))[..., None])[..., 0] / count[:, None]
    return value, slope


def _sigmoid(m: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(0.5 * m))  # overflows nowhere

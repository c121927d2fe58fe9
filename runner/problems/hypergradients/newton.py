"""Ridge-penalised linear models, fitted to the accuracy that an exact gradient needs.

All parts are fitted at once: they are padded with zero rows to one length. ``P`` is the weight of
a row: 1 where it counts, 0 where it pads, or what a problem gives it. With m = X w the inner
objective is h(w) = sum of P loss(m, t) + sum_j penalty_j w_j^2 / 2, its gradient
X'P loss'(m, t) + penalty w, and its second derivative X'P diag(loss''(m, t)) X + diag(penalty).
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from runner.errors import ProblemError
from runner.problems.hypergradients.losses import Loss

Array = NDArray[np.float64]

_MOST_NEWTON_STEPS = 100
_NEWTON_TOLERANCE = 1e-10  # of the norm of grad h at w = 0
_MOST_HALVINGS = 30


class Fit(NamedTuple):
    """What `fit_linear` found.

    Attributes
    ----------
    w : numpy.ndarray, shape (parts, p)
    H : numpy.ndarray, shape (parts, p, p)
        Second derivative of the inner objective at w.
    steps : int
        Evaluations of the inner objective with its derivatives, of each part.
    """

    w: Array
    H: Array
    steps: int


def fit_linear(X: Array, t: Array, P: Array, penalty: Array, loss: Loss) -> Fit:
    """Linear models, several at once, by Newton's method with halved steps.

    Parameters
    ----------
    X : numpy.ndarray, shape (parts, n, p)
    t, P : numpy.ndarray, shape (parts, n)
        Targets; weights of the rows.
    penalty : numpy.ndarray, shape (p,)
        Of each weight, positive.
    loss : Loss
        Convex.

    Raises
    ------
    ProblemError
        Where 100 steps do not reach the accuracy on which the gradient rests.
    """
    w = np.zeros((len(X), X.shape[2]))
    least = 0.0
    for step in range(_MOST_NEWTON_STEPS):
        value, slope, H = _inner(X, t, P, penalty, w, loss)
        size = np.abs(slope).max(axis=1)
        least = least or _NEWTON_TOLERANCE * float(size.max())
        move = np.asarray(np.linalg.solve(H, -slope[..., None])[..., 0], dtype=np.float64)
        if (size <= least).all():
            return Fit(w + move, H, step + 1)  # what is left squares its error
        w = _halved(X, t, P, penalty, w, move, value, slope, loss)
    raise ProblemError(
        f"Newton's method left a slope of {size.max():.2g}; at most {least:.2g} was expected.",
        where="linear model",
    )


def _inner(X: Array, t: Array, P: Array, penalty: Array, w: Array, loss: Loss) -> tuple[Array, Array, Array]:
    """h, its gradient and its second derivative, of each part."""
    m = (X @ w[..., None])[..., 0]
    value = _inner_value(m, t, P, penalty, w, loss)
    slope: Array = (X.transpose(0, 2, 1) @ (P * loss.slope(m, t))[..., None])[..., 0] + penalty * w
    H = X.transpose(0, 2, 1) @ (X * (P * loss.curvature(m, t))[..., None])
    H += np.diag(penalty)
    return value, slope, H


def _inner_value(m: Array, t: Array, P: Array, penalty: Array, w: Array, loss: Loss) -> Array:
    return cast(Array, (P * loss.value(m, t)).sum(axis=1) + 0.5 * (w**2 @ penalty))


def _halved(
    X: Array,
    t: Array,
    P: Array,
    penalty: Array,
    w: Array,
    step: Array,
    value: Array,
    slope: Array,
    loss: Loss,
) -> Array:
    """The weights after a step that is halved, in each part, until h decreases enough."""
    scale = np.ones(len(w))
    promised = (slope * step).sum(axis=1)
    for _ in range(_MOST_HALVINGS):
        moved = w + scale[:, None] * step
        new = _inner_value((X @ moved[..., None])[..., 0], t, P, penalty, moved, loss)
        # The slack is rounding: near the minimum the true decrease is below it.
        poor = new > value + 1e-4 * scale * promised + 1e-12 * np.abs(value)
        if not poor.any():
            break
        scale[poor] *= 0.5
    return moved


def mean_loss(X: Array, t: Array, P: Array, w: Array, loss: Loss) -> tuple[Array, Array]:
    """Mean losses, several at once, and their gradients.

    Parameters
    ----------
    X, t, P, loss
        As in `fit_linear`.
    w : numpy.ndarray, shape (parts, p)

    Returns
    -------
    value : numpy.ndarray, shape (parts,)
    slope : numpy.ndarray, shape (parts, p)
        Derivative of each value in its weights.
    """
    m = (X @ w[..., None])[..., 0]
    count = P.sum(axis=1)
    value = (P * loss.value(m, t)).sum(axis=1) / count
    slope = (X.transpose(0, 2, 1) @ (P * loss.slope(m, t))[..., None])[..., 0] / count[:, None]
    return value, slope

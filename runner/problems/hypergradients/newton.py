"""Ridge-penalised linear models, fitted to the accuracy that an exact gradient needs.

All parts are fitted at once, padded with zero rows to one length. ``P`` is the weight of
a row: 0 for padding, else 1 or the weight that a problem sets. With m = X w the inner
objective is h(w) = sum of P loss(m, t) + sum_j penalty_j w_j^2 / 2, its gradient
X'P loss'(m, t) + penalty w, and its second derivative X'P diag(loss''(m, t)) X + diag(penalty).
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np

from runner.errors import ProblemError
from runner.problems.hypergradients.losses import Loss
from runner.problems.hypergradients.parts import Array

_MOST_NEWTON_STEPS = 100  # generous for a method that converges quadratically; more means that it does not
_NEWTON_TOLERANCE = 1e-10  # of the largest slope at w = 0; not far above what rounding leaves
_MOST_HALVINGS = 30  # to a step of 1e-9, which changes nothing that matters
SUFFICIENT = 1e-4  # of the predicted decrease: the usual constant of Armijo's rule (Nocedal and Wright)
ROUNDING = 1e-12  # of the value: near the minimum the true decrease is below the rounding error of the sum


class Fit(NamedTuple):
    """Result of `fit_linear`.

    Attributes
    ----------
    w : numpy.ndarray, shape (parts, p)
    H : numpy.ndarray, shape (parts, p, p)
        Second derivative of the inner objective at w.
    steps : int
        Evaluations of the inner objective with its derivatives, per part.
    """

    w: Array
    H: Array
    steps: int


def fit_linear(X: Array, t: Array, P: Array, penalty: Array, loss: Loss) -> Fit:
    """Fit several linear models at once by Newton's method with step halving.

    Parameters
    ----------
    X : numpy.ndarray, shape (parts, n, p)
    t, P : numpy.ndarray, shape (parts, n)
        Targets; weights of the rows.
    penalty : numpy.ndarray, shape (p,)
        Positive.
    loss : Loss
        Convex.

    Raises
    ------
    ProblemError
        If 100 steps do not reach the accuracy that the gradient needs.
    """
    w = np.zeros((len(X), X.shape[2]))
    least = 0.0
    for step in range(_MOST_NEWTON_STEPS):
        value, slope, H = _inner(X, t, P, penalty, w, loss)
        size = np.abs(slope).max(axis=1)
        least = least or _NEWTON_TOLERANCE * float(size.max())
        move = np.asarray(np.linalg.solve(H, -slope[..., None])[..., 0], dtype=np.float64)
        if (size <= least).all():
            return Fit(w + move, H, step + 1)  # the last step squares the error
        w = _halved(X, t, P, penalty, w, move, value, slope, loss)
    raise ProblemError(
        f"expected a slope of at most {least:.2g} after Newton's method, got {size.max():.2g}.",
        where="linear model",
    )


def _inner(X: Array, t: Array, P: Array, penalty: Array, w: Array, loss: Loss) -> tuple[Array, Array, Array]:
    """Compute h, its gradient and its second derivative for each part."""
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
    """Halve the step of each part until h decreases enough, and return the new weights."""
    scale = np.ones(len(w))
    predicted = (slope * step).sum(axis=1)
    for _ in range(_MOST_HALVINGS):
        moved = w + scale[:, None] * step
        new = _inner_value((X @ moved[..., None])[..., 0], t, P, penalty, moved, loss)
        poor = new > value + SUFFICIENT * scale * predicted + ROUNDING * np.abs(value)
        if not poor.any():
            break
        scale[poor] *= 0.5
    return moved


def mean_loss(X: Array, t: Array, P: Array, w: Array, loss: Loss) -> tuple[Array, Array]:
    """Compute the mean loss of each part, (parts,), and its slope in the weights, (parts, p).

    Parameters are as in `fit_linear`; w has shape (parts, p).
    """
    m = (X @ w[..., None])[..., 0]
    count = P.sum(axis=1)
    value = (P * loss.value(m, t)).sum(axis=1) / count
    slope = (X.transpose(0, 2, 1) @ (P * loss.slope(m, t))[..., None])[..., 0] / count[:, None]
    return value, slope

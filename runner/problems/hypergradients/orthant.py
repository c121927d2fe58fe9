"""The minimum of a smooth convex function plus L1 penalties, to the accuracy of an exact gradient.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
w, a       weights; their L1 penalties, (p,)
h(w)       smooth(w) + sum of a |w|
G          slope of the smooth part
S, s       support, where w is not 0; the signs of w on it
=========  =======================================================================

At a minimum G + a s = 0 on S and |G| <= a elsewhere  (eq. 1).

It is found by Newton steps within an orthant (Andrew and Gao, ICML 2007, with Newton's
direction): weights that are 0 and violate eq. 1 may move to their side, and a weight that would
change its sign becomes 0. Where that changes many signs, accelerated proximal steps find the support
(Beck and Teboulle, SIAM J. Imaging Sciences 2, 2009; restarted as by O'Donoghue and Candes,
Found. Comput. Math. 15, 2015).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from runner.errors import ProblemError
from runner.problems.hypergradients.implicit import Linear, conjugate_gradients

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOLERANCE = 1e-10
_MOST_STEPS = 200
_MOST_HALVINGS = 40
_MOST_PRODUCTS = 1000  # of a step; a worse direction is cheaper than more of them
_UNSTEADY = 3  # so many halvings say that the support is not yet found
_ACCELERATED = 100  # proximal steps to find it
_FORCING = 0.1  # each step's system is solved to this share of its slope, better towards the end


class Smooth(Protocol):
    """The smooth part of the inner objective."""

    @property
    def bound(self) -> float:
        """What its curvature nowhere exceeds."""

    def at(self, w: Array) -> tuple[float, Array]:
        """Its value and its slope."""

    def curvature(self, w: Array, support: Mask) -> tuple[Linear, Array]:
        """Its second derivative between the weights of the support, and the diagonal of it."""


class Minimum(NamedTuple):
    """What `minimise` found.

    Attributes
    ----------
    w : numpy.ndarray, shape (p,)
    support : numpy.ndarray of bool, shape (p,)
        Where w is free to move: S, and every weight without an L1 penalty.
    work : int
        Evaluations of the smooth part, and products with its curvature.
    """

    w: Array
    support: Mask
    work: int


def minimise(smooth: Smooth, a: Array, start: Array | None = None, tolerance: float = TOLERANCE) -> Minimum:
    """Minimise h.

    Parameters
    ----------
    smooth : Smooth
    a : numpy.ndarray, shape (p,)
        L1 penalties, 0 or positive.
    start : numpy.ndarray, optional
        Weights to begin with; default 0.
    tolerance : float, default 1e-10
        Of the largest slope of h, as a share of the smooth part's largest at w = 0.

    Raises
    ------
    ProblemError
        Where 200 steps do not reach it.
    """
    w = np.zeros_like(a) if start is None else start.copy()
    value, G = _whole(smooth, a, w)
    first = float(np.abs(smooth.at(np.zeros_like(a))[1]).max())
    least, sparse = tolerance * first, bool(a.any())
    work, tried = 2, 0
    for _ in range(_MOST_STEPS):
        if sparse and tried >= _UNSTEADY:
            w = _accelerated(smooth, a, w)
            value, G = _whole(smooth, a, w)
            work += _ACCELERATED + 1
        slope, support = _pseudo_slope(w, G, a)
        size = float(np.abs(slope).max())
        if size <= least:
            return Minimum(w, support | (a == 0.0), work)
        share = max(min(_FORCING, size / first), 0.1 * least / size, 1e-12)
        # Without the damping, weights that only L1 keeps from moving together would run away.
        step, products = _newton_step(smooth, w, support, slope, share, size / first if sparse else 0.0)
        w, value, G, tried = _moved(smooth, a, w, step, slope, value)
        work += products + tried
    raise ProblemError(f"the fit left a slope of {size:.2g}; at most {least:.2g} was expected.", where="fit")


def _whole(smooth: Smooth, a: Array, w: Array) -> tuple[float, Array]:
    """The value of h, and G."""
    value, G = smooth.at(w)
    return value + float(a @ np.abs(w)), G


def _pseudo_slope(w: Array, G: Array, a: Array) -> tuple[Array, Mask]:
    """The slope towards the side on which h falls, 0 where eq. 1 holds; and what may move."""
    at_zero = np.sign(G) * np.maximum(np.abs(G) - a, 0.0)
    slope = np.where(w != 0.0, G + a * np.sign(w), at_zero)
    return slope, (w != 0.0) | (slope != 0.0)


def _newton_step(
    smooth: Smooth, w: Array, support: Mask, slope: Array, share: float, damping: float
) -> tuple[Array, int]:
    """Newton's step on the support, solved to a share of the slope; and the products that it took."""
    H, diagonal = smooth.curvature(w, support)
    more = damping * diagonal
    step = np.zeros_like(slope)
    if not callable(H):
        step[support] = solve(H + np.diag(more), -slope[support], assume_a="pos")
        return step, 1
    product = H
    step[support], _, products = conjugate_gradients(
        lambda v: product(v) + more * v,
        -slope[support],
        share,
        most=_MOST_PRODUCTS,
        diagonal=diagonal + more,
    )
    return step, products


def _moved(
    smooth: Smooth, a: Array, w: Array, step: Array, slope: Array, value: float
) -> tuple[Array, float, Array, int]:
    """Weights after a step that is halved until h decreases enough, h, G, and how often h was asked."""
    side = np.where(w != 0.0, np.sign(w), -np.sign(slope))
    scale, tried = 1.0, 0
    while True:
        moved = w + scale * step
        moved[(np.sign(moved) != side) & (a > 0.0)] = 0.0
        new, G = _whole(smooth, a, moved)
        tried += 1
        promised = float(slope @ (moved - w))
        # The slack is rounding: near the minimum the true decrease is below it.
        if new <= value + 1e-4 * promised + 1e-12 * abs(value) or tried == _MOST_HALVINGS:
            return moved, new, G, tried
        scale *= 0.5


def _accelerated(smooth: Smooth, a: Array, w: Array) -> Array:
    """Proximal steps with momentum."""
    length = 1.0 / smooth.bound
    ahead, t = w, 1.0
    for _ in range(_ACCELERATED):
        moved = ahead - length * smooth.at(ahead)[1]
        moved = np.sign(moved) * np.maximum(np.abs(moved) - length * a, 0.0)
        if float((ahead - moved) @ (moved - w)) > 0.0:
            t, ahead = 1.0, moved
        else:
            before, t = t, 0.5 * (1.0 + (1.0 + 4.0 * t * t) ** 0.5)
            ahead = moved + (before - 1.0) / t * (moved - w)
        w = moved
    return np.asarray(w, dtype=np.float64)

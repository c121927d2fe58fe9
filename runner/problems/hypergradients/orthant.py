"""Minimise a smooth convex function plus L1 penalties, to the accuracy that an exact gradient needs.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
w, a       weights; their L1 penalties, (p,)
h(w)       smooth(w) + sum of a |w|
G          slope of the smooth part
S, s       support: the nonzero weights; their signs
=========  =======================================================================

At a minimum G + a s = 0 on S and |G| <= a elsewhere  (eq. 1).

The method is Newton steps within an orthant (Andrew and Gao, ICML 2007, with Newton's
direction): a zero weight that violates eq. 1 may move in the direction that reduces h, and a weight that
would change its sign becomes 0. If that changes many signs, accelerated proximal steps find the support
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
from runner.problems.hypergradients.newton import ROUNDING, SUFFICIENT
from runner.problems.hypergradients.parts import Array

Mask = NDArray[np.bool_]

TOLERANCE = 1e-10
_MOST_STEPS = 200  # generous, as the support has to be found too; more means that it does not converge
_MOST_HALVINGS = 40  # to a step of 1e-12, which is rounding
_MOST_PRODUCTS = 1000  # per step; a worse direction is cheaper than more products
_UNSTEADY = 3  # this many halvings mean that the support is not found yet
_ACCELERATED = 100  # proximal steps to find it: cheap beside a Newton step of up to 1000 products
_FORCING = 0.1  # each step's system is solved to this share of its slope, more accurately towards the end


class Smooth(Protocol):
    """The smooth part of the inner objective."""

    @property
    def bound(self) -> float:
        """Upper bound of the curvature."""

    def at(self, w: Array) -> tuple[float, Array]:
        """Compute value and slope."""

    def curvature(self, w: Array, support: Mask) -> tuple[Linear, Array]:
        """Compute the second derivative restricted to the support, and its diagonal."""


class Minimum(NamedTuple):
    """Result of `minimise`.

    Attributes
    ----------
    w : numpy.ndarray, shape (p,)
    support : numpy.ndarray of bool, shape (p,)
        Weights that are free to move: S, and every weight without an L1 penalty.
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
        Initial weights; default 0.
    tolerance : float, default 1e-10
        Largest slope of h, as a share of the smooth part's largest slope at w = 0.

    Raises
    ------
    ProblemError
        If 200 steps do not reach it.
    """
    w = np.zeros_like(a) if start is None else start.copy()
    value, G = _whole(smooth, a, w)
    first = float(np.abs(smooth.at(np.zeros_like(a))[1]).max())
    least, sparse = tolerance * first, bool(a.any())
    work, tries = 2, 0
    for _ in range(_MOST_STEPS):
        if sparse and tries >= _UNSTEADY:
            w = _accelerated(smooth, a, w)
            value, G = _whole(smooth, a, w)
            work += _ACCELERATED + 1
        slope, support = _pseudo_slope(w, G, a)
        size = float(np.abs(slope).max())
        if size <= least:
            return Minimum(w, support | (a == 0.0), work)
        share = max(min(_FORCING, size / first), 0.1 * least / size, ROUNDING)
        # Without the damping, weights along a direction that only the L1 penalty bounds would diverge.
        step, products = _newton_step(smooth, w, support, slope, share, size / first if sparse else 0.0)
        w, value, G, tries = _moved(smooth, a, w, step, slope, value)
        work += products + tries
    raise ProblemError(f"expected a slope of at most {least:.2g} after the fit, got {size:.2g}.", where="fit")


def _whole(smooth: Smooth, a: Array, w: Array) -> tuple[float, Array]:
    """Compute h and G."""
    value, G = smooth.at(w)
    return value + float(a @ np.abs(w)), G


def _pseudo_slope(w: Array, G: Array, a: Array) -> tuple[Array, Mask]:
    """Compute the slope in the direction in which h falls, 0 where eq. 1 holds, and the free weights."""
    at_zero = np.sign(G) * np.maximum(np.abs(G) - a, 0.0)
    slope = np.where(w != 0.0, G + a * np.sign(w), at_zero)
    return slope, (w != 0.0) | (slope != 0.0)


def _newton_step(
    smooth: Smooth, w: Array, support: Mask, slope: Array, share: float, damping: float
) -> tuple[Array, int]:
    """Compute Newton's step on the support to a share of the slope, and count the products."""
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
    """Halve a step until h decreases enough; return the weights, h, G and the number of tries."""
    side = np.where(w != 0.0, np.sign(w), -np.sign(slope))
    scale, tries = 1.0, 0
    while True:
        moved = w + scale * step
        moved[(np.sign(moved) != side) & (a > 0.0)] = 0.0
        new, G = _whole(smooth, a, moved)
        tries += 1
        predicted = float(slope @ (moved - w))
        if new <= value + SUFFICIENT * predicted + ROUNDING * abs(value) or tries == _MOST_HALVINGS:
            return moved, new, G, tries
        scale *= 0.5


def _accelerated(smooth: Smooth, a: Array, w: Array) -> Array:
    """Take proximal steps with momentum."""
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

"""Curvature from gradients: the BFGS matrix of recent steps, and its initial matrix.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
s, y       a step and the difference of the gradients at its ends, each of shape (d,)
B          approximation of the Hessian, positive definite, shape (d, d)
h          initial matrix, as its diagonal, shape (d,)
w          weight of a pair in h: falls with its age, over s's
=========  =======================================================================

A loss that is nearly a sum over its parameters, as with many penalties, has its curvature on the
diagonal: h_j = sum w s_j y_j / sum w s_j^2 (eq. 1, the least squares solution of h_j s_j = y_j). For
a loss that is rotated against its parameters, h = y'y / s'y of the newest pair is the better start
(Nocedal and Wright, eq. 6.20). At every step the one is used that would have predicted the newest
pairs better from those before them ("BFGS starts from ..." in docs/decisions.md has the measurement).

References
----------
J. Nocedal and S. J. Wright, "Numerical Optimization", 2nd ed., 2006: BFGS (eq. 6.19) and skipping
of updates (section 6.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runner.methods.gradient.trust_region import Vector

Pair = tuple[Vector, Vector]

# Least s'y, relative to s'Bs and |s||y|. Skipping such pairs took 45 evaluations where Powell's damping
# took 187 (a prototype on a ridge regression with 10 penalties).
_MIN_CURVATURE = 1e-3
_MIN_DIAGONAL = 1e-3  # relative to the largest; limits the condition number of the initial matrix
_DECAY = 0.8  # weight of a pair over that of the next newer one; chosen by hand, about 5 pairs count
_JUDGED_PAIRS = 3  # newest pairs that choose the initial matrix; few, as curvature changes along the way


class Secants:
    """The (s, y) pairs of a descent, and the BFGS matrix built from them."""

    def __init__(self, d: int) -> None:
        self._d = d
        # More than d pairs, so that the matrix can be complete; at most 60, as each costs O(d^2) per step.
        self._max_pairs = min(2 * d + 5, 60)
        self._pairs: list[Pair] = []
        self._matrices: dict[bool, NDArray[np.float64]] = {}  # by kind of initial matrix
        self._errors: list[tuple[float, float]] = []  # log prediction error of each kind, per pair

    def add(self, s: Vector, y: Vector) -> None:
        """Add a step and the difference of the gradients at its ends; ignore empty steps and overflow."""
        if not s.any() or not math.isfinite(float(y @ y)):
            return
        if self._pairs and self._d > 1:
            self._errors.append((self._error(s, y, diagonal=False), self._error(s, y, diagonal=True)))
        self._pairs = [*self._pairs, (s, y)][-self._max_pairs :]
        self._matrices.clear()

    def matrix(self, curvature: float) -> NDArray[np.float64]:
        """Return the BFGS matrix with the better initial matrix; see `bfgs`."""
        recent = self._errors[-_JUDGED_PAIRS:]
        diagonal = sum(b for _, b in recent) < sum(a for a, _ in recent)
        return self._matrix(curvature, diagonal)

    def _matrix(self, curvature: float, diagonal: bool) -> NDArray[np.float64]:
        if diagonal not in self._matrices:
            self._matrices[diagonal] = bfgs(self._pairs, self._d, curvature, diagonal)
        return self._matrices[diagonal]

    def _error(self, s: Vector, y: Vector, diagonal: bool) -> float:
        size = float(np.linalg.norm(y))
        if not size:
            return 0.0
        error = y - self._matrix(size / float(np.linalg.norm(s)), diagonal) @ s
        return math.log(float(np.linalg.norm(error)) / size + 1e-12)  # finite for an exact prediction


def bfgs(pairs: Sequence[Pair], d: int, curvature: float, diagonal: bool = False) -> NDArray[np.float64]:
    """Build the BFGS matrix of some curvature pairs, oldest first.

    Parameters
    ----------
    pairs : sequence of (s, y)
        Steps and differences of gradients, each of shape (d,).
    curvature : float
        Positive; the initial matrix is this multiple of the identity if no pair has positive
        curvature.
    diagonal : bool, default False
        Start with a curvature per parameter (eq. 1) instead of one for all.

    Returns
    -------
    numpy.ndarray, shape (d, d)
        Positive definite. A pair that would break this is skipped, not damped: damping adds
        curvature where there is none.
    """
    with np.errstate(all="ignore"):  # overflow shows in the check of the result
        B = _updated(pairs, d, curvature, diagonal)
    return B if _positive_definite(B) else curvature * np.eye(d)


def _updated(pairs: Sequence[Pair], d: int, curvature: float, diagonal: bool) -> NDArray[np.float64]:
    used = [(s, y) for s, y in pairs if math.isfinite(float(y @ y)) and s.any()]
    scale = next((float(y @ y) / float(s @ y) for s, y in reversed(used) if _curved(s, y)), curvature)
    B = np.diag(_diagonal(used, scale)) if diagonal else scale * np.eye(d)
    for s, y in used:
        Bs = B @ s
        sBs, sy = float(s @ Bs), float(s @ y)
        if sy <= 0 or sy < _MIN_CURVATURE * min(sBs, math.sqrt(float(s @ s) * float(y @ y))):
            continue
        B += y[:, None] * (y / sy) - Bs[:, None] * (Bs / sBs)  # eq. 6.19
    return 0.5 * (B + B.T)  # contradicting pairs may cancel down to rounding errors


def _diagonal(pairs: Sequence[Pair], scale: float) -> Vector:
    """Solve eq. 1; the scale for a parameter that has not moved, a floor for negative curvature."""
    numerator, denominator = np.zeros_like(pairs[0][0]), np.zeros_like(pairs[0][0])
    for age, (s, y) in enumerate(reversed(pairs)):
        w = _DECAY**age / float(s @ s)
        numerator += w * s * y
        denominator += w * s * s
    h = np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1.0), scale)
    largest = float(h.max())
    return np.maximum(h, _MIN_DIAGONAL * largest) if largest > 0 else np.full_like(h, scale)


def _positive_definite(B: NDArray[np.float64]) -> bool:
    try:  # rounding can break what the equations guarantee
        return bool(np.isfinite(np.linalg.cholesky(B)).all())
    except np.linalg.LinAlgError:
        return False


def _curved(s: Vector, y: Vector) -> bool:
    return float(s @ y) > _MIN_CURVATURE * math.sqrt(float(s @ s) * float(y @ y))

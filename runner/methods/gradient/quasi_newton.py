"""Curvature from gradients: the BFGS matrix of some steps, and the matrix that it starts from.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
s, y       a step and the difference of the gradients at its ends, each of shape (d,)
B          approximation of the Hessian, positive definite, shape (d, d)
h          first matrix, as its diagonal, shape (d,)
w          weight of a pair in h: less for an older one, 1 / s's
=========  =======================================================================

A loss that is nearly a sum over its parameters, as many penalties give, has its curvature on the
diagonal: h_j = sum w s_j y_j / sum w s_j^2 (eq. 1, the least squares solution of h_j s_j = y_j). One
that is rotated against its parameters has not: h = y'y / s'y of the newest pair is then the better start
(Nocedal and Wright, eq. 6.20). Which of the two would have predicted the newest pairs from those
before them is tried out at every step.

References
----------
J. Nocedal and S. J. Wright, "Numerical Optimization", 2nd ed., 2006: BFGS (eq. 6.19) and its
skipping (section 6.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runner.methods.gradient.trust_region import Vector

Pair = tuple[Vector, Vector]

_LEAST_CURVATURE = 1e-3
_LEAST_DIAGONAL = 1e-3  # of the largest
_FADING = 0.8
_JUDGED = 3


class Secants:
    """The pairs of a descent, and the matrix that they make.

    Parameters
    ----------
    d : int
    """

    def __init__(self, d: int) -> None:
        self._d = d
        self._most = min(2 * d + 5, 60)
        self._pairs: list[Pair] = []
        self._matrices: dict[bool, NDArray[np.float64]] = {}  # of the pairs as they are
        self._errors: list[tuple[float, float]] = []  # logarithms, of each first matrix, per pair

    def add(self, s: Vector, y: Vector) -> None:
        """A step and the difference of the gradients at its ends; shorter than rounding is left out."""
        if not s.any() or not math.isfinite(float(y @ y)):
            return
        if self._pairs and self._d > 1:
            self._errors.append((self._error(s, y, diagonal=False), self._error(s, y, diagonal=True)))
        self._pairs = [*self._pairs, (s, y)][-self._most :]
        self._matrices.clear()

    def matrix(self, curvature: float) -> NDArray[np.float64]:
        """The BFGS matrix, shape (d, d); positive definite.

        Parameters
        ----------
        curvature : float
            Positive: of the first matrix where no pair has positive curvature.
        """
        recent = self._errors[-_JUDGED:]
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
        missed = y - self._matrix(size / float(np.linalg.norm(s)), diagonal) @ s
        return math.log(float(np.linalg.norm(missed)) / size + 1e-12)


def bfgs(pairs: Sequence[Pair], d: int, curvature: float, diagonal: bool = False) -> NDArray[np.float64]:
    """The BFGS matrix of some curvature pairs, oldest first.

    Parameters
    ----------
    pairs : sequence of (s, y)
        Steps and differences of gradients, each of shape (d,).
    d : int
    curvature : float
        Positive; the first matrix is this multiple of the identity where no pair has positive
        curvature.
    diagonal : bool, default False
        Whether the first matrix has a curvature per parameter (eq. 1) instead of one for all.

    Returns
    -------
    numpy.ndarray, shape (d, d)
        Positive definite. A pair that would spoil this is skipped, not damped: damping puts
        curvature where there is none.
    """
    with np.errstate(all="ignore"):  # what overflows is found out below
        B = _updated(pairs, d, curvature, diagonal)
    return B if _positive_definite(B) else curvature * np.eye(d)


def _updated(pairs: Sequence[Pair], d: int, curvature: float, diagonal: bool) -> NDArray[np.float64]:
    used = [(s, y) for s, y in pairs if math.isfinite(float(y @ y)) and s.any()]
    scale = next((float(y @ y) / float(s @ y) for s, y in reversed(used) if _curved(s, y)), curvature)
    B = np.diag(_diagonal(used, scale)) if diagonal else scale * np.eye(d)
    for s, y in used:
        Bs = B @ s
        sBs, sy = float(s @ Bs), float(s @ y)
        if sy <= 0 or sy < _LEAST_CURVATURE * min(sBs, math.sqrt(float(s @ s) * float(y @ y))):
            continue
        B += y[:, None] * (y / sy) - Bs[:, None] * (Bs / sBs)  # eq. 6.19
    return 0.5 * (B + B.T)  # where pairs contradict each other, little but rounding errors may be left


def _diagonal(pairs: Sequence[Pair], scale: float) -> Vector:
    """Eq. 1; a parameter that has not moved, or curves downwards, gets little or what all get."""
    above, below = np.zeros_like(pairs[0][0]), np.zeros_like(pairs[0][0])
    for age, (s, y) in enumerate(reversed(pairs)):
        w = _FADING**age / float(s @ s)
        above += w * s * y
        below += w * s * s
    h = np.where(below > 0, above / np.where(below > 0, below, 1.0), scale)
    largest = float(h.max())
    return np.maximum(h, _LEAST_DIAGONAL * largest) if largest > 0 else np.full_like(h, scale)


def _positive_definite(B: NDArray[np.float64]) -> bool:
    """Rounding may have spoiled what the equations promise."""
    try:
        return bool(np.isfinite(np.linalg.cholesky(B)).all())
    except np.linalg.LinAlgError:
        return False


def _curved(s: Vector, y: Vector) -> bool:
    return float(s @ y) > _LEAST_CURVATURE * math.sqrt(float(s @ s) * float(y @ y))

"""A quadratic model of the loss in a box, its minimiser, and the radius in which it is trusted.

Everything happens in the unit cube. The trust region is a box (the maximum norm), so that it
and the cube's bounds together are again one box, and a bound is met exactly.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
f, g       loss and gradient at the present point, g of shape (d,)
B          approximation of the Hessian, positive definite, shape (d, d)
p, s       planned and made step, shape (d,)
m(p)       model, f + g'p + p'Bp / 2
rho        actual over predicted decrease, (f - f_new) / (m(0) - m(s))
eps        allowance for noise in the loss
=========  =======================================================================

References
----------
J. Nocedal and S. J. Wright, "Numerical Optimization", 2nd ed., 2006: the trust region (algorithm
4.1).
D. P. Bertsekas, "Projected Newton methods for optimization problems with simple constraints",
SIAM J. Control Optim. 20 (1982): the minimiser over a box (eq. 19 and 21).
R. Shi, Y. Xie, R. Byrd and J. Nocedal, arXiv 2010.04352 (2020): the acceptance under noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_SUFFICIENT = 1e-4
_MOST_HALVINGS = 40


@dataclass(frozen=True)
class Quadratic:
    """The model m(p) - f = g'p + p'Bp / 2.

    Attributes
    ----------
    g : numpy.ndarray, shape (d,)
    B : numpy.ndarray, shape (d, d)
        Positive definite.
    """

    g: Vector
    B: NDArray[np.float64]

    def value(self, p: Vector) -> float:
        """m(p) - f."""
        return float(self.g @ p + 0.5 * p @ self.B @ p)

    def minimise(self, low: Vector, high: Vector) -> Vector:
        """The minimiser over a box that contains 0, by projected Newton steps.

        Parameters
        ----------
        low, high : numpy.ndarray, shape (d,)
            ``low <= 0 <= high``.

        Returns
        -------
        numpy.ndarray, shape (d,)
            Exactly on a bound where the bound is active.
        """
        p = np.zeros_like(self.g)
        tolerance = 1e-12 * float(np.abs(self.g).max(initial=0.0))
        for _ in range(20 + 5 * len(p)):
            slope = self.g + self.B @ p
            # A bound holds where the slope would lead outside (eq. 19 with epsilon 0).
            free = ~(((p <= low) & (slope > 0)) | ((p >= high) & (slope < 0)))
            if not free.any() or np.abs(slope[free]).max() <= tolerance:
                break
            step = np.zeros_like(p)
            step[free] = -np.linalg.solve(self.B[np.ix_(free, free)], slope[free])
            moved = self._search(p, step, slope, low, high)
            if np.array_equal(moved, p):
                break
            p = moved
        return p

    def _search(self, p: Vector, step: Vector, slope: Vector, low: Vector, high: Vector) -> Vector:
        start, t = self.value(p), 1.0
        for _ in range(_MOST_HALVINGS):
            tried: Vector = np.clip(p + t * step, low, high)
            if self.value(tried) <= start - _SUFFICIENT * float(slope @ (p - tried)):
                return tried
            t *= 0.5
        return p


def cubic_step(step: float, rise: float, slope: float, other: float) -> float | None:
    """Where a cubic along a line has its minimum, seen from its first end; None where it has none.

    Parameters
    ----------
    step : float
        From the first end to the second, not 0.
    rise : float
        The loss at the second end minus that at the first.
    slope, other : float
        Derivatives at the first and the second end.

    Notes
    -----
    Nocedal and Wright, eq. 3.59, with the ends exchanged.
    """
    d1 = slope + other - 3 * rise / step
    root = d1 * d1 - slope * other
    if not root >= 0:
        return None
    d2 = float(np.sign(step)) * float(np.sqrt(root))
    below = other - slope + 2 * d2
    return step * (d2 - slope + d1) / below if below else None


@dataclass
class Radius:
    """Half the edge of the box in which the model is trusted.

    Attributes
    ----------
    value : float
        In the unit cube.
    largest : float, default 0.6
    """

    value: float
    largest: float = 0.6

    def judge(self, decrease: float, predicted: float, length: float, eps: float = 0.0) -> bool:
        """Whether a step is accepted; sets the radius for the next one.

        Parameters
        ----------
        decrease : float
            f - f_new; minus infinity for a trial that failed.
        predicted : float
            m(0) - m(s).
        length : float
            The step's maximum norm.
        eps : float, default 0
            Allowance for noise: twice its standard deviation.
        """
        rho = (decrease + eps) / (predicted + eps) if predicted + eps > 0 else -np.inf
        accepted = bool(predicted > 0 and rho > _SUFFICIENT and decrease > -2 * eps)
        if not accepted:
            self.value = 0.35 * min(length, self.value)
        elif rho < 0.25:
            self.value = 0.5 * min(length, self.value)
        elif rho > 0.75 and length > 0.9 * self.value:
            self.value = min(self.largest, 2 * length)
        return accepted

    def compare(self, decrease: float, length: float, eps: float = 0.0) -> bool:
        """As `judge`, where the model's size means nothing: accepted is what decreases the loss."""
        accepted = decrease > -2 * eps if eps else decrease > 0
        if not accepted:
            self.value = 0.35 * min(length, self.value)
        elif length > 0.9 * self.value:
            self.value = min(self.largest, 1.5 * length)
        return accepted

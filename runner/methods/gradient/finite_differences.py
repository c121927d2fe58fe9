"""Gradients from differences of losses, if none is reported or the reported one is wrong.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
h          step of the differences, in the encoded unit cube
sigma      standard deviation of the loss at one config
u          direction of a check, a vector of signs
D          derivative along u from three losses: (4 f(h) - f(2h) - 3 f(0)) / 2h (eq. 1)
T_k        k-th differences of equally spaced losses
=========  =======================================================================

The noise estimate is sigma_k^2 = (k!)^2 / (2k)! mean(T_k^2) (eq. 2), the spread of the k-th differences:
for a smooth loss it falls with k, for noise it does not. A one-sided difference has an error of about
sqrt(2) sigma / h.

References
----------
J. J. More and S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011): eq. 2.
A. Berahas, L. Cao, K. Choromanski and K. Scheinberg, Found. Comput. Math. 22 (2022): coordinate
differences against random directions.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runner.methods.gradient.arms import Arm
from runner.methods.gradient.trust_region import Vector
from runner.seeds import rng_for

# With 1 % noise a prototype left gaps of 1.7, 0.17 and 0.19 on three problems with a step of 0.1, of 0.86,
# 0.18 and 0.33 with 0.03, and of 1.9, 0.18 and 0.39 with 0.001.
_NOISY_STEP = 0.1
_WIDENING = 10.0  # on a plateau, 1e-3 becomes 0.1 in two attempts
_MAX_STEP = 0.25  # a quarter of the cube; the setting `difference` has the same limit
# About (1e-12)^(1/3), which balances the errors of eq. 1: h^2 by curvature, and 1e-12 / h by the losses.
_CHECK_STEP = 3e-4
_CONCLUSIVE = 0.3  # relative uncertainty below which agreement settles the question
_WRONG = 0.1  # relative error of a derivative; differences of a smooth loss are off by far less
_CHECK_DIRECTIONS = 2  # along a single one a kink could fail correct derivatives; both must disagree
_MAX_CHECKS = 3  # inconclusive ones, at two trials each
_LINE = 6  # points on a line beside the first: 7 in all, as in ECnoise (More and Wild)
_CONSISTENT = 4.0  # factor between the estimates by three successive differences, as in ECnoise
# Norm of a gradient over that of its error below which tpe takes over. Chosen by hand: a higher limit
# abandons descents that still work, a lower one spends trials on differences that show noise only.
_MIN_SIGNAL = 1.5


@dataclass(frozen=True, eq=False)
class Point:
    """Result of a trial, in the coordinates of an arm.

    Attributes
    ----------
    z : numpy.ndarray, shape (d,)
        Row of the trial: the requested one, or the nearest one that is a config.
    loss : float
        Infinite if the trial failed or is forbidden.
    gradient : numpy.ndarray, shape (d,)
        NaN where unknown.
    noise : float
        Standard deviation of the loss.
    inexact : bool
        True if only the direction of the gradient can be used, as with a truncated one.
    """

    z: Vector
    loss: float
    gradient: Vector
    noise: float = 0.0
    inexact: bool = False


@dataclass(frozen=True)
class DescentSettings:
    """Settings of a descent; see `runner.methods.gradient.method.Gradient`.

    Attributes
    ----------
    concurrent : int
        Number of step lengths tried together without a gradient.
    check : bool
        Compare the gradient with differences even if nothing speaks against it.
    estimate_promise : bool
        Compute `Descent.promise`, which only a comparison of arms needs.
    """

    radius: float
    difference: float
    concurrent: int = 1
    check: bool = False
    estimate_promise: bool = False


Request = list[Vector]


class Differences:
    """Finite differences of one descent.

    Attributes
    ----------
    wrong : numpy.ndarray of bool, shape (d,)
        Coordinates whose reported derivative is replaced.
    checked : bool
        True once the gradient has been compared.
    too_noisy : bool
        True if noise exceeds the differences at the widest step.
    """

    def __init__(self, arm: Arm, settings: DescentSettings) -> None:
        self._arm = arm
        self.h = settings.difference
        self.wrong: NDArray[np.bool_] = np.zeros(arm.d, dtype=bool)
        self.checked = self.too_noisy = False
        self._noise: float | None = None  # estimated
        self._checks = 0

    def mask(self, point: Point) -> NDArray[np.bool_]:
        """Mark the coordinates to be differenced, shape (d,)."""
        missing: NDArray[np.bool_] = self.wrong | ~np.isfinite(point.gradient)
        return missing

    def complete(self, point: Point) -> bool:
        """Check that no coordinate needs a difference."""
        return not self.mask(point).any()

    def distrust_all(self) -> None:
        """Difference every coordinate from now on."""
        self.wrong[:] = True

    def completed(self, point: Point) -> Generator[Request, list[Point], Point]:
        """Fill in a point's missing partial derivatives by one-sided differences."""
        missing = [int(j) for j in np.flatnonzero(self.mask(point))]
        if not missing or self.too_noisy:
            return replace(point, gradient=np.where(np.isfinite(point.gradient), point.gradient, 0.0))
        sigma = max(point.noise, self._noise or 0.0)
        if sigma > 0:
            self.h = max(self.h, _NOISY_STEP)
        while True:
            gradient = yield from self._differenced(point, missing)
            # All equal: a plateau, or a piecewise constant loss; a wider stencil may see past it.
            if gradient.any() or self.h * _WIDENING > _MAX_STEP:
                break
            self.h *= _WIDENING
        noise = math.sqrt(2.0 * len(missing)) * sigma / self.h
        signal = float(np.linalg.norm(gradient[missing]))
        self.too_noisy = sigma > 0 and len(missing) == self._arm.d and signal < _MIN_SIGNAL * noise
        return replace(point, gradient=gradient)

    def _differenced(
        self, point: Point, missing: Sequence[int], first: int = 1
    ) -> Generator[Request, list[Point], Vector]:
        gradient = point.gradient.copy()
        gradient[list(missing)] = np.nan
        for signs in ((first, -first), (-first, first)):  # a failed probe is tried on the other side
            candidates = {j: self._probe(point.z, j, signs) for j in missing if not np.isfinite(gradient[j])}
            probes = {j: probe for j, probe in candidates.items() if probe is not None}
            if probes:
                answers = yield list(probes.values())
                for j, answer in zip(probes, answers, strict=True):
                    step = answer.z[j] - point.z[j]
                    if step and math.isfinite(answer.loss):
                        gradient[j] = (answer.loss - point.loss) / step
        gradient[~np.isfinite(gradient)] = 0.0
        return gradient

    def _probe(self, z: Vector, j: int, signs: tuple[int, int]) -> Vector | None:
        """Place the probe on the first of two sides, or on the other if the first is out of range."""
        first = self._arm.shifted(z, j, signs[0], self.h)
        return self._arm.shifted(z, j, signs[1], self.h) if first is None else first

    def noisy(self, point: Point) -> Generator[Request, list[Point], bool]:
        """Estimate the noise, once; return True if the present step is too narrow for it."""
        if self._noise is not None or point.noise > 0 or self._arm.stepped:
            return False
        self._noise = yield from self._estimated_noise(point, self._direction(point.z, 0) * self.h / _LINE)
        noise = math.sqrt(2.0 * self._arm.d) * self._noise / self.h
        return noise > _WRONG * float(np.linalg.norm(point.gradient))

    def _estimated_noise(self, point: Point, u: Vector) -> Generator[Request, list[Point], float]:
        points = yield [point.z + k * u for k in range(1, _LINE + 1)]
        return estimate_noise([point.loss, *(p.loss for p in points)])

    def check(self, point: Point, noise: float = 0.0) -> Generator[Request, list[Point], bool]:
        """Compare the gradient along two directions and, if both disagree, by coordinates.

        Parameters
        ----------
        noise : float, default 0
            Deviation of the losses from what the gradients predict: noise, if the gradients are right.

        Returns
        -------
        bool
            True if a derivative is wrong; ``wrong`` marks it.
        """
        self._checks += 1
        free = np.ones(self._arm.d, dtype=bool)
        free[list(self._arm.stepped)] = False
        self.checked = not free.any() or self._checks >= _MAX_CHECKS
        if not free.any():
            return False
        if point.noise == 0 and noise > _WRONG * _CHECK_STEP * float(np.linalg.norm(point.gradient)):
            # The losses do not fit the gradients: is it noise, or are the gradients wrong?
            line = self._direction(point.z, 0) * free * _CHECK_STEP
            if (yield from self._estimated_noise(point, line)) > _WRONG * noise:
                self.checked = True
                return False
        for turn in range(_CHECK_DIRECTIONS):
            u = self._direction(point.z, turn) * free
            one, two = yield [point.z + _CHECK_STEP * u, point.z + 2 * _CHECK_STEP * u]
            measured = (4 * one.loss - two.loss - 3 * point.loss) / (2 * _CHECK_STEP)  # eq. 1
            reported = float(point.gradient @ u)
            error = (abs(two.loss - 2 * one.loss + point.loss) + 3 * point.noise) / _CHECK_STEP
            size = max(abs(reported), abs(measured))
            if not abs(measured - reported) > _WRONG * size + error:
                self.checked |= error <= _CONCLUSIVE * size
                return False
        self.checked = True
        suspects = [int(j) for j in np.flatnonzero(free)]
        above = yield from self._differenced(point, suspects)
        suspects = [j for j in suspects if _differs(above[j], point.gradient[j])]
        # From the other side, too: the mean of both is of second order.
        below = yield from self._differenced(point, suspects, first=-1)
        for j in suspects:
            self.wrong[j] |= _differs(0.5 * (above[j] + below[j]), point.gradient[j])
        return bool(self.wrong.any())

    def _direction(self, z: Vector, turn: int) -> Vector:
        """Draw signs, pointing inwards near the bounds of the cube."""
        signs = rng_for("direction", self._arm.d, turn).choice([-1.0, 1.0], self._arm.d)
        reach = 10 * self.h  # wider than the probes, so that a point near a bound is not shifted past it
        u: Vector = np.where(z + reach > 1.0, -1.0, np.where(z - reach < 0.0, 1.0, signs))
        return u


def _differs(one: float, other: float) -> bool:
    return abs(one - other) > _WRONG * max(abs(one), abs(other))


def estimate_noise(losses: Sequence[float]) -> float:
    """Estimate the standard deviation of the noise in equally spaced losses; 0 if they are smooth."""
    table = np.array(losses, dtype=np.float64)
    if not np.isfinite(table).all():
        return 0.0
    estimates: list[float] = []
    changes: list[bool] = []
    for k in range(1, len(losses) - 1):
        table = np.diff(table)
        gamma = math.factorial(k) ** 2 / math.factorial(2 * k)
        estimates.append(math.sqrt(gamma * float(np.mean(table**2))))  # eq. 2
        changes.append(bool((table > 0).any() and (table < 0).any()))
    for k in range(len(estimates) - 2):
        successive = estimates[k : k + 3]
        if changes[k] and max(successive) <= _CONSISTENT * min(successive):
            return estimates[k]
    return 0.0

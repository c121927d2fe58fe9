"""Gradients from differences of losses: where none is reported, or one that is wrong.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
h          step of the differences, in the encoded unit cube
sigma      standard deviation of the loss at one config
u          direction of a check, of signs
D          derivative along u from three losses: (4 f(h) - f(2h) - 3 f(0)) / 2h (eq. 1)
T_k        k-th differences of equally spaced losses
=========  =======================================================================

The noise is the k-th differences' spread, sigma_k^2 = (k!)^2 / (2k)! mean(T_k^2) (eq. 2): of a smooth
loss it falls with k, of noise it stays. A one-sided difference has an error of about sqrt(2) sigma / h.

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

_NOISY_DIFFERENCE = 0.1
_WIDER = 10.0
_WIDEST_DIFFERENCE = 0.25
_CHECK = 3e-4
_CONCLUSIVE = 0.3
_WRONG = 0.1
_CHECKS = 2
_MOST_CHECKS = 3
_LINE = 6  # further points that measure noise
_ALIKE = 4.0  # times, between the estimates of noise by successive differences
_DROWNED = 3.0


@dataclass(frozen=True, eq=False)
class Point:
    """The answer to a question: what a trial gave.

    Attributes
    ----------
    z : numpy.ndarray, shape (d,)
        Where the trial was: the row asked for, or the nearest one that is a config.
    loss : float
        Infinite where the trial failed or is forbidden.
    gradient : numpy.ndarray, shape (d,)
        NaN where it is not known.
    noise : float
        Standard deviation of the loss.
    rough : bool
        Whether the gradient is of unknown size, as a truncated one is.
    """

    z: Vector
    loss: float
    gradient: Vector
    noise: float = 0.0
    rough: bool = False


@dataclass(frozen=True)
class Rules:
    """The settings of a descent; see `runner.methods.gradient.method.Gradient`.

    Attributes
    ----------
    radius, difference : float
    together : int
        How many points are tried together where there is no gradient.
    check : bool
        Whether a gradient is compared with differences also where nothing speaks against it.
    promising : bool
        Whether the promise is wanted.
    """

    radius: float
    difference: float
    together: int = 1
    check: bool = False
    promising: bool = False


Ask = list[Vector]


class Differences:
    """The differences of one descent.

    Parameters
    ----------
    arm : Arm
    rules : Rules

    Attributes
    ----------
    h : float
    wrong : numpy.ndarray of bool, shape (d,)
        Whose reported derivative is not believed.
    checked : bool
        Whether the gradient has been compared.
    drowned : bool
        Whether noise is larger than what differences show, at any step.
    """

    def __init__(self, arm: Arm, rules: Rules) -> None:
        self._arm = arm
        self.h = rules.difference
        self.wrong: NDArray[np.bool_] = np.zeros(arm.d, dtype=bool)
        self.checked = self.drowned = False
        self._noise: float | None = None  # measured
        self._tries = 0

    def mask(self, point: Point) -> NDArray[np.bool_]:
        """Which coordinates are to be differenced, shape (d,)."""
        lacking: NDArray[np.bool_] = self.wrong | ~np.isfinite(point.gradient)
        return lacking

    def complete(self, point: Point) -> bool:
        """Whether no coordinate is to be differenced."""
        return not self.mask(point).any()

    def distrust_all(self) -> None:
        """Difference every coordinate from now on."""
        self.wrong[:] = True

    def completed(self, point: Point) -> Generator[Ask, list[Point], Point]:
        """The point with its missing partial derivatives from one-sided differences."""
        missing = [int(j) for j in np.flatnonzero(self.mask(point))]
        if not missing or self.drowned:
            return replace(point, gradient=np.where(np.isfinite(point.gradient), point.gradient, 0.0))
        sigma = max(point.noise, self._noise or 0.0)
        if sigma > 0:
            self.h = max(self.h, _NOISY_DIFFERENCE)
        while True:
            gradient = yield from self._differenced(point, missing)
            # All equal: a plateau, or a loss that moves in steps; a wider stencil may see past it.
            if gradient.any() or self.h * _WIDER > _WIDEST_DIFFERENCE:
                break
            self.h *= _WIDER
        found = gradient[missing]
        noise = math.sqrt(2.0 * len(missing)) * sigma / self.h
        self.drowned = (
            sigma > 0 and len(missing) == self._arm.d and float(np.linalg.norm(found)) < noise * _DROWNED / 2
        )
        return replace(point, gradient=gradient)

    def _differenced(
        self, point: Point, missing: Sequence[int], first: int = 1
    ) -> Generator[Ask, list[Point], Vector]:
        gradient = point.gradient.copy()
        gradient[list(missing)] = np.nan
        for signs in ((first, -first), (-first, first)):  # a failed probe is tried on the other side
            probes = {j: self._probe(point.z, j, signs) for j in missing if not np.isfinite(gradient[j])}
            asked = {j: probe for j, probe in probes.items() if probe is not None}
            if asked:
                answers = yield list(asked.values())
                for j, answer in zip(asked, answers, strict=True):
                    step = answer.z[j] - point.z[j]
                    if step and math.isfinite(answer.loss):
                        gradient[j] = (answer.loss - point.loss) / step
        gradient[~np.isfinite(gradient)] = 0.0
        return gradient

    def _probe(self, z: Vector, j: int, signs: tuple[int, int]) -> Vector | None:
        """The probe on the first of two sides, or on the other where the first is past the end."""
        first = self._arm.shifted(z, j, signs[0], self.h)
        return self._arm.shifted(z, j, signs[1], self.h) if first is None else first

    def sensed(self, point: Point) -> Generator[Ask, list[Point], bool]:
        """Measure the noise, once; whether there is more than the differences stand."""
        if self._noise is not None or point.noise > 0 or self._arm.stepped:
            return False
        self._noise = yield from self._measured(point, self._direction(point.z, 0) * self.h / _LINE)
        noise = math.sqrt(2.0 * self._arm.d) * self._noise / self.h
        return noise > _WRONG * float(np.linalg.norm(point.gradient))

    def _measured(self, point: Point, u: Vector) -> Generator[Ask, list[Point], float]:
        points = yield [point.z + k * u for k in range(1, _LINE + 1)]
        return noise_of([point.loss, *(p.loss for p in points)])

    def check(self, point: Point, sensed: float = 0.0) -> Generator[Ask, list[Point], bool]:
        """Compare the gradient along two directions, and where both disagree by coordinates.

        Parameters
        ----------
        point : Point
        sensed : float, default 0
            By how much losses were off what gradients make expect: noise, if they are right.

        Returns
        -------
        bool
            Whether a derivative is wrong; ``wrong`` says which.
        """
        self._tries += 1
        free = np.ones(self._arm.d, dtype=bool)
        free[list(self._arm.stepped)] = False
        self.checked = not free.any() or self._tries >= _MOST_CHECKS
        if (
            free.any()
            and point.noise == 0
            and sensed > _WRONG * _CHECK * float(np.linalg.norm(point.gradient))
        ):
            # Losses that do not fit the gradients: is it noise, or are the gradients wrong?
            line = self._direction(point.z, 0) * free * _CHECK
            if (yield from self._measured(point, line)) > _WRONG * sensed:
                self.checked = True
                return False
        for turn in range(_CHECKS if free.any() else 0):
            u = self._direction(point.z, turn) * free
            one, two = yield [point.z + _CHECK * u, point.z + 2 * _CHECK * u]
            found = (4 * one.loss - two.loss - 3 * point.loss) / (2 * _CHECK)  # eq. 1
            told = float(point.gradient @ u)
            error = (abs(two.loss - 2 * one.loss + point.loss) + 3 * point.noise) / _CHECK
            size = max(abs(told), abs(found))
            if not abs(found - told) > _WRONG * size + error:
                self.checked |= error <= _CONCLUSIVE * size
                return False
        if not free.any():
            return False
        self.checked = True
        doubtful = [int(j) for j in np.flatnonzero(free)]
        above = yield from self._differenced(point, doubtful)
        doubtful = [j for j in doubtful if _differs(above[j], point.gradient[j])]
        # From the other side, too: the mean of both is of second order.
        under = yield from self._differenced(point, doubtful, first=-1)
        for j in doubtful:
            self.wrong[j] |= _differs(0.5 * (above[j] + under[j]), point.gradient[j])
        return bool(self.wrong.any())

    def _direction(self, z: Vector, turn: int) -> Vector:
        """Signs, turned inwards where the cube ends."""
        signs = rng_for("direction", self._arm.d, turn).choice([-1.0, 1.0], self._arm.d)
        reach = 10 * self.h
        u: Vector = np.where(z + reach > 1.0, -1.0, np.where(z - reach < 0.0, 1.0, signs))
        return u


def _differs(one: float, other: float) -> bool:
    return abs(one - other) > _WRONG * max(abs(one), abs(other))


def noise_of(losses: Sequence[float]) -> float:
    """The standard deviation of the noise in equally spaced losses; 0 where they are smooth."""
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
        some = estimates[k : k + 3]
        if changes[k] and max(some) <= _ALIKE * min(some):
            return estimates[k]
    return 0.0

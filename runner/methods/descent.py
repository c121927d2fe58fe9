"""One descent: a coroutine that asks for the loss at some rows and is sent the answers.

A descent is deterministic: what it asks for next depends on its arm, its place in the order of
starts and the answers so far, and on nothing else. Whoever drives it may therefore rebuild it at
any time by answering the same questions again (see `runner.methods.gradient`).

Where an answer holds a full gradient, the next question is one trust-region step. Coordinates
without a gradient are differenced first: one probe each, all asked for together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from runner.methods.arms import Arm
from runner.methods.trust_region import Pair, Quadratic, Radius, Vector, bfgs

SCREEN = 4
"""How many further Sobol points a restart looks at before it chooses its start."""

_RADII = (1.0, 0.35, 2.5, 0.12, 6.0)  # times the radius, for points that are tried together
_NOISY_DIFFERENCE = 0.1
_WIDER = 10.0
_WIDEST_DIFFERENCE = 0.25
_LEAST_RADIUS = 1e-5
_LEAST_PREDICTED = 1e-9  # of |f|
_STALL = 1e-7  # of |f|
_MOST_STALLS = 4
_MOST_FAILS = 14


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
    """

    z: Vector
    loss: float
    gradient: Vector
    noise: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether the whole gradient is known."""
        return bool(np.isfinite(self.gradient).all())


Steps = Generator[list[Vector], list[Point], None]
"""Asks for rows, is sent their points in the same order."""


@dataclass(frozen=True)
class Rules:
    """The settings of a descent; see `runner.methods.gradient.Gradient`."""

    radius: float
    difference: float
    together: int


def descend(arm: Arm, restart: int, pool: Callable[[int], Vector], rules: Rules) -> Steps:
    """A descent.

    Parameters
    ----------
    arm : Arm
    restart : int
        0 starts in the middle of the cube; restart r at the best of the first ``SCREEN * r``
        rows of the pool that no earlier restart has taken.
    pool : callable
        The pool's row of an index, shape (d,).
    rules : Rules
    """
    if restart == 0:
        (point,) = yield [np.full(arm.d, 0.5)]
    else:
        points = yield [pool(i) for i in range(SCREEN * restart)]
        point = points[pick_start([p.loss for p in points], restart)]
    if not math.isfinite(point.loss) or not arm.d:
        return
    radius = Radius(rules.radius)
    while True:
        point = yield from _minimise(arm, point, radius, rules)
        better = yield from _polish(arm, point)
        if better is None:
            return
        point = better
        radius.value = rules.radius


def pick_start(losses: Sequence[float], restart: int) -> int:
    """The pool's row at which a restart starts.

    Parameters
    ----------
    losses : sequence of float
        Of the first ``SCREEN * restart`` rows.
    restart : int
        At least 1. Each earlier restart has taken the best row that it could see.
    """
    taken: set[int] = set()
    best = 0
    for r in range(1, restart + 1):
        best = min((i for i in range(SCREEN * r) if i not in taken), key=lambda i: losses[i])
        taken.add(best)
    return best


def _minimise(
    arm: Arm, point: Point, radius: Radius, rules: Rules
) -> Generator[list[Vector], list[Point], Point]:
    """Trust-region steps until nothing more is gained; returns the best point."""
    pairs: list[Pair] = []
    most = min(2 * arm.d + 5, 60)
    stalls = fails = 0
    exact = point.complete
    point = yield from _differenced(arm, point, radius, rules)
    while stalls < _MOST_STALLS and fails < _MOST_FAILS:
        # Differences say nothing of what lies within their own step.
        if radius.value < (_LEAST_RADIUS if exact else rules.difference / 4):
            break
        largest = float(np.abs(point.gradient).max())
        model = Quadratic(point.gradient, bfgs(pairs[-most:], arm.d, largest / radius.value))
        steps = _steps(arm, point.z, model, radius.value, 1 if exact else rules.together)
        if not steps or -model.value(steps[0]) <= _LEAST_PREDICTED * abs(point.loss):
            break
        tried = yield [point.z + p for p in steps]
        new = min(tried, key=lambda p: p.loss)
        if new.complete:  # a rejected point, too, tells of the curvature
            pairs.append((new.z - point.z, new.gradient - point.gradient))
        s = new.z - point.z
        eps = 2 * max(point.noise, new.noise)
        decrease = point.loss - new.loss
        if not radius.judge(decrease, -model.value(s), float(np.abs(s).max()), eps):
            fails += 1
            continue
        fails = 0
        stalls = stalls + 1 if decrease <= _STALL * abs(point.loss) else 0
        exact = new.complete
        if not exact:
            before = point
            new = yield from _differenced(arm, new, radius, rules)
            pairs.append((new.z - before.z, new.gradient - before.gradient))
        point = new
    return point


def _steps(arm: Arm, z: Vector, model: Quadratic, radius: float, count: int) -> list[Vector]:
    """Steps of the model's minimisers in boxes of different size, without those that stay."""
    unit = np.zeros(arm.d)
    for j in arm.stepped:  # a box narrower than a level would hold no other config
        unit[j] = 1.0 / (arm.numeric[j][1].levels or 1)
    here = arm.config(z)
    steps = []
    for factor in _RADII[:count]:
        reach = np.maximum(factor * radius, unit)
        p = model.minimise(np.maximum(-reach, -z), np.minimum(reach, 1.0 - z))
        if arm.config(z + p) != here:
            steps.append(p)
    return steps


def _differenced(
    arm: Arm, point: Point, radius: Radius, rules: Rules
) -> Generator[list[Vector], list[Point], Point]:
    """The point with its missing partial derivatives from one-sided differences."""
    missing = [int(j) for j in np.flatnonzero(~np.isfinite(point.gradient))]
    if not missing:
        return point
    h = _NOISY_DIFFERENCE if point.noise > 0 else rules.difference
    while True:
        gradient = point.gradient.copy()
        for signs in ((1, -1), (-1, 1)):  # a failed probe is tried on the other side
            probes = {j: _probe(arm, point.z, j, signs, h) for j in missing if not np.isfinite(gradient[j])}
            asked = {j: probe for j, probe in probes.items() if probe is not None}
            if asked:
                answers = yield list(asked.values())
                for j, answer in zip(asked, answers, strict=True):
                    step = answer.z[j] - point.z[j]
                    if step and math.isfinite(answer.loss):
                        gradient[j] = (answer.loss - point.loss) / step
        gradient[~np.isfinite(gradient)] = 0.0
        h *= _WIDER
        # All equal: a plateau, or a loss that moves in steps; a wider stencil may see past it.
        if gradient.any() or h > _WIDEST_DIFFERENCE:
            return replace(point, gradient=gradient)


def _probe(arm: Arm, z: Vector, j: int, signs: tuple[int, int], h: float) -> Vector | None:
    """The probe on the first of two sides, or on the other where the first is past the end."""
    first = arm.shifted(z, j, signs[0], h)
    return arm.shifted(z, j, signs[1], h) if first is None else first


def _polish(arm: Arm, point: Point) -> Generator[list[Vector], list[Point], Point | None]:
    """A better point one level away, or None."""
    around = [arm.shifted(point.z, j, sign, 0.0) for j in arm.stepped for sign in (1, -1)]
    rows = [row for row in around if row is not None]
    if not rows:
        return None
    points = yield rows
    best = min(points, key=lambda p: p.loss)
    return best if best.loss < point.loss else None

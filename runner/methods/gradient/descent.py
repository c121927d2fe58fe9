"""One descent: a coroutine that asks for the loss at some rows and is sent the answers.

A descent is deterministic: what it asks for next depends on its start, its rules and the answers so
far, and on nothing else. Whoever drives it may therefore rebuild it at any time by answering the
same questions again (see `runner.methods.gradient.replay`).

Where an answer holds a full gradient, the next question is one trust-region step. Coordinates
without a gradient, or with one that was found to be wrong, are differenced first
(`runner.methods.gradient.finite_differences`): one probe each, all asked for together.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field, replace

import numpy as np

from runner.methods.gradient.arms import Arm
from runner.methods.gradient.finite_differences import Ask, Differences, Point, Rules
from runner.methods.gradient.quasi_newton import Secants
from runner.methods.gradient.trust_region import Quadratic, Radius, Vector, cubic_step

_RADII = (1.0, 0.35, 2.5, 0.12, 6.0)  # times the radius, for points that are tried together
_LEAST_RADIUS = 1e-5
_LEAST_ROUGH_RADIUS = 1e-3
_LEAST_PREDICTED = 1e-9  # of |f|
_ROUNDING = 1e-12
_STALL = 1e-7  # of |f|
_MOST_STALLS = 4
_MOST_FAILS = 14
_SUSPICIOUS = 0.3
_MOST_SUSPICIOUS = 4
_SENSED = 12
_HIDDEN = 0.1  # noise over the predicted decrease
_LIKELY = 6.0  # standard deviations, about four of a difference
_LONG = 20

Steps = Generator[Ask, list[Point], None]
"""Asks for rows, is sent their points in the same order."""


@dataclass
class Descent:
    """A descent from a point, and what is known of it so far.

    Attributes
    ----------
    arm : Arm
    rules : Rules
    loss : float
        Of its present point.
    promise : float
        What the model says could be reached from there; at most ``loss``.
    rough : bool
        Whether differences have taken the place of a truncated gradient.
    noise : float
        What its losses show beside its gradients, a standard deviation.
    checking : bool
        Whether what it asks for is to tell whether its gradient is right.
    differences : Differences
        Which gradients it does not trust, and whether noise has drowned them.
    """

    arm: Arm
    rules: Rules
    loss: float = math.inf
    promise: float = math.inf
    rough: bool = False
    noise: float = 0.0
    checking: bool = False
    differences: Differences = field(init=False)
    _residuals: list[tuple[float, float]] = field(default_factory=list)
    _first: float = math.inf  # loss, and largest derivative, at the start
    _steepest: float = 0.0
    _rise: float | None = None  # of the loss in the last step, by gradients
    _exact: bool = False  # whether the present point's gradient was reported whole

    def __post_init__(self) -> None:
        self.differences = Differences(self.arm, self.rules)

    def run(self, point: Point) -> Steps:
        """The descent from a point that is known."""
        self.loss = self.promise = self._first = point.loss
        self._steepest = float(np.abs(np.nan_to_num(point.gradient)).max(initial=0.0))
        if not math.isfinite(point.loss) or not self.arm.d:
            return
        radius = Radius(self.rules.radius)
        while not self.differences.drowned:
            believed = not self.differences.wrong.any()
            point = yield from self._minimise(point, radius)
            if self.rules.check:
                yield from self._checked(point)
            if believed and self.differences.wrong.any():
                radius.value = self.rules.radius
                continue
            better = yield from self._polish(point)
            if better is None:
                if not point.rough or not self._exact:
                    return
                # What a rough gradient could do is done; differences go on where it ended.
                self.rough = True
                self.differences.distrust_all()
                better = replace(point, rough=False)
            point = better
            radius.value = max(radius.value, self.rules.radius / 4)

    def _minimise(self, point: Point, radius: Radius) -> Generator[Ask, list[Point], Point]:
        """Trust-region steps until nothing more is gained; returns the best point."""
        secants = Secants(self.arm.d)
        stalls = fails = doubts = made = 0
        beside: Point | None = None  # the other end of the last step
        raw, self._exact = point, self.differences.complete(point)
        point = yield from self.differences.completed(raw)
        while stalls < _MOST_STALLS and fails < _MOST_FAILS and not self.differences.drowned:
            exact = self._exact
            if radius.value < self._least_radius(point.rough):
                break
            self.loss = point.loss
            model = self._model(point, beside, secants, radius)
            self._promise(point, model)
            steps = self._steps(point.z, model, radius.value, 1 if exact else self.rules.together)
            least = max(_LEAST_PREDICTED * abs(point.loss), self._rounding(point))
            if not steps or -model.value(steps[0]) <= least:
                break
            tried = yield [point.z + p for p in steps]
            new = min(tried, key=lambda p: p.loss)
            complete = self.differences.complete(new)
            self._rise = None
            if complete and exact:  # a rejected point, too, tells of the curvature
                odd = self._odd(point, new)
                s, y = new.z - point.z, new.gradient - point.gradient
                secants.add(s, y)
                doubts = doubts + 1 if odd else 0
            beside = new if complete and exact else None
            if self._judge(point, new, model, radius):
                beside = beside and point
                fails = 0
                gained = -model.value(new.z - point.z)
                stalls = stalls + 1 if gained <= _STALL * abs(point.loss) else 0
                before, raw, self._exact = point, new, complete
                point = yield from self.differences.completed(raw)
                if not (exact and complete):
                    secants.add(point.z - before.z, point.gradient - before.gradient)
            else:
                fails += 1
                if fails == 1 and not exact and (yield from self.differences.sensed(point)):
                    point = yield from self.differences.completed(raw)  # with wider ones
            made += 1
            if doubts >= _MOST_SUSPICIOUS or (self.rules.check and made == _LONG + self.arm.d):
                doubts = 0
                if (yield from self._checked(point)):
                    break
        self.loss = point.loss
        self.promise = min(self.promise, self.loss)
        return point

    def _model(self, point: Point, beside: Point | None, secants: Secants, radius: Radius) -> Quadratic:
        """The quadratic model at a point; of a single parameter one with the minimum of a cubic."""
        g = point.gradient
        B = secants.matrix(float(np.abs(g).max()) / radius.value or 1.0)
        if beside is not None and self.arm.d == 1 and math.isfinite(beside.loss) and not point.rough:
            step, other = float((beside.z - point.z)[0]), float(beside.gradient[0])
            p = cubic_step(step, beside.loss - point.loss, float(g[0]), other)
            if p is not None and p * g[0] < 0:
                B = np.array([[-float(g[0]) / p]])
        return Quadratic(g, B)

    def _judge(self, point: Point, new: Point, model: Quadratic, radius: Radius) -> bool:
        """Whether a step is accepted; sets the radius.

        Where noise hides the decrease, it is taken from the gradients at both ends, which are not worse
        for it: else a point that was lucky could not be left.
        """
        s = new.z - point.z
        length, predicted = float(np.abs(s).max()), -model.value(s)
        sigma = max(point.noise, new.noise, self.noise)
        decrease, eps = point.loss - new.loss, 2 * sigma
        if (point.rough or new.rough) and not self.rough:
            return radius.compare(decrease, length, eps)
        hidden = self._rise is not None and sigma > _HIDDEN * predicted
        if hidden and abs(decrease + (self._rise or 0.0)) <= _LIKELY * sigma:
            decrease, eps = -(self._rise or 0.0), 0.0
        return radius.judge(decrease, predicted, length, eps)

    def _odd(self, point: Point, new: Point) -> bool:
        """Whether gradients at both ends of a step do not explain its losses; keeps by how much.

        By the trapezoid rule f_new - f - (g + g_new)'s / 2 = O(|s|^3), or noise.
        """
        s = new.z - point.z
        slopes = float(point.gradient @ s), float(new.gradient @ s)
        self._rise = 0.5 * sum(slopes)
        residual = abs(new.loss - point.loss - self._rise)
        if math.isfinite(residual) and not self.arm.stepped:
            self._residuals.append((float(np.abs(s).max()), residual))
            # The noise that the shortest of the newest steps show, a standard deviation. Without
            # noise it is of third order in the step, so that it allows nothing that counts.
            recent = sorted(self._residuals[-_SENSED:])
            short = sorted(r for _, r in recent[: len(recent) // 2])
            if len(recent) >= _SENSED // 2:
                self.noise = short[len(short) // 2] / math.sqrt(2)
        explained = max(_SUSPICIOUS * max(abs(slope) for slope in slopes), self._rounding(point))
        return residual > explained and not point.rough

    def _rounding(self, point: Point) -> float:
        """What differences of losses do not show: of the loss, and of what the descent has gained."""
        return _ROUNDING * max(abs(point.loss), self._first - point.loss)

    def _promise(self, point: Point, model: Quadratic) -> None:
        if self.rules.promising:
            p = model.minimise(-point.z, 1.0 - point.z)
            self.promise = point.loss + min(0.0, model.value(p))

    def _least_radius(self, rough: bool) -> float:
        if not self._exact:  # differences say nothing of what lies within their own step
            return self.differences.h / 4
        return _LEAST_ROUGH_RADIUS if rough else _LEAST_RADIUS

    def _steps(self, z: Vector, model: Quadratic, radius: float, count: int) -> list[Vector]:
        """Steps of the model's minimisers in boxes of different size, without those that stay."""
        unit = np.zeros(self.arm.d)
        for j in self.arm.stepped:  # a box narrower than a level would hold no other config
            unit[j] = 1.0 / (self.arm.numeric[j][1].levels or 1)
        here = self.arm.config(z)
        steps = []
        for factor in _RADII[:count]:
            reach = np.maximum(factor * radius, unit)
            p = model.minimise(np.maximum(-reach, -z), np.minimum(reach, 1.0 - z))
            if self.arm.config(z + p) != here:
                steps.append(p)
        return steps

    def _checked(self, point: Point) -> Generator[Ask, list[Point], bool]:
        """Compare the gradient with differences, once in a descent; whether it was found wrong."""
        largest = float(np.abs(point.gradient).max())
        if (
            self.differences.checked
            or not self._exact
            or point.rough
            or largest <= _ROUNDING * self._steepest
        ):
            return False
        self.checking = True
        sensed = self.noise if self.noise > self._rounding(point) else 0.0
        wrong = yield from self.differences.check(point, sensed)
        self.checking = False
        return wrong

    def _polish(self, point: Point) -> Generator[Ask, list[Point], Point | None]:
        """A better point one level away, or None."""
        around = [self.arm.shifted(point.z, j, sign, 0.0) for j in self.arm.stepped for sign in (1, -1)]
        rows = [row for row in around if row is not None]
        if not rows:
            return None
        points = yield rows
        best = min(points, key=lambda p: p.loss)
        return best if best.loss < point.loss else None

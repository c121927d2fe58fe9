"""One descent: a coroutine that requests the loss at some rows and is sent the answers.

A descent is deterministic: its next request depends on its start, its settings and the answers so
far, and on nothing else. It can therefore be rebuilt at any time by answering the same requests
again (see `runner.methods.gradient.replay`).

After an answer with a full gradient, the next request is one trust-region step. Coordinates
without a gradient, or with a wrong one, are differenced first
(`runner.methods.gradient.finite_differences`): one probe each, all requested together.

References
----------
J. Nocedal and S. J. Wright, "Numerical Optimization", 2nd ed., 2006: algorithm 4.1.
R. Shi, Y. Xie, R. Byrd and J. Nocedal, arXiv 2010.04352 (2020): the acceptance under noise.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field, replace

import numpy as np

from runner.methods.gradient.arms import Arm
from runner.methods.gradient.finite_differences import DescentSettings, Differences, Point, Request
from runner.methods.gradient.quasi_newton import Secants
from runner.methods.gradient.trust_region import Quadratic, Radius, Vector, cubic_step

# Times the radius, for points that are tried together: 2.4 to 2.9 apart, to both sides. As in the prototype,
# in which differences on 8 workers beat random search on 24 on five of five problems.
_RADII = (1.0, 0.35, 2.5, 0.12, 6.0)
# Limits that end a descent, as in the prototype whose measurements chose the method: past them, losses of
# 64 bits show hardly any gain, and another start is the better use of trials.
_MIN_RADIUS = 1e-5
_MIN_INEXACT_RADIUS = 1e-3  # truncated gradients had 1 to 35 % of the true size: not worth smaller steps
_MIN_PREDICTED = 1e-9  # predicted decrease, relative to |f|
_ROUNDING = 1e-12  # relative error of a loss: some 5,000 units in the last place, for sums over many rows
_STALL = 1e-7  # predicted decrease of an accepted step, relative to |f|
_MAX_STALLS = 4
_MAX_FAILS = 14  # consecutive rejections; 0.35^14 takes any radius below the least one
# Errors of a gradient, of which a few are allowed: large third derivatives look the same.
_SUSPICIOUS = 0.3  # unexplained share of the larger directional derivative
_MAX_SUSPICIOUS = 4  # consecutive steps
_RESIDUALS = 12  # newest steps that the noise is estimated from; half of them are enough for a median
_HIDDEN = 0.1  # noise over the predicted decrease, above which the ratio test says little
_LIKELY = 6.0  # standard deviations of one loss; about four of a difference of two
_CHECK_AFTER = 20  # steps, plus d: a correct gradient has usually converged by then

Steps = Generator[Request, list[Point], None]
"""Yields rows, and is sent their points in the same order."""


@dataclass
class Descent:
    """A descent from a point, and its state.

    Attributes
    ----------
    loss : float
        Loss of the current point.
    promise : float
        Loss that the model predicts to be reachable from there; at most ``loss``.
    replaced_inexact : bool
        True once differences have replaced a truncated gradient.
    noise : float
        Standard deviation of the losses about what the gradients predict.
    checking : bool
        True while its requests serve to verify the gradient.
    """

    arm: Arm
    settings: DescentSettings
    loss: float = math.inf
    promise: float = math.inf
    replaced_inexact: bool = False
    noise: float = 0.0
    checking: bool = False
    differences: Differences = field(init=False)
    _residuals: list[tuple[float, float]] = field(default_factory=list)
    _first: float = math.inf  # loss, and largest derivative, at the start
    _steepest: float = 0.0
    _rise: float | None = None  # of the loss in the last step, by gradients
    _complete: bool = False  # the current point's gradient was reported for all coordinates

    def __post_init__(self) -> None:
        self.differences = Differences(self.arm, self.settings)

    def run(self, point: Point) -> Steps:
        """Descend from a completed point."""
        self.loss = self.promise = self._first = point.loss
        self._steepest = float(np.abs(np.nan_to_num(point.gradient)).max(initial=0.0))
        if not math.isfinite(point.loss) or not self.arm.d:
            return
        radius = Radius(self.settings.radius)
        while not self.differences.too_noisy:
            trusted = not self.differences.wrong.any()
            point = yield from self._minimise(point, radius)
            if self.settings.check:
                yield from self._check(point)
            if trusted and self.differences.wrong.any():
                radius.value = self.settings.radius
                continue
            better = yield from self._polish(point)
            if better is None:
                if not point.inexact or not self._complete:
                    return
                # A truncated gradient has done what it can; differences continue from where it ended.
                self.replaced_inexact = True
                self.differences.distrust_all()
                better = replace(point, inexact=False)
            point = better
            radius.value = max(radius.value, self.settings.radius / 4)

    def _minimise(self, point: Point, radius: Radius) -> Generator[Request, list[Point], Point]:
        """Take trust-region steps until nothing more is gained; return the best point."""
        secants = Secants(self.arm.d)
        stalls = fails = suspicions = count = 0
        other: Point | None = None  # the other end of the last step
        raw, self._complete = point, self.differences.complete(point)
        point = yield from self.differences.completed(raw)
        while stalls < _MAX_STALLS and fails < _MAX_FAILS and not self.differences.too_noisy:
            reported = self._complete
            if radius.value < self._min_radius(point.inexact):
                break
            self.loss = point.loss
            model = self._model(point, other, secants, radius)
            self._set_promise(point, model)
            steps = self._steps(point.z, model, radius.value, 1 if reported else self.settings.concurrent)
            least = max(_MIN_PREDICTED * abs(point.loss), self._rounding(point))
            if not steps or -model.value(steps[0]) <= least:
                break
            tried = yield [point.z + p for p in steps]
            new = min(tried, key=lambda p: p.loss)
            complete = self.differences.complete(new)
            self._rise = None
            if complete and reported:  # a rejected point carries curvature, too
                suspicions = suspicions + 1 if self._suspicious(point, new) else 0
                secants.add(new.z - point.z, new.gradient - point.gradient)
            other = new if complete and reported else None
            if self._judge(point, new, model, radius):
                other = other and point
                fails = 0
                gained = -model.value(new.z - point.z)
                stalls = stalls + 1 if gained <= _STALL * abs(point.loss) else 0
                before, raw, self._complete = point, new, complete
                point = yield from self.differences.completed(raw)
                if not (reported and complete):
                    secants.add(point.z - before.z, point.gradient - before.gradient)
            else:
                fails += 1
                if fails == 1 and not reported and (yield from self.differences.noisy(point)):
                    point = yield from self.differences.completed(raw)  # with a wider step
            count += 1
            if suspicions >= _MAX_SUSPICIOUS or (self.settings.check and count == _CHECK_AFTER + self.arm.d):
                suspicions = 0
                if (yield from self._check(point)):
                    break
        self.loss = point.loss
        self.promise = min(self.promise, self.loss)
        return point

    def _model(self, point: Point, other: Point | None, secants: Secants, radius: Radius) -> Quadratic:
        """Build the quadratic model at a point; for d = 1 with the minimum of an interpolating cubic."""
        g = point.gradient
        B = secants.matrix(float(np.abs(g).max()) / radius.value or 1.0)
        if other is not None and self.arm.d == 1 and math.isfinite(other.loss) and not point.inexact:
            step, slope = float((other.z - point.z)[0]), float(other.gradient[0])
            p = cubic_step(step, other.loss - point.loss, float(g[0]), slope)
            if p is not None and p * g[0] < 0:
                B = np.array([[-float(g[0]) / p]])
        return Quadratic(g, B)

    def _judge(self, point: Point, new: Point, model: Quadratic, radius: Radius) -> bool:
        """Accept or reject a step, and set the radius.

        If noise hides the decrease, it is taken from the gradients at both ends, which are usually less
        noisy: otherwise a point with a luckily low loss could not be left.
        """
        s = new.z - point.z
        length, predicted = float(np.abs(s).max()), -model.value(s)
        sigma = max(point.noise, new.noise, self.noise)
        decrease, eps = point.loss - new.loss, 2 * sigma
        if (point.inexact or new.inexact) and not self.replaced_inexact:
            return radius.compare(decrease, length, eps)
        hidden = self._rise is not None and sigma > _HIDDEN * predicted
        if hidden and abs(decrease + (self._rise or 0.0)) <= _LIKELY * sigma:
            decrease, eps = -(self._rise or 0.0), 0.0
        return radius.judge(decrease, predicted, length, eps)

    def _suspicious(self, point: Point, new: Point) -> bool:
        """Check if the gradients at both ends of a step contradict its losses; update the noise.

        By the trapezoid rule f_new - f - (g + g_new)'s / 2 = O(|s|^3), or noise.
        """
        s = new.z - point.z
        slopes = float(point.gradient @ s), float(new.gradient @ s)
        self._rise = 0.5 * sum(slopes)
        residual = abs(new.loss - point.loss - self._rise)
        if math.isfinite(residual) and not self.arm.stepped:
            self._residuals.append((float(np.abs(s).max()), residual))
            # Median residual of the shortest recent steps, as a standard deviation. Without noise it
            # is of third order in the step, and then relaxes the acceptance test by next to nothing.
            recent = sorted(self._residuals[-_RESIDUALS:])
            short = sorted(r for _, r in recent[: len(recent) // 2])
            if len(recent) >= _RESIDUALS // 2:
                self.noise = short[len(short) // 2] / math.sqrt(2)
        explained = max(_SUSPICIOUS * max(abs(slope) for slope in slopes), self._rounding(point))
        return residual > explained and not point.inexact

    def _rounding(self, point: Point) -> float:
        """Bound the rounding error of a loss, and of a difference to the descent's first loss."""
        return _ROUNDING * max(abs(point.loss), self._first - point.loss)

    def _set_promise(self, point: Point, model: Quadratic) -> None:
        if self.settings.estimate_promise:
            p = model.minimise(-point.z, 1.0 - point.z)
            self.promise = point.loss + min(0.0, model.value(p))

    def _min_radius(self, inexact: bool) -> float:
        if not self._complete:  # differences do not resolve what lies within their own step
            return self.differences.h / 4
        return _MIN_INEXACT_RADIUS if inexact else _MIN_RADIUS

    def _steps(self, z: Vector, model: Quadratic, radius: float, count: int) -> list[Vector]:
        """Minimise the model in boxes of several sizes; leave out steps that stay at the same config."""
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

    def _check(self, point: Point) -> Generator[Request, list[Point], bool]:
        """Compare the gradient with differences, once in a descent; return True if it is wrong."""
        largest = float(np.abs(point.gradient).max())
        vanishing = largest <= _ROUNDING * self._steepest
        if self.differences.checked or not self._complete or point.inexact or vanishing:
            return False
        self.checking = True
        noise = self.noise if self.noise > self._rounding(point) else 0.0
        wrong = yield from self.differences.check(point, noise)
        self.checking = False
        return wrong

    def _polish(self, point: Point) -> Generator[Request, list[Point], Point | None]:
        """Try all points one level away; return the best if it is better, otherwise None."""
        neighbours = [self.arm.shifted(point.z, j, sign, 0.0) for j in self.arm.stepped for sign in (1, -1)]
        rows = [row for row in neighbours if row is not None]
        if not rows:
            return None
        points = yield rows
        best = min(points, key=lambda p: p.loss)
        return best if best.loss < point.loss else None

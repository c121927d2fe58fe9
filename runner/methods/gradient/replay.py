"""Descents replayed from a history by looking up the configs that they request.

A `Replay` drives one descent: it decodes the requested rows, looks the configs up, sends the
answers, and stops at the first request that the history cannot answer. It stores the answers that it
used, to detect a later history that contradicts them; a fresh replay then takes its place.

A descent can start from any trial. It has begun once any config of its first request, which follows
from its start alone, is in the history. So the set of descents is a function of the history.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from runner.methods.gradient.arms import Arm, arm_key
from runner.methods.gradient.descent import Descent
from runner.methods.gradient.finite_differences import DescentSettings, Point, Request
from runner.methods.gradient.trust_region import Vector
from runner.methods.random_search import sobol_row
from runner.seeds import seed_for
from runner.space import Space
from runner.space.domains import Choice
from runner.trial import Config, Pending, Scalar, Trial

_MAX_RUNS = 16  # runs of one method instance held at once; a run beyond replays, which only costs time
# The limits below decide when a descent yields to others. Chosen by hand: lower ones give up descents
# along curved valleys, higher ones spend trials on the last digits of a local minimum.
_WINDOW = 10  # answers over which progress is measured
_MIN_ANSWERS = 5  # before a descent can be dropped as a duplicate of a better one
_SAME_BASIN = 0.05  # maximum norm, a twentieth of the cube; see "Further descents ..." in docs/decisions.md
_SLOW_PROGRESS = 3e-4  # of the descent's total gain


class History:
    """Index of a run's trials by config.

    Parameters
    ----------
    completed : sequence of Trial
        The first of several with one config counts.
    """

    def __init__(self, space: Space, completed: Sequence[Trial], pending: Sequence[Pending]) -> None:
        self.known: dict[Hashable, Trial] = {}
        for trial in completed:
            self.known.setdefault(config_key(trial.config), trial)
        self.pending = {config_key(trial.config): trial for trial in pending}
        self._space = space
        self._by_arm: dict[Hashable, tuple[list[tuple[Hashable, Trial]], int]] | None = None

    def __contains__(self, key: Hashable) -> bool:
        return key in self.known or key in self.pending

    def __len__(self) -> int:
        return len(self.known.keys() | self.pending.keys())

    def of_arm(self, arm: Arm) -> tuple[list[tuple[Hashable, Trial]], int]:
        """Look up the completed trials of an arm by key, and the number of all its trials."""
        if self._by_arm is None and not any(isinstance(domain, Choice) for _, domain in self._space.params):
            self._by_arm = {(): (list(self.known.items()), len(self))}
        if self._by_arm is None:
            self._by_arm = {}
            params = self._space.params
            for key, trial in self.known.items():
                ended, count = self._by_arm.get(kind := arm_key(params, trial.config), ([], 0))
                ended.append((key, trial))
                self._by_arm[kind] = ended, count + 1
            for key, waiting in self.pending.items():
                if key not in self.known:
                    ended, count = self._by_arm.get(kind := arm_key(params, waiting.config), ([], 0))
                    self._by_arm[kind] = ended, count + 1
        return self._by_arm.get(arm.key, ([], 0))


def config_key(config: Mapping[str, Scalar]) -> Hashable:
    """Make a key that is equal for configs that differ by rounding only, by 12 digits."""
    return tuple(
        (name, type(value).__name__, float(f"{value:.11e}") if isinstance(value, float) else value)
        for name, value in sorted(config.items())
    )


class SobolPoints:
    """Sobol points of an arm that has a numeric parameter, seeded by the run's entropy."""

    def __init__(self, arm: Arm, entropy: int) -> None:
        self.arm = arm
        self._seed = seed_for(entropy, "pool", repr(arm.key), bits=128)
        self._configs: list[tuple[Config, Hashable]] = []

    def first_new(self, history: History) -> Config | None:
        """Return the first allowed config that is not in the history; None if no early one is left."""
        space = self.arm.space
        for index in range(2 * len(history) + 1):  # at most one in two may be forbidden before it gives up
            if index == len(self._configs):
                config = self.arm.config(sobol_row(self.arm.d, index, self._seed))
                self._configs.append((config, config_key(config)))
            config, key = self._configs[index]
            if key not in history and space.allows(config):
                return config
        return None


class Replay:
    """One descent, advanced as far as the history goes.

    Parameters
    ----------
    noise : float
        Standard deviation of the loss, for trials that report no ``loss_std``.

    Attributes
    ----------
    requested : set of hashable
        Keys of the configs that it has requested, including its start.
    end : numpy.ndarray, shape (d,)
        The best row that it has reached.
    """

    def __init__(self, arm: Arm, start: Trial, settings: DescentSettings, noise: float) -> None:
        self.arm, self._noise = arm, noise
        self.descent = Descent(arm, settings)
        key = config_key(start.config)
        self._used: dict[Hashable, Trial] = {key: start}
        self.requested = {key}
        point = self._point(arm.row(start.config), start)
        self.end, self.best = point.z, point.loss
        self._bests = [point.loss]  # the best loss after each answer
        # Probes of differences rarely improve the loss themselves; only the step after them counts.
        self._lags = 2 * int((~np.isfinite(point.gradient)).sum())
        self._steps = self.descent.run(point)
        first = next(self._steps, None)
        self._request = None if first is None else self._decode(first)

    @property
    def ended(self) -> bool:
        """True if it requests nothing more."""
        return self._request is None

    @property
    def patience(self) -> int:
        """1 while it improves; 2, 3, ... the longer it has gained little of its total gain."""
        bests = self._bests
        least = _SLOW_PROGRESS * (bests[0] - bests[-1])
        near = next((m for m in range(1, len(bests)) if bests[-1 - m] - bests[-1] > least), len(bests))
        patience = 1 + near // (_WINDOW + self._lags) if math.isfinite(bests[0]) else 1
        # Noise hides small gains, and the best of many good trials is better than the best of few.
        return min(patience, 2) if self.descent.noise > least else patience

    def hopeless(self, leader: Replay) -> bool:
        """Check if it converges to a better descent's end, or is too slow to catch up with it.

        Too slow: at its recent rate, three more windows would not reach the leader's loss.
        """
        bests, window, best = self._bests, _WINDOW + self._lags, leader.best
        if self.best <= best:
            return False
        if len(bests) > _MIN_ANSWERS and float(np.abs(self.end - leader.end).max()) < _SAME_BASIN:
            return True
        if len(bests) <= window:
            return False
        return bests[-1] - 3.0 * (bests[-1 - window] - bests[-1]) > best

    def begun(self, history: History) -> bool:
        """Check if any config of its first request was tried; also true if it requests none."""
        return (
            len(self._used) > 1 or self._request is None or any(key in history for *_, key in self._request)
        )

    def agrees(self, history: History) -> bool:
        """Check that the history still gives every answer that was used."""
        return all(_same(history.known.get(key), trial) for key, trial in self._used.items())

    def advance(self, history: History) -> Config | None:
        """Answer requests from the history, and return the first config that it lacks.

        None if the descent has ended, or waits for pending trials only.
        """
        while self._request is not None:
            missing = [
                (config, key)
                for _, config, key in self._request
                if key not in history.known and self.arm.space.allows(config)
            ]
            if missing:
                return next((config for config, key in missing if key not in history.pending), None)
            points = [self._point(row, history.known.get(key)) for row, _, key in self._request]
            for point, (*_, key) in zip(points, self._request, strict=True):
                if key in history.known:
                    self._used[key] = history.known[key]
                if point.loss < self.best:
                    self.end, self.best = point.z, point.loss
                self._bests.append(self.best)
            try:
                self._request = self._decode(self._steps.send(points))
            except StopIteration:
                self._request = None
        return None

    def _decode(self, rows: Request) -> list[tuple[Vector, Config, Hashable]]:
        configs = [self.arm.config(row) for row in rows]
        decoded = [(row, c, config_key(c)) for row, c in zip(rows, configs, strict=True)]
        self.requested.update(key for *_, key in decoded)
        return decoded

    def _point(self, row: Vector, trial: Trial | None) -> Point:
        if trial is None:  # forbidden: treated as failed, and costs no trial
            return Point(row, math.inf, self.arm.gradient({}, None))
        if not trial.valid or trial.loss is None:
            return Point(self.arm.row(trial.config), math.inf, self.arm.gradient(trial.config, None))
        metrics = trial.outcome.metrics
        spread = metrics.get("loss_std", self._noise)
        return Point(
            self.arm.row(trial.config),
            trial.loss,
            self.arm.gradient(trial.config, trial.gradient),
            spread if 0 <= spread < math.inf else self._noise,
            inexact=metrics.get("gradient_exact", 1.0) == 0.0,
        )


class Memo:
    """Cache of the descents of some runs, so that a proposal need not replay from the first trial.

    It never changes a proposal: a replay that contradicts the history is rebuilt. Copies and pickles
    start with an empty one.
    """

    def __init__(self) -> None:
        self._runs: dict[Hashable, tuple[dict[Hashable, SobolPoints], dict[Hashable, Replay]]] = {}

    def __reduce__(self) -> tuple[type[Memo], tuple[()]]:
        return Memo, ()

    def run(self, space: Space, entropy: int) -> tuple[dict[Hashable, SobolPoints], dict[Hashable, Replay]]:
        """Return the Sobol points by arm, and the descents by their start, of a run."""
        cached = self._runs.pop((space, entropy), None) or ({}, {})
        while len(self._runs) >= _MAX_RUNS:
            del self._runs[next(iter(self._runs))]  # the least recently used
        self._runs[space, entropy] = cached
        return cached


def _same(one: Trial | None, other: Trial) -> bool:
    return one is other or (one is not None and _answer(one) == _answer(other))


def _answer(trial: Trial) -> tuple[object, ...]:
    metrics = trial.outcome.metrics
    return trial.status, trial.loss, trial.gradient, metrics.get("loss_std"), metrics.get("gradient_exact")

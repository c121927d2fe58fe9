"""Descents replayed from a history by looking up the configs that they ask for.

A `Replay` drives one descent: it decodes the rows asked for, looks the configs up, sends the
answers, and stops at the first question that the history cannot answer. It keeps what it has
used, and can tell whether a later history still agrees; where not, a fresh one replaces it.

A descent can start from any trial. It has begun where its first question, which follows from its start
alone, has been asked: where a config of it is in the history. So which descents there are need not be
remembered.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from runner.methods.gradient.arms import Arm, arm_key
from runner.methods.gradient.descent import Descent
from runner.methods.gradient.finite_differences import Ask, Point, Rules
from runner.methods.gradient.trust_region import Vector
from runner.methods.random_search import sobol_row
from runner.seeds import seed_for
from runner.space import Space
from runner.space.domains import Choice
from runner.trial import Config, Pending, Scalar, Trial

_MOST_RUNS = 16
_WINDOW = 10
_FEW = 5
_BESIDE = 0.05
_SLOW = 3e-4


class History:
    """The trials of a run by their configs.

    Parameters
    ----------
    space : Space
    completed : sequence of Trial
        Of two with one config the first counts.
    pending : sequence of Pending
    """

    def __init__(self, space: Space, completed: Sequence[Trial], pending: Sequence[Pending]) -> None:
        self.known: dict[Hashable, Trial] = {}
        for trial in completed:
            self.known.setdefault(place(trial.config), trial)
        self.pending = {place(trial.config): trial for trial in pending}
        self._space = space
        self._by_arm: dict[Hashable, tuple[list[tuple[Hashable, Trial]], int]] | None = None

    def takes(self, key: Hashable) -> bool:
        """Whether a config has ended or is pending."""
        return key in self.known or key in self.pending

    def __len__(self) -> int:
        return len(self.known.keys() | self.pending.keys())

    def of(self, arm: Arm) -> tuple[list[tuple[Hashable, Trial]], int]:
        """The ended trials of an arm with their keys, and how many it has with the pending ones."""
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


def place(config: Mapping[str, Scalar]) -> Hashable:
    """What two configs have in common that differ by rounding only, by 12 digits."""
    return tuple(
        (name, type(value).__name__, float(f"{value:.11e}") if isinstance(value, float) else value)
        for name, value in sorted(config.items())
    )


class Pool:
    """An arm's Sobol points.

    Parameters
    ----------
    arm : Arm
        With at least one numeric parameter.
    entropy : int
        Of the run.
    """

    def __init__(self, arm: Arm, entropy: int) -> None:
        self.arm = arm
        self._seed = seed_for(entropy, "pool", repr(arm.key), bits=128)
        self._configs: list[tuple[Config, Hashable]] = []

    def first_new(self, history: History) -> Config | None:
        """The first allowed config that is neither known nor pending; None where none is near."""
        space = self.arm.space
        for index in range(2 * len(history) + 1):
            if index == len(self._configs):
                config = self.arm.config(sobol_row(self.arm.d, index, self._seed))
                self._configs.append((config, place(config)))
            config, key = self._configs[index]
            if not history.takes(key) and space.allows(config):
                return config
        return None


class Replay:
    """One descent and how far the history has brought it.

    Parameters
    ----------
    arm : Arm
    start : Trial
        Where it starts.
    rules : Rules
    noise : float
        Standard deviation of the loss, where a trial reports no ``loss_std``.

    Attributes
    ----------
    descent : Descent
    path : set of hashable
        The keys of the configs that it has asked for, its start among them.
    ended : bool
        Whether it asks for nothing more.
    end : numpy.ndarray, shape (d,)
        The best row that it has met.
    """

    def __init__(self, arm: Arm, start: Trial, rules: Rules, noise: float) -> None:
        self.arm, self._noise = arm, noise
        self.descent = Descent(arm, rules)
        key = place(start.config)
        self._used: dict[Hashable, Trial] = {key: start}
        self.path = {key}
        point = self._point(arm.row(start.config), start)
        self.end, self.best = point.z, point.loss
        self._course = [point.loss]  # the best so far, after each answer
        # Differences bring nothing by themselves: what counts is the step that follows them.
        self._lags = 2 * int((~np.isfinite(point.gradient)).sum())
        self._steps = self.descent.run(point)
        first = next(self._steps, None)
        self._asked = None if first is None else self._read(first)

    @property
    def ended(self) -> bool:
        """Whether it asks for nothing more."""
        return self._asked is None

    @property
    def patience(self) -> int:
        """1 while it gains; 2, 3, ... the longer its answers have brought little of what it gained in all."""
        course = self._course
        least = _SLOW * (course[0] - course[-1])
        near = next((m for m in range(1, len(course)) if course[-1 - m] - course[-1] > least), len(course))
        patience = 1 + near // (_WINDOW + self._lags) if math.isfinite(course[0]) else 1
        # Noise hides what is gained, and the best of many good trials is better than of few.
        return min(patience, 2) if self.descent.noise > least else patience

    def hopeless(self, leader: Replay) -> bool:
        """Whether it comes to where a better one is, or would not in three times as long as of late."""
        course, window, best = self._course, _WINDOW + self._lags, leader.best
        if self.best <= best:
            return False
        if len(course) > _FEW and float(np.abs(self.end - leader.end).max()) < _BESIDE:
            return True
        if len(course) <= window:
            return False
        return course[-1] - 3.0 * (course[-1 - window] - course[-1]) > best

    def begun(self, history: History) -> bool:
        """Whether anything of its first question was asked; or it has none."""
        return (
            len(self._used) > 1 or self._asked is None or any(history.takes(key) for *_, key in self._asked)
        )

    def agrees(self, history: History) -> bool:
        """Whether every answer that was used is still the history's answer."""
        return all(_same(history.known.get(key), trial) for key, trial in self._used.items())

    def advance(self, history: History) -> Config | None:
        """Answer as many questions as the history can; the first config that it lacks.

        None where the descent has ended, or waits for pending trials only.
        """
        while self._asked is not None:
            missing = [
                (config, key)
                for _, config, key in self._asked
                if key not in history.known and self.arm.space.allows(config)
            ]
            if missing:
                return next((config for config, key in missing if key not in history.pending), None)
            points = [self._point(row, history.known.get(key)) for row, _, key in self._asked]
            for point, (*_, key) in zip(points, self._asked, strict=True):
                if key in history.known:
                    self._used[key] = history.known[key]
                if point.loss < self.best:
                    self.end, self.best = point.z, point.loss
                self._course.append(self.best)
            try:
                self._asked = self._read(self._steps.send(points))
            except StopIteration:
                self._asked = None
        return None

    def _read(self, rows: Ask) -> list[tuple[Vector, Config, Hashable]]:
        configs = [self.arm.config(row) for row in rows]
        asked = [(row, c, place(c)) for row, c in zip(rows, configs, strict=True)]
        self.path.update(key for *_, key in asked)
        return asked

    def _point(self, row: Vector, trial: Trial | None) -> Point:
        if trial is None:  # forbidden: as bad as failed, and costs nothing
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
            rough=metrics.get("gradient_exact", 1.0) == 0.0,
        )


class Memo:
    """Descents of some runs, so that a proposal need not start from the first trial.

    It never changes an answer: what does not agree with the history is built anew. It is left
    behind by copying and pickling.
    """

    def __init__(self) -> None:
        self._runs: dict[Hashable, tuple[dict[Hashable, Pool], dict[Hashable, Replay]]] = {}

    def __reduce__(self) -> tuple[type[Memo], tuple[()]]:
        return Memo, ()

    def run(self, space: Space, entropy: int) -> tuple[dict[Hashable, Pool], dict[Hashable, Replay]]:
        """The pools by arm, and the descents by their start, of a run."""
        found = self._runs.pop((space, entropy), None) or ({}, {})
        while len(self._runs) >= _MOST_RUNS:
            del self._runs[next(iter(self._runs))]
        self._runs[space, entropy] = found
        return found


def _same(one: Trial | None, other: Trial) -> bool:
    if one is other:
        return True
    return one is not None and _told(one) == _told(other)


def _told(trial: Trial) -> tuple[object, ...]:
    metrics = trial.outcome.metrics
    return trial.status, trial.loss, trial.gradient, metrics.get("loss_std"), metrics.get("gradient_exact")

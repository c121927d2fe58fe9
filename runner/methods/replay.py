"""Descents replayed from a history by looking up the configs that they ask for.

A `Replay` drives one descent: it decodes the rows asked for, looks the configs up, sends the
answers, and stops at the first question that the history cannot answer. It keeps what it has
used, and can tell whether a later history still agrees; where not, a fresh one replaces it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from runner.methods.arms import Arm
from runner.methods.descent import Point, Rules, descend
from runner.methods.random_search import sobol_row
from runner.methods.trust_region import Vector
from runner.seeds import seed_for
from runner.space import Space
from runner.trial import Config, Pending, Trial

_MOST_RUNS = 16


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
            self.known.setdefault(space.key(trial.config), trial)
        self.pending = {space.key(trial.config): trial for trial in pending}

    def takes(self, key: Hashable) -> bool:
        """Whether a config has ended or is pending."""
        return key in self.known or key in self.pending

    def __len__(self) -> int:
        return len(self.known.keys() | self.pending.keys())


class Pool:
    """An arm's Sobol points: its guard, and where its restarts choose their start.

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

    def row(self, index: int) -> Vector:
        """The row of an index, shape (d,)."""
        return sobol_row(self.arm.d, index, self._seed)

    def first_new(self, history: History) -> Config | None:
        """The first allowed config that is neither known nor pending; None where none is near."""
        space = self.arm.space
        for index in range(2 * len(history) + 1):
            if index == len(self._configs):
                config = self.arm.config(self.row(index))
                self._configs.append((config, space.key(config)))
            config, key = self._configs[index]
            if not history.takes(key) and space.allows(config):
                return config
        return None


class Replay:
    """One descent and how far the history has brought it.

    Parameters
    ----------
    arm : Arm
    restart : int
        See `runner.methods.descent.descend`.
    pool : Pool
    rules : Rules
    noise : float
        Standard deviation of the loss, where a trial reports no ``loss_std``.
    """

    def __init__(self, arm: Arm, restart: int, pool: Pool, rules: Rules, noise: float) -> None:
        self.arm, self._noise = arm, noise
        self._used: dict[Hashable, Trial] = {}
        self._steps = descend(arm, restart, pool.row, rules)
        self._asked: list[tuple[Vector, Config, Hashable]] | None = self._read(next(self._steps))

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
            points = [self._point(row, key, history) for row, _, key in self._asked]
            try:
                self._asked = self._read(self._steps.send(points))
            except StopIteration:
                self._asked = None
        return None

    def _read(self, rows: Sequence[Vector]) -> list[tuple[Vector, Config, Hashable]]:
        configs = [self.arm.config(row) for row in rows]
        return [(row, c, self.arm.space.key(c)) for row, c in zip(rows, configs, strict=True)]

    def _point(self, row: Vector, key: Hashable, history: History) -> Point:
        trial = history.known.get(key)
        if trial is None:  # forbidden: as bad as failed, and costs nothing
            return Point(row, math.inf, self.arm.gradient({}, None))
        self._used[key] = trial
        if not trial.valid or trial.loss is None:
            return Point(self.arm.row(trial.config), math.inf, self.arm.gradient(trial.config, None))
        return Point(
            self.arm.row(trial.config),
            trial.loss,
            self.arm.gradient(trial.config, trial.gradient),
            self._noise_of(trial),
        )

    def _noise_of(self, trial: Trial) -> float:
        reported = trial.outcome.metrics.get("loss_std", self._noise)
        return reported if 0 <= reported < math.inf else self._noise


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
        """The pools by arm, and the descents by arm and restart, of a run."""
        found = self._runs.pop((space, entropy), None) or ({}, {})
        while len(self._runs) >= _MOST_RUNS:
            del self._runs[next(iter(self._runs))]
        self._runs[space, entropy] = found
        return found


def _same(one: Trial | None, other: Trial) -> bool:
    if one is other:
        return True
    return one is not None and (one.status, one.loss, one.gradient, one.outcome.metrics.get("loss_std")) == (
        other.status,
        other.loss,
        other.gradient,
        other.outcome.metrics.get("loss_std"),
    )

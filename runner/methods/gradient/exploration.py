"""Where `gradient` looks apart from its descents: guard points, and starts of further descents."""

from __future__ import annotations

import math
from collections.abc import Hashable, MutableMapping, Sequence
from dataclasses import dataclass

import numpy as np

from runner.methods.base import make_method
from runner.methods.exhaustive import walk
from runner.methods.gradient.arm_state import Front
from runner.methods.gradient.arms import Arm, arm_count
from runner.methods.gradient.replay import History, Pool, place
from runner.seeds import run_entropy
from runner.space import Space
from runner.trial import DONE, Answer, Config, Pending, Trial

MOST_ARMS = 32
"""Of more arms some are drawn."""

_CHANGED = 1.5  # parameters, on average, beside one
_APART = 0.015
_END = 0.02
_RELEASED = (2, 4, 8)


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """The answers to one question that no descent gives; None where there is no new config.

    Parameters
    ----------
    space, completed, pending, number, rng
        As in `Method.propose`.
    history : History
        Of the same trials.
    pools : mutable mapping
        The arms' Sobol points, kept from question to question.
    """

    space: Space
    completed: Sequence[Trial]
    pending: Sequence[Pending]
    number: int
    rng: np.random.Generator
    history: History
    pools: MutableMapping[Hashable, Pool]

    def guard(self, fronts: Sequence[Front], drowned: bool) -> Config | None:
        """A point that owes nothing to descents.

        By densities where there are several arms, or no gradients; else the next Sobol point.
        """
        blind = any(front.ended for front in fronts) and not any(front.guided for front in fronts)
        if drowned or blind or len(fronts) > 1:
            return self._by_density()
        return self._evenly(fronts[0].arm)

    def start(self, front: Front) -> Config | None:
        """Where another descent of an arm may start."""
        if not front.guided and front.ended and arm_count(self.space) == 1:
            return self._by_density()
        if front.settled:
            config = self._changed(front)
            if config is not None:
                return config
        return self._evenly(front.arm)

    def middle(self, arm: Arm) -> Config | None:
        """The middle of an arm."""
        config = arm.config(np.full(arm.d, 0.5))
        if self.space.allows(config) and not self.history.takes(place(config)):
            return config
        return self._evenly(arm)

    def anywhere(self) -> Config | Answer:
        """A config that is not taken, in a seeded order; DONE where a finite space holds none."""
        if self.space.size() == math.inf:  # so narrow that floating point has run out of new points
            return self.space.sample(self.rng)
        for index in range(len(self.history) + 1):
            answer = walk(self.space, index, self.rng)
            if isinstance(answer, Answer) or not self.history.takes(place(answer)):
                return answer
        return DONE

    def _evenly(self, arm: Arm) -> Config | None:
        if not arm.d:
            return None
        if arm.key not in self.pools:
            self.pools[arm.key] = Pool(arm, run_entropy(self.rng))
        return self.pools[arm.key].first_new(self.history)

    def _changed(self, front: Front) -> Config | None:
        """The best config of an arm with a few of its numbers changed.

        In turn, of those that stand at an end of their range some are put in its middle, since a
        descent that was driven there has not seen the other side; or any are drawn anew.
        """
        best = min((*front.descents, *front.open), key=lambda replay: replay.best).end
        at_end = np.flatnonzero((best < _END) | (best > 1.0 - _END))
        row = best.copy()
        if len(at_end) and len(front.descents) % 2:
            row[self.rng.permutation(at_end)[: self.rng.choice(_RELEASED)]] = 0.5
        else:
            drawn = self.rng.random(len(row)) < _CHANGED / len(row)
            drawn[self.rng.integers(len(row))] = True
            row[drawn] = self.rng.random(int(drawn.sum()))
        config = front.arm.config(row)
        new = self.space.allows(config) and not self.history.takes(place(config))
        return config if new else None

    def _by_density(self) -> Config | None:
        """What `tpe` would try, which is not told of the probes of differences."""
        method = make_method("tpe")
        kept: list[Trial] = []
        rows: list[np.ndarray] = []
        for trial in self.completed:
            row = self.space.encode(trial.config)
            if not rows or np.abs(np.array(rows) - row).max(axis=1).min() > _APART:
                rows.append(row)
                kept.append(trial)
        answer = method.propose(self.space, kept, self.pending, self.number, self.rng)
        if isinstance(answer, Answer) or self.history.takes(place(answer)):
            return None
        return answer

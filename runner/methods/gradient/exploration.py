"""Proposals of `gradient` outside its descents: guard points, and starts of further descents."""

from __future__ import annotations

import math
from collections.abc import Hashable, MutableMapping, Sequence
from dataclasses import dataclass

import numpy as np

from runner.methods.base import make_method
from runner.methods.exhaustive import walk
from runner.methods.gradient.arm_state import ArmState
from runner.methods.gradient.arms import Arm, arm_count
from runner.methods.gradient.replay import History, SobolPoints, config_key
from runner.seeds import run_entropy
from runner.space import Space
from runner.trial import DONE, Answer, Config, Pending, Trial

MAX_ARMS = 32
"""Above this number a random subset is searched: 100 trials then still give an arm three."""

# Perturbation counts and margins are chosen by hand, wide enough to leave a basin; the kinds of restart
# were compared on two squared-hinge problems ("Further descents ..." in docs/decisions.md).
_MEAN_REDRAWN = 1.5  # parameters redrawn on average, besides the one that always is
_MIN_DISTANCE = 0.015  # maximum norm; above the steps of differences, far below distances of Sobol points
_BOUND_MARGIN = 0.02  # closer to 0 or 1 than this counts as at a bound
_RELEASED = (2, 4, 8)  # parameters moved from a bound to the centre; drawn, as the right number is unknown


@dataclass(frozen=True, eq=False)
class Exploration:
    """Proposals outside the descents for one proposal request; None if there is no new config.

    Parameters
    ----------
    space, completed, pending, number, rng
        As in `Method.propose`.
    history : History
        Index of the same trials.
    pools : mutable mapping
        Sobol points by arm, reused between requests.
    """

    space: Space
    completed: Sequence[Trial]
    pending: Sequence[Pending]
    number: int
    rng: np.random.Generator
    history: History
    pools: MutableMapping[Hashable, SobolPoints]

    def guard(self, states: Sequence[ArmState], too_noisy: bool) -> Config | None:
        """Propose independently of the descents.

        By `tpe` if there are several arms or no gradients; otherwise the next Sobol point.
        """
        unguided = any(state.ended for state in states) and not any(state.guided for state in states)
        if too_noisy or unguided or len(states) > 1:
            return self._tpe_point()
        return self._sobol_point(states[0].arm)

    def start(self, state: ArmState) -> Config | None:
        """Propose the start of another descent of an arm."""
        if not state.guided and state.ended and arm_count(self.space) == 1:
            return self._tpe_point()
        if state.settled:
            config = self._perturbed(state)
            if config is not None:
                return config
        return self._sobol_point(state.arm)

    def centre(self, arm: Arm) -> Config | None:
        """Propose the centre of an arm."""
        return self._if_new(arm.config(np.full(arm.d, 0.5))) or self._sobol_point(arm)

    def any_new(self) -> Config | Answer:
        """Propose a config that is not in the history, in a seeded order; DONE if a finite space has none."""
        if self.space.size() == math.inf:  # so narrow that floating point has run out of new points
            return self.space.sample(self.rng)
        for index in range(len(self.history) + 1):
            answer = walk(self.space, index, self.rng)
            if isinstance(answer, Answer) or config_key(answer) not in self.history:
                return answer
        return DONE

    def _if_new(self, config: Config) -> Config | None:
        return config if self.space.allows(config) and config_key(config) not in self.history else None

    def _sobol_point(self, arm: Arm) -> Config | None:
        if not arm.d:
            return None
        if arm.key not in self.pools:
            self.pools[arm.key] = SobolPoints(arm, run_entropy(self.rng))
        return self.pools[arm.key].first_new(self.history)

    def _perturbed(self, state: ArmState) -> Config | None:
        """Change a few numbers of an arm's best config.

        Alternately: move some of those at a bound to the centre, since a descent that was driven there
        has not seen the other side; or redraw any.
        """
        best = min((*state.descents, *state.open), key=lambda replay: replay.best).end
        at_bound = np.flatnonzero((best < _BOUND_MARGIN) | (best > 1.0 - _BOUND_MARGIN))
        row = best.copy()
        if len(at_bound) and len(state.descents) % 2:
            row[self.rng.permutation(at_bound)[: self.rng.choice(_RELEASED)]] = 0.5
        else:
            redrawn = self.rng.random(len(row)) < _MEAN_REDRAWN / len(row)
            redrawn[self.rng.integers(len(row))] = True
            row[redrawn] = self.rng.random(int(redrawn.sum()))
        return self._if_new(state.arm.config(row))

    def _tpe_point(self) -> Config | None:
        """Propose by `tpe`, without the probes of differences, which would distort its densities."""
        method = make_method("tpe")
        spread: list[Trial] = []
        rows: list[np.ndarray] = []
        for trial in self.completed:
            row = self.space.encode(trial.config)
            if not rows or np.abs(np.array(rows) - row).max(axis=1).min() > _MIN_DISTANCE:
                rows.append(row)
                spread.append(trial)
        answer = method.propose(self.space, spread, self.pending, self.number, self.rng)
        if isinstance(answer, Answer) or config_key(answer) in self.history:
            return None
        return answer

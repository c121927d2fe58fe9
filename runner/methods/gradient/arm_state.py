"""State of an arm: its descents, the trials from which others may start, its share of the trials."""

from __future__ import annotations

import math
from collections.abc import Hashable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from runner.methods.gradient.arms import Arm
from runner.methods.gradient.finite_differences import DescentSettings
from runner.methods.gradient.replay import History, Replay

_MIN_CANDIDATES = 2
"""Unused trials needed before a further descent starts at one: a start is the better of two at least.

The very first descent needs one only: with a prototype on a logistic regression with 50 penalties,
screening 1, 4 and 8 Sobol points first took 61, 133 and over 150 evaluations to 1 %.
"""
_RANK_EXPONENT = 2.0  # shares 1, 1/4, 1/9, ...: the best arm gets about 60 % of the trials
_MIN_DISTANCE = 0.1  # maximum norm; half the initial radius, so that basins of two starts rarely coincide
_RESTART_CYCLE = 4  # 3 of 4 restarts perturb the best; see "Further descents ..." in docs/decisions.md


@dataclass
class ArmState:
    """Descents and counts of one arm, derived from the history.

    Attributes
    ----------
    spent : int
        Number of its trials, including pending ones.
    ended : int
        Number of its completed trials.
    guided : bool
        True once a trial of it reported a gradient.
    descents : list of Replay
        Descents that have begun, by the number of their first trial.
    open : list of Replay
        Descents that could begin: from trials that no descent has requested.
    """

    arm: Arm
    spent: int
    ended: int
    guided: bool
    descents: list[Replay] = field(default_factory=list)
    open: list[Replay] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The lowest loss."""
        return min((replay.best for replay in (*self.descents, *self.open)), default=math.inf)

    @property
    def promise(self) -> float:
        """The lowest loss that any of its descents has reached or predicts."""
        return min((min(r.best, r.descent.promise) for r in (*self.descents, *self.open)), default=math.inf)

    @property
    def too_noisy(self) -> bool:
        """True if noise hides the finite differences of a descent."""
        return any(replay.descent.differences.too_noisy for replay in self.descents)

    @property
    def wrong(self) -> set[str]:
        """Parameters whose reported derivative contradicts the loss."""
        return {
            name
            for replay in self.descents
            for (name, _), wrong in zip(self.arm.numeric, replay.descent.differences.wrong, strict=True)
            if wrong and not replay.descent.replaced_inexact
        }

    @property
    def better(self) -> Replay | None:
        """The best unused trial, if it beats all descents."""
        start = min(self.open, key=_best, default=None)
        if start is None or any(replay.best <= start.best for replay in self.descents):
            return None
        return start

    @property
    def settled(self) -> bool:
        """True if the best descent has little more to gain, so that perturbations of its end are tried."""
        best = min(self.descents, key=_best, default=None)
        return best is not None and (best.ended or best.patience > 1)

    def start(self) -> Replay | None:
        """Choose the start of a further descent; None if a new starting point must be tried first.

        The best candidate away from the ends of all descents. Once the best descent has settled, three
        of four starts are perturbations of its end, which share most parameters with it; the others,
        and all starts before that, are not.
        """
        ends = [replay.end for replay in self.descents]
        candidates = [r for r in self.open if all(np.abs(r.end - end).max() > _MIN_DISTANCE for end in ends)]
        if ends:
            best = min(self.descents, key=_best).end
            near = self.settled and len(self.descents) % _RESTART_CYCLE > 0
            candidates = [
                r for r in candidates if (np.mean(np.abs(r.end - best) > _MIN_DISTANCE) <= 0.5) == near
            ]
            if not near and len(self.open) < _MIN_CANDIDATES:
                return None
        return min(candidates, key=_best, default=None)


def arm_state(
    arm: Arm,
    history: History,
    settings: DescentSettings,
    noise: float,
    memo: MutableMapping[Hashable, Replay],
) -> ArmState:
    """Build an arm's state, with each descent advanced as far as the history goes."""
    trials, spent = history.of_arm(arm)
    guided = any(trial.gradient for _, trial in trials if trial.valid)
    state = ArmState(arm, spent, len(trials), guided)
    if not arm.d:
        return state
    requested: set[Hashable] = set()
    for key, trial in trials:
        if key in requested or not trial.valid:
            continue
        first = not state.descents and not state.open
        name = (arm.key, key, first)
        replay = memo.get(name)
        if replay is None or not replay.agrees(history):
            replay = memo[name] = Replay(arm, trial, replace(settings, check=first), noise)
        if replay.begun(history):
            replay.advance(history)
            state.descents.append(replay)
            requested |= replay.requested
        else:
            state.open.append(replay)
    return state


def by_share(states: Sequence[ArmState]) -> list[ArmState]:
    """Order the arms by how far each is behind its share of the trials.

    Arms without a trial come first. The arm of rank r by predicted loss (0, 1, ...) is entitled to a
    share of the trials in proportion to 1 / (r + 1) ** 2, and the one furthest behind its share is
    next: successive halving without rounds, in which no arm is eliminated.
    """
    if len(states) == 1:
        return list(states)
    ranked = sorted(states, key=lambda state: state.promise)
    overspent = [(state.spent * (rank + 1) ** _RANK_EXPONENT, rank) for rank, state in enumerate(ranked)]
    return [ranked[rank] for _, rank in sorted(overspent)]


def _best(replay: Replay) -> float:
    return replay.best

"""What is known of an arm: its descents, the trials from which others may start, its claim to trials."""

from __future__ import annotations

import math
from collections.abc import Hashable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from runner.methods.gradient.arms import Arm
from runner.methods.gradient.finite_differences import Rules
from runner.methods.gradient.replay import History, Replay

SCREEN = 2
"""So many trials off all paths there must be before a descent starts at one of them."""

_RANK_EXPONENT = 2.0
_APART = 0.1
_TURNS = 4


@dataclass
class Front:
    """An arm as the history shows it.

    Attributes
    ----------
    arm : Arm
    spent : int
        Its trials, the pending ones included.
    ended : int
        How many of them have ended.
    guided : bool
        Whether a trial of it reported a gradient.
    descents : list of Replay
        Which have begun, by the number of the trial that they start from.
    open : list of Replay
        Which could begin: from the trials that no descent has asked for.
    """

    arm: Arm
    spent: int
    ended: int
    guided: bool
    descents: list[Replay] = field(default_factory=list)
    open: list[Replay] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The least loss."""
        return min((replay.best for replay in (*self.descents, *self.open)), default=math.inf)

    @property
    def promise(self) -> float:
        """The least loss that any of its descents has met or predicts."""
        return min((min(r.best, r.descent.promise) for r in (*self.descents, *self.open)), default=math.inf)

    @property
    def drowned(self) -> bool:
        """Whether noise has drowned the differences of a descent."""
        return any(replay.descent.differences.drowned for replay in self.descents)

    @property
    def wrong(self) -> set[str]:
        """The parameters whose reported gradient a descent found wrong."""
        return {
            name
            for replay in self.descents
            for (name, _), wrong in zip(self.arm.numeric, replay.descent.differences.wrong, strict=True)
            if wrong and not replay.descent.rough
        }

    @property
    def better(self) -> Replay | None:
        """A start that is better than where any descent stands."""
        start = min(self.open, key=_best, default=None)
        if start is None or any(replay.best <= start.best for replay in self.descents):
            return None
        return start

    @property
    def settled(self) -> bool:
        """Whether the best descent has little more to gain: then changes of its end are tried, too."""
        best = min(self.descents, key=_best, default=None)
        return best is not None and (best.ended or best.patience > 1)

    def start(self) -> Replay | None:
        """Where a further descent may start: none where another start is to be tried first.

        It is the best that is not beside the end of a descent. Where the best descent has settled, three
        of four start at a change of its end, which shares most parameters with it; the others, and all
        before that, do not.
        """
        ends = [replay.end for replay in self.descents]
        found = [r for r in self.open if all(np.abs(r.end - end).max() > _APART for end in ends)]
        if ends:
            best = min(self.descents, key=_best).end
            near = self.settled and len(self.descents) % _TURNS > 0
            found = [r for r in found if (np.mean(np.abs(r.end - best) > _APART) <= 0.5) == near]
            if not near and len(self.open) < SCREEN:
                return None
        return min(found, key=_best, default=None)


def front_of(
    arm: Arm, history: History, rules: Rules, noise: float, memo: MutableMapping[Hashable, Replay]
) -> Front:
    """An arm's front, each descent as far as the history brings it."""
    trials, spent = history.of(arm)
    guided = any(trial.gradient for _, trial in trials if trial.valid)
    front = Front(arm, spent, len(trials), guided)
    if not arm.d:
        return front
    paths: set[Hashable] = set()
    for key, trial in trials:
        if key in paths or not trial.valid:
            continue
        first = not front.descents and not front.open
        name = (arm.key, key, first)
        replay = memo.get(name)
        if replay is None or not replay.agrees(history):
            replay = memo[name] = Replay(arm, trial, replace(rules, check=True) if first else rules, noise)
        if replay.begun(history):
            replay.advance(history)
            front.descents.append(replay)
            paths |= replay.path
        else:
            front.open.append(replay)
    return front


def by_claim(fronts: Sequence[Front]) -> list[Front]:
    """The fronts in the order in which they may ask.

    Arms without a trial come first. The arm of rank r by what it promises (0, 1, ...) has a claim to a
    share of the trials in proportion to 1 / (r + 1) ** 2, and the one furthest behind its share is
    next: successive halving without rounds, in which no arm is cut off for good.
    """
    if len(fronts) == 1:
        return list(fronts)
    ranked = sorted(fronts, key=lambda front: front.promise)
    claimed = [(front.spent * (rank + 1) ** _RANK_EXPONENT, rank) for rank, front in enumerate(ranked)]
    return [ranked[rank] for _, rank in sorted(claimed)]


def _best(replay: Replay) -> float:
    return replay.best

"""Gradient-based search: box trust-region descents on the gradients that trials report.

The method remembers nothing. Each *descent* is a deterministic coroutine that asks for the loss
at certain configs (`runner.methods.gradient.descent`); at every proposal the descents are replayed by
looking those configs up in the history (`runner.methods.gradient.replay`). A config that has ended is the
answer, one that is pending is waited for, and the first that is neither is the proposal. So any order
of arrival gives the same descents, and trials which the method did not propose are used where they fit.

A descent can start from any trial, and has begun where its first question was asked. Which one comes
first is decided anew at every proposal: in the arm (one assignment of the categories,
`runner.methods.gradient.arms`) that is furthest behind its claim (`runner.methods.gradient.arm_state`), the descent that
stands best; one that has become slow lets others have their turn. A share of the proposals is made
apart from the descents (`runner.methods.gradient.exploration`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
from pydantic import InstanceOf

from runner._text import shown
from runner.errors import MethodError
from runner.methods.base import Method, register
from runner.methods.gradient.arm_state import Front, by_claim, front_of
from runner.methods.gradient.arms import Arm, arm_count, arm_key, arms
from runner.methods.gradient.exploration import MOST_ARMS, Elsewhere
from runner.methods.gradient.finite_differences import Rules
from runner.methods.gradient.replay import History, Memo, Pool, Replay
from runner.seeds import run_entropy
from runner.space import Space
from runner.trial import Answer, Config, Pending, Trial

_MOST_TOGETHER = 5
_STALLED_GUARD = 0.3


@register
@dataclass(frozen=True)
class Gradient(Method):
    """Quasi-Newton descents in a box trust region, from several starts.

    Uses the gradient that a trial reports (``gradient: {name: d loss / d value}``); partial
    derivatives that are missing are taken by finite differences, whose probes are ordinary trials.
    Each assignment of the categorical parameters has descents of its own, and gets trials by the
    rank of what their models promise. Integers are relaxed, rounded, and polished by single levels.

    Parameters
    ----------
    radius : float, default 0.2
        First radius of the trust region, in the encoded unit cube.
    difference : float, default 1e-3
        Step of finite differences in the encoded unit cube; one level at least for integers.
    guard : float, default 0.1
        Share of the proposals that no descent makes, in [0, 1): Sobol points, or those of ``tpe``
        where there are several assignments or no gradients.
    noise : float, default 0.0
        Standard deviation of the loss at one config, where it is known. A trial that reports a
        metric ``loss_std`` overrides it; where neither does, it is sensed.

    Raises
    ------
    MethodError
        Where a setting is out of its range.
    """

    name: ClassVar[str] = "gradient"
    summary: ClassVar[str] = (
        "quasi-Newton descents on the gradients that trials report; for smooth losses, many parameters"
    )
    reference: ClassVar[str] = (
        "BFGS in a box trust region (Nocedal and Wright, 2006, alg. 4.1, eq. 6.19); hypergradients: "
        "Pedregosa, ICML 2016"
    )
    uses_gradient: ClassVar[bool] = True

    radius: float = 0.2
    difference: float = 1e-3
    guard: float = 0.1
    noise: float = 0.0
    _parallel: int = field(default=1, init=False, repr=False)
    _memo: InstanceOf[Memo] = field(default_factory=Memo, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, low, high in (("radius", 0, 1), ("difference", 0, 0.25)):
            if not low < getattr(self, name) <= high:
                raise MethodError(
                    f"expected more than {low}, at most {high}, got {shown(getattr(self, name))}.", where=name
                )
        if not 0 <= self.guard < 1:
            raise MethodError(f"expected at least 0, less than 1, got {shown(self.guard)}.", where="guard")
        if not 0 <= self.noise < math.inf:
            raise MethodError(f"expected 0 or a positive number, got {shown(self.noise)}.", where="noise")

    def prepare(self, space: Space, trials: int | None, parallel: int = 1) -> Self:
        """See `Method.prepare`; lists the arms, and learns how many probes run together."""
        del trials
        arm_count(space)
        prepared = replace(self)
        object.__setattr__(prepared, "_parallel", parallel)
        return prepared

    def announce(self, space: Space, trials: int | None) -> str:
        """How many arms there are, where there is more than one."""
        del trials
        count = arm_count(space)
        if count == 1:
            return ""
        limit = f"; {MOST_ARMS} of them are drawn at first" if count > MOST_ARMS else ""
        return f"{count:,} assignments of the categories, each with descents of its own{limit}."

    def conclude(self, space: Space, completed: Sequence[Trial]) -> str:
        """How many trials gave a gradient; which are wrong; whether noise drowned the differences."""
        valid = [trial for trial in completed if trial.valid]
        if not valid or not any(Arm.of(space, trial.config).d for trial in valid[:1]):
            return ""
        with np.errstate(all="ignore"):
            fronts = self._concluded(space, History(space, completed, []))
        wrong = {name for front in fronts for name in front.wrong}
        said = [
            f"{sum(bool(t.gradient) for t in valid):,} of {len(valid):,} valid trials reported a gradient."
        ]
        if not any(trial.gradient for trial in valid):
            said = ["No trial reported a gradient; finite differences took its place."]
        if wrong:
            names = ", ".join(f"'{name}'" for name in space.names if name in wrong)
            said.append(
                f"Warning: the reported gradient of {names} is not that of the loss; differences took its "
                "place. See: fivefold check --gradients"
            )
        if any(front.drowned for front in fronts):
            said.append("Warning: noise is larger than what differences of the loss show; tpe went on.")
        return " ".join(said)

    def _concluded(self, space: Space, history: History) -> list[Front]:
        """The fronts of the arms that were tried."""
        met: dict[Hashable, Arm] = {}
        for trial in history.known.values():
            if len(met) < 2 * MOST_ARMS:
                met.setdefault(arm_key(space.params, trial.config), Arm.of(space, trial.config))
        rules = self._rules(len(met))
        return [front_of(arm, history, rules, self.noise, {}) for arm in met.values()]

    def propose(
        self,
        space: Space,
        completed: Sequence[Trial],
        pending: Sequence[Pending],
        number: int,
        rng: np.random.Generator,
    ) -> Config | Answer:
        """See `Method.propose`; never WAITs, DONE where every config of a finite space is taken."""
        with np.errstate(all="ignore"):  # losses may be huge; what overflows is left out of the model
            history = History(space, completed, pending)
            fronts = self._fronts(space, history, run_entropy(rng))
            elsewhere = Elsewhere(space, completed, pending, number, rng, history, self._pools(space, rng))
            return self._propose(fronts, history, number, elsewhere)

    def _propose(
        self, fronts: Sequence[Front], history: History, number: int, elsewhere: Elsewhere
    ) -> Config | Answer:
        drowned = any(front.drowned for front in fronts)
        by_itself = len(fronts) == 1 and fronts[0].guided  # its further descents look about
        stalled = not by_itself and self.guard > 0 and _stalled(fronts, history)
        share = max(self.guard, _STALLED_GUARD) if stalled else self.guard
        if drowned or int((number + 1) * share) > int(number * share):
            config = elsewhere.guard(fronts, drowned)
            if config is not None:
                return config
        for front in by_claim(fronts):
            config = self._descend(front, history, elsewhere, number)
            if config is not None:
                return config
        return elsewhere.anywhere()

    def _descend(self, front: Front, history: History, elsewhere: Elsewhere, number: int) -> Config | None:
        """What an arm asks for: of the descent that stands best, of a further one, or a new start.

        A descent that has become slow is passed over ever more often, and one that is hopeless always.
        """
        if not front.spent:
            return elsewhere.middle(front.arm)
        if not front.arm.d:
            return None
        if (start := front.better) is not None and (config := start.advance(history)) is not None:
            return config
        leader = min(front.descents, key=_met, default=None)
        going = sorted((replay for replay in front.descents if not replay.ended), key=_stands)
        lively = [
            replay for replay in going if leader and (replay.descent.checking or not replay.hopeless(leader))
        ]
        for replay in lively:
            if (replay.descent.checking or number % replay.patience == 0) and (
                config := replay.advance(history)
            ) is not None:
                return config
        live = sum(replay.patience == 1 for replay in lively)
        most = math.inf if front.guided else max(1, self._parallel // (front.arm.d + 1))
        start = front.start() if live < most else None
        config = (start and start.advance(history)) or elsewhere.start(front)
        if config is None:
            config = next(filter(None, (replay.advance(history) for replay in going)), None)
        return config

    def _fronts(self, space: Space, history: History, entropy: int) -> list[Front]:
        live = _live_arms(space, history, entropy)
        _, replays = self._memo.run(space, entropy)
        rules = self._rules(len(live))
        return [front_of(arm, history, rules, self.noise, replays) for arm in live]

    def _rules(self, arms: int) -> Rules:
        together = min(self._parallel, _MOST_TOGETHER)
        return Rules(self.radius, self.difference, together, promising=arms > 1)

    def _pools(self, space: Space, rng: np.random.Generator) -> dict[Hashable, Pool]:
        return self._memo.run(space, run_entropy(rng))[0]


def _live_arms(space: Space, history: History, entropy: int) -> list[Arm]:
    """The arms to choose from: all, or the drawn ones and the best that the history has met."""
    live = list(arms(space, MOST_ARMS, entropy))
    if arm_count(space) > MOST_ARMS:
        keys = {arm.key for arm in live}
        for trial in sorted((t for t in history.known.values() if t.valid), key=_loss)[:MOST_ARMS]:
            key = arm_key(space.params, trial.config)
            if key not in keys:
                keys.add(key)
                live.append(Arm.of(space, trial.config))
    return live


def _stalled(fronts: Sequence[Front], history: History) -> bool:
    """Whether the last trials brought nothing better, for longer than two gradients take."""
    losses = [_loss(trial) for trial in history.known.values()]
    if not losses:
        return False
    return len(losses) - 1 - losses.index(min(losses)) > 2 * max(front.arm.d for front in fronts) + 10


def _loss(trial: Trial) -> float:
    return trial.loss if trial.valid and trial.loss is not None else math.inf


def _met(replay: Replay) -> float:
    return replay.best


def _stands(replay: Replay) -> float:
    return replay.descent.loss

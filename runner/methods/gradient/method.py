"""Gradient-based search: box trust-region descents on the gradients that trials report.

The method is stateless. Each *descent* is a deterministic coroutine that requests the loss at certain
configs (`runner.methods.gradient.descent`); at every proposal the descents are replayed by looking those
configs up in the history (`runner.methods.gradient.replay`). A completed config answers the request, a
pending one is waited for, and the first that is neither is the proposal. So any order of arrival gives
the same descents, and trials that the method did not propose are used where they fit.

A descent can start from any trial; it has begun once any config of its first request is in the history.
Each proposal goes to the arm (one combination of the categories, `runner.methods.gradient.arms`) that is
furthest behind its share (`runner.methods.gradient.arm_state`), and within it to the descent with the
lowest current loss, unless that one has become slow. A fraction of the proposals ignores the descents
(`runner.methods.gradient.exploration`).
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
from runner.methods.gradient.arm_state import ArmState, arm_state, by_share
from runner.methods.gradient.arms import Arm, arm_count, arm_key, arms
from runner.methods.gradient.exploration import MAX_ARMS, Exploration
from runner.methods.gradient.finite_differences import DescentSettings
from runner.methods.gradient.replay import History, Memo, Replay
from runner.seeds import run_entropy
from runner.space import Space
from runner.trial import Answer, Config, Pending, Trial

_MAX_CONCURRENT = 5  # step lengths that a descent without gradients tries at once; one per entry of `_RADII`
_STALLED_GUARD = 0.3  # design choice, not measured: a third off the descents once they no longer improve


@register
@dataclass(frozen=True)
class Gradient(Method):
    """Quasi-Newton descents in a box trust region, from several starts.

    Uses the gradient that a trial reports (``gradient: {name: d loss / d value}``); partial
    derivatives that are missing are taken by finite differences, whose probes are ordinary trials.
    Each combination of the categorical parameters has its own descents, and receives trials by the
    rank of the loss that their models predict. Integers are relaxed, rounded, and polished by single levels.

    Parameters
    ----------
    radius : float, default 0.2
        Initial radius of the trust region, in the encoded unit cube.
    difference : float, default 1e-3
        Step of finite differences in the encoded unit cube; at least one level for integers.
    guard : float, default 0.1
        Share of the proposals made outside the descents, in [0, 1): Sobol points, or proposals of
        ``tpe`` if there are several combinations of categories or no gradients.
    noise : float, default 0.0
        Standard deviation of the loss at one config, if known. A metric ``loss_std`` reported by a
        trial overrides it; without either, the noise is estimated.

    Raises
    ------
    MethodError
        If a setting is out of its range.
    """

    name: ClassVar[str] = "gradient"
    summary: ClassVar[str] = (
        "quasi-Newton descents on the gradients that trials report; for smooth losses, many parameters"
    )
    reference: ClassVar[str] = (
        "BFGS in a box trust region (Nocedal and Wright, 2006, alg. 4.1, eq. 6.19); hypergradients: "
        "Pedregosa, ICML 2016"
    )

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
                    f"expected a number in ({low}, {high}], got {shown(getattr(self, name))}.", where=name
                )
        if not 0 <= self.guard < 1:
            raise MethodError(f"expected a number in [0, 1), got {shown(self.guard)}.", where="guard")
        if not 0 <= self.noise < math.inf:
            raise MethodError(
                f"expected a finite non-negative number, got {shown(self.noise)}.", where="noise"
            )

    def prepare(self, space: Space, trials: int | None, parallel: int = 1) -> Self:
        """See `Method.prepare`; checks that the arms can be listed, and stores ``parallel``."""
        del trials
        arm_count(space)
        prepared = replace(self)
        object.__setattr__(prepared, "_parallel", parallel)
        return prepared

    def announce(self, space: Space, trials: int | None) -> str:
        """State the number of arms, if there are several."""
        del trials
        count = arm_count(space)
        if count == 1:
            return ""
        limit = f"; starting with a random {MAX_ARMS} of them" if count > MAX_ARMS else ""
        return f"{count:,} combinations of the categories, each with its own descents{limit}."

    def conclude(self, space: Space, completed: Sequence[Trial]) -> str:
        """Summarise how many trials reported a gradient, which derivatives are wrong, and excess noise."""
        valid = [trial for trial in completed if trial.valid]
        if not valid or not Arm.of(space, valid[0].config).d:
            return ""
        with np.errstate(all="ignore"):
            states = self._tried_arms(space, History(space, completed, []))
        wrong = {name for state in states for name in state.wrong}
        reported = sum(bool(trial.gradient) for trial in valid)
        messages = [f"{reported:,} of {len(valid):,} valid trials reported a gradient."]
        if not reported:
            messages = ["No trial reported a gradient; finite differences were used instead."]
        if wrong:
            names = ", ".join(f"'{name}'" for name in space.names if name in wrong)
            messages.append(
                f"Warning: the reported gradient of {names} does not match the loss; finite differences were "
                "used instead. See: fivefold check --gradients"
            )
        if any(state.too_noisy for state in states):
            messages.append("Warning: noise exceeds the finite differences of the loss; tpe took over.")
        return " ".join(messages)

    def _tried_arms(self, space: Space, history: History) -> list[ArmState]:
        tried: dict[Hashable, Arm] = {}
        for trial in history.known.values():
            if len(tried) < 2 * MAX_ARMS:
                tried.setdefault(arm_key(space.params, trial.config), Arm.of(space, trial.config))
        settings = self._descent_settings(len(tried))
        return [arm_state(arm, history, settings, self.noise, {}) for arm in tried.values()]

    def propose(
        self,
        space: Space,
        completed: Sequence[Trial],
        pending: Sequence[Pending],
        number: int,
        rng: np.random.Generator,
    ) -> Config | Answer:
        """See `Method.propose`; never WAITs, DONE once every config of a finite space is taken."""
        with np.errstate(all="ignore"):  # losses may be huge; pairs that overflow are left out of the model
            history = History(space, completed, pending)
            pools, replays = self._memo.run(space, run_entropy(rng))
            live = _live_arms(space, history, run_entropy(rng))
            settings = self._descent_settings(len(live))
            states = [arm_state(arm, history, settings, self.noise, replays) for arm in live]
            exploration = Exploration(space, completed, pending, number, rng, history, pools)
            return self._propose(states, history, number, exploration)

    def _propose(
        self, states: Sequence[ArmState], history: History, number: int, exploration: Exploration
    ) -> Config | Answer:
        too_noisy = any(state.too_noisy for state in states)
        single = len(states) == 1 and states[0].guided  # restarts explore enough
        stalled = not single and self.guard > 0 and _stalled(states, history)
        share = max(self.guard, _STALLED_GUARD) if stalled else self.guard
        if too_noisy or int((number + 1) * share) > int(number * share):
            config = exploration.guard(states, too_noisy)
            if config is not None:
                return config
        for state in by_share(states):
            config = self._descend(state, history, exploration, number)
            if config is not None:
                return config
        return exploration.any_new()

    def _descend(
        self, state: ArmState, history: History, exploration: Exploration, number: int
    ) -> Config | None:
        """Propose within an arm: for the best descent, for another one, or a new start.

        A slow descent is passed over ever more often, and a hopeless one always.
        """
        if not state.spent:
            return exploration.centre(state.arm)
        if not state.arm.d:
            return None
        if (start := state.better) is not None and (config := start.advance(history)) is not None:
            return config
        leader = min(state.descents, key=_best_loss, default=None)
        running = sorted((replay for replay in state.descents if not replay.ended), key=_current_loss)
        worthwhile = [
            replay
            for replay in running
            if leader and (replay.descent.checking or not replay.hopeless(leader))
        ]
        for replay in worthwhile:
            if (replay.descent.checking or number % replay.patience == 0) and (
                config := replay.advance(history)
            ) is not None:
                return config
        live = sum(replay.patience == 1 for replay in worthwhile)
        # Without gradients an iteration needs d + 1 trials, which further descents would compete for.
        most = math.inf if state.guided else max(1, self._parallel // (state.arm.d + 1))
        start = state.start() if live < most else None
        config = (start and start.advance(history)) or exploration.start(state)
        if config is None:
            config = next(filter(None, (replay.advance(history) for replay in running)), None)
        return config

    def _descent_settings(self, arms: int) -> DescentSettings:
        concurrent = min(self._parallel, _MAX_CONCURRENT)
        return DescentSettings(self.radius, self.difference, concurrent, estimate_promise=arms > 1)


def _live_arms(space: Space, history: History, entropy: int) -> list[Arm]:
    """List the arms to choose from: all, or the drawn ones and those of the best trials."""
    live = list(arms(space, MAX_ARMS, entropy))
    if arm_count(space) > MAX_ARMS:
        keys = {arm.key for arm in live}
        for trial in sorted((t for t in history.known.values() if t.valid), key=_loss)[:MAX_ARMS]:
            key = arm_key(space.params, trial.config)
            if key not in keys:
                keys.add(key)
                live.append(Arm.of(space, trial.config))
    return live


def _stalled(states: Sequence[ArmState], history: History) -> bool:
    """Check for no improvement over more trials than two gradients by differences and ten steps take."""
    losses = [_loss(trial) for trial in history.known.values()]
    if not losses:
        return False
    return len(losses) - 1 - losses.index(min(losses)) > 2 * max(state.arm.d for state in states) + 10


def _loss(trial: Trial) -> float:
    return trial.loss if trial.valid and trial.loss is not None else math.inf


def _best_loss(replay: Replay) -> float:
    return replay.best


def _current_loss(replay: Replay) -> float:
    return replay.descent.loss

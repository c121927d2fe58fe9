"""Gradient-based search: box trust-region descents on the gradients that trials report.

The method remembers nothing. Each *descent* is a deterministic coroutine that asks for the loss
at certain configs (`runner.methods.descent`); at every proposal the descents are replayed by
looking those configs up in the history. A config that has ended is the answer, one that is
pending is waited for, and the first that is neither is the proposal. So any order of arrival
gives the same descents, and trials which the method did not propose are used where they fit.

Which descent comes first is decided anew at every proposal. Each arm (one assignment of the
categories, `runner.methods.arms`) has descents 0, 1, 2, ...; a later one gets trials while all
before it wait or have ended. A fixed share of the proposals goes to a Sobol pool, which bounds the
loss against random search and is where restarts choose their start.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
from pydantic import InstanceOf

from runner.errors import MethodError
from runner.methods.arms import Arm, arm_count, arm_key, arms
from runner.methods.base import Method, register
from runner.methods.descent import SCREEN, Rules
from runner.methods.exhaustive import walk
from runner.methods.replay import History, Memo, Pool, Replay
from runner.seeds import run_entropy
from runner.space import Space
from runner.trial import DONE, Answer, Config, Pending, Trial

_MOST_ARMS = 32
_MOST_TOGETHER = 5
_RANK_EXPONENT = 2.0


@register
@dataclass(frozen=True)
class Gradient(Method):
    """Quasi-Newton descents in a box trust region, from several starts.

    Uses the gradient that a trial reports (``gradient: {name: d loss / d value}``); partial
    derivatives that are missing are taken by finite differences, whose probes are ordinary trials.
    Each assignment of the categorical parameters has descents of its own, and an arm gets trials
    by the rank of its best loss. Integers are relaxed, rounded, and polished by single levels.

    Parameters
    ----------
    radius : float, default 0.2
        First radius of the trust region, in the encoded unit cube.
    difference : float, default 1e-3
        Step of finite differences in the encoded unit cube; one level at least for integers.
    guard : float, default 0.1
        Share of the proposals that goes to a Sobol sequence instead of a descent, in [0, 1).
    noise : float, default 0.0
        Standard deviation of the loss at one config. A trial that reports a metric ``loss_std``
        overrides it. Worse points within twice of it are accepted.

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
                    f"got {getattr(self, name)}; more than {low}, at most {high} was expected.", where=name
                )
        if not 0 <= self.guard < 1:
            raise MethodError(f"got {self.guard}; at least 0, less than 1 was expected.", where="guard")
        if not 0 <= self.noise < math.inf:
            raise MethodError(f"got {self.noise}; 0 or a positive number was expected.", where="noise")

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
        limit = f"; {_MOST_ARMS} of them are drawn at first" if count > _MOST_ARMS else ""
        return f"{count:,} assignments of the categories, each with descents of its own{limit}."

    def conclude(self, space: Space, completed: Sequence[Trial]) -> str:
        """How many trials gave a gradient."""
        valid = [trial for trial in completed if trial.valid]
        if not valid or not any(Arm.of(space, trial.config).d for trial in valid[:1]):
            return ""
        given = sum(bool(trial.gradient) for trial in valid)
        if not given:
            return "No trial reported a gradient; finite differences took its place."
        return f"{given:,} of {len(valid):,} valid trials reported a gradient."

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
            return self._propose(space, History(space, completed, pending), number, rng)

    def _propose(
        self, space: Space, history: History, number: int, rng: np.random.Generator
    ) -> Config | Answer:
        entropy = run_entropy(rng)
        live = _live_arms(space, history, entropy)
        guards = int(number * self.guard)
        if int((number + 1) * self.guard) > guards:
            config = self._guard(space, live, guards, history, rng)
            if config is not None:
                return config
        for arm, spent in _by_rank(live, history):
            config = self._descend(arm, spent, history, entropy)
            if config is not None:
                return config
        return _sweep(space, history, rng)

    def _guard(
        self, space: Space, live: Sequence[Arm], turn: int, history: History, rng: np.random.Generator
    ) -> Config | None:
        """The next Sobol point of an arm in turn; where arms were drawn, a draw of the space."""
        if arm_count(space) > _MOST_ARMS:
            config = space.sample(rng)
            return None if history.takes(space.key(config)) else config
        arm = live[turn % len(live)]
        return self._pool(arm, run_entropy(rng)).first_new(history) if arm.d else None

    def _descend(self, arm: Arm, spent: int, history: History, entropy: int) -> Config | None:
        """What the first descent of an arm that can go on asks for.

        Restart r sees ``SCREEN * r`` points of the pool. With more of them than the arm has
        trials one must be new, so that a further restart would only repeat known configs.
        """
        _, replays = self._memo.run(arm.space, entropy)
        rules = Rules(self.radius, self.difference, min(self._parallel, _MOST_TOGETHER))
        for restart in range(spent // SCREEN + 2 if arm.d else 1):
            replay = replays.get((arm.key, restart))
            if replay is None or not replay.agrees(history):
                replay = Replay(arm, restart, self._pool(arm, entropy), rules, self.noise)
                replays[arm.key, restart] = replay
            config = replay.advance(history)
            if config is not None:
                return config
        return None

    def _pool(self, arm: Arm, entropy: int) -> Pool:
        pools, _ = self._memo.run(arm.space, entropy)
        if arm.key not in pools:
            pools[arm.key] = Pool(arm, entropy)
        return pools[arm.key]


def _live_arms(space: Space, history: History, entropy: int) -> list[Arm]:
    """The arms to choose from: all, or the drawn ones and the best that the history has met."""
    live = list(arms(space, _MOST_ARMS, entropy))
    if arm_count(space) > _MOST_ARMS:
        keys = {arm.key for arm in live}
        for trial in sorted((t for t in history.known.values() if t.valid), key=_loss)[:_MOST_ARMS]:
            key = arm_key(space.params, trial.config)
            if key not in keys:
                keys.add(key)
                live.append(Arm.of(space, trial.config))
    return live


def _by_rank(live: Sequence[Arm], history: History) -> Iterable[tuple[Arm, int]]:
    """The arms with their number of trials, in the order in which they may ask.

    Arms without a trial come first. The arm of rank r by best loss (0, 1, ...) has a claim to a
    share of the trials in proportion to 1 / (r + 1) ** 2, and the one furthest behind its share
    is next: the best arm gets most, and none is cut off for good.
    """
    if len(live) == 1:
        return [(live[0], len(history))]
    params = live[0].space.params
    spent: dict[Hashable, int] = {arm.key: 0 for arm in live}
    best: dict[Hashable, float] = {arm.key: math.inf for arm in live}
    for trial in history.known.values():
        key = arm_key(params, trial.config)
        if key in spent:
            spent[key] += 1
            best[key] = min(best[key], _loss(trial))
    for waiting in history.pending.values():
        key = arm_key(params, waiting.config)
        if key in spent:
            spent[key] += 1
    ranked = sorted(live, key=lambda arm: best[arm.key])
    claim = {arm.key: (rank + 1) ** -_RANK_EXPONENT for rank, arm in enumerate(ranked)}
    ordered = sorted(ranked, key=lambda arm: spent[arm.key] / claim[arm.key])
    return [(arm, spent[arm.key]) for arm in ordered]


def _loss(trial: Trial) -> float:
    return trial.loss if trial.valid and trial.loss is not None else math.inf


def _sweep(space: Space, history: History, rng: np.random.Generator) -> Config | Answer:
    """A config that is not taken, in a seeded order; DONE where a finite space holds none."""
    if space.size() == math.inf:  # so narrow that floating point has run out of new points
        return space.sample(rng)
    for index in range(len(history) + 1):
        answer = walk(space, index, rng)
        if isinstance(answer, Answer) or not history.takes(space.key(answer)):
            return answer
    return DONE

"""Exhaustive search: every config of a finite space exactly once.

Every combination is evaluated, so its best is the space's best: the reference for other methods
wherever the space is small enough. The order is shuffled by the run's seed, because the native order
makes an anytime curve an artefact of how the space was written down. Nothing is listed: config *i* is
computed from *i*.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np

from runner._text import shown
from runner.errors import MethodError
from runner.methods.base import Method, register
from runner.seeds import Shuffle, run_entropy, seed_for
from runner.space import Space
from runner.trial import DONE, Answer, Config, Pending, Trial

MAX_POINTS = 100_000
"""Points of one parameter; chosen by hand: more cannot be evaluated even along a single parameter."""


@register
@dataclass(frozen=True)
class Exhaustive(Method):
    """Every config of a finite space, once, in a seeded order.

    Parameters
    ----------
    resolution : int, optional
        Number of points for each continuous parameter (log-aware, both bounds included); without
        it a space with continuous parameters is refused.

    Raises
    ------
    MethodError
        From `prepare`, for a space with continuous parameters and no ``resolution``, or with
        every config forbidden.
    """

    name: ClassVar[str] = "exhaustive"
    summary: ClassVar[str] = "every config of a finite space once; the certain answer if it is affordable"
    reference: ClassVar[str] = "complete enumeration; order by a Feistel network (Black and Rogaway, 2002)"
    needs_finite_space: ClassVar[bool] = True
    uses_history: ClassVar[bool] = False

    resolution: int | None = None

    def __post_init__(self) -> None:
        if self.resolution is not None and not 1 <= self.resolution <= MAX_POINTS:
            raise MethodError(
                f"expected 1 to {MAX_POINTS:,} points, got {shown(self.resolution)}.", where="resolution"
            )

    def prepare(self, space: Space, trials: int | None, parallel: int = 1) -> Self:
        """See `Method.prepare`."""
        del trials, parallel
        if space.continuous and self.resolution is None:
            names = ", ".join(space.continuous)
            raise MethodError(
                f"expected a finite space, got continuous parameters: {names}.",
                where=self.name,
                hint="Set 'resolution: 5' for 5 points of each, or give the parameters a step.",
            )
        require_any(self.finite(space), self.name)
        return self

    def finite(self, space: Space) -> Space:
        """Return the space to enumerate: with a resolution, the discretised one."""
        return _discretised(space, self.resolution) if self.resolution else space

    def announce(self, space: Space, trials: int | None) -> str:
        """State the number of configs, and the share that the budget covers."""
        size = int(self.finite(space).size())
        if trials is None or trials >= size:
            return f"{size:,} configs; the budget covers all of them."
        share = f"{100 * trials / size:.3g} %"
        return f"{size:,} configs; the budget of {trials:,} trials covers {share} of them."

    def conclude(self, space: Space, completed: Sequence[Trial]) -> str:
        """State the share of the space that was covered."""
        finite = self.finite(space)
        size = int(finite.size())
        seen = len({finite.key(trial.config) for trial in completed if trial.config in finite})
        share = "all" if seen == size else f"{100 * seen / size:.3g} %"
        return f"{seen:,} of {size:,} configs covered ({share})."

    def propose(
        self,
        space: Space,
        completed: Sequence[Trial],
        pending: Sequence[Pending],
        number: int,
        rng: np.random.Generator,
    ) -> Config | Answer:
        """See `Method.propose`."""
        del completed, pending
        return walk(self.finite(space), number, rng)


def require_any(space: Space, where: str) -> None:
    """Raise MethodError if every config of a finite space is forbidden."""
    if not space.size():
        raise MethodError("every config is forbidden.", where=where, hint="Forbid less.")


def walk(space: Space, number: int, rng: np.random.Generator) -> Config | Answer:
    """Return config ``number`` in a seeded order of a finite space, DONE past its end.

    Of the proposal's generator only the run's entropy is used.
    """
    size = space.size()
    if size == math.inf:
        names = ", ".join(space.continuous)
        raise MethodError(f"expected a finite space, got continuous parameters: {names}.")
    if number >= size:
        return DONE
    return space[_order(int(size), run_entropy(rng))[number]]


@lru_cache(maxsize=256)
def _order(size: int, entropy: int) -> Shuffle:
    return Shuffle(size, seed_for(entropy, "order", bits=128))


@lru_cache(maxsize=256)
def _discretised(space: Space, resolution: int) -> Space:
    return space.discretised(dict.fromkeys(space.continuous, resolution))

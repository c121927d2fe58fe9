"""What advice is given by: the space, the budget, and what is known of a trial."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runner.problems.base import Problem
from runner.space import Choice, Space


@dataclass(frozen=True)
class Facts:
    """A problem as far as the choice of a method depends on it.

    Attributes
    ----------
    name : str
        Of the problem.
    space : Space
    trials : int or None
        The budget of a run.
    seconds : float or None
        Likewise, of evaluation and thinking.
    trial_seconds : float or None
        What one evaluation takes.
    measured : bool
        Whether that was measured here; else it was given.
    parallel : int
        Trials of a run in flight.
    gradient, noisy : bool
        As the problem says.
    steps : int
        Of a full evaluation.
    """

    name: str
    space: Space
    trials: int | None
    seconds: float | None = None
    trial_seconds: float | None = None
    measured: bool = False
    parallel: int = 1
    gradient: bool = False
    noisy: bool = False
    steps: int = 1

    @property
    def budget(self) -> int | None:
        """Trials that the budget has room for, before any thinking; None where nobody knows."""
        limits = [self.trials] if self.trials is not None else []
        if self.seconds is not None and self.trial_seconds:
            limits.append(max(1, math.floor(self.seconds / self.trial_seconds)))
        return min(limits) if limits else None

    @property
    def categories(self) -> int:
        """How many parameters have values without an order."""
        return sum(isinstance(domain, Choice) for _, domain in self.space.dimensions)

    @property
    def smooth(self) -> bool:
        """Whether all parameters are continuous."""
        return len(self.space.continuous) == self.space.d


def facts_of(
    problem: Problem,
    trials: int | None,
    seconds: float | None,
    parallel: int,
    trial_seconds: float | None = None,
    measured: bool = False,
) -> Facts:
    """The facts of a problem under a budget; parameters as in `Facts`."""
    return Facts(
        problem.name,
        problem.space,
        trials,
        seconds,
        trial_seconds,
        measured,
        parallel,
        problem.has_gradient,
        problem.noisy,
        problem.steps,
    )

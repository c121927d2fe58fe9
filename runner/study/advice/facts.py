"""Facts that the advice rests on: the space, the budget, and the known properties of a trial."""

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
        Name of the problem.
    trials : int or None
        The budget of a run.
    seconds : float or None
        Budget in seconds of evaluation and proposals.
    trial_seconds : float or None
        Duration of one evaluation.
    measured : bool
        True where the duration was measured here, false where it was given.
    parallel : int
        Trials of a run in flight.
    gradient, noisy : bool
        As the problem declares.
    steps : int
        Steps of a full evaluation.
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
        """Number of trials that the budget allows, without the methods' own time; None where unknown."""
        limits = [self.trials] if self.trials is not None else []
        if self.seconds is not None and self.trial_seconds:
            limits.append(max(1, math.floor(self.seconds / self.trial_seconds)))
        return min(limits) if limits else None

    @property
    def categories(self) -> int:
        """Number of parameters whose values have no order."""
        return sum(isinstance(domain, Choice) for _, domain in self.space.dimensions)

    @property
    def smooth(self) -> bool:
        """True where all parameters are continuous."""
        return len(self.space.continuous) == self.space.d


def facts_of(
    problem: Problem,
    trials: int | None,
    seconds: float | None,
    parallel: int,
    trial_seconds: float | None = None,
    measured: bool = False,
) -> Facts:
    """Collect the facts of a problem under a budget; parameters as in `Facts`."""
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

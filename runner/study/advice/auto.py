"""``auto`` among a study's methods: the advised method of each problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from runner.errors import MethodError
from runner.methods import Method, make_method
from runner.methods.base import with_settings
from runner.problems.base import Problem
from runner.space import Space
from runner.study.advice.facts import facts_of
from runner.study.advice.rules import Advice, advise
from runner.trial import Answer, Config, Pending, Trial

NAME = "auto"


@dataclass(frozen=True)
class Auto(Method):
    """Placeholder for the method that `advise` chooses for each problem of a study.

    The choice is a function of the problem, the budget and ``parallel``, so it is the same on
    every machine; the duration of a trial is used only where it is given.

    Parameters
    ----------
    seconds : float, optional
        Duration of one evaluation.
    """

    name: ClassVar[str] = NAME
    summary: ClassVar[str] = "the method that 'fivefold advise' names for each problem"
    reference: ClassVar[str] = "benchmarks/RESULTS.md"

    seconds: float | None = None

    def propose(
        self,
        space: Space,
        completed: Sequence[Trial],
        pending: Sequence[Pending],
        number: int,
        rng: np.random.Generator,
    ) -> Config | Answer:
        """Raise MethodError: `choose` replaces this method before a run."""
        raise MethodError("expected a method that proposes, got the placeholder.", where=NAME)


def choose(
    auto: Auto, problem: Problem, trials: int | None, seconds: float | None, parallel: int
) -> tuple[Method, Advice]:
    """Choose the method for a problem, and explain why."""
    advice = advise(facts_of(problem, trials, seconds, parallel, auto.seconds))
    return make_method(advice.method, advice.settings), advice


def make(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """Make a method as `runner.methods.make_method` does, or ``auto``.

    Raises
    ------
    MethodError
        Where there is no such method or setting, or a value does not fit.
    """
    return make_method(name, settings) if name != NAME else with_settings(Auto, settings or {})

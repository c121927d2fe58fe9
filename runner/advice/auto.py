"""``auto`` among a study's methods: the one that is advised for each problem."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from runner.advice.facts import facts_of
from runner.advice.rules import Advice, advise
from runner.errors import MethodError, nearest
from runner.methods import Method, make_method
from runner.problems.base import Problem
from runner.space import Space
from runner.trial import Answer, Config, Pending, Trial
from runner.validation import explain

NAME = "auto"


@dataclass(frozen=True)
class Auto(Method):
    """Stands for the method that `advise` chooses for each problem of a study.

    The choice is a function of the problem, the budget and ``parallel``, so it is the same on
    every machine; what a trial takes is used only where it is given.

    Parameters
    ----------
    seconds : float, optional
        What one evaluation takes.
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
        """Never asked: `choose` puts another one in its place."""
        raise MethodError("it stands for another method, and proposes nothing.", where=NAME)


def choose(
    auto: Auto, problem: Problem, trials: int | None, seconds: float | None, parallel: int
) -> tuple[Method, Advice]:
    """The method that is advised for a problem, and why."""
    advice = advise(facts_of(problem, trials, seconds, parallel, auto.seconds))
    return make_method(advice.method, advice.settings), advice


def make(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """As `runner.methods.make_method`, which does not know ``auto``.

    Raises
    ------
    MethodError
        Where there is no such method or setting, or a value does not fit.
    """
    if name != NAME:
        return make_method(name, settings)
    known = [field.name for field in dataclasses.fields(Auto)]
    for key in settings or {}:
        if key not in known:
            raise MethodError(
                f"'{NAME}' has no setting '{key}'.", where=str(key), hint=nearest(str(key), known)
            )
    try:
        return TypeAdapter(Auto).validate_python(dict(settings or {}))
    except ValidationError as error:
        first = error.errors()[0]
        raise MethodError(explain(first), where=str(first["loc"][0])) from None

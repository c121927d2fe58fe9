"""What `runner.optimize` takes for an objective, as a problem: our own, hyperopt's, Ray Tune's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.convert import foreign_form, to_view
from runner.errors import ProblemError, StudyError
from runner.problems import FunctionProblem, Problem
from runner.problems.base import Direction
from runner.trial import Config

Native = Callable[[Config], Any]
"""From a config of a problem's space to what its objective is called with."""


def as_problem(
    objective: Callable[..., Any] | Problem,
    space: Any,
    direction: Direction | None,
    metric: str | None = None,
    stop: Mapping[str, float] | None = None,
) -> tuple[Problem, Native]:
    """A problem, and what its configs stand for.

    Parameters
    ----------
    objective, space, direction, metric, stop
        As in `runner.optimize`.

    Raises
    ------
    StudyError, SpaceError, ProblemError
        Where they do not fit together.
    """
    if isinstance(objective, Problem):
        for where, given, own in (
            ("space", space, None),
            ("direction", direction, objective.direction),
            ("metric", metric, objective.metric),
        ):
            if given is not None and given != own:
                raise StudyError(_OWN[where].format(objective), where=where, hint="Leave it out.")
        return objective, dict
    if space is None:
        raise StudyError("a function needs one.", where="space", hint='For example {"x": Float(0, 1)}.')
    view, metric = to_view(space), metric or "loss"
    name = getattr(objective, "__name__", "objective").strip("<>")
    if foreign_form(space) == "ray.tune" or _is_trainable_class(objective):
        from runner.engine.trainables import TrainableObjective  # whoever has one has loaded Ray

        objective = TrainableObjective(objective, metric, dict(stop or {}))
    elif stop is not None:
        raise StudyError("only a trainable class of Ray Tune has one.", where="stop", hint="Leave it out.")
    function = objective if view.native is dict else Foreign(objective, view.native)
    made = FunctionProblem(function, view.space, name, direction or "minimize", metric)
    return made, view.native


_OWN = {
    "space": "the problem '{0.name}' has a space of its own.",
    "direction": "the problem '{0.name}' is to {0.direction}.",
    "metric": "the problem '{0.name}' has the metric '{0.metric}'.",
}


def _is_trainable_class(given: object) -> bool:
    return isinstance(given, type) and any(base.__module__.startswith("ray.tune.") for base in given.__mro__)


@dataclass(frozen=True)
class Foreign:
    """An objective that is called with what a config stands for elsewhere.

    Parameters
    ----------
    function : callable
    native : callable
    """

    function: Callable[..., Any]
    native: Native

    def __call__(self, config: Config) -> Any:
        """What the function says; a trial that reports its own failure has failed."""
        answer = self.function(self.native(config))
        if isinstance(answer, Mapping) and answer.get("status") == "fail":  # hyperopt's STATUS_FAIL
            raise ProblemError("the objective reported the status 'fail'.")
        return answer

"""Objectives of `runner.optimize` as problems: our own, hyperopt's, Ray Tune's."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

from runner.errors import ProblemError, SpaceError, StudyError
from runner.problems import FunctionProblem, Problem
from runner.problems.base import Direction
from runner.space.formats import OwnView, View, flat_dict, foreign_form, to_view
from runner.trial import Config


def as_problem(
    objective: Callable[..., Any] | Problem,
    space: Any,
    direction: Direction | None,
    metric: str | None = None,
    stop: Mapping[str, Any] | None = None,
) -> tuple[Problem, View]:
    """Make a problem of the arguments of `runner.optimize`, and the view of its configs.

    Raises
    ------
    StudyError, SpaceError, ProblemError
        If the arguments do not fit together.
    """
    if isinstance(objective, Problem):
        for where, argument, own in (
            ("space", space, None),
            ("direction", direction, objective.direction),
            ("metric", metric, objective.metric),
        ):
            if argument is not None and argument != own:
                raise StudyError(_OWN[where].format(objective), where=where, hint="Leave it out.")
        return objective, OwnView.over(objective.space)
    if not callable(objective):
        raise ProblemError(f"expected a function, got {objective!r}.", where="objective")
    if space is None:
        raise StudyError("required for a function.", where="space", hint='For example {"x": Float(0, 1)}.')
    if metric is not None and not isinstance(metric, str):
        raise StudyError(
            f"expected the name of one metric, got {metric!r}.",
            where="metric",
            hint="One metric is optimised; all others that the objective returns are recorded.",
        )
    view, metric = to_view(space), metric or "loss"
    name = getattr(objective, "__name__", "objective").strip("<>")
    in_tune = foreign_form(space) == "ray.tune"
    called = objective
    if _is_trainable_class(objective):
        from runner.engine.ray.foreign_trainables import TrainableObjective  # late: it imports Ray

        called, in_tune = TrainableObjective(objective, metric, _criteria(stop)), True
    elif stop is not None:
        raise StudyError("only for a trainable class of Ray Tune.", where="stop", hint="Leave it out.")
    function = called
    if in_tune or not view.identical:
        function = Foreign(called, view, _signature(_as_tune_calls if in_tune else objective))
    made = FunctionProblem(function, view.space, name, direction or "minimize", metric)
    made._caller = Listening(metric, in_tune, _names_ray(objective))
    return made, view


_OWN = {
    "space": "the problem '{0.name}' has its own space.",
    "direction": "the problem '{0.name}' has its own direction, {0.direction}.",
    "metric": "the problem '{0.name}' has its own metric, '{0.metric}'.",
}


def initial_points(initial: Sequence[Any], view: View) -> list[Any]:
    """Convert the ``initial`` of `runner.optimize` to configs of the space.

    Raises
    ------
    SpaceError
        If a config is outside the space.
    """
    return [_initial(entry, view, f"initial[{i}]") for i, entry in enumerate(initial)]


def _initial(entry: Any, view: View, where: str) -> Any:
    if view.identical or not isinstance(entry, Mapping) or {"from", "from_"} & entry.keys():
        return entry
    config = entry.get("config", entry)
    if config == "default":
        return entry
    try:
        point = view.point(config)
    except SpaceError as error:
        raise error.at(where) from None
    return {**entry, "config": point} if "config" in entry else {"config": point}


# -- the function that is called ------------------------------------------------------------------


def _criteria(stop: Any) -> dict[str, float]:
    """Flatten Tune's ``stop``, whose names may be nested; raise StudyError if it is invalid."""
    criteria = flat_dict(stop) if isinstance(stop, Mapping) else {}
    numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in criteria.values()
    )
    if stop is not None and not (criteria and numbers):
        raise StudyError(
            f"expected a mapping from results to the numbers at which to stop, got {stop!r}.",
            where="stop",
            hint='For example {"training_iteration": 10}.',
        )
    return criteria


def _is_trainable_class(value: object) -> bool:
    return isinstance(value, type) and any(base.__module__.startswith("ray.tune.") for base in value.__mro__)


def _names_ray(function: Any) -> bool:
    """Return True if the code of a function names ray, which it may import only when it is called."""
    inner = inspect.unwrap(getattr(function, "func", function))
    codes = (getattr(one, "__code__", None) for one in (inner, type(inner).__call__))
    names = (name for code in codes for part in _codes(code) for name in part.co_names)
    return any(name.split(".")[0] == "ray" for name in names)


def _codes(code: object) -> Iterator[CodeType]:
    if isinstance(code, CodeType):
        yield code
        for part in code.co_consts:
            yield from _codes(part)


@dataclass(frozen=True)
class Listening:
    """Calls an objective in a session of Ray Tune, if it may report to one.

    Parameters
    ----------
    metric : str
        Metric to return from the reports.
    in_tune : bool
        The objective is one of Tune's, so that yielded values are reports.
    names_ray : bool
        Its code names Ray. Else it can report only if something else has loaded Ray.
    """

    metric: str
    in_tune: bool
    names_ray: bool

    def __call__(self, function: Callable[..., Any], config: Config, **options: Any) -> Any:
        """Return the objective's answer, or its last report."""
        if not (self.in_tune or self.names_ray or "ray.tune" in sys.modules):
            return function(config, **options)
        from runner.engine.ray.foreign_trainables import in_session

        return in_session(function, config, options, self.metric, self.in_tune)


def _as_tune_calls(config: Config) -> None:
    """Have the signature that Tune requires."""


def _signature(objective: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(objective)
    except ValueError:  # some functions written in C have no signature
        return inspect.signature(_as_tune_calls)


@dataclass(frozen=True)
class Foreign:
    """An objective that is called with configs in their foreign form.

    Parameters
    ----------
    __signature__ : Signature
        Signature of the objective, for `inspect.signature`.
    """

    function: Callable[..., Any]
    view: View
    __signature__: inspect.Signature

    def __call__(self, config: Config, **options: Any) -> Any:
        """Call the function; raise ProblemError if it reports its own failure."""
        answer = self.function(self.view.native(config), **options)
        if isinstance(answer, Mapping) and answer.get("status") == "fail":  # hyperopt's STATUS_FAIL
            raise ProblemError("the objective reported the status 'fail'.")
        return answer

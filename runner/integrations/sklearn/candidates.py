"""Candidates of a search: a list that scikit-learn makes, or the proposals of a method.

`listed` returns the candidates that `GridSearchCV` and `RandomizedSearchCV` would evaluate, in their
order. Any other search is a run of a method (`search`), by ask and tell.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterGrid, ParameterSampler

from runner.engine.runs.run import Run
from runner.errors import MethodError
from runner.methods import Method, make_method
from runner.space import Space
from runner.space.formats import View, to_view
from runner.space.formats.forms import SKOPT, form_of
from runner.space.formats.skopt import is_pair, skopt_range
from runner.space.ranges import as_list
from runner.trial import Budget, Config, Order, Origin, Outcome, Pending, Trial

TRIALS = 50
"""Default number of trials where the space is not finite; chosen, not measured."""

Candidate = dict[str, Any]
Evaluate = Callable[[list[Candidate]], list[Outcome]]


def method_of(method: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return name and settings of ``"tpe"`` or ``{"tpe": {"flavour": "hyperopt"}}``.

    Raises
    ------
    MethodError
        Where the method has neither form.
    """
    if isinstance(method, str):
        return method, {}
    if isinstance(method, Mapping) and len(method) == 1:
        ((name, settings),) = method.items()
        if isinstance(name, str) and (settings is None or isinstance(settings, Mapping)):
            return name, dict(settings or {})
    raise MethodError(f"expected a name or {{name: {{setting: value}}}}, got {method!r}.", where="method")


def view_of(space: Any) -> View:
    """View the space of an estimator, in any of the forms that a user may give."""
    return to_view(space, scales=True).of_dicts()


def listed(space: Any, name: str, trials: int | None, random_state: Any) -> list[Candidate] | None:
    """List the candidates of scikit-learn's own searches; None where they do not take the space.

    Parameters
    ----------
    space : object
        As given by the user.
    name : str
        A method without settings: ``grid`` or ``random``.
    trials : int or None
        A larger grid is not listed.
    random_state : int, RandomState or None
        Seed of the draws.
    """
    grids = [space] if isinstance(space, Mapping) else space
    if (
        not isinstance(grids, list | tuple)
        or not grids
        or not all(isinstance(grid, Mapping) for grid in grids)
    ):
        return None
    grids = [{key: _as_listed(value) for key, value in grid.items()} for grid in grids]
    values = [value for grid in grids for value in grid.values()]
    lists = all(map(_is_list, values))
    size = len(ParameterGrid(grids)) if lists else math.inf
    if name == "grid" and lists and (trials is None or trials >= size):
        return list(ParameterGrid(grids))
    if name == "random" and all(_is_list(value) or _is_drawn(value) for value in values):
        for pair in filter(is_pair, values):
            warnings.warn(_PAIR.format(pair, *pair), stacklevel=4)
        count = int(min(trials or TRIALS, size))
        return list(ParameterSampler(grids, count, random_state=random_state))
    return None


_PAIR = (
    "The pair {0} is taken as two options, as scikit-learn takes it. "
    "For a range write Float({1}, {2}) or ({1}, {2}, 'uniform'); for two options [{1}, {2}]."
)


def _as_listed(value: Any) -> Any:
    """Convert lists of types that scikit-learn does not take; leave other values unchanged."""
    if isinstance(value, Sequence | np.ndarray) or hasattr(value, "rvs"):
        return value
    return value if (found := as_list(value)) is None else found


def _is_drawn(value: object) -> bool:
    return hasattr(value, "rvs") and form_of(value) != SKOPT


def _is_list(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and len(value) > 0
    is_string = isinstance(value, str | bytes | bytearray)
    return isinstance(value, Sequence) and not is_string and bool(value) and skopt_range(value) is None


def budget_of(name: str, trials: int | None, space: Space) -> int:
    """Return the number of trials of a run; all configs for ``exhaustive``."""
    if trials is None and name == "exhaustive" and not space.continuous:
        return int(space.size())
    return int(trials or TRIALS)


def prepare_run(
    name: str, settings: Mapping[str, Any], space: Space, trials: int, parallel: int, entropy: int
) -> Run:
    """Prepare a run of a method; MethodError where it cannot search the space."""
    method: Method = make_method(name, settings).prepare(space, trials, parallel)
    order: Order = "async" if method.uses_history else "trial"
    return Run(space, method, entropy, Budget(trials=trials), parallel, order)


def search(run: Run, native: Callable[[Config], Candidate], evaluate: Evaluate) -> None:
    """Ask, evaluate and tell until the run has ended.

    The result of a repeated config is reused.

    Raises
    ------
    MethodError
        Where the method fails before any trial has ended.
    """
    known: dict[Hashable, Outcome] = {}
    while batch := _batch(run):
        new: dict[Hashable, Config] = {}
        for pending in batch:
            key = run.space.key(pending.config)
            if key not in known:
                new.setdefault(key, pending.config)
        if new:
            outcomes = evaluate([native(config) for config in new.values()])
            known |= zip(new, outcomes, strict=True)
        for pending in batch:
            key = run.space.key(pending.config)
            origin = Origin.EVALUATED if new.pop(key, None) is not None else Origin.CACHED
            run.tell(_trial(pending, known[key], origin))
    if run.failed and not known:
        raise MethodError(run.end_reason, where=run.method.name)


def _batch(run: Run) -> list[Pending]:
    """Ask for proposals until the method waits for results."""
    batch: list[Pending] = []
    while isinstance(asked := run.ask(), Pending):
        batch.append(asked)
    return batch


def _trial(pending: Pending, outcome: Outcome, origin: Origin) -> Trial:
    return Trial(
        pending.number,
        pending.config,
        outcome,
        origin,
        suggest_seconds=pending.suggest_seconds,
        known=pending.known,
    )

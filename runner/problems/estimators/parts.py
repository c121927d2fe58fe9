"""The parts of an estimator problem, checked as far as they can be without the data.

Each part is checked by itself, so that an error names everything that is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from runner._text import shown
from runner.errors import Faults, ProblemError
from runner.problems.estimators.checks import (
    check_columns,
    check_names,
    check_numbers,
    make_estimator,
    scorer_name,
)
from runner.problems.estimators.data.data import Data, check_source
from runner.problems.estimators.fidelity import FOLDS, shares_of
from runner.space import Space
from runner.space.formats import parse_space


@dataclass(frozen=True)
class Parts:
    """The parts that an estimator problem works with.

    Attributes
    ----------
    model : estimator
        With the fixed parameters; cloned for every fit.
    space : Space
        With the forbidden combinations.
    shares : tuple of float
        Of the training rows, step by step; empty for one fold after the other.
    metric : str
        The scorer's name.
    """

    model: Any
    space: Space
    shares: tuple[float, ...]
    metric: str


def parts_of(given: Mapping[str, Any]) -> Parts:
    """The parts that the keys of an estimator problem name.

    Parameters
    ----------
    given : mapping
        The fields of `runner.problems.EstimatorProblem`. What is missing is not checked.

    Raises
    ------
    ProblemError, SpaceError
        For everything that does not fit, as one error (see `FivefoldError.join`).
    """
    faults = Faults()
    model: Any = None
    space: Space | None = None
    metric = ""
    shares: tuple[float, ...] = ()
    with faults:
        if "data" in given and not isinstance(given["data"], Data):
            check_source(given["data"], given.get("target"), given.get("folder", "."))
    with faults:
        check_numbers(given.get("cv", 5), given.get("test", 0.2), given.get("scale", True))
    with faults:
        check_columns(given.get("prepare", False), given.get("drop", ()), given.get("decimal"))
    params = given.get("params", {})
    for key, value, kinds, wanted in (
        ("params", params, Mapping, "a mapping"),
        ("forbid", given.get("forbid", ()), (list, tuple), "a list of combinations"),
        ("name", given.get("name", ""), str, "a string"),
        ("scoring", given.get("scoring"), (str, type(None)), "the name of a scorer"),
    ):
        if not isinstance(value, kinds):
            faults.add(ProblemError(f"expected {wanted}, got {shown(value)}.", where=key))
    with faults:
        if "estimator" in given:
            model = make_estimator(given["estimator"], params if isinstance(params, Mapping) else {})
    with suppress(ProblemError):  # it may be the parameters only; the rest needs the class
        if model is None and "estimator" in given:
            model = make_estimator(given["estimator"], {})
    with faults:
        if "space" in given:
            space = parse_space(given["space"])
            if isinstance(given.get("forbid"), list | tuple):
                space = parse_space(space, given["forbid"])
    if space is not None:
        _check_parameters(model, space, params, faults)
    with faults:
        shares = shares_of(given.get("fidelity", FOLDS))
    with faults:
        if isinstance(given.get("scoring"), str | None):
            metric = scorer_name(given.get("scoring"), None if model is None else _classifies(model))
    faults.check()
    return Parts(model, cast("Space", space), shares, metric)


def _check_parameters(model: Any, space: Space, params: object, faults: Faults) -> None:
    with faults:
        if model is not None:
            check_names(model, space.names, "space")
    for name in space.names:
        if isinstance(params, Mapping) and name in params:
            message = "it is in the space and in params."
            faults.add(ProblemError(message, where=f"space.{name}", hint="Keep one of them."))


def _classifies(model: Any) -> bool:
    from sklearn.base import is_classifier  # takes a second to import

    return bool(is_classifier(model))

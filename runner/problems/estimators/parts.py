"""Parts of an estimator problem, checked as far as possible without the data.

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
    """Checked parts of an estimator problem.

    Attributes
    ----------
    model : estimator
        Has the fixed parameters; cloned for every fit.
    space : Space
        Has the forbidden combinations.
    shares : tuple of float
        Shares of the training rows, step by step; empty for one fold after the other.
    metric : str
        The scorer's name.
    """

    model: Any
    space: Space
    shares: tuple[float, ...]
    metric: str


def parts_of(fields: Mapping[str, Any]) -> Parts:
    """Check the fields of `runner.problems.EstimatorProblem` that are present, and make its parts.

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
        if "data" in fields and not isinstance(fields["data"], Data):
            check_source(fields["data"], fields.get("target"), fields.get("folder", "."))
    with faults:
        check_numbers(fields.get("cv", 5), fields.get("test", 0.2), fields.get("scale", True))
    with faults:
        check_columns(fields.get("prepare", False), fields.get("drop", ()), fields.get("decimal"))
    params = fields.get("params", {})
    for key, value, kinds, expected in (
        ("params", params, Mapping, "a mapping"),
        ("forbid", fields.get("forbid", ()), (list, tuple), "a list of combinations"),
        ("name", fields.get("name", ""), str, "a string"),
        ("scoring", fields.get("scoring"), (str, type(None)), "the name of a scorer"),
    ):
        if not isinstance(value, kinds):
            faults.add(ProblemError(f"expected {expected}, got {shown(value)}.", where=key))
    with faults:
        if "estimator" in fields:
            model = make_estimator(fields["estimator"], params if isinstance(params, Mapping) else {})
    with suppress(ProblemError):  # only the parameters may be wrong; the other checks need the class
        if model is None and "estimator" in fields:
            model = make_estimator(fields["estimator"], {})
    with faults:
        if "space" in fields:
            space = parse_space(fields["space"])
            if isinstance(fields.get("forbid"), list | tuple):
                space = parse_space(space, fields["forbid"])
    if space is not None:
        _check_parameters(model, space, params, faults)
    with faults:
        shares = shares_of(fields.get("fidelity", FOLDS))
    with faults:
        if isinstance(fields.get("scoring"), str | None):
            metric = scorer_name(fields.get("scoring"), None if model is None else _classifies(model))
    faults.check()
    return Parts(model, cast("Space", space), shares, metric)


def _check_parameters(model: Any, space: Space, params: object, faults: Faults) -> None:
    with faults:
        if model is not None:
            check_names(model, space.names, "space")
    for name in space.names:
        if isinstance(params, Mapping) and name in params:
            message = "in both the space and params."
            faults.add(ProblemError(message, where=f"space.{name}", hint="Keep one of them."))


def _classifies(model: Any) -> bool:
    from sklearn.base import is_classifier  # takes a second to import

    return bool(is_classifier(model))

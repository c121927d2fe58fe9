"""Spaces in the forms that other programs have; `to_space` tells them apart by looking.

One file per form: the study file, Ray Tune, hyperopt, scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from runner.convert.hyperopt_space import (
    encoded_hyperopt,
    from_hyperopt,
    hyperopt_config,
    hyperopt_values,
    is_hyperopt,
)
from runner.convert.hyperopt_view import hyperopt_view
from runner.convert.raytune import from_ray_tune, is_ray_tune
from runner.convert.raytune_view import raytune_view
from runner.convert.sklearn_space import from_sklearn, is_sklearn
from runner.convert.studyfile import parse_domain, parse_space
from runner.convert.view import View
from runner.convert.writing import to_hyperopt, to_sklearn
from runner.errors import SpaceError
from runner.space import Space

_READERS: tuple[tuple[str, Callable[[object], bool], Callable[[Any], Space]], ...] = (
    ("hyperopt", is_hyperopt, from_hyperopt),
    ("ray.tune", is_ray_tune, from_ray_tune),
    ("scikit-learn", is_sklearn, from_sklearn),
)


def to_space(given: Any) -> Space:
    """A space from whatever form it is given in.

    Parameters
    ----------
    given : Space, mapping, sequence of mappings, or hyperopt expression
        Domains or the study file's form (`parse_space`), ``ray.tune`` domains (`from_ray_tune`),
        a hyperopt expression or dict of them (`from_hyperopt`), or scikit-learn's grids and
        distributions (`from_sklearn`). A dict of plain lists means the same in all of them.

    Raises
    ------
    SpaceError
        Where forms are mixed, or what the reader of the form raises.
    """
    if isinstance(given, Space):
        return given
    parts = list(_parts(given))
    found = [(name, read) for name, is_form, read in _READERS if any(map(is_form, parts))]
    if len(found) > 1:
        forms = " and ".join(name for name, _ in found)
        raise SpaceError(f"it mixes the forms of {forms}.", where="space", hint="Write it in one form.")
    if found:
        return found[0][1](given)
    if isinstance(given, Sequence) and not isinstance(given, str):
        return from_sklearn(given)
    return parse_space(given)


def _parts(given: object) -> Iterator[object]:
    yield given
    if isinstance(given, Mapping):
        inside: Sequence[object] = list(given.values())
    else:
        inside = given if isinstance(given, list | tuple) else ()
    for part in inside:
        yield from _parts(part)


def to_view(given: Any) -> View:
    """A space from whatever form it is given in, and what its configs stand for there.

    Configs of ray.tune's and hyperopt's forms stand for what their own programs would call an
    objective with; those of other forms for themselves.

    Parameters
    ----------
    given : object
        As `to_space` takes it; and, in ray.tune's and hyperopt's forms, objects, constants, laws
        without bounds, and expressions of parameters.

    Raises
    ------
    SpaceError
        Names the parameter that cannot be searched.
    """
    form = foreign_form(given)
    if form == "hyperopt":
        return hyperopt_view(given)
    return raytune_view(given) if form == "ray.tune" else View(to_space(given), dict)


def foreign_form(given: object) -> str:
    """Which other program's parameters there are in it: "hyperopt", "ray.tune", or "" for neither.

    It is "" too where forms are mixed; `to_space` says so.
    """
    if isinstance(given, Space):
        return ""
    parts = [part for part in _parts(given) if not isinstance(part, np.ndarray)]  # a constant there
    forms = [name for name, is_form, _ in _READERS if any(map(is_form, parts))]
    return forms[0] if forms in (["hyperopt"], ["ray.tune"]) else ""


__all__ = [
    "View",
    "encoded_hyperopt",
    "foreign_form",
    "from_hyperopt",
    "from_ray_tune",
    "from_sklearn",
    "hyperopt_config",
    "hyperopt_values",
    "parse_domain",
    "parse_space",
    "to_hyperopt",
    "to_sklearn",
    "to_space",
    "to_view",
]

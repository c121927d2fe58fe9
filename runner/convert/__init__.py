"""Spaces in the forms that other programs have; `to_space` tells them apart by looking.

One file per form: the study file, Ray Tune, hyperopt, scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runner.convert.hyperopt_space import (
    from_hyperopt,
    hyperopt_config,
    hyperopt_values,
    is_hyperopt,
    to_hyperopt,
)
from runner.convert.raytune import from_ray_tune, is_ray_tune
from runner.convert.sklearn_space import from_sklearn, is_sklearn
from runner.convert.studyfile import parse_domain, parse_space
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


__all__ = [
    "from_hyperopt",
    "from_ray_tune",
    "from_sklearn",
    "hyperopt_config",
    "hyperopt_values",
    "parse_domain",
    "parse_space",
    "to_hyperopt",
    "to_space",
]

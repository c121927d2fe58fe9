"""Spaces in the formats of other libraries, one reader per format; `to_view` recognises the format.

The formats: the study file's and our own, Ray Tune's, hyperopt's, and scikit-learn's with
scikit-optimize's. A space has the same meaning wherever it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.errors import SpaceError
from runner.space import Space
from runner.space.formats.encoded import encoded_hyperopt, hyperopt_config, hyperopt_values
from runner.space.formats.forms import HYPEROPT, OWN, RAY_TUNE, SCIPY, SKOPT, forms_in
from runner.space.formats.hyperopt import from_hyperopt, hyperopt_view
from runner.space.formats.ray_tune import NestedView, flat_dict, from_ray_tune, raytune_view
from runner.space.formats.sklearn import from_sklearn, sklearn_view
from runner.space.formats.study_file import parse_domain, parse_space
from runner.space.formats.view import OwnView, View
from runner.space.formats.writing import to_hyperopt, to_sklearn

_TOGETHER = {OWN, SCIPY, SKOPT}
"""Formats that can be combined in one space."""


def to_space(given: Any) -> Space:
    """Read a space in any format, as `to_view` does."""
    return to_view(given).space


def to_view(given: Any, scales: bool = False) -> View:
    """Read a space in any format, with the meaning of its configs in that format.

    Parameters
    ----------
    given : Space, mapping, sequence of mappings, or hyperopt expression
        Domains or the study file's format (`parse_space`), ``ray.tune`` domains (`raytune_view`), a
        hyperopt expression or dict of them (`hyperopt_view`), or scikit-learn's grids and
        distributions (`sklearn_view`).
    scales : bool, default False
        As in `sklearn_view`.

    Raises
    ------
    SpaceError
        If formats are mixed, or raised by the reader of the format.
    """
    if isinstance(given, Space):
        return OwnView.over(given)
    forms = forms_in(given)
    if len(forms) > 1 and not _TOGETHER.issuperset(forms):
        raise SpaceError(
            f"expected one format, got a mixture of {' and '.join(sorted(forms))}.",
            where="space",
        )
    if forms == [HYPEROPT]:
        return hyperopt_view(given)
    if forms == [RAY_TUNE]:
        return raytune_view(given)
    if isinstance(given, Mapping) or (isinstance(given, list | tuple) and any(map(_is_mapping, given))):
        return sklearn_view(given, scales)
    return OwnView.over(parse_space(given))


def view_for_tune(given: Any) -> View:
    """Read the space of a Tune search, in any format; SpaceError if its configs are not dicts."""
    view = to_view(given)
    return NestedView.over(view.space) if view.identical else view.of_dicts()


def foreign_form(given: object) -> str:
    """Return "hyperopt" or "ray.tune" if a space has such parameters, otherwise ""."""
    forms = [] if isinstance(given, Space) else forms_in(given)
    return forms[0] if forms in ([HYPEROPT], [RAY_TUNE]) else ""


def _is_mapping(given: object) -> bool:
    return isinstance(given, Mapping) or (isinstance(given, tuple) and any(map(_is_mapping, given)))


__all__ = [
    "OwnView",
    "View",
    "encoded_hyperopt",
    "flat_dict",
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
    "view_for_tune",
]

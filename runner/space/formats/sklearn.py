"""Spaces in the formats of scikit-learn and scikit-optimize: grids, distributions, objects.

A list is a choice among options of any kind. Of scipy's distributions, ``uniform``, ``loguniform``
(``reciprocal``) and ``randint`` (without its upper bound, as in scipy) become domains. All others are
searched by their quantiles. Our own domains and the study file's format can be used beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from runner.errors import SpaceError
from runner.space import Space
from runner.space.domains import Choice, Domain, Float, Int, typed
from runner.space.formats.forms import SCIPY, SKOPT, form_of, refuse_range
from runner.space.formats.options import distinctive_key, is_plain, label, plain, switch
from runner.space.formats.parts import Fixed, Keys, Leaf, Part, Spliced, Switch, choice
from runner.space.formats.skopt import is_pair, skopt_range
from runner.space.formats.study_file import parse_domain
from runner.space.formats.transforms import QUANTILE, Quantile, Scale, in_order, multiples
from runner.space.formats.view import View
from runner.space.ranges import as_list

Grid = Mapping[str, Any]

GRID = "(grid)"
"""Name of the parameter that chooses among the grids of a list."""


def from_sklearn(params: Grid | Sequence[Grid]) -> Space:
    """Read the space of a ``param_grid`` or ``param_distributions``, as `sklearn_view` does."""
    return sklearn_view(params).space


def sklearn_view(given: Grid | Sequence[Grid], scales: bool = False) -> View:
    """Read a ``param_grid`` or ``param_distributions``; native configs are for ``set_params``.

    Parameters
    ----------
    given : mapping, or sequence of mappings
        Parameter name to a list or array of options of any kind, a distribution of scipy, a range
        of scikit-optimize, a `Domain`, or the study file's format. The mappings of a list are equally
        probable branches.
    scales : bool, default False
        Treat three or more numbers in ascending or descending order as an ordered scale, so that a
        method sees that the third lies between the second and the fourth.

    Raises
    ------
    SpaceError
        Names the parameter that cannot be searched.
    """
    grids = [given] if isinstance(given, Mapping) else list(given)
    if not grids:
        raise SpaceError("expected a dict of parameters in the list, got an empty list.", where="space")
    parts = [
        _grid(grid, f"space[{i}]" if len(grids) > 1 else "space", scales) for i, grid in enumerate(grids)
    ]
    if len(parts) == 1:
        return View.of(parts[0], "space")
    key = distinctive_key([Keys(tuple((name, _single(part)) for name, part in grid.parts)) for grid in parts])
    if key is None:
        options = tuple(
            (label(i, Fixed(grid)), part) for i, (grid, part) in enumerate(zip(grids, parts, strict=True))
        )
        return View.of(Switch(GRID, options), "space")
    marked = [
        Keys(tuple((name, _single(part) if name == key else part) for name, part in grid.parts))
        for grid in parts
    ]
    return View.of(switch(key, marked, key), "space")


def _single(part: Part) -> Part:
    """Replace a choice with one plain value by that value."""
    one = isinstance(part, Leaf) and isinstance(part.domain, Choice) and part.domain.levels == 1
    return Fixed(part.domain.level(0)) if one and isinstance(part, Leaf) else part


def _grid(grid: Any, where: str, scales: bool) -> Keys:
    if not isinstance(grid, Mapping):
        counted = isinstance(grid, tuple) and len(grid) == 2 and isinstance(grid[0], Mapping)
        raise SpaceError(
            f"expected a dict of parameters, got {grid!r}.",
            where=where,
            hint="Omit the numbers of trials: all dicts share n_trials." * counted,
        )
    for name in grid:
        if not isinstance(name, str):
            raise SpaceError(f"expected strings as parameter names, got {name!r}.", where=where)
    return Keys(
        tuple((name, _parameter(name, given, f"{where}.{name}", scales)) for name, given in grid.items())
    )


def _parameter(name: str, given: Any, where: str, scales: bool) -> Part:
    form = form_of(given)
    if form == SCIPY or (not form and hasattr(given, "rvs")):
        return _drawn(name, given, where)
    if form == SKOPT and hasattr(given, "categories"):
        given = list(given.categories)
    values = _listed(given, where)
    if values is not None:
        return _options(name, values, where, scales)
    domain = parse_domain(given, where)
    return Spliced(name, domain) if isinstance(domain, Choice) and domain.conditional else Leaf(name, domain)


def _listed(given: Any, where: str) -> list[Any] | None:
    """List the options of a list; None for a range of numbers and anything else."""
    try:
        is_range = isinstance(given, range) or is_pair(given) or skopt_range(given) is not None
        return None if is_range else as_list(given)
    except SpaceError as error:
        raise error.at(where) from None


def _options(name: str, values: Sequence[Any], where: str, scales: bool) -> Part:
    for value in values:
        refuse_range(value, SCIPY, where)
    scalars = list(map(plain, values))
    if not all(map(is_plain, scalars)):
        return switch(name, [Fixed(value) for value in values])
    if scales and in_order(scalars):
        scale = Scale(tuple(scalars))
        return Leaf(name, Int(0, len(scalars) - 1), scale)
    return Leaf(name, choice(list({typed(value): value for value in scalars}.values()), where))


def _drawn(name: str, given: Any, where: str) -> Leaf:
    try:
        domain = distribution(given)
    except SpaceError as error:
        raise error.at(where) from None
    if domain is not None:
        return Leaf(name, domain)
    if not (hasattr(given, "cdf") and (hasattr(given, "ppf") or hasattr(given, "icdf"))):
        raise SpaceError(
            f"expected a distribution with quantiles (ppf or icdf, and cdf), got a {type(given).__name__}.",
            where=where,
            hint="Use method='random', or a frozen distribution of scipy.stats.",
        )
    quantile = Quantile(given)
    return Leaf(name + QUANTILE, quantile.domain, quantile)


def distribution(drawn: Any) -> Domain | None:
    """Return the domain of a distribution of scipy; None if it must be searched by its quantiles."""
    name = getattr(getattr(drawn, "dist", drawn), "name", "")
    if name not in ("randint", "uniform", "loguniform", "reciprocal"):
        return None
    low, high = drawn.support()
    if name == "randint":
        return multiples(Int, low, high, 1)
    if name == "uniform":
        return Float(low, high)
    # With a shift the logarithm is not uniform; then the median is not the geometric mean.
    uniform = low > 0 and math.isclose(drawn.median(), math.sqrt(low * high), rel_tol=1e-6)
    return Float(low, high, log=True) if uniform else None

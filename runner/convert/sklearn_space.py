"""Spaces from what scikit-learn's searches take: grids, lists of grids, distributions.

A list is a `Choice`. Of scipy's frozen distributions ``uniform``, ``loguniform`` (``reciprocal``)
and ``randint`` have a domain; ``randint`` excludes its upper end, as scipy does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.convert.nested import choice, comes_from, multiples
from runner.domains import Domain, Float, Int, same
from runner.errors import SpaceError
from runner.space import Space

Grid = Mapping[str, Any]


def is_sklearn(given: object) -> bool:
    """Whether it is a frozen scipy distribution, or an array of values."""
    return comes_from(given, "scipy.stats") or isinstance(given, np.ndarray)


def from_sklearn(params: Grid | Sequence[Grid]) -> Space:
    """A space from a ``param_grid`` or ``param_distributions``.

    A list of grids becomes a conditional space: the first parameter of whose values each grid has
    its own (``kernel``, say) decides which of the others exist.

    Parameters
    ----------
    params : mapping, or sequence of mappings
        Parameter name to a list or array of values, or to a frozen scipy distribution. A single
        value is a `Choice` of one.

    Raises
    ------
    SpaceError
        Where a value is no scalar, a distribution has no domain, or no parameter tells the grids
        of a list apart.
    """
    if isinstance(params, Mapping):
        return Space(_params(params))
    if not isinstance(params, Sequence) or isinstance(params, str) or not params:
        raise SpaceError(f"a dict of parameters was expected, got {params!r}.", where="params")
    grids = []
    for i, grid in enumerate(params):
        if not isinstance(grid, Mapping):
            raise SpaceError(f"a dict of parameters was expected, got {grid!r}.", where=f"params[{i}]")
        grids.append(dict(grid))
    return Space(_params(grids[0])) if len(grids) == 1 else _joined(grids)


def _joined(grids: Sequence[dict[str, Any]]) -> Space:
    for name in grids[0]:
        if any(name not in grid or comes_from(grid[name], "scipy.stats") for grid in grids):
            continue
        owned = [choice(_listed(grid[name]), name).options for grid in grids]
        values = [value for options in owned for value in options]
        if any(same(a, b) for i, a in enumerate(values) for b in values[:i]):
            continue
        rest = [_params({key: given for key, given in grid.items() if key != name}) for grid in grids]
        branches = {value: sub for options, sub in zip(owned, rest, strict=True) for value in options}
        return Space({name: choice(branches, name)})
    raise SpaceError(
        "no parameter has values of its own in every grid, so nothing tells the grids apart.",
        where="params",
        hint="Write a Choice whose options have parameters of their own.",
    )


def _params(grid: Grid) -> dict[str, Domain]:
    return {str(name): _domain(given, str(name)) for name, given in grid.items()}


def _domain(given: Any, name: str) -> Domain:
    if not comes_from(given, "scipy.stats"):
        return choice(_listed(given), name)
    try:
        return distribution(given)
    except SpaceError as error:
        raise error.at(name) from None


def _listed(given: Any) -> list[Any]:
    if isinstance(given, np.ndarray):
        return list(given.tolist()) if given.ndim else [given.item()]
    return list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]


def distribution(frozen: Any) -> Domain:
    """The domain of a frozen scipy distribution; SpaceError where it has none."""
    law = getattr(getattr(frozen, "dist", None), "name", type(frozen).__name__)
    low, high = frozen.support() if hasattr(frozen, "support") else (-math.inf, math.inf)
    if law == "randint":
        return multiples(Int, low, high, 1)
    if law == "uniform":
        return Float(low, high)
    if law in ("loguniform", "reciprocal"):
        # A shift makes the logarithm uneven; then the median is not the geometric mean.
        if low > 0 and math.isclose(frozen.median(), math.sqrt(low * high), rel_tol=1e-6):
            return Float(low, high, log=True)
        raise SpaceError("a shifted loguniform has no domain here.", hint="Leave loc out.")
    raise SpaceError(
        f"the distribution {law} has no domain here.",
        hint="Use uniform, loguniform or randint of scipy.stats, or list the values.",
    )

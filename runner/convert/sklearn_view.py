"""What scikit-learn's searches take, unchanged: grids, lists of grids, distributions, estimators.

Where `runner.convert.sklearn_space` makes a space, with plain values and bounded laws, this makes
a `View`: options may be objects, laws any that scipy has, and grids of a list need nothing that
tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.convert.nested import comes_from
from runner.convert.sklearn_space import distribution
from runner.convert.studyfile import parse_domain
from runner.convert.view import QUANTILE, Read, View, itself, options, quantiles
from runner.domains import Choice, Domain
from runner.errors import SpaceError
from runner.space import Config, Space

GRID = "(grid)"
"""The parameter that says which grid of a list a config is of."""


def sklearn_view(given: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> View:
    """A view of a ``param_grid`` or ``param_distributions``; its configs stand for ``set_params``.

    Parameters
    ----------
    given : mapping, or sequence of mappings
        Parameter name to a list or array of options of any kind, a frozen scipy distribution, a
        `Domain`, or what a study file has. Of a list each mapping is a branch of its own, equally
        probable.

    Raises
    ------
    SpaceError
        Names the parameter that cannot be searched.
    """
    grids = [given] if isinstance(given, Mapping) else list(given)
    read = [_grid(grid, f"space[{i}]" if len(grids) > 1 else "space") for i, grid in enumerate(grids)]
    if len(read) == 1:
        ((params, reads),) = read
        return View(Space(params), lambda config: _native(config, reads))
    space = Space({GRID: Choice({i: params for i, (params, _) in enumerate(read)})})

    def native(config: Config) -> dict[str, Any]:
        inside = {name: value for name, value in config.items() if name != GRID}
        return _native(inside, read[int(config[GRID])][1])  # type: ignore[arg-type]

    return View(space, native)


def _native(config: Config, reads: Mapping[str, tuple[str, Read]]) -> dict[str, Any]:
    # What is not at the top of a grid is of a conditional choice, and stands for itself.
    pairs = ((*reads.get(name, (name, itself)), value) for name, value in config.items())
    return {name: read(value) for name, read, value in pairs}


def _grid(grid: Any, where: str) -> tuple[dict[str, Domain], dict[str, tuple[str, Read]]]:
    if not isinstance(grid, Mapping):
        raise SpaceError(f"a dict of parameters was expected, got {grid!r}.", where=where)
    params: dict[str, Domain] = {}
    reads: dict[str, tuple[str, Read]] = {}
    for name, given in grid.items():
        if not isinstance(name, str):
            raise SpaceError(f"the name {name!r} is no text.", where=where)
        own, domain, read = _parameter(name, given, f"{where}.{name}")
        params[own], reads[own] = domain, (name, read)
    return params, reads


def _parameter(name: str, given: Any, where: str) -> tuple[str, Domain, Read]:
    if comes_from(given, "scipy.stats"):
        try:
            return name, distribution(given), itself
        except SpaceError:
            return name + QUANTILE, *quantiles(given)
    if isinstance(given, np.ndarray | list) or (isinstance(given, tuple) and not _is_pair(given)):
        if isinstance(given, np.ndarray) and given.ndim != 1:
            raise SpaceError(f"the options have {given.ndim} dimensions; 1 was expected.", where=where)
        return name, *options(list(given), where)
    if hasattr(given, "rvs") and not isinstance(given, Domain):
        raise SpaceError(
            f"a {type(given).__name__} can only be drawn from; its quantiles are not known.",
            where=where,
            hint="Use method='random', or a frozen distribution of scipy.stats.",
        )
    return name, parse_domain(given, where), itself


def _is_pair(given: tuple[Any, ...]) -> bool:
    return len(given) == 2 and all(type(end) in (int, float) for end in given)

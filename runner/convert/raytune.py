"""Spaces from ``ray.tune`` domains, told by their class's module: ray is not imported.

Ray's integer ranges exclude their upper end, except where they are quantised by more than 1; the
domains here include both ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.convert.nested import Options, comes_from, multiples, params_of
from runner.domains import Domain, Float, Int
from runner.errors import SpaceError
from runner.space import Space

_GRID = "grid_search"
_HINT = "Use uniform, loguniform, quniform, randint, lograndint, qrandint or choice."


def is_ray_tune(given: object) -> bool:
    """Whether it is a ``ray.tune`` domain, or what ``tune.grid_search`` gives."""
    return comes_from(given, "ray.tune") or (isinstance(given, Mapping) and set(given) == {_GRID})


def from_ray_tune(param_space: Mapping[str, Any]) -> Space:
    """A space from the ``param_space`` of a Ray Tune program.

    The keys of nested dicts are joined by "/"; a plain value is a `Choice` of one; a choice among
    dicts is conditional, see `runner.convert.nested`.

    Parameters
    ----------
    param_space : mapping
        Of ``tune.uniform``, ``quniform``, ``loguniform``, ``randint``, ``qrandint``,
        ``lograndint``, ``choice``, ``grid_search``, dicts of them, and plain values.

    Raises
    ------
    SpaceError
        Names the parameter that has no bounded, evenly spread domain.
    """
    if not isinstance(param_space, Mapping):
        raise SpaceError(f"a dict of parameters was expected, got {param_space!r}.", where="param_space")
    return Space(params_of(_read, param_space))


def _read(part: Any, name: str) -> Any:
    if isinstance(part, Mapping) and set(part) == {_GRID}:
        return Options(part[_GRID])
    if not is_ray_tune(part):
        return part
    kind = type(part).__name__
    if kind == "Categorical":
        return Options(part.categories)
    try:
        return _range(kind, part)
    except SpaceError as error:
        raise error.at(name) from None


def _range(kind: str, part: Any) -> Domain:
    if kind not in ("Float", "Integer"):
        raise SpaceError(f"a {kind} of ray.tune has no domain here.", hint=_HINT)
    sampler, step = part.get_sampler(), None
    if type(sampler).__name__ == "Quantized":
        sampler, step = sampler.get_sampler(), sampler.q
    law, low, high = type(sampler).__name__.lstrip("_"), part.lower, part.upper
    log = law == "LogUniform"
    if law not in ("Uniform", "LogUniform"):
        raise SpaceError(f"the law {law} is unbounded, or unknown here.", hint=_HINT)
    if kind == "Integer" and step in (None, 1):
        whole: Domain = multiples(Int, low, high - 1, 1)
        return Int(low, high - 1, log=True) if log and isinstance(whole, Int) else whole
    if step is None:
        return Float(low, high, log=log)
    if log:
        raise SpaceError("a quantised logarithmic range has no domain here.", hint="List its values.")
    return multiples(Int if kind == "Integer" else Float, low, high, step)

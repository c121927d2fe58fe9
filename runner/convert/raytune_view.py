"""A ``param_space`` of a Ray Tune program unchanged: constants, objects and unbounded laws included.

Where `runner.convert.from_ray_tune` makes a space, this makes a `View`: its configs stand for what
Tune would have called the trainable with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.convert.nested import comes_from
from runner.convert.raytune import from_ray_tune, is_ray_tune, nested_config, searched_part
from runner.convert.view import QUANTILE, ROUNDED, Read, View, bell, itself, options, quantiles, rounded
from runner.domains import Choice, Domain, Float
from runner.space import Config

_GRID = "grid_search"
_Reads = dict[str, tuple[str, Read]]


def raytune_view(param_space: Mapping[str, Any]) -> View:
    """A view of a ``param_space``; its configs stand for the nested dicts that a trainable gets.

    Parameters
    ----------
    param_space : mapping
        Domains of ``ray.tune`` and ``grid_search``, nested dicts, and constants of any kind.

    Raises
    ------
    SpaceError
        Names the parameter that cannot be searched, such as one by ``sample_from``.
    """
    reads: _Reads = {}
    space = from_ray_tune(_translated(searched_part(param_space), "", reads))

    def native(config: Config) -> dict[str, Any]:
        read = {}
        for name, value in config.items():
            own, meaning = reads.get(name, (name, itself))
            read[own] = meaning(value)
        return _over(param_space, nested_config(space, read))

    return View(space, native)


def _over(constants: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The constants with what was found in their place, dict by dict."""
    merged = dict(constants)
    for key, value in found.items():
        inner = constants.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping) and set(inner) != {_GRID}:
            value = _over(inner, value)
        merged[key] = value
    return merged


def _translated(part: Mapping[str, Any], above: str, reads: _Reads) -> dict[str, Any]:
    """The searched part with what has no domain in its place replaced by what has one."""
    made: dict[str, Any] = {}
    for key, given in part.items():
        name = f"{above}{key}"
        if not is_ray_tune(given):
            made[key] = _translated(given, f"{name}/", reads)
            continue
        ending, domain, read = _parameter(given, name)
        made[f"{key}{ending}"] = given if domain is None else domain
        if domain is not None:
            reads[name + ending] = name, read
    return made


def _parameter(given: Any, name: str) -> tuple[str, Domain | None, Read]:
    """What ends its name, its domain where `from_ray_tune` has none, and how it is read."""
    if isinstance(given, Mapping) or type(given).__name__ == "Categorical":
        values = given[_GRID] if isinstance(given, Mapping) else given.categories
        nested = any(isinstance(value, Mapping) or comes_from(value, "ray.tune") for value in values)
        if nested:
            return "", None, itself
        domain, read = options(values, name)
        return ("", domain, read) if isinstance(domain, Choice) else ("", None, itself)
    sampler, q = given.get_sampler(), None
    if type(sampler).__name__ == "Quantized":
        sampler, q = sampler.get_sampler(), sampler.q
    law = type(sampler).__name__.lstrip("_")
    if law == "Normal":
        domain, read = quantiles(bell(sampler.mean, sampler.sd))
        return QUANTILE, domain, lambda u: rounded(read(u), q)
    if law == "LogUniform" and q not in (None, 1):
        domain = Float(given.lower, given.upper, log=True)
        kind: type[int] | type[float] = int if type(given).__name__ == "Integer" else float
        return ROUNDED, domain, lambda value: kind(rounded(value, q, given.lower, given.upper))
    return "", None, itself

"""Spaces of ``ray.tune`` domains, recognised by their class without importing ray.

Ray's integer ranges exclude their upper bound, except if quantised by more than 1; the domains here
include both bounds. The keys of nested dicts and the positions in lists are joined by "/" to names of
parameters. A choice with dicts among its options is conditional: a dict's entries exist only if it is
chosen, and if some key has a different plain value in each of them (``{"type": "svm", ...}``,
``{"type": "forest", ...}``), that key is the parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.errors import SpaceError
from runner.space import Config, Space
from runner.space.domains import Domain, Float, Int
from runner.space.formats.forms import GRID_SEARCH, RAY_TUNE, form_of
from runner.space.formats.options import distinctive_key, fixed, plain, switch
from runner.space.formats.parts import Items, Keys, Leaf, Part, fill, has_parameters, searched
from runner.space.formats.transforms import QUANTILE, ROUNDED, Normal, Quantile, Rounded, Transform, multiples
from runner.space.formats.view import OwnView, View

_HINT = "Use uniform, loguniform, quniform, randint, lograndint, qrandint, randn or choice."


def from_ray_tune(param_space: Mapping[str, Any]) -> Space:
    """Read the space of the ``param_space`` of a Ray Tune program, as `raytune_view` does."""
    return raytune_view(param_space).space


def raytune_view(param_space: Mapping[str, Any]) -> View:
    """Read a ``param_space``; native configs are the nested dicts that a trainable gets.

    Parameters
    ----------
    param_space : mapping
        Domains of ``ray.tune``, ``grid_search``, dicts, lists and tuples of them, and constants of
        any kind. A normal distribution is searched by its quantiles.

    Raises
    ------
    SpaceError
        Names a parameter that cannot be searched, such as one by ``sample_from``; also raised if
        there is no parameter.
    """
    if not isinstance(param_space, Mapping):
        raise SpaceError(f"expected a dict of parameters, got {param_space!r}.", where="param_space")
    return View.of(_read(param_space, ""))


@dataclass(frozen=True)
class SearchedView(View):
    """The view of a Tune search: native configs omit constants, which Tune has already."""

    def native(self, config: Config) -> Any:
        """Return the parts of ``param_space`` that Tune has to replace."""
        return fill(searched(self.part), config) if isinstance(self.part, Keys) else super().native(config)


def searched_view(param_space: Mapping[str, Any]) -> SearchedView | None:
    """Read Tune's ``param_space`` as `raytune_view` does; return None if all of it is constant."""
    part = _read(param_space, "")
    return SearchedView(View.of(part).space, part) if has_parameters(part) else None


@dataclass(frozen=True)
class NestedView(OwnView):
    """Our own space for a Tune program: ``{"a/b": 1}`` means ``{"a": {"b": 1}}``.

    A name stays joined if a prefix of it is itself a parameter.
    """

    def native(self, config: Config) -> Any:
        """Nest a config."""
        nested: dict[str, Any] = {}
        for name, value in config.items():
            keys = name.split("/")
            if any("/".join(keys[:depth]) in config for depth in range(1, len(keys))):
                nested[name] = value
                continue
            inner = nested
            for key in keys[:-1]:
                inner = inner.setdefault(key, {})
            inner[keys[-1]] = value
        return nested

    def point(self, given: Any, strict: bool = True) -> dict[str, Any]:
        """Join the keys of a complete or partial config."""
        return super().point(flat_dict(given) if isinstance(given, Mapping) else given, strict)


def flat_dict(nested: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested dicts, joining the keys by "/" as Tune does; an empty dict stays."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            flat |= flat_dict(value, f"{prefix}{key}/")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _read(given: Any, name: str) -> Part:
    if form_of(given) == RAY_TUNE:
        return _parameter(given, name)
    if isinstance(given, Mapping):
        if list(given) == ["eval"] and isinstance(given["eval"], str):
            raise SpaceError(
                "expressions of ray.tune are not supported.",
                where=_join(name, "eval"),
                hint="Compute it in the trainable.",
            )
        return Keys(tuple((key, _read(part, _join(name, key))) for key, part in given.items()))
    if isinstance(given, list | tuple):
        parts = tuple(_read(part, _join(name, i)) for i, part in enumerate(given))
        if any(map(has_parameters, parts)):
            return Items(parts, list if isinstance(given, list) else getattr(type(given), "_make", tuple))
    return fixed(plain(given), RAY_TUNE, name)


def _join(name: str, key: object) -> str:
    return f"{name}/{key}" if name else str(key)


def _parameter(given: Any, name: str) -> Part:
    if isinstance(given, Mapping) or _kind(given) == "Categorical":
        return _choice(given[GRID_SEARCH] if isinstance(given, Mapping) else given.categories, name)
    try:
        ending, domain, transform = _range(given)
    except SpaceError as error:
        raise error.at(name) from None
    return Leaf(name + ending, domain, transform)


def _choice(categories: Any, name: str) -> Part:
    if isinstance(categories, str) or not isinstance(categories, Iterable):
        raise SpaceError(f"expected a list of options, got {categories!r}.", where=name)
    options: list[Part] = []
    for i, category in enumerate(categories):
        # A dict's parameters have names of their own; those of other options have the option's position.
        named = isinstance(category, Mapping) and form_of(category) != RAY_TUNE
        options.append(_read(category, name if named else _join(name, i)))
    dicts = all(isinstance(option, Keys) for option in options)
    key = distinctive_key(options) if dicts or any(map(has_parameters, options)) else None
    return switch(name if key is None else _join(name, key), options, key)


def _kind(given: Any) -> str:
    """Return the name of Ray's class, also for a subclass."""
    names = [base.__name__ for base in type(given).__mro__]
    return next((name for name in ("Float", "Integer", "Categorical") if name in names), names[0])


def _range(given: Any) -> tuple[str, Domain, Transform | None]:
    """Return the suffix of the parameter's name, its domain, and its transform."""
    kind = _kind(given)
    if kind not in ("Float", "Integer"):
        raise SpaceError(f"unsupported ray.tune domain {kind}.", hint=_HINT)
    sampler, step = given.get_sampler(), None
    if type(sampler).__name__ == "Quantized":
        sampler, step = sampler.get_sampler(), sampler.q
    drawn, low, high = type(sampler).__name__.lstrip("_"), given.lower, given.upper
    if drawn == "Normal":
        normal = Quantile(Normal(float(sampler.mean), float(sampler.sd)), q=step)
        return QUANTILE, normal.domain, normal
    if drawn not in ("Uniform", "LogUniform"):
        raise SpaceError(f"unsupported ray.tune distribution {drawn}.", hint=_HINT)
    log = drawn == "LogUniform"
    if kind == "Integer" and step in (None, 1):
        integers: Domain = multiples(Int, low, high - 1, 1)
        return "", Int(low, high - 1, log=True) if log and isinstance(integers, Int) else integers, None
    if log and step is not None:
        return ROUNDED, Float(low, high, log=True), Rounded(step, low, high, integer=kind == "Integer")
    if step is None:
        return "", Float(low, high, log=log), None
    return "", multiples(Int if kind == "Integer" else Float, low, high, step), None

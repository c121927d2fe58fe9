"""Spaces from ``ray.tune`` domains, told by their class's module: ray is not imported.

Ray's integer ranges exclude their upper end, except where they are quantised by more than 1; the
domains here include both ends.

Ray's configs are nested dicts where ours are flat, with "/" in their names: `nested_config` and
`flat_config` go from one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.convert.nested import Options, comes_from, multiples, params_of
from runner.domains import Choice, Domain, Float, Int, Params, same
from runner.errors import SpaceError
from runner.space import Config, Space

_GRID = "grid_search"
_PLACEHOLDER = "__ref_ph"  # what Tune puts in the place of an object before a searcher sees it
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


def searched_part(param_space: Mapping[str, Any], where: str = "param_space") -> dict[str, Any]:
    """What a ``param_space`` asks to be searched: it without its plain values.

    Parameters
    ----------
    param_space : mapping
        As Tune has it: plain values of any kind between domains, dicts and dicts of dicts.
    where : str
        What errors call this place.

    Raises
    ------
    SpaceError
        Where a list holds a domain.
    """
    parts: dict[str, Any] = {}
    for key, part in param_space.items():
        name = f"{where}.{key}"
        if is_ray_tune(part):
            parts[key] = part
        elif isinstance(part, Mapping) and (inner := searched_part(part, name)):
            parts[key] = inner
        elif isinstance(part, list | tuple) and any(is_ray_tune(item) for item in part):
            raise SpaceError("a list holds a domain.", where=name, hint="Use a dict instead of the list.")
    return parts


def nested_config(space: Space, config: Config) -> dict[str, Any]:
    """A config as Ray nests it: ``{"a/b": 1}`` is ``{"a": {"b": 1}}``.

    Where a choice was among dicts without a name (see `runner.convert.nested`), the dict stands
    where the choice stood, and not its position. A name whose place another parameter's value
    has taken stays as it is.
    """
    dicts = {
        name: _dicts(name, domain)
        for name, domain in space.dimensions
        if isinstance(domain, Choice) and domain.conditional
    }
    empty = {name for name in config if any(same(config[name], i) for i in dicts.get(name, ()))}
    nested: dict[str, Any] = {}
    for name, value in config.items():
        keys = name.split("/")
        if any("/".join(keys[:depth]) in config.keys() - empty for depth in range(1, len(keys))):
            nested[name] = value
            continue
        place = nested
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        if name in empty:
            place.setdefault(keys[-1], {})
        else:
            place[keys[-1]] = value
    return nested


def flat_config(space: Space, config: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `nested_config`; names that the space has not are kept.

    The config need not be valid; `Space.canonical` of the result tells.
    """
    flat = flat_dict(config)
    chosen: dict[str, Any] = {}

    def choose(params: Params) -> None:
        for name, domain in params:
            if not (isinstance(domain, Choice) and domain.conditional):
                continue
            if name not in flat or _is_empty(flat[name]):
                fitting = [i for i in _dicts(name, domain) if _covers(flat, domain.branches[i])]
                if fitting:  # the dict whose parameters are most
                    chosen[name] = max(fitting, key=lambda i: len(domain.branches[i]))
            value = chosen.get(name, flat.get(name))
            for option, branch in zip(domain.options, domain.branches, strict=True):
                if same(option, value):
                    choose(branch)

    choose(space.params)
    return {name: value for name, value in (flat | chosen).items() if not _is_empty(value)}


def flat_dict(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, the keys joined by "/"; an empty dict stays."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            flat |= flat_dict(value, f"{prefix}{key}/")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _dicts(name: str, choice: Choice) -> list[int]:
    """The options of a conditional choice that stand for dicts without a name, by their position."""
    inside = [all(n.startswith(f"{name}/") for n, _ in branch) for branch in choice.branches]
    dicts = [i for i, option in enumerate(choice.options) if same(option, i) and inside[i]]
    # An option without parameters may be {} or a plain value; it is {} where all others are dicts.
    whole = len(dicts) == len(choice.options)
    return [i for i in dicts if whole or choice.branches[i]]


def _covers(flat: Mapping[str, Any], branch: Params) -> bool:
    return all(name in flat or any(key.startswith(f"{name}/") for key in flat) for name, _ in branch)


def _is_empty(value: object) -> bool:
    return isinstance(value, Mapping) and not value


def _read(part: Any, name: str) -> Any:
    if isinstance(part, Mapping) and set(part) == {_GRID}:
        return Options(_scalars(part[_GRID], name))
    if not is_ray_tune(part):
        return part
    kind = type(part).__name__
    if kind == "Categorical":
        return Options(_scalars(part.categories, name))
    try:
        return _range(kind, part)
    except SpaceError as error:
        raise error.at(name) from None


def _scalars(options: Sequence[Any], name: str) -> Sequence[Any]:
    if any(isinstance(option, tuple) and option[:1] == (_PLACEHOLDER,) for option in options):
        raise SpaceError(
            "an option is an object; a string, number, boolean, None or dict was expected.",
            where=name,
            hint="Choose by a name, and build the object from it in the trainable.",
        )
    return options


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

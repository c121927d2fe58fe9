"""Spaces to and from JSON, for files that are written and read by programs.

The study file's format would turn the options 1 and true of a conditional choice into strings, as
keys of a JSON object. Here a choice is a list of pairs, option and parameters. The tree of parts has a
JSON form, too, for the state of a Tune search.
"""

from __future__ import annotations

from typing import Any

from runner.space import Space
from runner.space.domains import Choice, Domain, Params
from runner.space.formats.parts import Fixed, Items, Keys, Leaf, Part, Switch
from runner.space.formats.study_file import parse_domain
from runner.space.formats.transforms import Normal, Quantile, Rounded, Transform


def space_to_json(space: Space) -> dict[str, Any]:
    """Convert a space to lists, dicts with string keys, and scalars."""
    return {"params": _write(space.params), "forbid": [_clause(clause) for clause in space.forbid]}


def space_from_json(given: Any) -> Space:
    """Read a space that `space_to_json` wrote.

    Raises
    ------
    SpaceError
        If a range is invalid.
    KeyError, TypeError, ValueError
        If the structure is invalid.
    """
    return Space(_read(given["params"]), given["forbid"])


def _clause(clause: Any) -> dict[str, list[Any]]:
    return {name: list(values) for name, values in clause}


def _write(params: Params) -> list[Any]:
    return [[name, _form(domain)] for name, domain in params]


def _form(domain: Domain) -> dict[str, Any]:
    if not isinstance(domain, Choice):
        return domain.describe()
    pairs = zip(domain.options, domain.branches, strict=True)
    return {"choice": [[option, _write(branch)] for option, branch in pairs]}


def _read(params: Any) -> dict[str, Domain]:
    return {name: _domain(form, name) for name, form in params}


def _domain(form: Any, name: str) -> Domain:
    if "choice" not in form:
        return parse_domain(form, name)
    pairs = [(option, _read(params)) for option, params in form["choice"]]
    # As keys of a dict the options 1, 1.0 and True would be one.
    return Choice(dict(pairs)) if any(params for _, params in pairs) else Choice([v for v, _ in pairs])


# -- the tree of parts of a param_space -----------------------------------------------------------


def part_to_json(part: Part) -> Any:
    """Convert a tree of parts.

    Raises
    ------
    TypeError
        If an option or a constant is an object; those of a ``param_space`` never are, since Tune
        replaces them with placeholders before a search sees them.
    """
    match part:
        case Fixed():
            return {"fixed": _value(part.value)}
        case Leaf():
            return {"leaf": part.name, "domain": _form(part.domain), "transform": _transform(part.transform)}
        case Switch() if part.index is None:
            return {"switch": part.name, "options": [[v, part_to_json(inner)] for v, inner in part.options]}
        case Keys():
            return {"keys": [[_value(key), part_to_json(inner)] for key, inner in part.parts]}
        case Items():
            inside = [part_to_json(inner) for inner in part.parts]
            return {"items": inside, "list": part.made is list}
        case _:
            raise TypeError(f"{part} cannot be converted to JSON")


def part_from_json(given: Any) -> Part:
    """Read a tree that `part_to_json` wrote; KeyError, TypeError or ValueError for anything else."""
    match given:
        case {"fixed": value}:
            return Fixed(_read_value(value))
        case {"leaf": str(name), "domain": domain, "transform": transform}:
            return Leaf(name, _domain(domain, name), _read_transform(transform))
        case {"switch": str(name), "options": options}:
            return Switch(name, tuple((value, part_from_json(inner)) for value, inner in options))
        case {"keys": parts}:
            return Keys(tuple((_read_value(key), part_from_json(inner)) for key, inner in parts))
        case {"items": parts, "list": bool(is_list)}:
            return Items(tuple(map(part_from_json, parts)), list if is_list else tuple)
        case _:
            raise ValueError(f"expected a part of a space, got {given!r}")


def _value(value: Any) -> Any:
    """Convert a JSON scalar, or a list, tuple or dict of them."""
    if value is None:
        return None
    for kind in (bool, int, float, str):  # NumPy's floats and enumerations are subclasses of these
        if isinstance(value, kind):
            return kind(value)
    if type(value) in (list, tuple):
        return {type(value).__name__: [_value(inner) for inner in value]}
    if type(value) is dict:
        return {"dict": [[_value(key), _value(inner)] for key, inner in value.items()]}
    raise TypeError(f"a {type(value).__name__} cannot be converted to JSON")


def _read_value(given: Any) -> Any:
    match given:
        case {"list": inside}:
            return [_read_value(inner) for inner in inside]
        case {"tuple": inside}:
            return tuple(_read_value(inner) for inner in inside)
        case {"dict": pairs}:
            return {_read_value(key): _read_value(inner) for key, inner in pairs}
        case _:
            return given


def _transform(transform: Transform | None) -> Any:
    match transform:
        case None:
            return None
        case Quantile(Normal(mean, deviation), log, q):
            return {"normal": [mean, deviation], "log": log, "q": q}
        case Rounded(q, low, high, integer):
            return {"rounded": [q, low, high, integer]}
        case _:
            raise TypeError(f"{transform} cannot be converted to JSON")


def _read_transform(given: Any) -> Transform | None:
    match given:
        case None:
            return None
        case {"normal": [mean, deviation], "log": log, "q": q}:
            return Quantile(Normal(mean, deviation), log, q)
        case {"rounded": [q, low, high, integer]}:
            return Rounded(q, low, high, integer)
        case _:
            raise ValueError(f"expected a transform, got {given!r}")

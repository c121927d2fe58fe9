"""What the foreign forms of a space have in common: nested dicts, choices, multiples of a step.

A nested dict is flattened, its keys joined by "/". A plain value is a `Choice` of one. A choice
with dicts among its options is conditional: a dict's entries exist only where it is chosen. If
every option is a dict and some key holds a different plain value in each (``{"type": "svm", ...}``,
``{"type": "forest", ...}``), that key is the conditional parameter; otherwise the choice itself
is, and a dict's value is its position among the options.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.domains import Choice, Domain, Float, Int
from runner.errors import SpaceError


@dataclass(frozen=True)
class Options:
    """What a choice chooses from, as its own dialect writes it."""

    options: Sequence[Any]


Read = Callable[[Any, str], Any]
"""Reads one part, given the name of its place: gives a `Domain`, `Options`, a mapping of further
parts, or a plain value."""


def params_of(read: Read, part: object, name: str = "") -> dict[str, Domain]:
    """The parameters of a part of a foreign space.

    Parameters
    ----------
    read : callable
        The dialect; see `Read`.
    part : object
        What it reads.
    name : str
        The keys that led to it, joined by "/"; empty at the top.

    Raises
    ------
    SpaceError
        Names the parameter, what was found and what was wanted.
    """
    return _flatten(read, read(part, name), name)


def _flatten(read: Read, found: object, name: str) -> dict[str, Domain]:
    if isinstance(found, Domain):
        return {name: found}
    if isinstance(found, Options):
        return _choice(read, found.options, name)
    if not isinstance(found, Mapping):
        return {name: choice([found], name)}
    params: dict[str, Domain] = {}
    for key, part in found.items():
        for inner, domain in params_of(read, part, _join(name, key)).items():
            if inner in params:
                raise SpaceError("two parts of the space have this name.", where=inner, hint="Rename one.")
            params[inner] = domain
    return params


def _join(name: str, key: object) -> str:
    return f"{name}/{key}" if name else str(key)


def choice(options: Any, name: str) -> Choice:
    """A `Choice` whose errors name the parameter."""
    try:
        return Choice(options)
    except SpaceError as error:
        raise error.at(name) from None


def _choice(read: Read, options: Sequence[Any], name: str) -> dict[str, Domain]:
    found = [read(option, name) for option in options]
    for item in found:
        if isinstance(item, Domain | Options):
            raise SpaceError(
                "an option is a range of values itself.",
                where=name,
                hint="Put it in a dict, under a name of its own.",
            )
        if not isinstance(item, Mapping):
            choice([item], name)
    if not any(isinstance(item, Mapping) for item in found):
        return {name: choice(found, name)}
    key = _telling_key(read, found, name)
    if key is None:
        own, values = name, [i if isinstance(item, Mapping) else item for i, item in enumerate(found)]
    else:
        own, values = _join(name, key), [read(item[key], name) for item in found]
        found = [{k: part for k, part in item.items() if k != key} for item in found]
    branches = {
        value: _flatten(read, item, name) if isinstance(item, Mapping) else {}
        for value, item in zip(values, found, strict=True)
    }
    if len(branches) < len(values):
        raise SpaceError(f"two of the options have one value: {values}.", where=own, hint="Rename one.")
    return {own: choice(branches, own)}


def _telling_key(read: Read, items: Sequence[Any], name: str) -> object:
    """The first key that holds a different plain value in each of the mappings, or None."""
    if all(isinstance(item, Mapping) for item in items):
        for key in items[0]:
            values = [read(item[key], _join(name, key)) for item in items if key in item]
            if len(values) == len(items) and all(map(_plain, values)) and len(set(values)) == len(items):
                return key
    return None


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int | float | np.generic)


def multiples(kind: type[Float] | type[Int], low: float, high: float, step: float) -> Domain:
    """The multiples of a step from ``low`` to ``high``, both included; a `Choice` where it is one.

    Raises
    ------
    SpaceError
        Where there is none, the step is not above 0, or whole numbers are wanted and it is not whole.
    """
    if step <= 0:
        raise SpaceError(f"the step is {step}; more than 0 was expected.")
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if first > last:
        raise SpaceError(f"no multiple of {step} lies between {low} and {high}.")
    if kind is Int:
        if int(step) != step:
            raise SpaceError(f"the step is {step}; a whole number was expected.")
        ends = (first * int(step), last * int(step))
        return Choice(ends[:1]) if first == last else Int(*ends, step=None if step == 1 else int(step))
    low, high = (float(f"{i * step:.12g}") for i in (first, last))
    return Choice([low]) if first == last else Float(low, high, step=step)


def comes_from(given: object, package: str) -> bool:
    """Whether the class of an object is of a package; the package is not imported."""
    module = type(given).__module__
    return module == package or module.startswith(f"{package}.")

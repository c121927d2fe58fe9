"""The intermediate tree of a space in another library's format.

One reader per format builds the tree; this module turns the tree into a `Space`, and a config of that
space into the value that the other library would have produced (`fill`). `runner.space.formats.points`
is the inverse. A part that occurs several times (a node of hyperopt) is one parameter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.errors import SpaceError
from runner.space import Config, Space
from runner.space.domains import Choice, Domain, Float, Value, same
from runner.space.formats.transforms import Transform

_SLACK = 1e-6  # rounding error of a value after its probability and quantile were computed


@dataclass(frozen=True, eq=False)
class Fixed:
    """A constant."""

    value: Any


@dataclass(frozen=True, eq=False)
class Leaf:
    """A parameter whose value stands for itself or is transformed."""

    name: str
    domain: Domain
    transform: Transform | None = None

    def read(self, value: Value) -> Any:
        """Transform a value of the domain to its native value."""
        return value if self.transform is None else self.transform.read(value)

    def invert(self, native: Any) -> Any:
        """Find the value of the domain for a native value; SpaceError if there is none."""
        if self.transform is None:
            return native
        value = self.transform.invert(native)
        if isinstance(self.domain, Float):
            value = min(max(value, self.domain.low), self.domain.high)
        if not math.isclose(self.transform.read(value), native, rel_tol=_SLACK, abs_tol=_SLACK):
            raise SpaceError(f"value {native!r} is outside the searched range.")
        return value


@dataclass(frozen=True, eq=False)
class Switch:
    """A choice among parts, each with its value in tables.

    Parameters
    ----------
    index : object, optional
        Identity shared by several switches that are one choice: hyperopt's node of the index.
    """

    name: str
    options: tuple[tuple[Value, Part], ...]
    index: object = field(default=None, repr=False)

    def position(self, value: Value) -> int:
        """Return the position of the option with a value."""
        return next(i for i, (known, _) in enumerate(self.options) if same(known, value))


@dataclass(frozen=True, eq=False)
class Keys:
    """A dict of parts."""

    parts: tuple[tuple[Any, Part], ...]


@dataclass(frozen=True, eq=False)
class Items:
    """A list or tuple of parts."""

    parts: tuple[Part, ...]
    made: type = list


@dataclass(frozen=True, eq=False)
class Spliced:
    """A conditional choice of our own within a dict: its parameters are keys of that dict."""

    name: str
    domain: Choice


@dataclass(frozen=True, eq=False)
class Computed:
    """A value that another library computes from parameters; `fill` cannot."""

    expression: str
    parts: tuple[Leaf | Switch, ...]


Part = Fixed | Leaf | Switch | Keys | Items | Spliced | Computed
Parameter = Leaf | Switch | Spliced


def fill(part: Part, config: Config) -> Any:
    """Build the native value of a part from a config; TypeError for a `Computed`."""
    match part:
        case Fixed():
            return part.value
        case Leaf():
            return part.read(config[part.name])
        case Switch():
            return fill(part.options[part.position(config[part.name])][1], config)
        case Items():
            return part.made(fill(inner, config) for inner in part.parts)
        case Keys():
            filled: dict[Any, Any] = {}
            for key, inner in part.parts:
                if isinstance(inner, Spliced):
                    filled |= {name: config[name] for name in names_of(inner) if name in config}
                else:
                    filled[key] = fill(inner, config)
            return filled
        case _:
            raise TypeError(f"{part} is computed by another library")


def searched(part: Keys) -> Keys:
    """Remove constants, for a search whose caller has them already."""
    kept: list[tuple[Any, Part]] = []
    for key, inner in part.parts:
        if isinstance(inner, Keys):
            inner = searched(inner)
            if not inner.parts:
                continue
        if not isinstance(inner, Fixed):
            kept.append((key, inner))
    return Keys(tuple(kept))


def may_be_dict(part: Part) -> bool:
    """Check that the native values of a part can be dicts."""
    match part:
        case Keys() | Computed():
            return True
        case Switch():
            return all(may_be_dict(option) for _, option in part.options)
        case _:
            return isinstance(part, Fixed) and isinstance(part.value, Mapping)


# -- parameters -----------------------------------------------------------------------------------


def parameters(part: Part) -> Iterator[Parameter]:
    """Yield the parameters that exist whenever a part does, in order."""
    match part:
        case Leaf() | Switch() | Spliced():
            yield part
        case Keys():
            for _, inner in part.parts:
                yield from parameters(inner)
        case Items() | Computed():
            for inner in part.parts:
                yield from parameters(inner)


def has_parameters(part: Part) -> bool:
    """Check that a part has a parameter."""
    return next(parameters(part), None) is not None


def names_of(part: Part) -> list[str]:
    """List the names of all parameters at and below a part, each once."""
    return list(_reached(parameters(part), frozenset()))


def space_of(part: Part) -> Space:
    """Build the space of all parameters of a part.

    A parameter that occurs below several choices, or below and beside one, is unconditional.

    Raises
    ------
    SpaceError
        If two parts have one name, or there are no parameters.
    """
    return Space(_level(list(parameters(part)), frozenset()))


def choice(options: Any, name: str) -> Choice:
    """Make a `Choice` whose errors name the parameter."""
    try:
        return Choice(options)
    except SpaceError as error:
        raise error.at(name) from None


_Group = list[Parameter]  # parameters with one name: a single one, or switches that are one choice


def _level(found: Sequence[Parameter], above: frozenset[str]) -> dict[str, Domain]:
    """Collect the domains of parameters that exist together; those above exist already."""
    level = _grouped(found, above)
    while True:
        here = above | level.keys()
        below = [_reached(_inside(group), here) for group in level.values()]
        shared = next(
            (name for i, some in enumerate(below) for name in some if _in_any(name, below[:i])), None
        )
        if shared is None:
            return {name: _domain(group, here) for name, group in level.items()}
        hoisted = [one for some in below for one in some.get(shared, ())]
        level = _grouped([*(one for group in level.values() for one in group), *hoisted], above)


def _in_any(name: str, some: Sequence[Mapping[str, object]]) -> bool:
    return any(name in one for one in some)


def _grouped(found: Sequence[Parameter], above: frozenset[str]) -> dict[str, _Group]:
    level: dict[str, _Group] = {}
    for one in found:
        if one.name in above:
            continue
        group = level.setdefault(one.name, [])
        if any(one is other for other in group):
            continue
        if group and not _one_choice(group[0], one):
            raise SpaceError("duplicate name.", where=one.name, hint="Rename one.")
        group.append(one)
    return level


def _one_choice(a: Parameter, b: Parameter) -> bool:
    return isinstance(a, Switch) and isinstance(b, Switch) and a.index is not None and a.index is b.index


def _inside(group: _Group) -> Iterator[Parameter]:
    """Yield the parameters of all options of a group."""
    for one in group:
        for _, option in one.options if isinstance(one, Switch) else ():
            yield from parameters(option)


def _domain(group: _Group, above: frozenset[str]) -> Domain:
    first = group[0]
    if not isinstance(first, Switch):
        return first.domain
    values = [value for value, _ in first.options]
    below = []
    for i in range(len(values)):
        options = [one.options[i][1] for one in group if isinstance(one, Switch)]
        below.append(_level([inner for option in options for inner in parameters(option)], above))
    return choice(dict(zip(values, below, strict=True)) if any(below) else values, first.name)


def _reached(found: Iterator[Parameter], beyond: frozenset[str]) -> dict[str, _Group]:
    """Collect all parameters at and below some, by name; do not descend into those in ``beyond``."""
    reached: dict[str, _Group] = {}
    waiting = list(found)[::-1]
    while waiting:
        one = waiting.pop()
        if one.name in beyond or any(one is other for other in reached.get(one.name, ())):
            continue
        reached.setdefault(one.name, []).append(one)
        if isinstance(one, Spliced):
            waiting += [Leaf(name, domain) for name, domain in _branches(one.domain)]
        else:
            waiting += list(_inside([one]))[::-1]
    return reached


def _branches(conditional: Choice) -> Iterator[tuple[str, Domain]]:
    for branch in conditional.branches:
        for name, domain in branch:
            yield name, domain
            if isinstance(domain, Choice):
                yield from _branches(domain)

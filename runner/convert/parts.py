"""The tree of parts that a space in another program's form is read as.

One reader per form makes the tree; here the tree is turned into a `Space`, and a config of that
space into what the other program would have made of it (`fill`). `runner.convert.points` goes the
other way. A part that stands at several places (a node of hyperopt) is one parameter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.convert.forms import refuse_range
from runner.convert.laws import Law
from runner.domains import Choice, Domain, Float, Value, same, typed
from runner.errors import SpaceError, clip
from runner.space import Config, Space

_MOST_CHARACTERS = 40
_SLACK = 1e-6  # of a quantile of a quantile
_PLACES = re.compile(r" at 0x[0-9a-fA-F]+")  # of objects in memory, another in every process


@dataclass(frozen=True, eq=False)
class Fixed:
    """What is the same in every config."""

    value: Any


@dataclass(frozen=True, eq=False)
class Leaf:
    """A parameter that stands for one value."""

    name: str
    domain: Domain
    law: Law | None = None

    def read(self, value: Value) -> Any:
        """What a value of the domain stands for."""
        return value if self.law is None else self.law.read(value)

    def place(self, meant: Any) -> Any:
        """The value that stands for something; SpaceError where none of the domain does."""
        if self.law is None:
            return meant
        value = self.law.place(meant)
        if isinstance(self.domain, Float):
            value = min(max(value, self.domain.low), self.domain.high)
        if not math.isclose(self.law.read(value), meant, rel_tol=_SLACK, abs_tol=_SLACK):
            raise SpaceError(f"value {meant!r} is outside of what is searched.")
        return value


@dataclass(frozen=True, eq=False)
class Switch:
    """A choice among parts, each with the value by which tables name it.

    Parameters
    ----------
    name : str
    options : tuple of (value, part)
    index : object, optional
        What several switches share that are one choice: hyperopt's node of the index.
    """

    name: str
    options: tuple[tuple[Value, Part], ...]
    index: object = field(default=None, repr=False)

    def chosen(self, value: Value) -> Part:
        """The part that a value names."""
        return next(part for known, part in self.options if same(known, value))

    def position(self, value: Value) -> int:
        """Where the option is that a value names."""
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
    """A choice of our own within a dict: its parameters are keys of that dict."""

    name: str
    domain: Choice


@dataclass(frozen=True, eq=False)
class Computed:
    """What another program computes from parameters; `fill` cannot."""

    text: str
    parts: tuple[Leaf | Switch, ...]


Part = Fixed | Leaf | Switch | Keys | Items | Spliced | Computed
Parameter = Leaf | Switch | Spliced


def fill(part: Part, config: Config) -> Any:
    """What a config stands for at a part; TypeError for what is computed elsewhere."""
    match part:
        case Fixed():
            return part.value
        case Leaf():
            return part.read(config[part.name])
        case Switch():
            return fill(part.chosen(config[part.name]), config)
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
            raise TypeError(f"{part} is computed elsewhere")


def searched(part: Keys) -> Keys:
    """A dict without what is fixed: what a search tells a program that has the rest already."""
    kept: list[tuple[Any, Part]] = []
    for key, inner in part.parts:
        if isinstance(inner, Keys):
            inner = searched(inner)
            if not inner.parts:
                continue
        if not isinstance(inner, Fixed):
            kept.append((key, inner))
    return Keys(tuple(kept))


def parameters(part: Part) -> Iterator[Parameter]:
    """The parameters that exist wherever a part does, in their order."""
    match part:
        case Leaf() | Switch() | Spliced():
            yield part
        case Keys():
            for _, inner in part.parts:
                yield from parameters(inner)
        case Items() | Computed():
            for inner in part.parts:
                yield from parameters(inner)


def names_of(part: Part) -> list[str]:
    """The names of all parameters at and below a part, each once."""
    return list(_reached(parameters(part), frozenset()))


def _reached(found: Iterator[Parameter], beyond: frozenset[str]) -> dict[str, list[Parameter]]:
    """All parameters at and below some, by name; those beyond are neither kept nor gone through."""
    reached: dict[str, list[Parameter]] = {}
    waiting = list(found)[::-1]
    while waiting:
        one = waiting.pop()
        if one.name in beyond or any(one is other for other in reached.get(one.name, ())):
            continue
        reached.setdefault(one.name, []).append(one)
        if isinstance(one, Switch):
            below = [inner for _, option in one.options for inner in parameters(option)]
            waiting += below[::-1]
        elif isinstance(one, Spliced):
            for name, domain in _inside(one.domain):
                reached.setdefault(name, []).append(Leaf(name, domain))
    return reached


def _inside(choice: Choice) -> Iterator[tuple[str, Domain]]:
    for branch in choice.branches:
        for name, domain in branch:
            yield name, domain
            if isinstance(domain, Choice):
                yield from _inside(domain)


def space_of(part: Part) -> Space:
    """The space of all parameters of a part.

    A parameter that stands below several choices, or below one and beside it, exists whatever
    they are.

    Raises
    ------
    SpaceError
        Where two parts have one name, or there is none at all.
    """
    return Space(_level(list(parameters(part)), frozenset()))


def _level(found: Sequence[Parameter], above: frozenset[str]) -> dict[str, Domain]:
    level = _grouped(found, above)
    while True:
        here = above | level.keys()
        below = [_reached(_options_of(group), here) for group in level.values()]
        shared = [name for i, some in enumerate(below) for name in some if _anywhere(name, below[:i])]
        if not shared:
            return {name: _domain(group, here) for name, group in level.items()}
        name = shared[0]
        hoisted = [one for some in below for one in some.get(name, ())]
        level = _grouped([*(one for group in level.values() for one in group), *hoisted], above)


def _anywhere(name: str, some: Sequence[Mapping[str, object]]) -> bool:
    return any(name in one for one in some)


def _options_of(group: Sequence[Parameter]) -> Iterator[Parameter]:
    for one in group:
        for _, option in one.options if isinstance(one, Switch) else ():
            yield from parameters(option)


def _grouped(found: Sequence[Parameter], above: frozenset[str]) -> dict[str, list[Parameter]]:
    """Parameters by name; of one name there is one part, or there are switches that are one choice."""
    level: dict[str, list[Parameter]] = {}
    for one in found:
        if one.name in above:
            continue
        group = level.setdefault(one.name, [])
        if any(one is other for other in group):
            continue
        if group and not _one_choice(group[0], one):
            raise SpaceError("two parts of the space have this name.", where=one.name, hint="Rename one.")
        group.append(one)
    return level


def _one_choice(a: Parameter, b: Parameter) -> bool:
    return isinstance(a, Switch) and isinstance(b, Switch) and a.index is not None and a.index is b.index


def _domain(group: Sequence[Parameter], above: frozenset[str]) -> Domain:
    first = group[0]
    if not isinstance(first, Switch):
        return first.domain
    values = [value for value, _ in first.options]
    below = []
    for i in range(len(values)):
        options = [one.options[i][1] for one in group if isinstance(one, Switch)]
        below.append(_level([inner for option in options for inner in parameters(option)], above))
    if not any(below):
        return choice(values, first.name)
    return choice(dict(zip(values, below, strict=True)), first.name)


def choice(options: Any, name: str) -> Choice:
    """A `Choice` whose errors name the parameter."""
    try:
        return Choice(options)
    except SpaceError as error:
        raise error.at(name) from None


# -- options --------------------------------------------------------------------------------------


def fixed(value: Any, form: str, where: str) -> Fixed:
    """What is no range of any form; SpaceError where it is one."""
    refuse_range(value, form, where)
    return Fixed(value)


def switch(name: str, options: Sequence[Part], key: Any = None, index: object = None) -> Switch:
    """A choice among parts, each named by its plain value, or else by its position and its text.

    Parameters
    ----------
    name : str
    options : sequence of part
        Of equal plain values only the first is kept, but where an index counts them or there are
        parameters below; there a value is named by its text if another equals it (True and 1 do).
    key : object, optional
        At which the options hold their values; see `telling_key`.
    index : object, optional
        See `Switch`.

    Raises
    ------
    SpaceError
        Where there is no option.
    """
    if not options:
        raise SpaceError("there is no option.", where=name, hint="Give at least one value.")
    conditional = any(map(has_parameters, options))
    named: dict[tuple[str, object], tuple[Value, Part]] = {}
    for position, part in enumerate(options):
        told = part if key is None else _at(part, key)
        value = plain(told.value) if isinstance(told, Fixed) else None
        taken = any(value == other if conditional else same(value, other) for other, _ in named.values())
        if (
            not isinstance(told, Fixed)
            or not is_plain(value)
            or (taken and (conditional or index is not None))
        ):
            value = label(position, part)
        named.setdefault(typed(value), (value, part))
    return Switch(name, tuple(named.values()), index)


def has_parameters(part: Part) -> bool:
    """Whether anything of a part is searched."""
    return next(parameters(part), None) is not None


def telling_key(options: Sequence[Part]) -> Any:
    """The first key or position that holds another plain value in each of the options, or None."""
    first = options[0] if options else None
    keys: Sequence[Any] = ()
    if all(isinstance(part, Keys) for part in options) and isinstance(first, Keys):
        keys = [key for key, _ in first.parts]
    elif all(isinstance(part, Items) for part in options) and isinstance(first, Items):
        keys = range(len(first.parts))
    for key in keys:
        found = [_at(part, key) for part in options]
        values = [plain(part.value) for part in found if isinstance(part, Fixed)]
        if len(values) == len(options) == len(set(values if all(map(is_plain, values)) else ())):
            return key
    return None


def _at(part: Part, key: Any) -> Part | None:
    if isinstance(part, Keys):
        return next((inner for known, inner in part.parts if known == key), None)
    return part.parts[key] if isinstance(part, Items) and key < len(part.parts) else None


def plain(value: Any) -> Any:
    """A scalar of NumPy, or a tensor of no dimension, as Python has it; whatever else as it is."""
    if getattr(value, "shape", None) != () or not hasattr(value, "item"):
        return value
    return value.item() if getattr(getattr(value, "dtype", None), "kind", "f") in "biufSU" else value


def is_plain(value: object) -> bool:
    """Whether tables can hold it, and it equals itself (NaN does not)."""
    return type(value) in (str, int, float, bool, type(None)) and value == value


def label(position: int, part: Part) -> str:
    """What tables call an option that is no plain value: its position and its text."""
    return f"[{position}] {clip(text_of(part), _MOST_CHARACTERS)}"


def text_of(part: Part) -> str:
    """A part in few words."""
    match part:
        case Fixed():
            return _shown(part.value)
        case Leaf() | Switch() | Spliced():
            return part.name
        case Computed():
            return part.text
        case Keys():
            return f"{{{', '.join(f'{key!r}: {text_of(inner)}' for key, inner in part.parts)}}}"
        case _:
            inside = ", ".join(map(text_of, part.parts))
            return f"[{inside}]" if part.made is list else f"({inside}{',' * (len(part.parts) == 1)})"


def _shown(value: object) -> str:
    try:
        return _PLACES.sub("", " ".join(repr(value).split()))
    except Exception:  # whatever an object's own repr raises
        return type(value).__name__

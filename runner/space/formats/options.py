"""Choices among parts of any kind, and the names that tables give to their options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from runner.errors import SpaceError, clip
from runner.space.domains import Value, typed
from runner.space.formats.forms import refuse_range
from runner.space.formats.parts import (
    Computed,
    Fixed,
    Items,
    Keys,
    Leaf,
    Part,
    Spliced,
    Switch,
    has_parameters,
)

_MOST_CHARACTERS = 40
_PLACES = re.compile(r" at 0x[0-9a-fA-F]+")  # of objects in memory, another in every process


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
        At which the options hold their values; see `distinctive_key`.
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
    equal: set[Value] = set()
    for position, part in enumerate(options):
        own = part if key is None else _at(part, key)
        value = plain(own.value) if isinstance(own, Fixed) else None
        short = isinstance(own, Fixed) and is_plain(value)
        if not short or (conditional and value in equal) or (index is not None and typed(value) in named):
            value = label(position, part)
        equal.add(value)
        named.setdefault(typed(value), (value, part))
    return Switch(name, tuple(named.values()), index)


def distinctive_key(options: Sequence[Part]) -> Any:
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
        if len(values) == len(options) and all(map(is_plain, values)) and len(set(values)) == len(values):
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

"""Choices among parts of any kind, and the labels of their options in tables."""

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

_MAX_CHARACTERS = 40  # of a label, so that several fit into a row of a table
_ADDRESSES = re.compile(r" at 0x[0-9a-fA-F]+")  # of objects in memory; they differ between processes


def fixed(value: Any, form: str, where: str) -> Fixed:
    """Make a constant; SpaceError if the value is a range of any format."""
    refuse_range(value, form, where)
    return Fixed(value)


def switch(name: str, options: Sequence[Part], key: Any = None, index: object = None) -> Switch:
    """Make a choice among parts, each labelled by its plain value, or by position and summary.

    Parameters
    ----------
    options : sequence of part
        Duplicate plain values are dropped, unless there is an index or an option has parameters; then
        a value that equals an earlier one (True and 1 do) is labelled by position and summary.
    key : object, optional
        Key of the options' values; see `distinctive_key`.
    index : object, optional
        See `Switch`.

    Raises
    ------
    SpaceError
        If there is no option.
    """
    if not options:
        raise SpaceError("expected at least one option, got none.", where=name)
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
    """Return the first key or position with a different plain value in each option, or None."""
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
    """Convert a NumPy scalar or 0-dimensional tensor to a Python scalar; return anything else unchanged."""
    if getattr(value, "shape", None) != () or not hasattr(value, "item"):
        return value
    return value.item() if getattr(getattr(value, "dtype", None), "kind", "f") in "biufSU" else value


def is_plain(value: object) -> bool:
    """Check for a scalar that tables can hold and that equals itself (NaN does not)."""
    return type(value) in (str, int, float, bool, type(None)) and value == value


def label(position: int, part: Part) -> str:
    """Label an option that is not a plain value by its position and summary."""
    return f"[{position}] {clip(summary_of(part), _MAX_CHARACTERS)}"


def summary_of(part: Part) -> str:
    """Summarise a part."""
    match part:
        case Fixed():
            return _shown(part.value)
        case Leaf() | Switch() | Spliced():
            return part.name
        case Computed():
            return part.expression
        case Keys():
            return f"{{{', '.join(f'{key!r}: {summary_of(inner)}' for key, inner in part.parts)}}}"
        case _:
            inside = ", ".join(map(summary_of, part.parts))
            return f"[{inside}]" if part.made is list else f"({inside}{',' * (len(part.parts) == 1)})"


def _shown(value: object) -> str:
    try:
        return _ADDRESSES.sub("", " ".join(repr(value).split()))
    except Exception:  # an object's own repr can raise anything
        return type(value).__name__

"""Formatting of names, counts, values and durations in messages."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

_UNITS = ((0.1, "ms", 1e-3), (120.0, "s", 1.0), (7200.0, "min", 60.0), (172_800.0, "h", 3600.0))
_DAY = 86_400.0

MAX_SHOWN = 120
"""Characters of a value in a message: more would hide the message around it."""
_MAX_ITEMS = 8  # chosen by hand, as is the depth: usually fits into the characters above
_MAX_DEPTH = 3
_MAX_BITS = 1024  # about 300 digits; Python itself refuses to write more than 4300


def printable(text: str) -> str:
    r"""Escape invisible characters, which could move a cursor, or reorder or hide what follows.

    Control characters (a line break too), format characters such as the bidirectional overrides,
    halves of a surrogate pair and unassigned code points become ``\x1b``, ``\n``, ``\u202e``.
    """
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or unicodedata.category(letter) == "Zs"
        else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def printable_lines(text: str) -> str:
    """Escape as `printable`, but keep the line breaks."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def shown(value: object) -> str:
    """Write the ``repr`` of a user's value, shortened; never raises, even if the ``repr`` does."""
    text = _shown(value, 0)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _shown(value: object, depth: int) -> str:
    if type(value) is str:
        return repr(value if len(value) <= MAX_SHOWN else f"{value[: MAX_SHOWN - 1]}…")
    if isinstance(value, Mapping):
        pairs = (f"{_shown(key, depth)}: {_shown(item, depth + 1)}" for key, item in value.items())
        return f"{{{_first(pairs, len(value), depth)}}}"
    if type(value) in (list, tuple):
        items = (_shown(item, depth + 1) for item in value)  # type: ignore[attr-defined]
        inner = _first(items, len(value), depth)  # type: ignore[arg-type]
        return f"[{inner}]" if type(value) is list else f"({inner}{',' * (len(value) == 1)})"  # type: ignore[arg-type]
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"an integer of {value.bit_length():,} bits"
    try:
        return repr(value)
    except Exception:  # a user's class can raise anything
        return f"a {type(value).__name__}"


def _first(items: Iterator[str], count: int, depth: int) -> str:
    """Join the first items of a nested value, with dots for further and for too deeply nested ones."""
    if depth >= _MAX_DEPTH and count:
        return "..."
    return ", ".join([*islice(items, _MAX_ITEMS), *["..."] * (count > _MAX_ITEMS)])


def listed(names: Iterable[str]) -> str:
    """Join names: a, b and c."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def first_of(names: Sequence[str], most: int) -> str:
    """Join the first names, and count the others: a, b and 7 more."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def named(names: Sequence[str], most: int = 4) -> str:
    """Join a few names with `listed`, many with `first_of`."""
    return listed(names) if len(names) <= most else first_of(names, most)


def counted(n: int, what: str) -> str:
    """Write a count with its noun: 1 trial, 2 trials."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def duration(seconds: float) -> str:
    """Write a duration in a suitable unit: 50 ms, 3.2 s, 10 min; – for NaN."""
    if not math.isfinite(seconds):
        return "–" if math.isnan(seconds) else "∞"
    for limit, unit, size in _UNITS:
        if abs(seconds) < limit:
            value = seconds / size
            return f"{value:.{2 if abs(value) < 9.95 else 3}g} {unit}"
    return f"{seconds / _DAY:,.{0 if seconds >= 100 * _DAY else 1}f} days"


__all__ = [
    "MAX_SHOWN",
    "counted",
    "duration",
    "first_of",
    "listed",
    "named",
    "printable",
    "printable_lines",
    "shown",
]

"""Names, numbers of things, values and durations as a sentence has them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

_UNITS = ((0.1, "ms", 1e-3), (120.0, "s", 1.0), (7200.0, "min", 60.0), (172_800.0, "h", 3600.0))
_DAY = 86_400.0

MOST_SHOWN = 120
"""Characters of a value in a message: more would hide the sentence around it."""
_MOST_ITEMS = 8
_MOST_DEPTH = 3
_MOST_BITS = 1024  # about 300 digits; Python itself refuses to write more than 4300


def printable(text: str) -> str:
    r"""Escape what is not a visible character: it could move a cursor, or reorder or hide what follows.

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
    """Describe a value within a sentence: its ``repr``, short whatever the value is, and without failing.

    Parameters
    ----------
    value : object
        What a user has written: nested, long, or of a class whose ``repr`` raises.
    """
    text = _shown(value, 0)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def _shown(value: object, depth: int) -> str:
    if type(value) is str:
        return repr(value if len(value) <= MOST_SHOWN else f"{value[: MOST_SHOWN - 1]}…")
    if isinstance(value, Mapping):
        pairs = (f"{_shown(key, depth)}: {_shown(item, depth + 1)}" for key, item in value.items())
        return f"{{{_first(pairs, len(value), depth)}}}"
    if type(value) in (list, tuple):
        items = (_shown(item, depth + 1) for item in value)  # type: ignore[attr-defined]
        inner = _first(items, len(value), depth)  # type: ignore[arg-type]
        return f"[{inner}]" if type(value) is list else f"({inner}{',' * (len(value) == 1)})"  # type: ignore[arg-type]
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"an integer of {value.bit_length():,} bits"
    try:
        return repr(value)
    except Exception:  # whatever a class of the user's raises
        return f"a {type(value).__name__}"


def _first(items: Iterator[str], count: int, depth: int) -> str:
    """The first items of a nested value; all further ones, and what lies too deep, are dots."""
    if depth >= _MOST_DEPTH and count:
        return "..."
    return ", ".join([*islice(items, _MOST_ITEMS), *["..."] * (count > _MOST_ITEMS)])


def listed(names: Iterable[str]) -> str:
    """All of them: a, b and c; empty where there are none."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def first_of(names: Sequence[str], most: int) -> str:
    """The first ones, and how many more there are: a, b and 7 more."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def named(names: Sequence[str], most: int = 4) -> str:
    """All of a few names, a, b and c; of more the first ones, and how many more there are."""
    return listed(names) if len(names) <= most else first_of(names, most)


def counted(n: int, what: str) -> str:
    """A number of things: 1 trial, 2 trials."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def duration(seconds: float) -> str:
    """A duration in the unit that suits it: 50 ms, 3.2 s, 10 min; – where it is not known."""
    if not math.isfinite(seconds):
        return "–" if math.isnan(seconds) else "∞"
    for limit, unit, size in _UNITS:
        if abs(seconds) < limit:
            value = seconds / size
            return f"{value:.{2 if abs(value) < 9.95 else 3}g} {unit}"
    return f"{seconds / _DAY:,.{0 if seconds >= 100 * _DAY else 1}f} days"


__all__ = [
    "MOST_SHOWN",
    "counted",
    "duration",
    "first_of",
    "listed",
    "named",
    "printable",
    "printable_lines",
    "shown",
]

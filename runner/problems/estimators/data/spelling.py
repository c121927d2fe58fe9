"""Detect the format of a column's numbers or dates from its values.

A column has one format. If its values fit two, both are returned: the rest of
the table may decide (`runner.problems.estimators.data.kinds`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Final, Literal

from runner.problems.estimators.data.values import NumberFormat, date_of, digits_of, number_of, number_parts

Mark = Literal[".", ",", ""]

_BETWEEN: Final = ("", ".", ",", " ", "'")
_PLAIN = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_ZERO = re.compile(r"[0.,' ]*")
_CODE = re.compile(r"[-+]?0[0-9]+")

_DAYS = (
    "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%Y", "%m-%d-%Y",
    "%d-%m-%y", "%m-%d-%y", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y",
    "%b %d, %Y", "%B %d, %Y", "%Y-%m", "%m/%Y", "%b %Y", "%B %Y",
)  # fmt: skip
_HOURS = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", ", %H:%M", " %I:%M %p", " %I:%M:%S %p")


@dataclass(frozen=True)
class Numbers:
    """Numbers of one format.

    Attributes
    ----------
    form : NumberFormat
    decimal : "." or "," or ""
        The decimal mark that the values prove, directly or by their thousands separator; "" if none.
    other : NumberFormat or None
        A second format that they all fit, with other results.
    grouped : bool
        With a second format: whether all values without a mark have at most three digits, as with
        a thousands separator.
    example : str
        A value that programs would not write; "" if there is none.
    """

    form: NumberFormat
    decimal: Mark = ""
    other: NumberFormat | None = None
    grouped: bool = False
    example: str = ""


@dataclass(frozen=True)
class Dates:
    """Dates of one style: "iso", or a format of strptime."""

    style: str
    first: datetime
    hours: bool


@dataclass(frozen=True)
class Odd:
    """A reason why values that look like numbers or dates are not read as such."""

    reason: str
    refused: bool = False


def is_code(text: str) -> bool:
    """Tell whether digits begin with a zero that a number would lose, as in a postal code."""
    return _CODE.fullmatch(text) is not None


def numbers_in(strings: Collection[str]) -> Numbers | Odd | None:
    """Detect the format of strings as numbers; None if most of them are not numbers."""
    parts = {text: number_parts(text) for text in strings}
    strange = [text for text, part in parts.items() if part is None and number_of(text) is None]
    if strange:
        few = len(strange) < len(strings) / 2
        return Odd(f"most of its values are numbers, but not {_shown(strange)}") if few else None
    bodies = {text: part[1] for text, part in parts.items() if part is not None}
    units = {part[3] for part in parts.values() if part and (part[3] or not _ZERO.fullmatch(part[1]))}
    if len(units) > 1:
        differing = [next(t for t, p in parts.items() if p and p[3] == unit) for unit in sorted(units)]
        return Odd(f"its numbers have different units: {_shown(differing)}")
    unit = next(iter(units), "")
    point, comma = (_format_of(bodies.values(), decimal, unit) for decimal in ".,")
    if point and comma:
        if any(mark in body for mark in ".," for body in bodies.values()):
            marked = [text for text, body in bodies.items() if "." in body or "," in body]
            plain = [body for body in bodies.values() if "." not in body and "," not in body]
            grouped = bool(plain) and all(len(body) <= 3 for body in plain)
            return Numbers(point, "", comma, grouped, max(marked, key=_longest))
        return Numbers(point, example=_unusual(bodies))
    if point or comma:
        return Numbers(point or comma or ("", "", ""), "." if point else ",", example=_unusual(bodies))
    if all(any(_format_of([body], decimal, unit) for decimal in ".,") for body in bodies.values()):
        mixed = [next((t for t, b in bodies.items() if mark in b), "") for mark in ".,"]
        return Odd(f"its numbers have different formats: {_shown(filter(None, mixed))}", refused=True)
    return None


def _format_of(bodies: Iterable[str], decimal: str, unit: str) -> NumberFormat | None:
    """Find the first format with this decimal mark that all of them fit."""
    bodies = list(bodies)
    for between in _BETWEEN:
        if between != decimal and all(digits_of(body, decimal, between) is not None for body in bodies):
            return decimal, between, unit
    return None


def dates_in(strings: Collection[str]) -> Dates | Odd | None:
    """Detect the style of strings as dates; None if they are not dates."""
    if not all(any(letter.isdigit() for letter in text) for text in strings):
        return None
    first = next(iter(strings))
    styles = ["iso", *(day + hour for day, hour in product(_DAYS, _HOURS))]
    by_style: dict[str, list[datetime]] = {}
    for style in styles:
        if date_of(first, style) is None or (style != "iso" and "iso" in by_style):
            continue
        days = [date_of(text, style) for text in strings]
        if None not in days:
            by_style[style] = [day for day in days if day is not None]
    if not by_style:
        return None
    style, dates = next(iter(by_style.items()))
    for others in by_style.values():
        for text, one, two in zip(strings, dates, others, strict=True):
            if one != two:
                both = f"{text!r} may be {one:%Y-%m-%d} or {two:%Y-%m-%d}"
                return Odd(f"{both}; write it like this", refused=True)
    hours = any((day.hour, day.minute, day.second) != (0, 0, 0) for day in dates)
    return Dates(style, min(dates), hours)


def _unusual(strings: Iterable[str]) -> str:
    """Choose an example among those that are not plain."""
    return max((text for text in strings if not _PLAIN.fullmatch(text)), key=_longest, default="")


def _longest(text: str) -> tuple[int, str]:
    return len(text), text


def _shown(strings: Iterable[str], most: int = 3) -> str:
    listed = sorted(strings, key=len)
    return ", ".join(map(repr, listed[:most])) + (", ..." if len(listed) > most else "")

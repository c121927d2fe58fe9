"""Values of plain scalars: the core schema of YAML 1.2.2, section 10.3.2.

A scalar that YAML 1.1 reads as a number and YAML 1.2 as another number, or as a string, is refused:
programs disagree about it, and so may the author of the file.
"""

from __future__ import annotations

import math
import re
from types import MappingProxyType
from typing import Final

from runner.errors import clip
from runner.trial import Scalar

MOST_DIGITS: Final = 308
"""Most digits of an integer: larger ones exceed every float."""

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = MappingProxyType(
    {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
)
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NAN: Final = frozenset({".nan", ".NaN", ".NAN"})
_NUMERIC: Final = frozenset("-+.0123456789")

# YAML 1.1, https://yaml.org/type/int.html and float.html; after the sign, without underscores.
_OLD_OCTAL = re.compile(r"0[0-7]+")
_OLD_BINARY = re.compile(r"0b[01]+")
_OLD_SIXTIES = re.compile(r"([1-9][0-9]*(?::[0-5]?[0-9])+)|([0-9]+(?::[0-5]?[0-9])+)(\.[0-9]*)")
_OLD_DECIMAL = re.compile(r"0|[1-9][0-9]*")
_OLD_FLOAT = re.compile(r"(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?")
_MOST_SHOWN = 60  # characters of a scalar in a message


class ScalarError(ValueError):
    """A scalar that is refused; the message says why and what to write."""


def resolve(text: str) -> Scalar:
    """Resolve a plain scalar without a tag.

    Raises
    ------
    ScalarError
        Where it has another numeric meaning in YAML 1.1, or is a number too large or too small.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in _NUMERIC:
        return text
    old, value = _old_number(text), number(text)
    if old is not None and old != value:
        new = "a string" if value is None else value
        written = clip(text, _MOST_SHOWN)
        raise ScalarError(
            f"'{written}' is {old} in YAML 1.1 and {new} in YAML 1.2. "
            f"Write {old if value is None else f'{old} or {value}'}, or '{written}' in quotes."
        )
    return text if value is None else value


def number(text: str) -> int | float | None:
    """Read a scalar as a number of YAML 1.2, None where it is none; raises as `resolve`."""
    if _DECIMAL.fullmatch(text) or _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return _integer(text)
    if found := _INFINITE.fullmatch(text):
        return -math.inf if found[1] == "-" else math.inf
    if text in _NAN:
        return math.nan
    if not _FLOAT.fullmatch(text):
        return None
    value = float(text)
    if math.isinf(value) or (value == 0.0 and re.search("[1-9]", re.split("[eE]", text)[0])):
        size = "large" if value else "small"
        raise ScalarError(f"{clip(text, _MOST_SHOWN)} is too {size} for a number in double precision.")
    return value


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ScalarError(f"expected an integer of at most {MOST_DIGITS} digits, got one of {len(text)}.")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text[2:] if base != 10 else text, base)


def _old_number(text: str) -> int | float | None:
    """Read a scalar as a number of YAML 1.1; None where it is none, or of a form that both have."""
    sign = -1 if text[0] == "-" else 1
    plain = text[1:] if text[0] in "-+" else text
    digits = plain.replace("_", "")
    if plain[:1] in ("", "_") or len(digits) > MOST_DIGITS:
        return None
    if _OLD_OCTAL.fullmatch(digits):
        return sign * int(digits, 8)
    if _OLD_BINARY.fullmatch(digits):
        return sign * int(digits[2:], 2)
    if found := _OLD_SIXTIES.fullmatch(digits):
        value: float = 0
        for part in (found[1] or found[2]).split(":"):
            value = 60 * value + int(part)
        return sign * (value + float(f"0{found[3]}") if found[3] else value)
    if _HEXADECIMAL.fullmatch(digits):
        return sign * int(digits[2:], 16)
    if plain == digits:
        return None
    if _OLD_DECIMAL.fullmatch(digits):
        return sign * int(digits)
    return sign * float(digits) if _OLD_FLOAT.fullmatch(digits) else None

"""Frames as CSV that is safe to open in a spreadsheet.

A spreadsheet takes a string that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and a formula can
send the contents of the sheet to a third party. Names and messages come from untrusted studies, so such a
string is prefixed by an apostrophe, as OWASP advises against "CSV injection". Numbers are left alone, also
as strings; so is JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pandas as pd

_SIGNS: Final = "=+\\-@＝＋－＠"  # full-width signs count as formulas in Japanese locales
_BEGINNING: Final = re.compile(rf"'*(?:\s*[{_SIGNS}]|[\t\n])")
# In locales with decimal commas a spreadsheet splits fields at semicolons, also within quotes.
_WITHIN: Final = re.compile(rf"(?<=[;\t\n])('*)(?=[{_SIGNS}])")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|nan)")


def to_csv(frame: pd.DataFrame) -> str:
    """Write a frame as CSV: lines end in a line feed, and missing values are empty."""
    safe = frame.rename(columns=lambda name: neutral(str(name)))
    for place, kind in enumerate(frame.dtypes):
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)):
            column = _neutral_column(frame.iloc[:, place])
            if column is not None:
                safe.isetitem(place, column.array)
    return safe.to_csv(index=False, lineterminator="\n")


def neutral(text: str) -> str:
    """Escape a string, so that no spreadsheet takes it, or a part of it, for a formula.

    Numbers are not formulas. In JSON, where an apostrophe would change the value, a semicolon becomes an
    escape. A carriage return, which would end a line of the file, becomes a line feed, which is quoted.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _NUMBER.fullmatch(text):
        return text
    if text.startswith(("{", "[")) and _WITHIN.search(text) and _is_json(text):
        return re.sub(rf";(?='*[{_SIGNS}])", r"\\u003b", text)
    text = _WITHIN.sub(r"'\1", text)
    return f"'{text}" if _BEGINNING.match(text) else text


def _neutral_column(column: pd.Series[Any]) -> pd.Series[Any] | None:
    """Escape the strings of a column; None if no string needs it."""
    strings = {value for value in column.dropna().unique() if isinstance(value, str)}
    changed = {text: safe for text in strings if (safe := neutral(text)) != text}
    return column.map(lambda value: changed.get(value, value), na_action="ignore") if changed else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True

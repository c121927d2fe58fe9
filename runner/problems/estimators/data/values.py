"""Read the values of a table as people write them: quantities, categories and dates become numbers.

The format of each column is detected once, from the training data
(`runner.problems.estimators.data.kinds`), and new data are read in the same format. These functions and
`Columns` are copied into the ``pipeline.py`` of a search, so they import nothing of this package.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NumberFormat = tuple[str, str, str]
"""Decimal mark, thousands separator or "", unit or ""."""
DateFormat = tuple[str, str, bool]
"""Style of dates ("iso" or a format of strptime), the first date, and whether hours count."""

PLAIN: NumberFormat = (".", "", "")

MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA",
    "NULL", "NaN", "n/a", "nan", "null",
)  # fmt: skip
"""Strings that mean a missing value in any column: those of pandas."""

UNKNOWN = (
    "-", "--", "---", "–", "—", ".", "..", "...", "?", "??", "n/a", "n.a.", "n.a", "na", "n/d", "nd", "none",
    "nil", "null", "nan", "missing", "unknown", "not known", "not available", "undefined", "unspecified",
    "blank", "(blank)", "empty", "tbd", "unbekannt", "k.a.", "k. a.", "keine angabe", "inconnu",
    "desconocido", "sconosciuto", "onbekend", "#value!", "#div/0!", "#ref!", "#num!", "#name?",
)  # fmt: skip
"""Strings that mean a missing value among numbers and dates, in lower case."""

_SPACES = re.compile("[\u00a0\u2009\u202f ]")
_SIGNS = "$€£¥₹₽₩₺₫₴₦₱₪฿¢"
_CURRENCY = (
    rf"(?:[A-Z]{{0,3}}[{_SIGNS}]|EUR|USD|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|"
    r"TRY|RUB|KRW|Rs\.?|Fr\.|kr)"
)
_NUMBER = re.compile(
    rf"(?P<open>\()?(?P<sign>[-+−]?) ?(?P<before>{_CURRENCY}?) ?(?P<inner>[-+−]?) ?"
    r"(?P<body>[0-9](?:[0-9.,' ]*[0-9.,])?|[.,][0-9]+)(?P<power>[eE][-+]?[0-9]+)?"
    rf" ?(?P<after>(?:[^\W\d_]|[%‰°{_SIGNS}])[^0-9()]{{0,11}}?|) ?(?P<late>[-−]?)(?P<close>\))?"
)
_INFINITE = re.compile(r"([-+]?)(?:inf|infinity)", re.IGNORECASE)
_WORDS = {"true": 1.0, "false": 0.0}
_GROUPED = "[1-9][0-9]{{0,2}}(?:{0}[0-9]{{3}})+"
_INDIAN = re.compile(r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}")


def is_missing(value: Any) -> bool:
    """Tell whether a value is missing: None, NaN, NaT, pandas' NA, or a string in `MISSING`."""
    if isinstance(value, str):
        return value.strip() in MISSING
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return bool(isinstance(value, float | np.floating) and value != value)


def number_parts(text: str) -> tuple[str, str, str, str] | None:
    """Split a number into sign, digits with separators, exponent and unit; None if it is not a number."""
    match = _NUMBER.fullmatch(_SPACES.sub(" ", text.strip()).replace("’", "'"))
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    signs = [sign for sign in (match["sign"], match["inner"], match["late"], match["open"]) if sign]
    units = [unit.strip() for unit in (match["before"], match["after"]) if unit]
    if len(signs) > 1 or len(units) > 1:
        return None
    sign = "" if signs in ([], ["+"]) else "-"
    return sign, match["body"], match["power"] or "", units[0] if units else ""


def digits_of(body: str, decimal: str, thousands: str) -> str | None:
    """Rewrite digits with separators as Python does; None if they do not have this format."""
    whole, _, fraction = body.partition(decimal)
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        return None
    if thousands and thousands in whole:
        grouped = re.fullmatch(_GROUPED.format(re.escape(thousands)), whole)
        if not grouped and not (thousands == "," and _INDIAN.fullmatch(whole)):
            return None
        whole = whole.replace(thousands, "")
    if not (whole + fraction) or not (whole + fraction).isdigit() or not whole.isascii():
        return None
    return f"{whole or '0'}.{fraction or '0'}"


def number_of(text: str, form: NumberFormat = PLAIN) -> float | None:
    """Read a string as a number; None if it is not a number in this format.

    The unit may be omitted. "(5)" and "5-" are -5, "true" is 1.
    """
    decimal, thousands, unit = form
    if (word := text.strip().lower()) in _WORDS:
        return _WORDS[word]
    if infinite := _INFINITE.fullmatch(word):
        return float(infinite[1] + "inf")
    parts = number_parts(text)
    if parts is None or parts[3] not in ("", unit):
        return None
    digits = digits_of(parts[1], decimal, thousands)
    return None if digits is None else float(parts[0] + digits + parts[2])


def numbers_of(values: Any, form: NumberFormat = PLAIN, name: str = "") -> Floats:
    """Read a column as floats, NaN for missing values.

    Raises
    ------
    ValueError
        Names the column and the first value that is not a number, or is infinite.
    """
    array = _column(values, name)
    numbers = array.astype(np.float64) if array.dtype.kind in "biuf" else _read(array, form, name)
    for row in np.flatnonzero(np.isinf(numbers))[:1]:
        raise ValueError(f"column '{name}', row {row}: expected a finite number, got {_shown(array[row])}")
    return numbers


def _read(array: NDArray[Any], form: NumberFormat, name: str) -> Floats:
    known: dict[str, float | None] = {}
    numbers = np.full(len(array), np.nan)
    for i, value in enumerate(array):
        if is_missing(value):
            continue
        if not isinstance(value, str):
            number = _float(value)
        elif value in known:
            number = known[value]
        else:
            unknown = value.strip().lower() in UNKNOWN
            number = known[value] = np.nan if unknown else number_of(value, form)
        if number is None:
            raise ValueError(f"column '{name}', row {i}: expected {_expected(form)}, got {_shown(value)}")
        numbers[i] = number
    return numbers


def strings_of(values: Any, name: str = "") -> NDArray[Any]:
    """Read a column as stripped strings, None for missing values."""
    array = _column(values, name)
    return np.array([None if is_missing(value) else _text(value) for value in array], dtype=object)


def classes_of(values: Any) -> NDArray[Any]:
    """Read a column as `strings_of` does, with "True" and "False" if it holds only booleans."""
    strings = strings_of(values)
    if all(text is None or text.lower() in _WORDS for text in strings):
        return np.array([None if text is None else text.capitalize() for text in strings], dtype=object)
    return strings


def codes_of(values: Any, labels: Sequence[str], name: str = "") -> Floats:
    """Read a column as positions among the labels, NaN for missing and for new values.

    A number is the label that reads as this number: 1 and 1.0 are "1", or "01".

    Raises
    ------
    ValueError
        Names the column if its values are of another kind than the labels.
    """
    array = _column(values, name)
    positions = {label: float(i) for i, label in enumerate(labels)}
    by_number = {number_of(label): float(i) for i, label in enumerate(labels)}
    codes = np.full(len(array), np.nan)
    unmatched = []
    for i, value in enumerate(array):
        if is_missing(value):
            continue
        position = positions.get(_text(value))
        if position is None and not isinstance(value, str):
            position = by_number.get(_float(value))
            unmatched += [value] if position is None else []
        codes[i] = np.nan if position is None else position
    if unmatched and np.isnan(codes).all():
        shown = ", ".join(map(repr, labels[:3])) + (", ..." if len(labels) > 3 else "")
        raise ValueError(f"column '{name}': expected categories such as {shown}, got {_shown(unmatched[0])}")
    return codes


def date_of(value: Any, style: str) -> datetime | None:
    """Read a value as date and time; None if it has neither this style nor that of ISO 8601."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            return datetime.fromisoformat(text).replace(tzinfo=None)
        except ValueError:
            return None
    try:
        return None if style == "iso" else datetime.strptime(text, style).replace(tzinfo=None)
    except ValueError:
        return None


def dates_of(values: Any, style: str, name: str = "") -> list[datetime | None]:
    """Read a column as dates, None for missing values.

    Raises
    ------
    ValueError
        Names the column and the first value that is not a date.
    """
    array = _column(values, name)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[us]").astype(object)
    known: dict[str, datetime | None] = {}
    dates: list[datetime | None] = []
    for i, value in enumerate(array):
        if is_missing(value) or (isinstance(value, str) and value.strip().lower() in UNKNOWN):
            day = None
        elif isinstance(value, str) and value in known:
            day = known[value]
        elif (day := date_of(value, style)) is None:
            expected = "a date such as 2020-01-31" if style == "iso" else f"a date written as {style}"
            raise ValueError(f"column '{name}', row {i}: expected {expected}, got {_shown(value)}")
        elif isinstance(value, str):
            known[value] = day
        dates.append(day)
    return dates


def parts_of(values: Any, form: DateFormat, name: str = "") -> Floats:
    """Split a column of dates into year, month, weekday (Monday is 0), days since the first, and hour."""
    style, first, hours = form
    start = datetime.fromisoformat(first)
    days = dates_of(values, style, name)
    parts = np.full((len(days), 5), np.nan)
    for i, day in enumerate(days):
        if day is not None:
            since = (day - start).total_seconds() / 86400
            parts[i] = day.year, day.month, day.weekday(), since, day.hour
    return parts[:, : 4 + hours]


def part_names(name: str, form: DateFormat) -> list[str]:
    """Name the columns of `parts_of`."""
    return [f"{name}_{part}" for part in ("year", "month", "weekday", "days", "hour")[: 4 + form[2]]]


def matrix_of(
    table: Any,
    names: Sequence[str],
    numbers: Mapping[str, NumberFormat],
    labels: Mapping[str, Sequence[str]],
    dates: Mapping[str, DateFormat],
) -> Floats:
    """Read the named columns of a table as one matrix of numbers; see `Columns`.

    Raises
    ------
    ValueError
        Names all columns with unexpected values.
    """
    wrong: list[str] = []
    blocks: list[Floats] = []
    for name in names:
        try:
            if name in dates:
                blocks.append(parts_of(table[name], dates[name], name))
            elif name in labels:
                blocks.append(codes_of(table[name], labels[name], name))
            else:
                blocks.append(numbers_of(table[name], numbers.get(name, PLAIN), name))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(wrong) + ".")
    return np.column_stack(blocks)


def _column(values: Any, name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"column '{name}': expected one column, got {array.ndim} dimensions")
    return array


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)  # a column of integers becomes one of floats where a value is missing
    return str(value).strip()


def _shown(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _expected(form: NumberFormat) -> str:
    decimal, thousands, unit = form
    return f"a number such as 1{thousands}234{decimal}5{' ' if unit else ''}{unit}"

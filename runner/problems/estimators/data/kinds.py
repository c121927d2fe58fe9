"""Detect for each column of a table whether it holds quantities, categories or dates.

Numbers are recognised in many formats (`runner.problems.estimators.data.spelling`), each column by its own
values. If these fit two formats, the other columns of the table decide, or the user. Unusual formats are
reported (`notes_on`); a column that cannot be read is refused, never guessed.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import numpy as np

from runner._text import counted, first_of, listed
from runner.problems.estimators.data.spelling import Dates, Numbers, Odd, dates_in, is_code, numbers_in
from runner.problems.estimators.data.tables import Column
from runner.problems.estimators.data.values import (
    PLAIN,
    UNKNOWN,
    DateFormat,
    NumberFormat,
    date_of,
    is_missing,
    number_of,
)

_MOST_LABELS: Final = 300  # each becomes a column of the matrix; more are names or free text
FEW_ROWS: Final = 20
"""Up to this many rows, each may well have a category or class of its own."""
_SHOWN: Final = 8  # columns in a note


@dataclass(frozen=True)
class Text:
    """Categories, or strings from which nothing can be learnt.

    Attributes
    ----------
    labels : tuple of str
        Sorted.
    rows : int
        Number of values.
    odd : str
        Reason why values that look like numbers or dates are not read as such; may be empty.
    """

    labels: tuple[str, ...]
    rows: int
    odd: str = ""

    @property
    def too_many(self) -> bool:
        """There are too many different values for categories, as in names, free text and quantities."""
        return len(self.labels) > _MOST_LABELS or self.nearly_all_differ

    @property
    def nearly_all_differ(self) -> bool:
        """More than half of the values differ, in more than a few rows."""
        return self.rows > FEW_ROWS and len(self.labels) > self.rows / 2

    def __str__(self) -> str:
        odd = f"; {self.odd}" if self.odd else ""
        return (
            f"{len(self.labels):,} different strings in {self.rows:,} rows, such as {self.labels[0]!r}{odd}"
        )


@dataclass(frozen=True)
class Refused:
    """A column that cannot be read; ``ambiguous`` if its decimal mark would settle that."""

    reason: str
    ambiguous: bool = False


@dataclass(frozen=True)
class Kind:
    """The content of a column, with the count of each word in it that means a missing value."""

    content: Numbers | Dates | Text | Refused
    unknown: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """Formats of columns: the parameters of `runner.problems.columns.Columns`.

    Attributes
    ----------
    names : tuple of str
        The columns that can be read.
    numbers, labels, dates : dict
        See `Columns`.
    refused : dict of str to str
        The other columns, with reasons.
    """

    names: tuple[str, ...] = ()
    numbers: Mapping[str, NumberFormat] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dates: Mapping[str, DateFormat] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def kinds_of(columns: Sequence[Column], decimal: str | None, separator: str) -> dict[str, Kind]:
    """Detect the content of each column of a table.

    Parameters
    ----------
    columns : sequence of Column
    decimal : "." or "," or None
        The decimal mark of numbers for which neither their column nor the others decide.
    separator : str
        The file's column separator; a comma makes a point the likely decimal mark.
    """
    kinds = {column.name: _kind_of(column) for column in columns}
    proven = {kind.content.decimal for kind in kinds.values() if isinstance(kind.content, Numbers)} - {""}
    for name, kind in kinds.items():
        if isinstance(kind.content, Numbers) and kind.content.other is not None:
            kinds[name] = Kind(_decided(kind.content, proven, decimal, separator), kind.unknown)
    return kinds


def _kind_of(column: Column) -> Kind:
    values = column.values
    if values.dtype != object:
        if np.isinf(values).any():
            return Kind(Refused("infinite values"))
        if not np.isfinite(values).any():
            return Kind(Refused("no value"))
        return Kind(Numbers(PLAIN, "." if column.points else ""))
    present = [value for value in values if not is_missing(value)]
    typed = next((value for value in present if not isinstance(value, str)), None)
    if not present:
        return Kind(Refused("no value"))
    if isinstance(typed, date):
        return Kind(_typed_dates(present))
    if typed is not None:
        return Kind(Refused(f"{type(typed).__name__} values, which are neither numbers nor categories"))
    strings = Counter(value.strip() for value in present)
    unknown = {text: count for text, count in strings.items() if text.lower() in UNKNOWN}
    rest = sorted(strings.keys() - unknown.keys())
    code = next(filter(is_code, rest), None)
    odd = "" if code is None else f"{code!r} begins with a zero, which a number would lose"
    for find in (numbers_in, dates_in) if rest and code is None else ():
        content = find(rest)
        if isinstance(content, Odd) and not content.refused:
            odd = content.reason
        elif content is not None:
            return Kind(Refused(content.reason) if isinstance(content, Odd) else content, unknown)
    return Kind(Text(tuple(sorted(strings)), len(present), odd))


def _typed_dates(values: Sequence[Any]) -> Dates | Refused:
    days = [date_of(value, "iso") for value in values]
    known = [day for day in days if day is not None]
    if len(known) < len(days):
        return Refused("dates among other values")
    return Dates("iso", min(known), any(day.time() != datetime.min.time() for day in known))


def _decided(
    numbers: Numbers, proven: Collection[str], decimal: str | None, separator: str
) -> Numbers | Refused:
    """Choose between two formats of numbers; refuse the column if nothing decides."""
    point, comma = numbers.form, numbers.other or numbers.form
    evidence, commas = set(proven), bool(point[1])
    if numbers.grouped and (separator == "," or not commas):
        evidence.add("." if commas else ",")  # the mark is a thousands separator
    if not proven and separator == "," and not commas:
        evidence.add(".")  # programs write numbers this way
    if decimal:
        evidence = {decimal}
    if len(evidence) == 1:
        form = point if "." in evidence else comma
        return Numbers(form, example="" if form == PLAIN else numbers.example)
    values = (number_of(numbers.example, form) for form in (point, comma))
    both = " or ".join(f"{value:.12g}" for value in values if value is not None)
    return Refused(f"{numbers.example!r} may be {both}", ambiguous=True)


def reading_of(kinds: Mapping[str, Kind], prepare: bool) -> Reading:
    """Decide how each feature is read; with ``prepare``, text as categories and dates as their parts."""
    numbers: dict[str, NumberFormat] = {}
    labels: dict[str, tuple[str, ...]] = {}
    dates: dict[str, DateFormat] = {}
    refused: dict[str, str] = {}
    for name, kind in kinds.items():
        content = kind.content
        if isinstance(content, Refused):
            refused[name] = content.reason
        elif isinstance(content, Numbers):
            numbers[name] = content.form
        elif not prepare:
            odd = "" if isinstance(content, Dates) else content.odd
            refused[name] = "dates" if isinstance(content, Dates) else f"text{'; ' * bool(odd)}{odd}"
        elif isinstance(content, Dates):
            first = content.first if content.hours else content.first.date()
            dates[name] = (content.style, first.isoformat(), content.hours)
        elif content.too_many:
            refused[name] = str(content)
        else:
            labels[name] = content.labels
    names = tuple(name for name in kinds if name not in refused)
    unusual = {name: form for name, form in numbers.items() if form != PLAIN}
    return Reading(names, unusual, labels, dates, refused)


def notes_on(kinds: Mapping[str, Kind]) -> Iterator[str]:
    """Describe unusual values in columns that are read."""
    numbers, unknown, spans, dates = [], [], [], []
    for name, kind in kinds.items():
        content = kind.content
        if isinstance(content, Numbers) and content.example:
            numbers.append(f"'{name}' ({content.example} is {number_of(content.example, content.form):.12g})")
        if kind.unknown:
            shown = listed(map(repr, sorted(kind.unknown)))
            unknown.append(f"'{name}' ({counted(sum(kind.unknown.values()), 'value')}: {shown})")
        if isinstance(content, Dates):
            hours = ", with hours" if content.hours else ""
            dates.append(name)
            spans.append(f"'{name}' (from {content.first:%Y-%m-%d} on{hours})")
        if isinstance(content, Text) and content.odd:
            yield f"'{name}' is read as {len(content.labels)} categories: {content.odd}."
    if numbers:
        yield f"Read as numbers: {first_of(numbers, _SHOWN)}."
    if unknown:
        yield f"Read as missing values: {first_of(unknown, _SHOWN)}."
    if dates:
        yield (
            f"Dates are read as year, month, weekday and days since the first: {first_of(spans, _SHOWN)}."
            f" To leave them out: {dropping(dates)}."
        )


def dropping(names: Collection[str]) -> str:
    """Write the key of a study file, and the option, that leave columns out."""
    plain = [name if re.fullmatch(r"[\w. -]+", name) else json.dumps(name) for name in names]
    return f"drop: [{', '.join(plain)}] (--drop {shlex.quote(comma_separated(names))})"


def comma_separated(names: Collection[str]) -> str:
    """Join names by commas, with double quotes around names that contain one."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()

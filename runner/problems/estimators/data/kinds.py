"""Find out for each column of a table whether it holds quantities, categories or dates.

Numbers are found however they are written (`runner.problems.estimators.data.spelling`), each column by its own values.
Where these can be read in two ways, the other columns of the table decide, or the user. What is not
plain is said (`notes_on`); what cannot be read is refused, and never guessed.
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
    Dated,
    Written,
    date_of,
    is_missing,
    number_of,
)

_MOST_LABELS: Final = 300
FEW_ROWS: Final = 20
"""Of fewer rows each may well have a category, or a class, of its own."""
_SHOWN: Final = 8


@dataclass(frozen=True)
class Text:
    """Categories, or strings of which nothing can be learnt.

    Attributes
    ----------
    labels : tuple of str
        Sorted.
    rows : int
        How many values there are.
    odd : str
        Why it is not read as numbers or dates, though it looks like them; may be empty.
    """

    labels: tuple[str, ...]
    rows: int
    odd: str = ""

    @property
    def names(self) -> bool:
        """There are too many different values for categories, as of names, free text and quantities."""
        return len(self.labels) > _MOST_LABELS or self.nearly_all_differ

    @property
    def nearly_all_differ(self) -> bool:
        """More than half of the values differ, of more than a few."""
        return self.rows > FEW_ROWS and len(self.labels) > self.rows / 2

    def __str__(self) -> str:
        odd = f"; {self.odd}" if self.odd else ""
        return f"{len(self.labels):,} different texts in {self.rows:,} rows, such as {self.labels[0]!r}{odd}"


@dataclass(frozen=True)
class Refused:
    """A column that cannot be read.

    Attributes
    ----------
    why : str
    open : bool
        Whether it could be read if its decimal mark were known.
    """

    why: str
    open: bool = False


@dataclass(frozen=True)
class Kind:
    """The content of a column, with the number of each word in it that means a missing value."""

    holds: Numbers | Dates | Text | Refused
    unknown: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """The way in which columns are read: the parameters of `runner.problems.columns.Columns`.

    Attributes
    ----------
    names : tuple of str
        Of the columns that can be read.
    numbers, labels, dates : dict
        See `Columns`.
    refused : dict of str to str
        Why the others cannot.
    """

    names: tuple[str, ...] = ()
    numbers: Mapping[str, Written] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dates: Mapping[str, Dated] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def kinds_of(columns: Sequence[Column], decimal: str | None, separator: str) -> dict[str, Kind]:
    """Find out what each column of a table holds.

    Parameters
    ----------
    columns : sequence of Column
    decimal : "." or "," or None
        The decimal mark of numbers for which neither their column nor the others decide.
    separator : str
        Between the columns of the file; a comma there makes a point the likely decimal mark.
    """
    found = {column.name: _kind_of(column) for column in columns}
    proven = {kind.holds.decimal for kind in found.values() if isinstance(kind.holds, Numbers)} - {""}
    for name, kind in found.items():
        if isinstance(kind.holds, Numbers) and kind.holds.other is not None:
            found[name] = Kind(_decided(kind.holds, proven, decimal, separator), kind.unknown)
    return found


def _kind_of(column: Column) -> Kind:
    values = column.values
    if values.dtype != object:
        if np.isinf(values).any():
            return Kind(Refused("infinite values"))
        if not np.isfinite(values).any():
            return Kind(Refused("no value"))
        return Kind(Numbers(PLAIN, "." if column.points else ""))
    present = [value for value in values if not is_missing(value)]
    strange = next((value for value in present if not isinstance(value, str)), None)
    if not present:
        return Kind(Refused("no value"))
    if isinstance(strange, date):
        return Kind(_typed_dates(present))
    if strange is not None:
        return Kind(Refused(f"{type(strange).__name__} values, which are neither numbers nor categories"))
    texts = Counter(value.strip() for value in present)
    unknown = {text: count for text, count in texts.items() if text.lower() in UNKNOWN}
    rest = sorted(texts.keys() - unknown.keys())
    code = next(filter(is_code, rest), None)
    odd = "" if code is None else f"{code!r} begins with a zero, which a number would lose"
    for find in (numbers_in, dates_in) if rest and code is None else ():
        holds = find(rest)
        if isinstance(holds, Odd) and not holds.refused:
            odd = holds.why
        elif holds is not None:
            return Kind(Refused(holds.why) if isinstance(holds, Odd) else holds, unknown)
    return Kind(Text(tuple(sorted(texts)), len(present), odd))


def _typed_dates(values: Sequence[Any]) -> Dates | Refused:
    days = [date_of(value, "iso") for value in values]
    known = [day for day in days if day is not None]
    if len(known) < len(days):
        return Refused("dates among other values")
    return Dates("iso", min(known), any(day.time() != datetime.min.time() for day in known))


def _decided(
    numbers: Numbers, proven: Collection[str], decimal: str | None, separator: str
) -> Numbers | Refused:
    """Choose between two ways of reading numbers; refuse them where nothing decides."""
    point, comma = numbers.written, numbers.other or numbers.written
    evidence, commas = set(proven), bool(point[1])
    if numbers.grouped and (separator == "," or not commas):
        evidence.add("." if commas else ",")  # the mark is a thousands separator
    if not proven and separator == "," and not commas:
        evidence.add(".")  # as programs write numbers
    if decimal:
        evidence = {decimal}
    if len(evidence) == 1:
        way = point if "." in evidence else comma
        return Numbers(way, example="" if way == PLAIN else numbers.example)
    values = (number_of(numbers.example, way) for way in (point, comma))
    both = " or ".join(f"{value:.12g}" for value in values if value is not None)
    return Refused(f"{numbers.example!r} may be {both}", open=True)


def reading_of(kinds: Mapping[str, Kind], prepare: bool) -> Reading:
    """Decide how the features are read, and which of them cannot be.

    Parameters
    ----------
    kinds : mapping of str to Kind
    prepare : bool
        Whether text is taken for categories, and dates for their parts.
    """
    numbers: dict[str, Written] = {}
    labels: dict[str, tuple[str, ...]] = {}
    dates: dict[str, Dated] = {}
    refused: dict[str, str] = {}
    for name, kind in kinds.items():
        holds = kind.holds
        if isinstance(holds, Refused):
            refused[name] = holds.why
        elif isinstance(holds, Numbers):
            numbers[name] = holds.written
        elif not prepare:
            odd = "" if isinstance(holds, Dates) else holds.odd
            refused[name] = "dates" if isinstance(holds, Dates) else f"text{'; ' * bool(odd)}{odd}"
        elif isinstance(holds, Dates):
            first = holds.first if holds.hours else holds.first.date()
            dates[name] = (holds.style, first.isoformat(), holds.hours)
        elif holds.names:
            refused[name] = str(holds)
        else:
            labels[name] = holds.labels
    names = tuple(name for name in kinds if name not in refused)
    local = {name: written for name, written in numbers.items() if written != PLAIN}
    return Reading(names, local, labels, dates, refused)


def notes_on(kinds: Mapping[str, Kind]) -> Iterator[str]:
    """Describe what is not plain in columns that are read, in sentences."""
    written, unknown, dated, dates = [], [], [], []
    for name, kind in kinds.items():
        holds = kind.holds
        if isinstance(holds, Numbers) and holds.example:
            written.append(f"'{name}' ({holds.example} is {number_of(holds.example, holds.written):.12g})")
        if kind.unknown:
            shown = listed(map(repr, sorted(kind.unknown)))
            unknown.append(f"'{name}' ({counted(sum(kind.unknown.values()), 'value')}: {shown})")
        if isinstance(holds, Dates):
            hours = ", with hours" if holds.hours else ""
            dates.append(name)
            dated.append(f"'{name}' (from {holds.first:%Y-%m-%d} on{hours})")
        if isinstance(holds, Text) and holds.odd:
            yield f"'{name}' is read as {len(holds.labels)} categories: {holds.odd}."
    if written:
        yield f"Read as numbers: {first_of(written, _SHOWN)}."
    if unknown:
        yield f"Taken for missing: {first_of(unknown, _SHOWN)}."
    if dated:
        yield (
            f"Dates are read as year, month, weekday and days since the first: {first_of(dated, _SHOWN)}."
            f" To leave them out: {dropping(dates)}."
        )


def dropping(names: Collection[str]) -> str:
    """Spell the key of a study file, and the option, that leave columns out."""
    plain = [name if re.fullmatch(r"[\w. -]+", name) else json.dumps(name) for name in names]
    return f"drop: [{', '.join(plain)}] (--drop {shlex.quote(comma_separated(names))})"


def comma_separated(names: Collection[str]) -> str:
    """Join names by commas, in double quotes where they have one of their own."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()

"""Read tables in CSV and Parquet files: plain numbers as numbers, everything else as strings."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner._text import first_of
from runner.errors import ProblemError
from runner.problems.estimators.data.values import MISSING

SEPARATORS = (";", "\t", "|", ",")
"""The comma is last: names and numbers contain it too."""
_BYTE_ORDERS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 1 << 16  # the sample for the separator: enough for 30 rows of 2,000 characters
_SAMPLE_ROWS = 30
_BLOCK_BYTES = 1 << 24  # decoded at once, to bound memory
_MOST_NAMES = 30  # columns in a message
_FIRST = 100  # rows checked first, as most columns are decided by them

_CODE = r"^[-+]?0[0-9]+$"
_GROUPED = r"^[-+]?(?:[1-9][0-9]{0,2}(?:\.[0-9]{3})+|[0-9]+)$"
_BOOLEAN = r"^(?i:true|false)$"


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a file.

    Attributes
    ----------
    values : numpy.ndarray
        Numbers or booleans with NaN for missing ones, or objects with None for missing ones.
    points : bool
        Whether its numbers have decimal points that cannot be thousands separators.
    """

    name: str
    values: NDArray[Any]
    points: bool = False


@dataclass(frozen=True)
class Style:
    """The format of a CSV file."""

    separator: str
    encoding: str


def read_table(path: Path) -> list[Column]:
    """Read the columns in the file's order; ProblemError if it cannot be read.

    Strings that are plain numbers, or true and false, are read as such: not those with a leading zero
    (postal codes), and not those whose points may all be thousands separators.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        if path.suffix.lower() == ".parquet":
            # Read by its handle: a path with '=' in a folder's name would gain columns from it.
            with path.open("rb") as file:
                table = parquet.read_table(file)
        else:
            table = _read_csv(path)
    except (pa.ArrowException, OSError, UnicodeError, csv.Error) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ProblemError(f"cannot be read: {reason}.", where=str(path)) from None
    # Parquet files that pandas wrote may hold row labels, which are not a feature.
    pairs = zip(table.column_names, table.columns, strict=True)
    return [_column(name, column) for name, column in pairs if not name.startswith("__index_level_")]


def _read_csv(path: Path) -> Any:
    """Read all columns as strings: `_column` decides which of them are numbers."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    style = style_of(path)
    header = next(_records(path, style), [])
    utf8 = style.encoding.startswith("utf-8")
    return arrow.read_csv(
        path,
        read_options=arrow.ReadOptions(encoding="utf8" if utf8 else style.encoding),
        parse_options=arrow.ParseOptions(delimiter=style.separator, newlines_in_values=True),
        convert_options=arrow.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            strings_can_be_null=True,
            null_values=list(MISSING),
        ),
    )


def style_of(path: Path) -> Style:
    """Detect the separator and the encoding of a CSV file.

    The separator is the one that splits the first rows into equally many fields, and into most. The
    encoding is UTF-8, or UTF-16 with a byte order mark; otherwise Windows-1252, or Latin-1 if some bytes
    are undefined there.
    """
    encoding = _encoding_of(path)
    with path.open("rb") as file:
        sample = codecs.getincrementaldecoder(encoding)("replace").decode(file.read(_SAMPLE_BYTES))
    best, most = ",", (False, 1)
    for separator in SEPARATORS:
        rows = list(islice(csv.reader(io.StringIO(sample, newline=""), delimiter=separator), _SAMPLE_ROWS))
        rows = [row for row in rows if row]
        if len(rows) > 2 and len(sample) >= _SAMPLE_BYTES:
            rows = rows[:-1]  # the last one may be incomplete
        counts = [len(row) for row in rows]
        score = (len(set(counts)) == 1 and counts[0] > 1, counts[0] if counts else 0)
        if score > most:
            best, most = separator, score
    return Style(best, encoding)


def column_names(path: Path) -> list[str]:
    """List the names in the file's header; empty if it cannot be read."""
    from pyarrow import ArrowException, parquet

    with suppress(OSError, UnicodeError, csv.Error, ArrowException, StopIteration):
        if path.suffix.lower() == ".parquet":
            return [str(name) for name in parquet.read_schema(path).names]
        return next(_records(path, style_of(path)))
    return []


def _records(path: Path, style: Style) -> Iterator[list[str]]:
    with path.open(encoding=style.encoding, newline="") as file:
        yield from csv.reader(file, delimiter=style.separator)


def _encoding_of(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
        for mark, encoding in _BYTE_ORDERS:
            if start.startswith(mark):
                return encoding
        for encoding in ("utf-8", "cp1252"):
            file.seek(0)
            decoder = codecs.getincrementaldecoder(encoding)()
            with suppress(UnicodeDecodeError):
                while block := file.read(_BLOCK_BYTES):
                    decoder.decode(block)
                decoder.decode(b"", final=True)
                return encoding
    return "latin-1"


def _column(name: str, column: Any) -> Column:
    """Turn a pyarrow column into an array; missing numbers are NaN, other missing values None."""
    from pyarrow import float64, int8, types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if types.is_boolean(kind):
        column = column.cast(int8()) if column.null_count else column
        return Column(name, np.array(column.to_numpy(), dtype=np.float64 if column.null_count else bool))
    if types.is_integer(kind) and not column.null_count:
        return Column(name, np.array(column.to_numpy(), dtype=np.int64))
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind):
        return Column(name, np.array(column.cast(float64(), safe=False).to_numpy(), dtype=np.float64))
    if types.is_string(kind) or types.is_large_string(kind):
        return _strings(name, column)
    return Column(name, np.array(column.to_pylist(), dtype=object))


def _strings(name: str, column: Any) -> Column:
    """Turn a column of strings into numbers or booleans if all values are plain ones."""
    from pyarrow import ArrowInvalid, bool_, compute, float64, int64

    if column.null_count == len(column):
        return Column(name, np.full(len(column), np.nan))
    strings = compute.utf8_trim_whitespace(column)
    if _all_are(strings, _BOOLEAN):
        return _column(name, compute.utf8_lower(strings).cast(bool_()))
    # Arrow rejects the sign of "+5" and the point of "5.".
    bare = (
        compute.replace_substring_regex(strings, r"^\+|\.$", "") if _any_is(strings, r"^\+|\.$") else strings
    )
    for kind in (int64(), float64()):
        with suppress(ArrowInvalid):
            numbers = _column(name, bare.cast(kind)).values
            pointed = kind == float64() and compute.any(compute.match_substring(strings, ".")).as_py()
            if _any_is(strings, _CODE) or (pointed and _all_are(strings, _GROUPED)):
                break
            return Column(name, numbers, points=bool(pointed))
    return Column(name, np.array(column.to_pylist(), dtype=object))


def _all_are(strings: Any, pattern: str) -> bool:
    """Tell whether all present strings match; the first of them decide most columns."""
    from pyarrow import compute

    return all(
        compute.all(compute.match_substring_regex(some, pattern)).as_py() is not False
        for some in (strings.slice(0, _FIRST), strings)
    )


def _any_is(strings: Any, pattern: str) -> bool:
    from pyarrow import compute

    return bool(compute.any(compute.match_substring_regex(strings, pattern)).as_py())


def incomplete(values: NDArray[Any]) -> bool:
    """Tell whether a value is missing or infinite."""
    if values.dtype == object:
        return any(value is None for value in values)
    return not np.isfinite(values).all()


def listed(names: Sequence[str]) -> str:
    """List at most thirty names in a message."""
    return first_of([f"'{name}'" for name in names], _MOST_NAMES)

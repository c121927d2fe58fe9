"""Tables in CSV and Parquet files: their columns, and what kind each of them is."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.errors import ProblemError
from runner.wording import first_of

Labels = tuple[str, ...] | None
"""The sorted categories of a column; None where it holds numbers."""

SEPARATORS = (",", ";", "\t")
MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA",
    "NULL", "NaN", "n/a", "nan", "null",
)  # fmt: skip
"""What stands for a missing value in a CSV file."""

_MOST_LABELS = 300
_FEW_ROWS = 20  # of fewer rows each may well have a category of its own
_MOST_NAMES = 8


def coded(columns: Mapping[str, NDArray[Any]], where: str) -> tuple[NDArray[np.float64], tuple[Labels, ...]]:
    """The columns as numbers, and the categories that the numbers of text stand for.

    Parameters
    ----------
    columns : mapping of str to array
        As `read_table` has them.
    where : str
        The file, for errors.

    Returns
    -------
    (numpy.ndarray, shape (n, p), tuple of p)
        Categories are 0, 1, ... in the order of their labels; NaN is what is missing.

    Raises
    ------
    ProblemError
        Where a column holds dates, infinite numbers, texts of which nothing can be learnt, or
        nothing at all.
    """
    found = [_coded(name, column, where) for name, column in columns.items()]
    return np.column_stack([numbers for numbers, _ in found]), tuple(labels for _, labels in found)


def _coded(name: str, column: NDArray[Any], where: str) -> tuple[NDArray[np.float64], Labels]:
    if column.dtype != object:
        numbers = column.astype(np.float64)
        if np.isinf(numbers).any():
            raise ProblemError(f"'{name}' has infinite values.", where=where, hint=_OUT.format(name))
        if np.isnan(numbers).all():
            raise ProblemError(f"'{name}' is empty.", where=where, hint=_OUT.format(name))
        return numbers, None
    present = np.array([value is not None for value in column], dtype=bool)
    strange = next((value for value in column[present] if not isinstance(value, str)), None)
    if strange is not None:
        dated = hasattr(strange, "isoformat") or hasattr(strange, "total_seconds")
        raise ProblemError(
            f"'{name}' holds {'dates or times' if dated else type(strange).__name__ + ' values'}, which are"
            " neither numbers nor categories.",
            where=where,
            hint="Write the number that is meant, such as the month or days since a date. Else: "
            + _OUT.format(name),
        )
    labels, codes = np.unique(column[present].astype(str), return_inverse=True)
    n = int(present.sum())
    if len(labels) > _MOST_LABELS or (len(labels) > n / 2 and n > _FEW_ROWS):
        raise ProblemError(
            f"'{name}' has {len(labels):,} different texts in {n:,} rows: a name or free text, of which no"
            " category can be learnt.",
            where=where,
            hint=_OUT.format(name),
        )
    numbers = np.full(len(column), np.nan)
    numbers[present] = codes
    return numbers, tuple(labels.tolist())


_OUT = "Leave it out (drop: [{0}], or --drop {0})."


def read_table(path: Path) -> list[tuple[str, NDArray[Any]]]:
    """The columns in the file's order: numbers, booleans, or objects for all else.

    Raises
    ------
    ProblemError
        Where it cannot be read.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if path.suffix.lower() == ".parquet":
            # Read by its handle: a path with '=' in a folder's name would gain columns from it.
            with path.open("rb") as file:
                table = parquet.read_table(file)
        else:
            table = csv.read_csv(
                path,
                parse_options=csv.ParseOptions(delimiter=separator_of(path)),
                convert_options=csv.ConvertOptions(strings_can_be_null=True, null_values=list(MISSING)),
            )
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        text = str(error).strip().splitlines()[0].rstrip(".")
        hint = "Save it as UTF-8." if "utf-8" in text.lower() else ""
        raise ProblemError(f"it cannot be read: {text}.", where=str(path), hint=hint) from None
    # Parquet files that pandas wrote may hold the row labels, which are no feature.
    pairs = zip(table.column_names, table.columns, strict=True)
    return [(name, _column(column)) for name, column in pairs if not name.startswith("__index_level_")]


def separator_of(path: Path) -> str:
    """What separates the columns of a CSV file: of which its header has most."""
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    return max(SEPARATORS, key=header.count)


def _column(column: Any) -> NDArray[Any]:
    """A pyarrow column as an array; missing numbers are NaN, other missing values None."""
    from pyarrow import float64, int8, types

    kind = column.type
    if types.is_boolean(kind):
        column = column.cast(int8()) if column.null_count else column
        return np.array(column.to_numpy(), dtype=np.float64 if column.null_count else bool)
    if types.is_integer(kind) and not column.null_count:
        return np.array(column.to_numpy(), dtype=np.int64)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind):
        return np.array(column.cast(float64(), safe=False).to_numpy(), dtype=np.float64)
    return np.array(column.to_pylist(), dtype=object)


def incomplete(column: NDArray[Any]) -> bool:
    """Whether a value is missing or infinite."""
    if column.dtype == object:
        return any(value is None for value in column)
    return not np.isfinite(column).all()


def listed(names: Sequence[str]) -> str:
    """Names for a sentence, at most eight of them."""
    return first_of([f"'{name}'" for name in names], _MOST_NAMES)

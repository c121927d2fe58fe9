"""Data sets of estimator problems: five built-in ones, CSV and Parquet files.

A table has one row per example, one column with the target, and numbers in all other columns; or,
if it is to be prepared (see `runner.problems.estimators.fitting`), numbers, categories and dates with
missing values. Numbers may have a local format. Unfit columns are refused with the names of all of them,
never guessed; unusual values are reported in the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runner._text import shown
from runner.errors import ProblemError, nearest, nearest_file
from runner.problems.estimators.data.fitness import refusal, target_of, unfit_target
from runner.problems.estimators.data.kinds import FEW_ROWS, Reading, kinds_of, notes_on, reading_of
from runner.problems.estimators.data.spelling import Numbers
from runner.problems.estimators.data.tables import (
    Column,
    column_names,
    incomplete,
    listed,
    read_table,
    style_of,
)
from runner.problems.estimators.data.values import PLAIN, NumberFormat, matrix_of, part_names

Labels = tuple[str, ...] | None
"""The sorted categories of a column; None for a column of numbers."""
Task = Literal["classification", "regression"]

BUILT_IN = ("breast_cancer", "diabetes", "digits", "iris", "wine")
"""Names that ``data:`` accepts; the copies in scikit-learn, read without a network."""

_SUFFIXES = (".csv", ".parquet")
_MOST_CLASSES = 50  # integers with more distinct values are read as quantities
_TARGET = "Name the target: --target COLUMN, or target: COLUMN in a study file."


@dataclass(frozen=True, eq=False)
class Data:
    """Features and target.

    Attributes
    ----------
    name : str
        Name of the built-in data set, or of the file without its suffix.
    X : numpy.ndarray, shape (n, p), float64
        Read-only.
    y : numpy.ndarray, shape (n,)
        Read-only. Integers 0, 1, ... in the order of ``classes`` if the target is text or
        boolean, else its numbers.
    feature_names : tuple of str
    task : "classification" or "regression"
        The task that the target suggests: classification for text, booleans, and integers with at most 50
        distinct values, unless more than half of them differ.
    classes : tuple of str
        The sorted values of a string or boolean target; empty for numbers.
    labels : tuple of (tuple of str or None), or None
        If it is to be prepared: for each column its categories, whose positions 0, 1, ... ``X`` holds,
        or None for a column of numbers. Missing values are NaN.
    reading : Reading or None
        Formats of the columns of a file, for reading new data by `runner.problems.columns.Columns`.
    target_format : (str, str, str)
        Format of a target of numbers in the file.
    notes : tuple of str
        Notes on unusual values: local numbers, missing values, dates, rows without a target.
    """

    name: str
    X: NDArray[np.float64]
    y: NDArray[Any]
    feature_names: tuple[str, ...]
    task: Task
    classes: tuple[str, ...] = ()
    labels: tuple[Labels, ...] | None = None
    reading: Reading | None = None
    target_format: NumberFormat = PLAIN
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for array in (self.X, self.y):
            array.flags.writeable = False


def load_data(
    data: str,
    target: str | None = None,
    folder: Path | str = ".",
    prepare: bool = False,
    drop: Sequence[str] = (),
    decimal: str | None = None,
) -> Data:
    """Load a data set by name or file; read once per process, and again if the file has changed.

    Parameters
    ----------
    data : str
        A name in `BUILT_IN`, or the path of a ``.csv`` or ``.parquet`` file. CSV: a header, columns
        separated by comma, semicolon, tab or bar, UTF-8 (or UTF-16 with its mark, or Windows-1252).
    target : str, optional
        The column to predict; needed for files, not allowed for built-in data.
    folder : Path or str
        Start of a relative path.
    prepare : bool, default False
        Read text as categories and dates as their parts, and allow missing values.
    drop : sequence of str, optional
        Columns of a file to leave out.
    decimal : "." or ",", optional
        The decimal mark of numbers that fit two formats.

    Raises
    ------
    ProblemError
        If there is no such data set, file or column, or columns are unfit; names all of them.
    """
    check_source(data, target, folder)
    if data in BUILT_IN:
        for key, value in (("drop", drop), ("decimal", decimal)):
            if value:
                message = f"applies only to files, but '{data}' is a built-in data set."
                raise ProblemError(message, where=key, hint="Leave it out.")
        return _built_in(data)
    path = Path(folder) / data
    try:
        status = path.stat()
    except OSError:
        raise ProblemError(
            "there is no such file.", where=str(path), hint=nearest_file(path, _SUFFIXES)
        ) from None
    return _file(path, str(target), prepare, tuple(drop), decimal, status.st_mtime_ns, status.st_size)


def check_source(data: object, target: object, folder: Path | str) -> None:
    """Raise ProblemError if a data set's name and target cannot be right, without reading its rows."""
    if not isinstance(data, str):
        raise ProblemError(f"expected a name or a path, got {shown(data)}.", where="data")
    if not isinstance(target, str | None):
        raise ProblemError(
            f"expected a column's name, got {shown(target)}.", where="target", hint="Put it in quotes."
        )
    if data in BUILT_IN:
        if target is not None:
            raise ProblemError(
                f"the data set '{data}' has a target of its own.", where="target", hint="Leave it out."
            )
    elif Path(data).suffix.lower() not in _SUFFIXES:
        raise ProblemError(
            f"there is no data set {shown(data)}.",
            where="data",
            hint=f"{nearest(data, BUILT_IN)} A file ends in .csv or .parquet.",
        )
    elif target is None:
        names = column_names(Path(folder) / data)
        columns = f"; its columns are {listed(names)}" if names else ""
        raise ProblemError(
            f"expected the column of {data} to predict{columns}.", where="target", hint=_TARGET
        )


@lru_cache(maxsize=8)
def _built_in(name: str) -> Data:
    from sklearn import datasets  # takes a second, and most runs do not need it

    bunch = getattr(datasets, f"load_{name}")()
    task: Task = "regression" if name == "diabetes" else "classification"
    names = tuple(str(feature) for feature in bunch.feature_names)
    X = np.array(bunch.data, dtype=np.float64)
    return Data(name, X, np.array(bunch.target), names, task)


@lru_cache(maxsize=8)
def _file(
    path: Path,
    target: str,
    prepare: bool,
    drop: tuple[str, ...],
    decimal: str | None,
    mtime: int,
    size: int,
) -> Data:
    del mtime, size  # a changed file is another entry of the cache
    where = str(path)
    columns = _named(read_table(path), target, drop, where)
    style = style_of(path) if path.suffix.lower() == ".csv" else None
    kinds = kinds_of(list(columns.values()), decimal, style.separator if style else "")
    target_kind, values = kinds.pop(target), columns.pop(target).values
    reading = reading_of(kinds, prepare)
    refused = dict(reading.refused)
    if not prepare:
        gaps = (name for name in reading.names if kinds[name].unknown or incomplete(columns[name].values))
        refused |= dict.fromkeys(gaps, "missing values")
    refused = {name: refused[name] for name in columns if name in refused}
    if (unfit := unfit_target(target, target_kind)) or refused:
        raise refusal(unfit, refused, [target_kind, *(kinds[name] for name in refused)], prepare, where)
    y, classes, known = target_of(values, target_kind)
    table = {name: columns[name].values[known] for name in reading.names}
    names = [part_names(name, reading.dates[name]) if name in reading.dates else [name] for name in table]
    notes = list(notes_on({target: target_kind} | {name: kinds[name] for name in table}))
    if lost := len(known) - int(known.sum()):
        notes.append(f"{lost:,} of {len(known):,} rows have no value of '{target}' and are left out.")
    if style is not None and not style.encoding.startswith("utf"):
        notes.append("The file is not UTF-8 and is read as Windows-1252 (Latin-1).")
    return Data(
        path.stem,
        matrix_of(table, reading.names, reading.numbers, reading.labels, reading.dates),
        y,
        tuple(part for parts in names for part in parts),
        _task(y, classes),
        classes,
        tuple(reading.labels.get(part) for parts in names for part in parts) if prepare else None,
        reading,
        target_kind.content.form if isinstance(target_kind.content, Numbers) else PLAIN,
        tuple(notes),
    )


def _named(table: Sequence[Column], target: str, drop: Sequence[str], where: str) -> dict[str, Column]:
    """Index the columns by name without those to leave out; ProblemError for bad names."""
    names = [column.name for column in table]
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise ProblemError(f"duplicate column name {listed(duplicates)}.", where=where)
    if target not in names:
        near = nearest(target, names) if len(names) > 1 else ""
        raise ProblemError(
            f"there is no column '{target}'; the columns are {listed(names)}.",
            where=where,
            hint=f"{near} {_TARGET}" if near.startswith("Did") else _TARGET,
        )
    if nameless := [i + 1 for i, name in enumerate(names) if not name.strip()]:
        raise ProblemError(
            f"column {nameless[0]} has no name; it may hold row labels, which are not a feature.",
            where=where,
            hint="Leave the column out (pandas: index=False), or name it.",
        )
    if target in drop:
        raise ProblemError(f"'{target}' is the target.", where=f"{where}: drop", hint="Keep it.")
    if unknown := [name for name in drop if name not in names]:
        what = "there is no column" if len(unknown) == 1 else "there are no columns"
        hint = nearest(unknown[0], names)
        raise ProblemError(f"{what} {listed(unknown)}.", where=f"{where}: drop", hint=hint)
    columns = {column.name: column for column in table if column.name not in drop}
    if len(columns) < 2:
        raise ProblemError(f"there is no column besides the target '{target}'.", where=where)
    if not len(columns[target].values):
        raise ProblemError("the table has no rows.", where=where)
    return columns


def _task(y: NDArray[Any], classes: tuple[str, ...]) -> Task:
    if classes:
        return "classification"
    values = len(np.unique(y))
    few = values <= _MOST_CLASSES and not (len(y) > FEW_ROWS and values > len(y) / 2)
    return "classification" if few and bool((y == np.floor(y)).all()) else "regression"

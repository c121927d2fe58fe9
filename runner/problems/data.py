"""Data sets of estimator problems: five built-in ones, CSV and Parquet files.

A table has one row per example, one column with the target, and numbers in all other columns; or,
where it is to be prepared (see `runner.problems.fitting`), numbers and categories, of which some
are missing. What does not fit is refused with the names of the columns, and never guessed away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runner.errors import ProblemError, nearest, nearest_file
from runner.problems.tables import Labels, coded, incomplete, listed, read_table
from runner.wording import shown

Task = Literal["classification", "regression"]

BUILT_IN = ("breast_cancer", "diabetes", "digits", "iris", "wine")
"""What ``data:`` may name; the copies in scikit-learn, read without a network."""

_SUFFIXES = (".csv", ".parquet")
_MOST_CLASSES = 50  # whole numbers with more distinct values are taken as quantities


@dataclass(frozen=True, eq=False)
class Data:
    """Features and target.

    Attributes
    ----------
    name : str
        Of the built-in data set, or the file's name without its suffix.
    X : numpy.ndarray, shape (n, p), float64
        Read-only.
    y : numpy.ndarray, shape (n,)
        Read-only. Integers 0, 1, ... in the order of ``classes`` where the target was text or
        boolean, else the numbers as they were.
    feature_names : tuple of str
    task : "classification" or "regression"
        What the target suggests: classes for text, booleans, and whole numbers with at most 50
        distinct values.
    classes : tuple of str
        The sorted values of a text or boolean target; empty for numbers.
    labels : tuple of (tuple of str or None), or None
        Where it is to be prepared: for each column its categories, of which ``X`` has the numbers
        0, 1, ..., or None for a column of numbers. NaN is what is missing.
    """

    name: str
    X: NDArray[np.float64]
    y: NDArray[Any]
    feature_names: tuple[str, ...]
    task: Task
    classes: tuple[str, ...] = ()
    labels: tuple[Labels, ...] | None = None

    def __post_init__(self) -> None:
        for array in (self.X, self.y):
            array.flags.writeable = False


def load_data(
    data: str,
    target: str | None = None,
    folder: Path | str = ".",
    prepare: bool = False,
    drop: Sequence[str] = (),
) -> Data:
    """A data set by name or file; read once per process, and again where the file has changed.

    Parameters
    ----------
    data : str
        A name in `BUILT_IN`, or the path of a ``.csv`` or ``.parquet`` file. CSV: UTF-8, a header,
        separated by comma, semicolon or tab (of which the header has most).
    target : str, optional
        The column to predict; needed for files, not allowed for built-in data.
    folder : Path or str
        Where a relative path starts.
    prepare : bool, default False
        Whether text is taken for categories, and values may be missing.
    drop : sequence of str, optional
        Columns of a file that are left out.

    Raises
    ------
    ProblemError
        Where there is no such data set, file or column, a feature is no number, or a value is
        missing; names the columns.
    """
    check_source(data, target)
    if data in BUILT_IN:
        if drop:
            raise ProblemError(f"'{data}' has no columns to leave out.", where="drop", hint="Leave it out.")
        return _built_in(data)
    path = Path(folder) / data
    try:
        status = path.stat()
    except OSError:
        raise ProblemError(
            "there is no such file.", where=str(path), hint=nearest_file(path, _SUFFIXES)
        ) from None
    return _file(path, str(target), prepare, tuple(drop), status.st_mtime_ns, status.st_size)


def check_source(data: object, target: object) -> None:
    """Raise ProblemError where a data set's name and target cannot be right, without reading it."""
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
        raise ProblemError(
            f"the file {data} needs a target.",
            where="target",
            hint="Name the column that is to be predicted.",
        )


@lru_cache(maxsize=8)
def _built_in(name: str) -> Data:
    from sklearn import datasets  # takes a second, and most runs need none of it

    bunch = getattr(datasets, f"load_{name}")()
    task: Task = "regression" if name == "diabetes" else "classification"
    names = tuple(str(feature) for feature in bunch.feature_names)
    X = np.array(bunch.data, dtype=np.float64)
    return Data(name, X, np.array(bunch.target), names, task)


@lru_cache(maxsize=8)
def _file(path: Path, target: str, prepare: bool, drop: tuple[str, ...], mtime: int, size: int) -> Data:
    del mtime, size  # a changed file is another entry of the cache
    where = str(path)
    table = read_table(path)
    names = [name for name, _ in table]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ProblemError(f"{listed(doubled)} stands twice in the header.", where=where)
    if target not in names:
        hint = nearest(target, names) if len(names) > 1 else ""
        raise ProblemError(
            f"there is no column '{target}'; there is {listed(names)}.",
            where=where,
            hint=hint if hint.startswith("Did") else "Correct 'target'.",
        )
    if nameless := [i + 1 for i, name in enumerate(names) if not name.strip()]:
        raise ProblemError(
            f"column {nameless[0]} has no name; row labels would be learnt from.",
            where=where,
            hint="Leave the column out (pandas: index=False), or name it.",
        )
    columns = dict(table)
    goal = columns.pop(target)
    for name in drop:
        if columns.pop(name, None) is None:
            what = "is the target" if name == target else "is no column"
            raise ProblemError(f"'{name}' {what}.", where=f"{where}: drop", hint=nearest(name, columns))
    if not columns:
        raise ProblemError(f"there is no column but the target '{target}'.", where=where)
    if not len(goal):
        raise ProblemError("the table has no rows.", where=where)
    X, kinds = coded(columns, where) if prepare else (_plain(columns, where), None)
    if incomplete(goal):
        raise ProblemError(
            f"the target '{target}' has missing or infinite values.",
            where=where,
            hint="Fill them in, or leave these rows out.",
        )
    classes: tuple[str, ...] = ()
    if goal.dtype.kind in "Ob":
        labels, goal = np.unique(goal.astype(str), return_inverse=True)
        classes = tuple(labels.tolist())
    return Data(path.stem, X, goal, tuple(columns), _task(goal, classes), classes, kinds)


def _plain(columns: dict[str, NDArray[Any]], where: str) -> NDArray[np.float64]:
    """The columns as they are, all of them complete numbers."""
    if strange := [name for name, column in columns.items() if column.dtype == object]:
        raise ProblemError(
            f"{listed(strange)} {'holds' if len(strange) == 1 else 'hold'} text or dates,"
            " and features must be numbers.",
            where=where,
            hint="Write prepare: true for text, a number for each date, or leave these columns out.",
        )
    if broken := [name for name, column in columns.items() if incomplete(column)]:
        raise ProblemError(
            f"{listed(broken)} {'has' if len(broken) == 1 else 'have'} missing or infinite values.",
            where=where,
            hint="Fill them in, write prepare: true, or leave these rows or columns out.",
        )
    return np.column_stack([column.astype(np.float64) for column in columns.values()])


def _task(y: NDArray[Any], classes: tuple[str, ...]) -> Task:
    if classes:
        return "classification"
    whole = bool((y == np.floor(y)).all())
    return "classification" if whole and len(np.unique(y)) <= _MOST_CLASSES else "regression"

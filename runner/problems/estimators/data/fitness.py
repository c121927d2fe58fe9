"""Refuse columns that cannot be learnt from or predicted, and read the target as classes or numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.errors import ProblemError
from runner.problems.estimators.data.kinds import Kind, Refused, Text, dropping
from runner.problems.estimators.data.spelling import Dates, Numbers
from runner.problems.estimators.data.values import PLAIN, classes_of, numbers_of

_MOST_ODD_CLASSES = 20  # more strings that look like numbers are a quantity, not classes
_EXACT = 2.0**53  # integers below it are exact as floats


class ColumnsRefused(ProblemError):
    """Columns of a file that cannot be used.

    Attributes
    ----------
    columns : tuple of str
        The columns to leave out.
    of_target : bool
        Whether the target does not fit either, so that leaving them out is not enough.
    """

    columns: tuple[str, ...] = ()
    of_target: bool = False


def unfit_target(name: str, kind: Kind) -> str:
    """Explain why a column cannot be predicted, and what to do; empty if it can."""
    content = kind.content
    if isinstance(content, Refused):
        return f"The target '{name}' cannot be predicted: {content.reason}."
    if isinstance(content, Dates):
        return (
            f"The target '{name}' holds dates. Predict a number made of it, such as the days since a date, or"
            " name another target."
        )
    odd = isinstance(content, Text) and bool(content.odd) and len(content.labels) > _MOST_ODD_CLASSES
    if isinstance(content, Text) and (odd or content.nearly_all_differ):
        return (
            f"The target '{name}' holds {content}. A class needs several rows; quantities must be numbers of"
            " one format, such as 1234.5. Correct the column, or name another target."
        )
    return ""


def refusal(
    target: str, refused: Mapping[str, str], kinds: Iterable[Kind], prepare: bool, where: str
) -> ColumnsRefused:
    """Make one error of an unfit target and all other unfit columns.

    Parameters
    ----------
    target : str
        The message of `unfit_target`, or "".
    refused : mapping of str to str
        The other columns that cannot be used, with reasons.
    kinds : iterable of Kind
        Kinds of the target and of these columns.
    prepare : bool
        Whether text, dates and missing values are allowed.
    where : str
        The file.
    """
    messages, hints = [target] if target else [], []
    if any(isinstance(kind.content, Refused) and kind.content.ambiguous for kind in kinds):
        hints.append("Set the decimal mark (decimal: '.' or decimal: ','; --decimal).")
    if refused:
        what, them = ("This column", "it") if len(refused) == 1 else (f"These {len(refused)} columns", "them")
        reasons = ", ".join(f"'{name}' ({reason})" for name, reason in refused.items())
        messages.append(f"{what} cannot be used: {reasons}.")
        prepared = "" if prepare else "Write prepare: true for text, dates and missing values. "
        hints.append(f"{prepared}Leave {them} out: {dropping(refused)}.")
    error = ColumnsRefused(" ".join(messages), where=where, hint=" ".join(hints))
    error.columns, error.of_target = tuple(refused), bool(target)
    return error


def target_of(values: NDArray[Any], kind: Kind) -> tuple[NDArray[Any], tuple[str, ...], NDArray[np.bool_]]:
    """Read the target of the rows that have one, its classes, and a mask of these rows.

    A string or boolean target becomes the classes 0, 1, ... in their sorted order.
    """
    if isinstance(kind.content, Text) or values.dtype == bool:
        strings = classes_of(values)
        known = np.array([text is not None for text in strings], dtype=bool)
        labels, y = np.unique(strings[known].astype(str), return_inverse=True)
        return y, tuple(labels.tolist()), known
    numbers = numbers_of(values, kind.content.form if isinstance(kind.content, Numbers) else PLAIN)
    known = np.isfinite(numbers)
    y = values[known] if values.dtype.kind in "iu" else numbers[known]
    if y.dtype.kind == "f" and bool((y == np.floor(y)).all()) and bool((np.abs(y) < _EXACT).all()):
        y = y.astype(np.int64)
    return y, (), known

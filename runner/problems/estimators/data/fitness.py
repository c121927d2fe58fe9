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

_MOST_ODD_CLASSES = 20
_EXACT = 2.0**53  # integers below it are exact as floats


class ColumnsRefused(ProblemError):
    """Columns of a file that cannot be used.

    Attributes
    ----------
    columns : tuple of str
        Those that can be left out.
    of_target : bool
        Whether the target does not fit either, so that it is not enough to leave them out.
    """

    columns: tuple[str, ...] = ()
    of_target: bool = False


def unfit_target(name: str, kind: Kind) -> str:
    """Explain in a sentence why a column cannot be predicted, and what to do; empty if it can."""
    holds = kind.holds
    if isinstance(holds, Refused):
        return f"The target '{name}' cannot be predicted: {holds.why}."
    if isinstance(holds, Dates):
        return (
            f"The target '{name}' holds dates. Predict a number made of it, such as the days since a date, or"
            " name another target."
        )
    odd = isinstance(holds, Text) and bool(holds.odd) and len(holds.labels) > _MOST_ODD_CLASSES
    if isinstance(holds, Text) and (odd or holds.nearly_all_differ):
        return (
            f"The target '{name}' holds {holds}. A class needs several rows; quantities must be numbers, all"
            " written in one way, such as 1234.5. Correct the column, or name another target."
        )
    return ""


def refusal(
    target: str, refused: Mapping[str, str], kinds: Iterable[Kind], prepare: bool, where: str
) -> ColumnsRefused:
    """Make one error of a target that does not fit and of all other columns that do not.

    Parameters
    ----------
    target : str
        The sentence of `unfit_target`, or "".
    refused : mapping of str to str
        Why each of the other columns cannot be used.
    kinds : iterable of Kind
        Of the target and of these columns.
    prepare : bool
        Whether text, dates and gaps are allowed.
    where : str
        The file.
    """
    sentences, hints = [target] if target else [], []
    if any(isinstance(kind.holds, Refused) and kind.holds.open for kind in kinds):
        hints.append("Say which mark is the decimal one (decimal: '.' or decimal: ','; --decimal).")
    if refused:
        what, them = ("This column", "it") if len(refused) == 1 else (f"These {len(refused)} columns", "them")
        reasons = ", ".join(f"'{name}' ({why})" for name, why in refused.items())
        sentences.append(f"{what} cannot be used: {reasons}.")
        prepared = "" if prepare else "Write prepare: true for text, dates and gaps. "
        hints.append(f"{prepared}Leave {them} out: {dropping(refused)}.")
    error = ColumnsRefused(" ".join(sentences), where=where, hint=" ".join(hints))
    error.columns, error.of_target = tuple(refused), bool(target)
    return error


def goal_of(values: NDArray[Any], kind: Kind) -> tuple[NDArray[Any], tuple[str, ...], NDArray[np.bool_]]:
    """Read the target of the rows that have one, its classes if it is text or boolean, and mark these rows.

    Classes are 0, 1, ... in their sorted order.
    """
    if isinstance(kind.holds, Text) or values.dtype == bool:
        texts = classes_of(values)
        known = np.array([text is not None for text in texts], dtype=bool)
        labels, y = np.unique(texts[known].astype(str), return_inverse=True)
        return y, tuple(labels.tolist()), known
    numbers = numbers_of(values, kind.holds.written if isinstance(kind.holds, Numbers) else PLAIN)
    known = np.isfinite(numbers)
    y = values[known] if values.dtype.kind in "iu" else numbers[known]
    if y.dtype.kind == "f" and bool((y == np.floor(y)).all()) and bool((np.abs(y) < _EXACT).all()):
        y = y.astype(np.int64)
    return y, (), known

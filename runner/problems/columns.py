"""First step of a saved pipeline: turn a table into numbers, whatever the types of its columns.

Like `runner.problems.estimators.data.values` it is copied into ``pipeline.py``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from runner.problems.estimators.data.values import DateFormat, Floats, NumberFormat, matrix_of, part_names


class Columns(TransformerMixin, BaseEstimator):
    """Transformer that reads the named columns of a table as numbers, whatever their types.

    The order of the table's columns does not matter, and other columns are ignored. Numbers may be
    strings in the format of the training data, categories may be numbers, dates may be strings.
    A missing value, or a category that did not occur in training, becomes NaN.

    Parameters
    ----------
    names : list of str
        The columns, in the order of the resulting matrix.
    numbers : dict of str to (str, str, str), optional
        Format of numbers that are not plain: decimal mark, thousands separator, unit.
    labels : dict of str to list of str, optional
        Categories of text columns; a category becomes its position.
    dates : dict of str to (str, str, bool), optional
        Format of dates, the first date, and whether hours count. A date becomes year, month,
        weekday, days since the first and optionally the hour.
    """

    def __init__(
        self,
        names: Sequence[str],
        numbers: Mapping[str, NumberFormat] | None = None,
        labels: Mapping[str, Sequence[str]] | None = None,
        dates: Mapping[str, DateFormat] | None = None,
    ) -> None:
        self.names = names
        self.numbers = numbers
        self.labels = labels
        self.dates = dates

    def fit(self, X: Any, y: Any = None) -> "Columns":
        """Do nothing: the parameters hold everything that is learnt."""
        return self

    def transform(self, X: Any) -> Floats:
        """Read the columns as one matrix.

        Raises
        ------
        ValueError
            Names every column that is missing or holds other values than in training.
        """
        columns = list(X.columns) if hasattr(X, "columns") else list(X) if isinstance(X, Mapping) else None
        if columns is None:
            raise ValueError(
                f"expected a table with named columns, such as a pandas.DataFrame, got a {type(X).__name__}."
            )
        if missing := [name for name in self.names if name not in columns]:
            raise ValueError(f"expected the columns {list(self.names)}; {missing} missing, got {columns}.")
        return matrix_of(X, self.names, self.numbers or {}, self.labels or {}, self.dates or {})

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the columns of the matrix."""
        dates = self.dates or {}
        parts = [part_names(name, dates[name]) if name in dates else [name] for name in self.names]
        return np.array([name for names in parts for name in names], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

"""Scaled training and validation rows of each fold, and of all rows against the held-out test.

20 % of the rows are held out as test; the rest is cut into folds, stratified for classification. Scaling
is learnt from the training rows of each part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from runner.problems.estimators.data.data import Data, load_data
from runner.problems.estimators.folds import split
from runner.seeds import seed_for

Array = NDArray[np.float64]

TEST_SHARE = 0.2
SYNTHETIC = "synthetic"
"""A random data set: 400 rows, 50 features, 15 of which are informative."""
COARSE_DIGITS = "coarse_digits"
"""Scikit-learn's handwritten digits at 4 x 4 pixels, each the mean of four."""
FEATURES = {
    "breast_cancer": 30,
    "diabetes": 10,
    "digits": 64,
    "iris": 4,
    "wine": 13,
    COARSE_DIGITS: 16,
    SYNTHETIC: 50,
}
CLASSES = {"breast_cancer": 2, "digits": 10, "iris": 3, "wine": 3, COARSE_DIGITS: 10, SYNTHETIC: 2}
"""Number of features and classes of each data set, so that a space is known without reading the data."""


@dataclass(frozen=True, eq=False)
class Part:
    """Training and validation rows of one fit.

    Attributes
    ----------
    X, X_val : numpy.ndarray, shape (n, p)
        Features, centred and scaled by the training rows.
    y, y_val : numpy.ndarray, shape (n,)
        Labels 0, 1, ...; or quantities, centred and scaled by the training rows.
    """

    X: Array
    y: Array
    X_val: Array
    y_val: Array


@lru_cache(maxsize=64)
def parts(name: str, folds: int, seed: int, each: bool = True) -> tuple[Part, ...]:
    """Get the folds, and last the part that is trained on all of them and scored on the test rows.

    Parameters
    ----------
    name : str
        A built-in data set of scikit-learn, `SYNTHETIC` or `COARSE_DIGITS`.
    folds : int
        At least 2.
    seed : int
        The block's seed.
    each : bool, default True
        Scale every feature to variance 1; else scale all by one number, as suits pixels.
    """
    data = read(name)
    cut, whole = split(data, data.task == "classification", folds, TEST_SHARE, seed)
    return tuple(_part(data, train, held, each) for train, held in (*cut, whole))


def _part(data: Data, train: NDArray[np.intp], held: NDArray[np.intp], each: bool) -> Part:
    mean, std = data.X[train].mean(axis=0), data.X[train].std(axis=0)
    scale = np.where(std > 0.0, std, 1.0) if each else np.sqrt((std**2).mean())
    y = data.y.astype(np.float64)
    if data.task == "regression":
        y = (y - y[train].mean()) / y[train].std()
    X, X_val = ((data.X[rows] - mean) / scale for rows in (train, held))
    return Part(X, y[train], X_val, y[held])


@lru_cache(maxsize=8)
def read(name: str) -> Data:
    """Load a data set by name; see `parts`."""
    if name == COARSE_DIGITS:
        fine = load_data("digits")
        X = fine.X.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
        return Data(name, X, fine.y.copy(), tuple(f"pixel{i}" for i in range(16)), "classification")
    if name != SYNTHETIC:
        return load_data(name)
    from sklearn.datasets import make_classification  # slow to import

    X, y = make_classification(
        400, 50, n_informative=10, n_redundant=5, flip_y=0.1, random_state=seed_for("hypergradients", name)
    )
    return Data(name, np.asarray(X, dtype=np.float64), y, tuple(f"x{i}" for i in range(50)), "classification")


@dataclass(frozen=True, eq=False)
class Stack:
    """Several parts stacked in one array each, so that all are fitted together.

    Attributes
    ----------
    X, X_val : numpy.ndarray, shape (parts, n, p + 1)
        A last column of ones; short parts are padded with rows of zeros.
    t, t_val : numpy.ndarray, shape (parts, n)
        Targets.
    P, P_val : numpy.ndarray, shape (parts, n)
        1 for a row of the data, 0 for padding.
    """

    X: Array
    t: Array
    P: Array
    X_val: Array
    t_val: Array
    P_val: Array


@lru_cache(maxsize=32)
def stacked(name: str, folds: int, seed: int) -> Stack:
    """Stack the parts of `parts`, padded to one length."""
    cut = parts(name, folds, seed)
    training = _padded([(part.X, part.y) for part in cut])
    return Stack(*training, *_padded([(part.X_val, part.y_val) for part in cut]))


def _padded(pairs: list[tuple[Array, Array]]) -> tuple[Array, Array, Array]:
    shape = len(pairs), max(len(t) for _, t in pairs)
    X, t, P = np.zeros((*shape, pairs[0][0].shape[1] + 1)), np.zeros(shape), np.zeros(shape)
    for i, (rows, targets) in enumerate(pairs):
        n = len(targets)
        X[i, :n, :-1], X[i, :n, -1], t[i, :n], P[i, :n] = rows, 1.0, targets, 1.0
    return X, t, P

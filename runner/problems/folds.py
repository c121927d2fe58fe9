"""Which rows train, which are held out, and which no fold sees."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.problems.data import Data
from runner.seeds import seed_for

Rows = NDArray[np.intp]

_MOST_TRIED_ROWS = 500


@lru_cache(maxsize=64)
def split(
    data: Data, stratify: bool, cv: int, test: float, seed: int
) -> tuple[list[tuple[Rows, Rows]], tuple[Rows, Rows]]:
    """Row numbers: the folds as (train, held out), and all rows as (all but test, test).

    Parameters
    ----------
    data : Data
    stratify : bool
        Whether every part has the classes in the same proportions.
    cv : int
        Number of folds.
    test : float
        Share of the rows in the test part, which no fold sees; 0 for none.
    seed : int
        The block's seed; the test part and the folds have streams of their own.
    """
    from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

    y = data.y
    rest, held = np.arange(len(y)), np.arange(0)
    if test:
        rest, held = train_test_split(
            rest, test_size=test, stratify=y if stratify else None, random_state=seed_for(seed, "test")
        )
    cutter = (StratifiedKFold if stratify else KFold)(cv, shuffle=True, random_state=seed_for(seed, "split"))
    folds = [(rest[train], rest[left_out]) for train, left_out in cutter.split(rest, y[rest])]
    return folds, (rest, held)


def few(rows: Rows, y: NDArray[Any]) -> Rows:
    """At most 500 of the rows, equally many of each value of y as far as there are any."""
    _, value, count = np.unique(y[rows], return_inverse=True, return_counts=True)
    turn = np.empty(len(rows), dtype=np.intp)
    turn[np.argsort(value, kind="stable")] = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    return rows[np.argsort(turn, kind="stable")[:_MOST_TRIED_ROWS]]

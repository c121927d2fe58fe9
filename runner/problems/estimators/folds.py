"""Split the rows into folds and a test part that no fold sees."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.problems.estimators.data.data import Data
from runner.seeds import rng_for, seed_for

Rows = NDArray[np.intp]

_MOST_TRIED_ROWS = 500  # enough to show an error, few enough for a quick fit; chosen, not measured


@lru_cache(maxsize=64)
def split(
    data: Data, stratify: bool, cv: int, test: float, seed: int
) -> tuple[list[tuple[Rows, Rows]], tuple[Rows, Rows]]:
    """Split row numbers into folds as (train, held out), and into (all but test, test).

    Parameters
    ----------
    data : Data
    stratify : bool
        Give every part the classes in the same proportions.
    cv : int
        Number of folds.
    test : float
        Share of the rows in the test part, which no fold sees; 0 for none.
    seed : int
        The block's seed; the test part and the folds have separate streams.
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


@lru_cache(maxsize=16)
def stages(
    data: Data, stratify: bool, cv: int, test: float, seed: int, shares: tuple[float, ...]
) -> list[list[tuple[Rows, Rows]]]:
    """Cut the folds of `split` to each share of their training rows.

    Every stage of a fold contains the previous one. They depend on the seed, so that all configs of
    a block meet the same rows, and preserve the fold's order of rows: a share of 1 is the fold itself.

    Parameters
    ----------
    data, stratify, cv, test, seed
        As in `split`; if stratified, the classes have their proportions in each stage, and
        every class is in the first one as far as there is room.
    shares : tuple of float
        Growing, up to 1.
    """
    folds, _ = split(data, stratify, cv, test, seed)
    cut: list[list[tuple[Rows, Rows]]] = [[] for _ in shares]
    for number, (train, held) in enumerate(folds):
        order = rng_for(seed, "shares", number).permutation(len(train))
        if stratify:
            rank, size = _ranks(data.y[train][order])
            order = order[np.argsort(rank / size, kind="stable")]  # in proportion through each class
        for stage, share in zip(cut, shares, strict=True):
            stage.append((train[np.sort(order[: int(np.ceil(share * len(train)))])], held))
    return cut


def _ranks(y: NDArray[Any]) -> tuple[Rows, Rows]:
    """Count for each row the earlier rows with its value, and all rows with it."""
    _, value, count = np.unique(y, return_inverse=True, return_counts=True)
    rank = np.empty(len(y), dtype=np.intp)
    starts = np.repeat(np.cumsum(count) - count, count)
    rank[np.argsort(value, kind="stable")] = np.arange(len(y)) - starts
    return rank, count[value]


def balanced_sample(rows: Rows, y: NDArray[Any]) -> Rows:
    """Choose at most 500 rows, equally many of each value of y as far as there are any."""
    rank, _ = _ranks(y[rows])
    return rows[np.argsort(rank, kind="stable")[:_MOST_TRIED_ROWS]]

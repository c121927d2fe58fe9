"""Which rows train, which are held out, and which no fold sees."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.problems.estimators.data.data import Data
from runner.seeds import rng_for, seed_for

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


@lru_cache(maxsize=16)
def stages(
    data: Data, stratify: bool, cv: int, test: float, seed: int, shares: tuple[float, ...]
) -> list[list[tuple[Rows, Rows]]]:
    """The folds of `split`, for each share with that share of their training rows.

    Every stage of a fold holds the one before it. They come from the seed, so that all configs of
    a block meet the same rows, and keep the fold's order of rows: a share of 1 is the fold itself.

    Parameters
    ----------
    data, stratify, cv, test, seed
        As in `split`; where stratified, the classes have their proportions in each stage, and
        every class is in the first one as far as it has room.
    shares : tuple of float
        Growing, up to 1.
    """
    folds, _ = split(data, stratify, cv, test, seed)
    found: list[list[tuple[Rows, Rows]]] = [[] for _ in shares]
    for number, (train, held) in enumerate(folds):
        order = rng_for(seed, "shares", number).permutation(len(train))
        if stratify:
            order = order[np.argsort(_through_classes(data.y[train][order]), kind="stable")]
        for stage, share in zip(found, shares, strict=True):
            stage.append((train[np.sort(order[: int(np.ceil(share * len(train)))])], held))
    return found


def _through_classes(y: NDArray[Any]) -> NDArray[np.float64]:
    """For each row how much of its class comes before it: from 0 for the first of each class."""
    _, value, count = np.unique(y, return_inverse=True, return_counts=True)
    return _turns(value, count) / count[value]


def _turns(value: NDArray[np.intp], count: NDArray[np.intp]) -> Rows:
    """For each row how many rows of its value come before it."""
    turn = np.empty(len(value), dtype=np.intp)
    turn[np.argsort(value, kind="stable")] = np.arange(len(value)) - np.repeat(
        np.cumsum(count) - count, count
    )
    return turn


def few(rows: Rows, y: NDArray[Any]) -> Rows:
    """At most 500 of the rows, equally many of each value of y as far as there are any."""
    _, value, count = np.unique(y[rows], return_inverse=True, return_counts=True)
    return rows[np.argsort(_turns(value, count), kind="stable")[:_MOST_TRIED_ROWS]]

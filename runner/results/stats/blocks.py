"""The cells of a comparison as arrays: methods x seeds, problem by problem, paired by block.

A block is a problem with a seed. In it all methods saw the same function, so they are compared
within blocks. A block counts only if every method has reached the budget and some trial of any method
was valid; the number of the others is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """Values of methods in blocks.

    Attributes
    ----------
    methods, problems : tuple of str
        Only problems with a block that counts.
    values : tuple of array, each of shape (methods, seeds of the problem)
    seeds : tuple of array of int
        The seeds of each problem that count.
    planned : int
        Number of blocks, including those that do not count.
    copies : tuple of array of int, each of shape (methods, seeds of the problem)
        Equal numbers identify runs that are copies of each other, of a method that does the same with
        every seed. Copies are not evidence.
    """

    methods: tuple[str, ...]
    problems: tuple[str, ...]
    values: tuple[Floats, ...]
    seeds: tuple[NDArray[np.int64], ...]
    planned: int
    copies: tuple[NDArray[np.int64], ...]

    @property
    def count(self) -> int:
        """Number of blocks that count."""
        return sum(len(seeds) for seeds in self.seeds)

    def rest(self) -> dict[str, int]:
        """The columns ``problems`` and ``seeds`` of a statistic that rests on these blocks."""
        return {"problems": len(self.problems), "seeds": self.fewest}

    @property
    def fewest(self) -> int:
        """Number of seeds of the problem with the fewest."""
        return min((len(seeds) for seeds in self.seeds), default=0)

    def means(self) -> Floats:
        """Means over the seeds, shape (methods, problems)."""
        if not self.problems:
            return np.zeros((len(self.methods), 0))
        return np.stack([value.mean(axis=1) for value in self.values], axis=1)

    def pooled(self) -> Floats:
        """All values, shape (methods, blocks)."""
        return np.concatenate(self.values, axis=1) if self.values else np.zeros((len(self.methods), 0))

    def of(self, methods: Sequence[str]) -> Blocks:
        """Select some methods."""
        where = [self.methods.index(method) for method in methods]
        return Blocks(
            tuple(methods),
            self.problems,
            tuple(value[where] for value in self.values),
            self.seeds,
            self.planned,
            tuple(copy[where] for copy in self.copies),
        )

    @property
    def constant(self) -> NDArray[np.bool_]:
        """True for each method whose runs are copies of each other on every problem."""
        constant = np.full(len(self.methods), bool(self.problems))
        for copy in self.copies:
            constant &= (copy == copy[:, :1]).all(axis=1)
        return constant


class Layout:
    """The place of each run in the blocks; the same at every budget.

    Parameters
    ----------
    reach : pandas.DataFrame
        One row per run: method, problem, seed.
    methods, problems : sequence of str
        In the order of the blocks.
    copies : array of int, shape (runs,)
        See `copies_of`.

    Notes
    -----
    A block that lacks a method never counts: a study directory may have been extended by methods or seeds
    that were not planned with all others.
    """

    def __init__(
        self, reach: pd.DataFrame, methods: Sequence[str], problems: Sequence[str], copies: NDArray[np.int64]
    ) -> None:
        self.methods, self.problems, self._copies = tuple(methods), tuple(problems), copies
        self.size = len(reach)
        place = {method: m for m, method in enumerate(methods)}
        self.seeds: list[NDArray[np.int64]] = []
        self.runs: list[NDArray[np.intp]] = []  # methods x seeds; -1 where there is no run
        method, seed = reach["method"].to_numpy(), reach["seed"].to_numpy(dtype=np.int64)
        of_problem = reach["problem"].to_numpy()
        for problem in problems:
            rows = np.flatnonzero(of_problem == problem)
            seeds, column = np.unique(seed[rows], return_inverse=True)
            runs = np.full((len(methods), len(seeds)), -1, dtype=np.intp)
            runs[[place[name] for name in method[rows]], column] = rows
            self.seeds.append(seeds)
            self.runs.append(runs)

    @property
    def planned(self) -> int:
        """Number of blocks, including those that do not count."""
        return sum(map(len, self.seeds))

    def counts(self, reached: NDArray[np.bool_], valid: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
        """Select the seeds of each problem that count.

        Parameters
        ----------
        reached, valid : array of bool, shape (runs,)
            True if the run has reached the budget, and if it has a valid trial by then.
        """
        return [
            np.asarray((runs >= 0).all(axis=0) & reached[runs].all(axis=0) & valid[runs].any(axis=0))
            for runs in self.runs
        ]

    def used(self, reached: NDArray[np.bool_], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Select the runs whose block counts."""
        used = np.zeros(self.size, dtype=bool)
        for runs, counts in zip(self.runs, self.counts(reached, valid), strict=True):
            used[runs[:, counts]] = True
        return used

    def blocks(self, values: Floats, reached: NDArray[np.bool_], valid: NDArray[np.bool_]) -> Blocks:
        """Arrange one value per run in the blocks that count."""
        counts = self.counts(reached, valid)
        filled = [p for p, some in enumerate(counts) if some.any()]
        inside = [self.runs[p][:, counts[p]] for p in filled]
        return Blocks(
            self.methods,
            tuple(self.problems[p] for p in filled),
            tuple(values[runs] for runs in inside),
            tuple(self.seeds[p][counts[p]] for p in filled),
            self.planned,
            tuple(self._copies[runs] for runs in inside),
        )


def copies_of(trials: pd.DataFrame, runs: pd.DataFrame) -> pd.Series[int]:
    """Number the runs so that copies share a number; indexed like ``runs``.

    Runs of a method on a problem are copies if all their trials agree in number, config, status and loss:
    repeating them adds nothing.
    """
    columns = ["number", "config", "status", "loss"]
    rows = pd.util.hash_pandas_object(trials[columns], index=False)
    # A sum in wrapping arithmetic; odd multipliers by place make the order count (2^64 / golden ratio).
    place = (2 * np.arange(len(rows), dtype=np.uint64) + 1) * np.uint64(0x9E3779B97F4A7C15)
    of_run = trials["run"].to_numpy()
    start = np.r_[True, of_run[1:] != of_run[:-1]] if len(of_run) else np.zeros(0, dtype=bool)
    first = np.maximum.accumulate(np.where(start, np.arange(len(of_run)), 0)) if len(of_run) else start
    weights = place[np.arange(len(rows)) - first] if len(rows) else place
    mixed = pd.Series(rows.to_numpy() * weights).groupby(trials["run"].to_numpy()).sum()
    digest = runs["run"].map(mixed).fillna(0)
    keys = list(zip(runs["problem"], runs["method"], digest, strict=True))
    # A run without a trial is not a copy of any other.
    named = [
        key if trials_ else (*key, i)
        for i, (key, trials_) in enumerate(zip(keys, runs["trials"], strict=True))
    ]
    numbers: dict[tuple[object, ...], int] = {}
    return pd.Series([numbers.setdefault(key, len(numbers)) for key in named], index=runs.index)

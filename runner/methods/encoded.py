"""Vectorised encoding of a space: arrays of rows, and features for a model.

`Space` encodes one config; `Cube` handles arrays of rows, and `Embedding` maps them to features
whose Euclidean distances suit a kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from runner.errors import SpaceError
from runner.space import Space
from runner.space.domains import Choice, Params

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Chosen by hand, not measured.
_ENUMERATED = 2_000  # configs; about 3 times the draws that a larger space is searched with
_TABULATED = 1_024  # levels; a finer grid is treated as continuous until a row is decoded


class Embedding:
    """Map of encoded rows to points of a Euclidean space.

    A numeric coordinate is one feature, ``u - 1/2``. A categorical one is a one-hot block over
    the square root of 2, so that two categories are at distance 1 (Hamming). An inactive
    coordinate is at the origin of its block: rows in which it is inactive do not differ in it, and
    all its values are equally far. All distances are Euclidean, so the kernel is positive
    semi-definite.

    Parameters
    ----------
    categories : sequence of int
        For each coordinate the number of categories, 0 for a numeric one.

    Attributes
    ----------
    owner : ndarray of int, shape (m,)
        The coordinate of each feature.
    numeric : ndarray of int
        The numeric coordinates.
    columns : ndarray of int
        Their features, in the same order.
    """

    def __init__(self, categories: Sequence[int]) -> None:
        self.categories = tuple(categories)
        self.d = len(self.categories)
        self.owner = np.repeat(np.arange(self.d), [max(k, 1) for k in self.categories])
        self._first = np.searchsorted(self.owner, np.arange(self.d))
        self.numeric = np.flatnonzero(np.array(self.categories) == 0)
        self.columns = self._first[self.numeric]

    def __call__(self, rows: Array, active: Mask) -> Array:
        """Compute features, shape (n, m), of rows and their activity, both of shape (n, d)."""
        Z = np.zeros((len(rows), len(self.owner)))
        Z[:, self.columns] = np.where(active[:, self.numeric], rows[:, self.numeric] - 0.5, 0.0)
        for j, count in enumerate(self.categories):
            if count:
                hit = np.flatnonzero(active[:, j])
                level = np.minimum((rows[hit, j] * count).astype(np.intp), count - 1)
                Z[hit, self._first[j] + level] = math.sqrt(0.5)
        return Z


class Cube:
    """A space as arrays of rows of the unit cube.

    Rows to be proposed still pass through the space's own encoding (`canonical`).

    Attributes
    ----------
    size : float
        The number of configs; infinite also if the space cannot count them.
    numeric, continuous : ndarray of bool, shape (d,)
        Masks of the coordinates that are numbers, and of those among them without levels.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        domains = [domain for _, domain in space.dimensions]
        self.embedding = Embedding([d.levels if isinstance(d, Choice) else 0 for d in domains])
        self.numeric = np.array(self.embedding.categories) == 0
        self.continuous = np.array([domain.levels is None for domain in domains])
        self._conditional = space.conditional
        self._column = {dimension: j for j, dimension in enumerate(space.dimensions)}
        self._grids = [
            np.array([domain.encode(domain.level(i)) for i in range(domain.levels)])
            if domain.levels is not None and domain.levels <= _TABULATED
            else None
            for domain in domains
        ]
        try:
            self.size = space.size()
        except SpaceError:  # too many branches to list, and so to exhaust
            self.size = math.inf

    @cached_property
    def rows(self) -> Array | None:
        """All rows of a small finite space, shape (size, d), otherwise None."""
        if self.size > _ENUMERATED:
            return None
        return np.array([self.space.encode(self.space[i]) for i in range(int(self.size))])

    def active(self, rows: Array) -> Mask:
        """Mark the coordinates that each row uses, shape (n, d)."""
        if not self._conditional:
            return np.ones(rows.shape, dtype=bool)
        mask = np.zeros(rows.shape, dtype=bool)

        def visit(params: Params, within: NDArray[np.intp]) -> None:
            for name, domain in params:
                column = self._column[name, domain]
                mask[within, column] = True
                if isinstance(domain, Choice) and domain.conditional:
                    count = domain.levels
                    level = np.minimum((rows[within, column] * count).astype(np.intp), count - 1)
                    for i, branch in enumerate(domain.branches):
                        if branch:
                            visit(branch, within[level == i])

        visit(self.space.params, np.arange(len(rows)))
        return mask

    def snap(self, rows: Array) -> Array:
        """Move coordinates with levels to the nearest one, and inactive coordinates to 0.5."""
        snapped = np.clip(rows, 0.0, 1.0)
        for j, grid in enumerate(self._grids):
            if grid is not None:
                snapped[:, j] = grid[np.searchsorted((grid[1:] + grid[:-1]) / 2.0, snapped[:, j])]
        return np.where(self.active(snapped), snapped, 0.5)

    def features(self, rows: Array) -> Array:
        """Compute the features of snapped rows, shape (n, m)."""
        return self.embedding(rows, self.active(rows))

    def canonical(self, row: Array) -> Array:
        """Decode and encode a row."""
        return self.space.encode(self.space.decode(row))

    def allows(self, row: Array) -> bool:
        """Check that the config at a row is not forbidden."""
        return not self.space.forbid or self.space.allows(self.space.decode(row))

    def neighbours(self, row: Array) -> Array:
        """List rows, not snapped, with one coordinate changed: any other category, or an adjacent level."""
        changed: list[Array] = []
        used = self.active(row[None, :])[0]
        for j, grid in enumerate(self._grids):
            if grid is None or not used[j]:
                continue
            current = int(np.argmin(np.abs(grid - row[j])))
            others = range(len(grid)) if self.embedding.categories[j] else (current - 1, current + 1)
            for level in others:
                if level != current and 0 <= level < len(grid):
                    other = row.copy()
                    other[j] = grid[level]
                    changed.append(other)
        return np.array(changed) if changed else np.empty((0, len(row)))


@lru_cache(maxsize=64)
def cube_of(space: Space) -> Cube:
    """Return the cached cube of a space."""
    return Cube(space)

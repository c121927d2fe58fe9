"""Evenly spaced points of a numeric domain, as a domain; none of them is listed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from runner.errors import SpaceError
from runner.space.domains import Domain, Float, Int, Value, same


@dataclass(frozen=True)
class Points(Domain):
    """A number of evenly spaced values of a numeric domain (log-aware), including both bounds.

    All values of a domain with fewer; a single point is the middle. The i-th point is computed from
    i, so a hundred thousand points cost as much as two.
    """

    domain: Float | Int
    points: int

    @cached_property
    def levels(self) -> int:
        return min(self.points, self.domain.most_points)

    @property
    def most_points(self) -> int:
        return self.levels

    def point(self, index: int, count: int) -> Value:
        del count  # a subset would be another grid
        return self.level(index)

    def level(self, index: int) -> Value:
        return self.domain.point(index, self.levels)

    def index(self, value: object) -> int:
        """Return the level of a value; SpaceError if it is not one of the points."""
        if type(value) is type(self.domain.low):
            level = bisect_left(range(self.levels), value, key=cast("Any", self.level))
            if level < self.levels and same(self.level(level), value):
                return level
        raise SpaceError(
            f"expected one of the {self.levels:,} points from {self.domain.low} to {self.domain.high}, "
            f"got {value!r}."
        )

    def encode(self, value: Value) -> float:
        return (self.index(value) + 0.5) / self.levels

    def decode(self, u: float) -> Value:
        return self.level(min(max(int(u * self.levels), 0), self.levels - 1))

    def canonical(self, value: object) -> Value:
        return self.level(self.index(value))

    def describe(self) -> dict[str, object]:
        return {"choice": [self.level(i) for i in range(self.levels)]}

"""Arms: a fixed value for every category, and the unit cube of the remaining numbers.

A gradient exists in the numeric parameters only. An arm fixes every active `Choice`; its rows
hold the remaining parameters' positions in [0, 1], as `Space.encode` has them. Parameters with
levels (`Int`, a stepped `Float`) are relaxed: between two levels a row decodes to the nearer one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from runner.methods.gradient.trust_region import Vector
from runner.seeds import Shuffle, seed_for
from runner.space import Space
from runner.space.domains import Choice, Domain, Float, Int, Params, Value
from runner.trial import Config


@dataclass(frozen=True, eq=False)
class Arm:
    """The part of a space in which all categories are fixed.

    Attributes
    ----------
    key : hashable
        Unique among the arms of a space; see `arm_key`.
    base : numpy.ndarray, shape (space.d,)
        An encoded config of the arm.
    columns : numpy.ndarray of int, shape (d,)
        Columns of the arm's numeric parameters in an encoded row.
    """

    space: Space
    key: Hashable
    base: Vector
    columns: NDArray[np.intp]

    @classmethod
    def of(cls, space: Space, config: Mapping[str, Value]) -> Arm:
        """Return the arm that contains a config."""
        numeric = [not isinstance(domain, Choice) for _, domain in space.dimensions]
        columns = np.flatnonzero(space.active(config) & np.array(numeric))
        base = space.encode(config)
        base[columns] = 0.5
        return cls(space, arm_key(space.params, config), base, columns)

    @property
    def d(self) -> int:
        """The number of numeric parameters."""
        return len(self.columns)

    @cached_property
    def numeric(self) -> Params:
        """Names and domains of the numeric parameters."""
        return tuple(self.space.dimensions[column] for column in self.columns)

    @cached_property
    def stepped(self) -> tuple[int, ...]:
        """Coordinates that have levels."""
        return tuple(j for j, (_, domain) in enumerate(self.numeric) if domain.levels is not None)

    def config(self, z: Vector) -> Config:
        """Decode a row of the arm, shape (d,)."""
        row = self.base.copy()
        row[self.columns] = z
        return self.space.decode(row)

    def row(self, config: Mapping[str, Value]) -> Vector:
        """Encode a config of the arm as a row, shape (d,)."""
        return np.array([domain.encode(config[name]) for name, domain in self.numeric], dtype=np.float64)

    def gradient(self, config: Mapping[str, Value], native: Mapping[str, float] | None) -> Vector:
        """Convert a gradient in the parameters' own units to the row's, shape (d,); NaN where missing."""
        reported = native or {}
        return np.array(
            [
                reported[name] * slope(domain, config[name]) if name in reported else np.nan
                for name, domain in self.numeric
            ],
            dtype=np.float64,
        )

    def shifted(self, z: Vector, j: int, sign: int, h: float) -> Vector | None:
        """Move coordinate j of a row by h, and by at least one level; None if out of range."""
        domain = self.numeric[j][1]
        moved = z.copy()
        moved[j] += sign * h
        if not 0.0 <= moved[j] <= 1.0:
            if domain.levels is None:
                return None
            moved[j] = min(max(moved[j], 0.0), 1.0)
        if domain.levels is None:
            return moved
        level = domain.decode(moved[j])
        if level == domain.decode(z[j]):
            edge = _next_level(domain, float(z[j]), sign)
            if edge is None:
                return None
            level = edge
        moved[j] = domain.encode(level)
        return moved


def slope(domain: Domain, value: Value) -> float:
    """Differentiate a value with respect to its position in [0, 1]; levels are relaxed."""
    if not isinstance(domain, Float | Int) or not isinstance(value, int | float):
        raise TypeError(f"expected a number in a numeric domain, got {value!r} in {domain!r}")
    if domain.log:
        half = 0.5 if isinstance(domain, Int) else 0.0  # each level has an interval, also the outer ones
        return float(value * math.log((domain.high + half) / (domain.low - half)))
    if domain.levels is not None:
        return float((domain.step or 1) * domain.levels)
    return float(domain.high - domain.low)


def arm_key(params: Params, config: Mapping[str, Value]) -> tuple[tuple[str, int], ...]:
    """List the names and levels of a config's categories."""
    key: list[tuple[str, int]] = []
    for name, domain in params:
        if isinstance(domain, Choice):
            level = domain.index(config[name])
            key.append((name, level))
            key.extend(arm_key(domain.branches[level], config))
    return tuple(key)


@lru_cache(maxsize=64)
def arms(space: Space, most: int, entropy: int) -> tuple[Arm, ...]:
    """List the arms of a space, or draw that many of them if there are more.

    Parameters
    ----------
    most : int
        At least 1.
    entropy : int
        Seed of the draw and of the order of drawn arms.

    Raises
    ------
    SpaceError
        If the conditional parameters make more than 10,000 branches, or everything is forbidden.
    """
    count = arm_count(space)
    order: Sequence[int] | Shuffle = range(count)
    if count > most:
        order = Shuffle(count, seed_for(entropy, "arms", bits=128))
    candidates = (_arm(space, order[i]) for i in range(count))
    return tuple(itertools.islice((arm for arm in candidates if arm is not None), most))


def arm_count(space: Space) -> int:
    """Count the combinations of the categories, including forbidden ones."""
    return sum(math.prod(levels) for levels, _ in _products(space))


@lru_cache(maxsize=64)
def _products(
    space: Space,
) -> tuple[tuple[tuple[int, ...], tuple[tuple[str, Domain, tuple[int, ...]], ...]], ...]:
    """For each branch of the conditions, list the numbers of levels of its categories, and its parameters."""
    products = []
    for branch in Space(dict(space.params)).branches:
        parts = tuple(
            (name, domain, tuple(levels) if isinstance(domain, Choice) and levels is not None else ())
            for name, domain, levels in branch.factors
        )
        products.append((tuple(len(levels) for _, _, levels in parts if levels), parts))
    return tuple(products)


def _arm(space: Space, index: int) -> Arm | None:
    """Return the arm of an index in mixed radix; None if its categories are forbidden."""
    for sizes, parts in _products(space):
        size = math.prod(sizes)
        if index >= size:
            index -= size
            continue
        config: Config = {}
        for name, domain, levels in reversed(parts):
            if levels:
                index, digit = divmod(index, len(levels))
                config[name] = domain.level(levels[digit])
        if not space.allows(config):  # forbidden without numbers means forbidden with any numbers
            return None
        return Arm.of(
            space, config | {name: domain.decode(0.5) for name, domain, levels in parts if not levels}
        )
    raise IndexError("past the last arm")


def _next_level(domain: Domain, z: float, sign: int) -> Value | None:
    """Return the value one level up or down from a position, or None if out of range."""
    if isinstance(domain, Int):
        value = domain.decode(z) + sign * (domain.step or 1)
        return value if domain.low <= value <= domain.high else None
    if isinstance(domain, Float) and domain.levels is not None:
        at = min(int(z * domain.levels), domain.levels - 1) + sign
        return domain.level(at) if 0 <= at < domain.levels else None
    raise TypeError(f"{domain!r} has no levels")

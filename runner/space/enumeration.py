"""A finite space as a sequence: disjoint products, indexed in mixed radix.

Conditions and forbidden combinations split a space into *branches*, each a plain product of
parameters with their allowed levels. A branch computes its i-th config from i, so nothing is
listed and 10**18 configs cost as much as ten.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runner.errors import SpaceError, nearest
from runner.space.domains import Choice, Domain, Params, Value, typed

Config = dict[str, Value]
Clause = tuple[tuple[str, tuple[Value, ...]], ...]
Known = dict[tuple[str, Domain], list[int]]
Factors = tuple[tuple[str, Domain, Sequence[int] | None], ...]

_MAX_BRANCHES = 10_000  # chosen by hand to bound the time and memory that listing them takes


@dataclass(frozen=True)
class Branch:
    """A part of a space that is a product of parameters with their allowed levels.

    Attributes
    ----------
    factors : tuple of (name, domain, levels)
        ``levels`` are the allowed level indices, or None for a continuous domain.
    """

    factors: Factors

    @cached_property
    def size(self) -> float:
        """Number of configs: an int, or ``math.inf``."""
        levels = [levels for _, _, levels in self.factors]
        if any(part is not None and not part for part in levels):
            return 0
        return math.inf if None in levels else math.prod(len(part) for part in levels if part is not None)

    def config(self, index: int) -> Config:
        """Return the config of an index; the last parameter changes fastest."""
        config: Config = {}
        for name, domain, levels in reversed(self.factors):
            if levels is None:
                raise TypeError("a branch with a continuous parameter cannot be indexed")
            index, digit = divmod(index, len(levels))
            config[name] = domain.level(levels[digit])
        return dict(reversed(config.items()))


def read_clause(clause: Mapping[str, object], dimensions: Params, where: str) -> Clause:
    """Convert a forbidden combination to canonical values.

    Parameters
    ----------
    clause : mapping of str to value or list of values
    dimensions : tuple of (name, domain)
        Every parameter of the space.
    where : str
        Location for error messages.

    Raises
    ------
    SpaceError
        If a parameter or a value is not in the space, or a parameter is continuous.
    """
    if not isinstance(clause, Mapping) or not clause:
        raise SpaceError(f"expected a mapping of parameters to values, got {clause!r}.", where=where)
    parts = []
    for name, given in clause.items():
        domains = [domain for n, domain in dimensions if n == name]
        if not domains:
            hint = nearest(str(name), {n for n, _ in dimensions})
            raise SpaceError(f"unknown parameter '{name}'.", where=where, hint=hint)
        if any(domain.levels is None for domain in domains):
            raise SpaceError(
                f"values of '{name}' cannot be forbidden: it is continuous.",
                where=where,
                hint="Give it a step.",
            )
        values = given if isinstance(given, list | tuple) else [given]
        if not values:
            raise SpaceError(f"expected at least one value of '{name}', got none.", where=where)
        for value in values:
            if not has_value(dimensions, name, value):
                raise SpaceError(f"'{name}' never has the value {value!r}.", where=where)
        # The canonical value may differ between sibling branches: 1 in an Int, 1.0 in a Float.
        canonical = [domain.canonical(v) for v in values for domain in domains if _contains(domain, v)]
        parts.append((name, tuple({typed(value): value for value in canonical}.values())))
    return tuple(parts)


def has_value(dimensions: Params, name: str, value: object) -> bool:
    """Check that some parameter of a name can have a value."""
    return any(n == name and _contains(domain, value) for n, domain in dimensions)


def split(params: Params, forbid: Sequence[Clause]) -> tuple[Branch, ...]:
    """Split a space into disjoint branches; none is empty, and there is none if everything is forbidden.

    Parameters
    ----------
    params : tuple of (name, domain)
    forbid : sequence of clauses
        Parameters with the canonical values that are forbidden together.

    Raises
    ------
    SpaceError
        If conditions and forbidden combinations make more than 10,000 branches.
    """
    branches = list(_expand(params))
    for clause in forbid:
        known: Known = {}
        branches = [part for branch in branches for part in _without(branch, clause, known)]
        if len(branches) > _MAX_BRANCHES:
            raise SpaceError(
                f"the forbidden combinations split the space into more than {_MAX_BRANCHES:,} parts.",
                where="forbid",
                hint="Use random or tpe, which need no list.",
            )
    return tuple(branches)


def _expand(params: Params) -> Iterator[Branch]:
    """Expand the conditional branches of a parameter list to products."""
    partial: list[Factors] = [()]
    tails: list[Factors]
    for name, domain in params:
        if isinstance(domain, Choice) and domain.conditional:
            plain = [i for i, branch in enumerate(domain.branches) if not branch]
            tails = [((name, domain, plain),)] if plain else []
            tails += [
                ((name, domain, [i]), *sub.factors)
                for i, branch in enumerate(domain.branches)
                if branch
                for sub in _expand(branch)
            ]
        else:
            tails = [((name, domain, None if domain.levels is None else range(domain.levels)),)]
        if len(partial) * len(tails) > _MAX_BRANCHES:
            raise SpaceError(
                f"the conditional parameters make more than {_MAX_BRANCHES:,} branches, too many to list.",
                hint="Use random or tpe, which need no list.",
            )
        partial = [(*head, *tail) for head in partial for tail in tails]
    yield from map(Branch, partial)


def _without(branch: Branch, clause: Clause, known: Known) -> list[Branch]:
    """Remove a clause's configs from a branch, leaving disjoint branches; ``known`` caches its levels."""
    names = [name for name, _, _ in branch.factors]
    if any(name not in names for name, _ in clause):
        return [branch]
    parts, factors = [], list(branch.factors)
    for name, values in clause:
        position = names.index(name)
        _, domain, levels = factors[position]
        if levels is None:
            raise TypeError("a continuous parameter has no levels to forbid")
        if (name, domain) not in known:
            known[name, domain] = sorted({domain.index(v) for v in values if _contains(domain, v)})
        hit = [level for level in known[name, domain] if level in levels]
        # Configs that differ in this parameter stay; the others are split by the next one.
        if len(hit) < len(levels):
            rest = _less(levels, hit)
            parts.append(Branch((*factors[:position], (name, domain, rest), *factors[position + 1 :])))
        if not hit:
            break
        factors[position] = (name, domain, hit)
    return parts


def _less(levels: Sequence[int], hit: Sequence[int]) -> Sequence[int]:
    """Remove some levels."""
    if isinstance(levels, range):
        return _Rest(len(levels), tuple(hit)) if hit else levels
    if isinstance(levels, _Rest):
        return _Rest(levels.whole, tuple(sorted({*levels.without, *hit})))
    return [level for level in levels if level not in hit]


class _Rest(Sequence[int]):
    """A range from 0 without a few numbers, of which only those few are stored."""

    def __init__(self, whole: int, without: tuple[int, ...]) -> None:
        self.whole = whole
        self.without = without
        self._before = [level - i for i, level in enumerate(without)]  # number of levels left below each

    def __len__(self) -> int:
        return self.whole - len(self.without)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return index + bisect_right(self._before, index)

    def __contains__(self, level: object) -> bool:
        return isinstance(level, int) and 0 <= level < self.whole and level not in self.without


def _contains(domain: Domain, value: object) -> bool:
    try:
        domain.canonical(value)
    except SpaceError:
        return False
    return True

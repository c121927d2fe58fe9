"""A finite space as a sequence: disjoint products, walked by mixed radix.

Conditions and forbidden combinations cut a space into *branches*, each a plain product of
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

_MOST_BRANCHES = 10_000


@dataclass(frozen=True)
class Branch:
    """A product part of a space: these parameters, each with these levels.

    Attributes
    ----------
    factors : tuple of (name, domain, levels)
        ``levels`` are the allowed level indices, or None for a continuous domain.
    """

    factors: Factors

    @cached_property
    def size(self) -> float:
        """How many configs: an int, or ``math.inf``."""
        levels = [levels for _, _, levels in self.factors]
        if any(part is not None and not part for part in levels):
            return 0
        return math.inf if None in levels else math.prod(len(part) for part in levels if part is not None)

    def config(self, index: int) -> Config:
        """The config of that index; the last parameter turns fastest."""
        config: Config = {}
        for name, domain, levels in reversed(self.factors):
            if levels is None:
                raise TypeError("a branch with a continuous parameter cannot be indexed")
            index, digit = divmod(index, len(levels))
            config[name] = domain.level(levels[digit])
        return dict(reversed(config.items()))


def read_clause(clause: Mapping[str, object], dimensions: Params, where: str) -> Clause:
    """A forbidden combination with its values as the domains write them.

    Parameters
    ----------
    clause : mapping of str to value or list of values
    dimensions : tuple of (name, domain)
        Every parameter of the space.
    where : str
        What errors call this place.

    Raises
    ------
    SpaceError
        Where a parameter or a value is not in the space, or a parameter is continuous.
    """
    if not isinstance(clause, Mapping) or not clause:
        raise SpaceError(f"a mapping of parameters to values was expected, got {clause!r}.", where=where)
    parts = []
    for name, given in clause.items():
        domains = [domain for n, domain in dimensions if n == name]
        if not domains:
            hint = nearest(str(name), {n for n, _ in dimensions})
            raise SpaceError(f"there is no parameter '{name}'.", where=where, hint=hint)
        if any(domain.levels is None for domain in domains):
            raise SpaceError(
                f"'{name}' is continuous; only parameters with finitely many values can be forbidden one.",
                where=where,
                hint="Give it a step.",
            )
        values = given if isinstance(given, list | tuple) else [given]
        if not values:
            raise SpaceError(f"no value of '{name}' is given.", where=where)
        for value in values:
            if not meets(dimensions, name, value):
                raise SpaceError(f"'{name}' never has the value {value!r}.", where=where)
        # Sibling branches may write one value in two ways: 1 in an Int, 1.0 in a Float.
        written = [domain.canonical(v) for v in values for domain in domains if _contains(domain, v)]
        parts.append((name, tuple({typed(value): value for value in written}.values())))
    return tuple(parts)


def meets(dimensions: Params, name: str, value: object) -> bool:
    """Whether a parameter of that name may have the value."""
    return any(n == name and _contains(domain, value) for n, domain in dimensions)


def cut(params: Params, forbid: Sequence[Clause]) -> tuple[Branch, ...]:
    """A space as disjoint branches, none of them empty; no branch where everything is forbidden.

    Parameters
    ----------
    params : tuple of (name, domain)
    forbid : sequence of clauses
        Each names parameters with the values (as their domains write them) that are forbidden
        together.

    Raises
    ------
    SpaceError
        Where conditions and forbidden combinations make more than 10,000 branches.
    """
    found = list(_expand(params))
    for clause in forbid:
        known: Known = {}
        found = [part for branch in found for part in _without(branch, clause, known)]
        if len(found) > _MOST_BRANCHES:
            raise SpaceError(
                f"the forbidden combinations cut the space into more than {_MOST_BRANCHES:,} parts.",
                where="forbid",
                hint="Use random or tpe, which need no list.",
            )
    return tuple(found)


def _expand(params: Params) -> Iterator[Branch]:
    """The conditional branches of a parameter list, as products."""
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
        if len(partial) * len(tails) > _MOST_BRANCHES:
            raise SpaceError(
                f"the conditional parameters make more than {_MOST_BRANCHES:,} branches, too many to list.",
                hint="Use random or tpe, which need no list.",
            )
        partial = [(*head, *tail) for head in partial for tail in tails]
    yield from map(Branch, partial)


def _without(branch: Branch, clause: Clause, known: Known) -> list[Branch]:
    """The branch less what a clause forbids, as disjoint branches; levels that it forbids are kept."""
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
        # What differs in this parameter stays; what agrees goes on to the next.
        if len(hit) < len(levels):
            rest = _less(levels, hit)
            parts.append(Branch((*factors[:position], (name, domain, rest), *factors[position + 1 :])))
        if not hit:
            break
        factors[position] = (name, domain, hit)
    return parts


def _less(levels: Sequence[int], hit: Sequence[int]) -> Sequence[int]:
    """The levels without some of them."""
    if isinstance(levels, range):
        return _Rest(len(levels), tuple(hit)) if hit else levels
    if isinstance(levels, _Rest):
        return _Rest(levels.whole, tuple(sorted({*levels.without, *hit})))
    return [level for level in levels if level not in hit]


class _Rest(Sequence[int]):
    """The numbers from 0 on without a few, of which only these few are listed."""

    def __init__(self, whole: int, without: tuple[int, ...]) -> None:
        self.whole = whole
        self.without = without
        self._before = [level - i for i, level in enumerate(without)]  # how many levels are left below each

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

"""A space: named domains, conditional sub-spaces, forbidden combinations.

A config is a flat dict of Python scalars that holds the active parameters only. `Space.encode`
maps it to a row of [0, 1]^d and `Space.decode` back; d counts every parameter of every branch
once, and parameters of sibling branches with equal name and domain share one coordinate. The
coordinate of an inactive parameter is encoded as 0.5 (`Space.active` tells which they are).

A finite space is a sequence of configs: it is cut into disjoint *branches* (products without
conditions or forbidden parts), and ``space[i]`` walks them by mixed radix, so nothing is listed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from runner.domains import Choice, Domain, Float, Int, Params, Value, same
from runner.errors import SpaceError, nearest

__all__ = ["Branch", "Choice", "Domain", "Float", "Int", "Space"]

Config = dict[str, Value]
Factors = tuple[tuple[str, Domain, Sequence[int] | None], ...]
_MOST_BRANCHES = 10_000
_MOST_FORBIDDEN_LEVELS = 100_000
_SAMPLE_TRIES = 10_000


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
        if any(levels is None for _, _, levels in self.factors):
            return math.inf
        return math.prod(len(levels) for _, _, levels in self.factors if levels is not None)

    def config(self, index: int) -> Config:
        """The config of that index; the last parameter turns fastest."""
        config: Config = {}
        for name, domain, levels in reversed(self.factors):
            if levels is None:
                raise TypeError("a branch with a continuous parameter cannot be indexed")
            index, digit = divmod(index, len(levels))
            config[name] = domain.level(levels[digit])
        return dict(reversed(config.items()))


class Space:
    """The hyper-parameters and their domains.

    Parameters
    ----------
    params : mapping of str to Domain
        In the order in which configs list them.
    forbid : sequence of mappings, optional
        Each forbids the configs in which *all* its parameters have these values (one value, or
        a list of values): ``[{"penalty": "l1", "solver": ["lbfgs", "sag"]}]``.

    Raises
    ------
    SpaceError
        Where the space is empty, a name is used twice in one config, or a forbidden
        combination names what is not there or is continuous.

    Examples
    --------
    >>> space = Space({"C": Float(1e-3, 1e3, log=True), "kernel": Choice(["linear", "rbf"])})
    >>> space.decode([0.5, 0.9])
    {'C': 1.0, 'kernel': 'rbf'}
    """

    def __init__(self, params: Mapping[str, Domain], forbid: Sequence[Mapping[str, object]] = ()) -> None:
        if not params:
            raise SpaceError("the space is empty.", hint="Give at least one parameter.")
        self.params: Params = tuple(params.items())
        _check_names(self.params)
        dimensions: dict[tuple[str, Domain], int] = {}
        for name, domain in _walk(self.params):
            dimensions.setdefault((name, domain), len(dimensions))
        self._column = dimensions
        self.dimensions: Params = tuple(dimensions)
        self.forbid = tuple(self._clause(clause, i) for i, clause in enumerate(forbid))

    @property
    def d(self) -> int:
        """The number of encoded coordinates."""
        return len(self.dimensions)

    @property
    def names(self) -> tuple[str, ...]:
        """All parameter names, of every branch, each once."""
        return tuple(dict.fromkeys(name for name, _ in self.dimensions))

    @property
    def continuous(self) -> tuple[str, ...]:
        """The names of the parameters with a continuum of values."""
        return tuple(dict.fromkeys(name for name, domain in self.dimensions if domain.levels is None))

    @property
    def conditional(self) -> bool:
        """Whether some parameter exists only where another has a certain value."""
        return any(isinstance(domain, Choice) and domain.conditional for _, domain in self.dimensions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and (self.params, self.forbid) == (other.params, other.forbid)

    def __hash__(self) -> int:
        return hash((self.params, self.forbid))

    def __repr__(self) -> str:
        return f"Space({dict(self.params)!r}, forbid={[dict(clause) for clause in self.forbid]!r})"

    # -- configs and rows -------------------------------------------------------------------

    def encode(self, config: Mapping[str, Value]) -> NDArray[np.float64]:
        """The row of a config, shape (d,); inactive coordinates are 0.5."""
        row = np.full(self.d, 0.5)
        for column, domain, value in self._active(config):
            row[column] = domain.encode(value)
        return row

    def active(self, config: Mapping[str, Value]) -> NDArray[np.bool_]:
        """Which coordinates the config uses, shape (d,)."""
        mask = np.zeros(self.d, dtype=bool)
        mask[[column for column, _, _ in self._active(config)]] = True
        return mask

    def decode(self, row: Sequence[float] | NDArray[np.float64]) -> Config:
        """The config at a row, shape (d,), of [0, 1]^d; it may be forbidden (see `allows`)."""
        config: Config = {}

        def visit(params: Params) -> None:
            for name, domain in params:
                value = domain.decode(float(row[self._column[name, domain]]))
                config[name] = value
                if isinstance(domain, Choice):
                    visit(domain.branches[domain.index(value)])

        visit(self.params)
        return config

    def canonical(self, config: Mapping[str, Value]) -> Config:
        """The config with Python scalars, in the space's order.

        Raises
        ------
        SpaceError
            Where a parameter is missing, unknown, inactive, out of its domain, or the
            combination is forbidden; the error names the parameter.
        """
        clean = {name: domain.canonical(value) for name, domain, value in self._named(config)}
        for name in config:
            if name in clean:
                continue
            if name in self.names:
                raise SpaceError(
                    "the parameter is not active in this config.", where=name, hint="Leave it out."
                )
            raise SpaceError("there is no such parameter.", where=name, hint=nearest(name, self.names))
        if not self.allows(clean):
            raise SpaceError(f"the config {clean} is a forbidden combination.")
        return clean

    def allows(self, config: Mapping[str, Value]) -> bool:
        """Whether no forbidden combination applies to a canonical config."""
        return not any(
            all(name in config and any(same(config[name], v) for v in values) for name, values in clause)
            for clause in self.forbid
        )

    def key(self, config: Mapping[str, Value]) -> Hashable:
        """What two configs have in common exactly when they are one config."""
        return tuple((name, type(value).__name__, value) for name, value in sorted(config.items()))

    def sample(self, rng: np.random.Generator) -> Config:
        """An independent draw: each active parameter uniform in its encoded coordinate."""
        return self.first_allowed(lambda: rng.random(self.d))

    def first_allowed(self, row: Callable[[], NDArray[np.float64]]) -> Config:
        """The first config of a stream of rows that is not forbidden.

        Raises
        ------
        SpaceError
            Where 10,000 rows in a row are forbidden.
        """
        for _ in range(_SAMPLE_TRIES):
            config = self.decode(row())
            if self.allows(config):
                return config
        raise SpaceError(
            f"{_SAMPLE_TRIES} draws in a row were forbidden.", where="forbid", hint="Forbid less."
        )

    def _active(self, config: Mapping[str, Value]) -> Iterator[tuple[int, Domain, Value]]:
        for name, domain, value in self._named(config):
            yield self._column[name, domain], domain, value

    def _named(self, config: Mapping[str, Value]) -> Iterator[tuple[str, Domain, Value]]:
        queue = list(reversed(self.params))
        while queue:
            name, domain = queue.pop()
            if name not in config:
                raise SpaceError(f"the config {dict(config)} lacks it.", where=name, hint="Give it a value.")
            value = config[name]
            try:
                domain.canonical(value)
                yield name, domain, value
                if isinstance(domain, Choice):
                    queue.extend(reversed(domain.branches[domain.index(value)]))
            except SpaceError as error:
                raise (error if error.where else error.at(name)) from None

    # -- finite spaces ----------------------------------------------------------------------

    @cached_property
    def branches(self) -> tuple[Branch, ...]:
        """The space as disjoint products; empty ones are left out.

        Raises
        ------
        SpaceError
            Where conditions and forbidden combinations make more than 10,000 of them, or
            everything is forbidden.
        """
        found = list(_expand(self.params))
        for clause in self.forbid:
            found = [part for branch in found for part in _without(branch, clause)]
        found = [branch for branch in found if branch.size]
        if not found:
            raise SpaceError("every config is forbidden.", where="forbid", hint="Forbid less.")
        return tuple(found)

    def size(self) -> float:
        """The number of distinct configs: an int, or ``math.inf`` with a continuous parameter."""
        return sum(branch.size for branch in self.branches)

    def __getitem__(self, index: int) -> Config:
        """The config of that index in a finite space; IndexError past the end.

        Raises
        ------
        SpaceError
            Where the space is infinite.
        """
        if self.continuous and any(branch.size == math.inf for branch in self.branches):
            raise SpaceError(f"the space is infinite: {', '.join(self.continuous)} are continuous.")
        if index < 0:
            raise IndexError(index)
        for branch in self.branches:
            if index < branch.size:
                return branch.config(index)
            index -= int(branch.size)
        raise IndexError("past the last config")

    def discretised(self, points: Mapping[str, int]) -> Space:
        """The space with the named parameters cut down to that many values each.

        Parameters
        ----------
        points : mapping of str to int
            How many values; see `Domain.spread`. Parameters not named stay as they are.
        """

        def cut(params: Params) -> dict[str, Domain]:
            result: dict[str, Domain] = {}
            for name, domain in params:
                if isinstance(domain, Choice):
                    subs = [cut(branch) for branch in domain.branches]
                    result[name] = Choice(dict(zip(domain.options, subs, strict=True)))
                else:
                    result[name] = Choice(domain.spread(points[name])) if name in points else domain
            return result

        # A forbidden value that is not among the points can no longer be met: its clause goes.
        thinned = Space(cut(self.params))
        thinned.forbid = tuple(clause for clause in map(thinned._still_met, self.forbid) if clause)
        return thinned

    def _still_met(self, clause: Clause) -> Clause:
        kept = tuple(
            (name, tuple(v for v in values if any(_contains(d, v) for n, d in self.dimensions if n == name)))
            for name, values in clause
        )
        return kept if all(values for _, values in kept) else ()

    def _clause(self, clause: Mapping[str, object], index: int) -> Clause:
        where = f"forbid[{index}]"
        if not isinstance(clause, Mapping) or not clause:
            raise SpaceError(f"a mapping of parameters to values was expected, got {clause!r}.", where=where)
        parts = []
        for name, given in clause.items():
            domains = [domain for n, domain in self.dimensions if n == name]
            if not domains:
                raise SpaceError(
                    f"there is no parameter '{name}'.", where=where, hint=nearest(name, self.names)
                )
            if any(domain.levels is None for domain in domains):
                raise SpaceError(
                    f"'{name}' is continuous; only single values can be forbidden.",
                    where=where,
                    hint="Give it a step.",
                )
            values = given if isinstance(given, list | tuple) else [given]
            for value in values:
                if not any(_contains(domain, value) for domain in domains):
                    raise SpaceError(f"'{name}' never has the value {value!r}.", where=where)
            parts.append(
                (str(name), tuple(next(d for d in domains if _contains(d, v)).canonical(v) for v in values))
            )
        return tuple(parts)


Clause = tuple[tuple[str, tuple[Value, ...]], ...]


def _contains(domain: Domain, value: object) -> bool:
    try:
        domain.canonical(value)
    except SpaceError:
        return False
    return True


def _walk(params: Params) -> Iterator[tuple[str, Domain]]:
    for name, domain in params:
        yield name, domain
        if isinstance(domain, Choice):
            for branch in domain.branches:
                yield from _walk(branch)


def _check_names(params: Params) -> frozenset[str]:
    """All names below; raises where two of them could be active together."""
    seen: set[str] = set()
    for name, domain in params:
        if not isinstance(name, str) or not name:
            raise SpaceError(f"the parameter name {name!r} is not a non-empty string.")
        if not isinstance(domain, Domain):
            raise SpaceError(f"{domain!r} is no domain; Float, Int or Choice was expected.", where=name)
        below = {name}
        if isinstance(domain, Choice):
            for branch in domain.branches:
                inside = _check_names(branch)
                if name in inside:
                    raise SpaceError("a parameter below has the same name.", where=name, hint="Rename one.")
                below |= inside
        if clash := seen & below:
            raise SpaceError(
                "the name is used twice, and both could be active in one config.",
                where=min(clash),
                hint="Rename one.",
            )
        seen |= below
    return frozenset(seen)


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
                f"the conditional parameters make more than {_MOST_BRANCHES} branches, too many to list.",
                hint="Use random or tpe, which need no list.",
            )
        partial = [(*head, *tail) for head in partial for tail in tails]
    yield from map(Branch, partial)


def _without(branch: Branch, clause: Clause) -> Iterable[Branch]:
    """The branch less what a clause forbids, as disjoint branches."""
    names = [name for name, _, _ in branch.factors]
    if any(name not in names for name, _ in clause):
        return [branch]
    parts, factors = [], list(branch.factors)
    for name, values in clause:
        position = names.index(name)
        _, domain, levels = factors[position]
        if levels is None or len(levels) > _MOST_FORBIDDEN_LEVELS:
            raise SpaceError(
                f"it has more than {_MOST_FORBIDDEN_LEVELS} values, too many to forbid some.", where=name
            )
        hit = [i for i in levels if any(same(domain.level(i), v) for v in values)]
        rest = [i for i in levels if i not in set(hit)]
        # What differs in this parameter stays; what agrees goes on to the next.
        parts.append(Branch((*factors[:position], (name, domain, rest), *factors[position + 1 :])))
        factors[position] = (name, domain, hit)
    return [part for part in parts if part.size]

"""A space: named domains, conditional sub-spaces, forbidden combinations.

A config is a flat dict of Python scalars that holds the active parameters only. `Space.encode`
maps it to a row of [0, 1]^d and `Space.decode` back; d counts every parameter of every branch
once, and parameters of sibling branches with equal name and domain share one coordinate. The
coordinate of an inactive parameter is encoded as 0.5 (see `Space.active`).

A finite space is a sequence of configs that are computed on demand: see `runner.space.enumeration`.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from runner._text import shown
from runner.errors import Faults, SpaceError, nearest
from runner.space.conditions import Node, check_names, grow
from runner.space.domains import Choice, Domain, Params, Value, typed
from runner.space.enumeration import Branch, Config, has_value, read_clause, split
from runner.space.spread import Points

_SAMPLE_TRIES = 10_000  # with 1 allowed config in 1,000, fewer than 1 in 20,000 samples fail
_T = TypeVar("_T")


class Space:
    """Hyper-parameters and their domains.

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
        If the space is empty, a name could occur twice in one config, or a forbidden combination
        has an unknown or continuous parameter or an unknown value.

    Examples
    --------
    >>> space = Space({"C": Float(1e-3, 1e3, log=True), "kernel": Choice(["linear", "rbf"])})
    >>> space.decode([0.5, 0.9])
    {'C': 1.0, 'kernel': 'rbf'}
    """

    def __init__(self, params: Mapping[str, Domain], forbid: Sequence[Mapping[str, object]] = ()) -> None:
        if not params:
            raise SpaceError("expected at least one parameter, got none.")
        self.params: Params = tuple(params.items())
        check_names(self.params)
        columns: dict[tuple[str, Domain], int] = {}
        self._tree = grow(self.params, columns)
        self.dimensions: Params = tuple(columns)
        if not isinstance(forbid, Sequence) or isinstance(forbid, str):
            raise SpaceError(
                f"expected a list of combinations, got {shown(forbid)}.",
                where="forbid",
                hint="Write [{a: 1, b: 2}].",
            )
        faults, clauses = Faults(), []
        for i, clause in enumerate(forbid):
            with faults:
                clauses.append(read_clause(clause, self.dimensions, f"forbid[{i}]"))
        faults.check()
        self.forbid = tuple(clauses)
        self._clauses = tuple(
            tuple((name, frozenset(map(typed, values))) for name, values in clause) for clause in self.forbid
        )

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
        """Names of the continuous parameters."""
        return tuple(dict.fromkeys(name for name, domain in self.dimensions if domain.levels is None))

    @property
    def conditional(self) -> bool:
        """True if some parameter exists only for certain values of another."""
        return any(isinstance(domain, Choice) and domain.conditional for _, domain in self.dimensions)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Space):
            return NotImplemented
        return self.params == other.params and self._clauses == other._clauses

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.params, self._clauses))

    def __reduce__(self) -> tuple[object, ...]:
        # Rebuilt in the receiving process, because hashes of strings differ between processes.
        return Space, (dict(self.params), [dict(clause) for clause in self.forbid])

    def __repr__(self) -> str:
        return f"Space({dict(self.params)!r}, forbid={[dict(clause) for clause in self.forbid]!r})"

    # -- configs and rows -------------------------------------------------------------------

    def encode(self, config: Mapping[str, Value]) -> NDArray[np.float64]:
        """Encode a config as a row, shape (d,); inactive coordinates are 0.5."""
        row = [0.5] * self.d
        for node, u in self._each(config, lambda domain, value: domain.encode(value)):
            row[node.column] = u
        return np.array(row)

    def active(self, config: Mapping[str, Value]) -> NDArray[np.bool_]:
        """Mark the coordinates that a config uses, shape (d,)."""
        mask = np.zeros(self.d, dtype=bool)
        for node, _ in self._each(config, lambda domain, value: domain.canonical(value)):
            mask[node.column] = True
        return mask

    def decode(self, row: Sequence[float] | NDArray[np.float64]) -> Config:
        """Decode a row of [0, 1]^d, shape (d,); the config may be forbidden (see `allows`)."""
        coordinates = np.asarray(row, dtype=np.float64).tolist()
        if len(coordinates) != self.d:
            raise ValueError(f"expected a row of {self.d} coordinates, got {len(coordinates)}")
        config: Config = {}
        stack = [*self._tree]
        while stack:
            name, domain, column, below = stack.pop()
            config[name] = value = domain.decode(coordinates[column])
            if isinstance(domain, Choice) and below:
                stack += below[domain.index(value)]
        return config

    def canonical(self, config: Mapping[str, Value]) -> Config:
        """Convert a config to Python scalars, in the space's order.

        Raises
        ------
        SpaceError
            If a parameter is missing, unknown, inactive or out of its domain, with its name; or if
            the combination is forbidden.
        """
        clean = {
            node.name: value
            for node, value in self._each(config, lambda domain, value: domain.canonical(value))
        }
        for name in config if len(config) > len(clean) else ():
            if name in clean:
                continue
            if name in self.names:
                raise SpaceError(
                    "the parameter is not active in this config.", where=name, hint="Leave it out."
                )
            raise SpaceError("unknown parameter.", where=str(name), hint=nearest(str(name), self.names))
        if not self.allows(clean):
            raise SpaceError(f"the config {clean} is a forbidden combination.")
        return clean

    def __contains__(self, config: object) -> bool:
        """Check that `canonical` accepts the config."""
        try:
            return isinstance(config, Mapping) and self.canonical(config) is not None
        except SpaceError:
            return False

    def allows(self, config: Mapping[str, Value]) -> bool:
        """Check that no forbidden combination applies to a canonical config."""
        return not any(
            all(name in config and typed(config[name]) in values for name, values in clause)
            for clause in self._clauses
        )

    def key(self, config: Mapping[str, Value]) -> Hashable:
        """Make a key that is equal for equal configs only; 1, 1.0 and True differ."""
        return tuple((name, type(value).__name__, value) for name, value in sorted(config.items()))

    def sample(self, rng: np.random.Generator) -> Config:
        """Draw a config, each active parameter uniform in its encoded coordinate.

        Raises
        ------
        SpaceError
            If 10,000 draws in succession are forbidden.
        """
        for _ in range(_SAMPLE_TRIES):
            config = self.decode(rng.random(self.d))
            if self.allows(config):
                return config
        raise SpaceError(
            f"{_SAMPLE_TRIES} draws in succession were forbidden.", where="forbid", hint="Forbid less."
        )

    def _each(
        self, config: Mapping[str, Value], read: Callable[[Domain, Value], _T]
    ) -> Iterator[tuple[Node, _T]]:
        """Yield the active parameters in order, with ``read`` applied to their values; errors name them."""
        stack = [*self._tree]
        while stack:
            node = stack.pop()
            if node.name not in config:
                raise SpaceError(f"missing in the config {dict(config)}.", where=node.name)
            value = config[node.name]
            try:
                result = read(node.domain, value)
            except SpaceError as error:
                raise error.at(node.name) from None
            if isinstance(node.domain, Choice) and node.below:
                stack += node.below[node.domain.index(value)]
            yield node, result

    # -- finite spaces ----------------------------------------------------------------------

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The space as disjoint products, none of them empty; see `runner.space.enumeration.split`."""
        branches = self._branches
        if isinstance(branches, SpaceError):
            raise SpaceError(branches.message, where=branches.where, hint=branches.hint)
        return branches

    @cached_property
    def _branches(self) -> tuple[Branch, ...] | SpaceError:
        try:
            return split(self.params, self.forbid)
        except SpaceError as error:  # cached, because it is as expensive to find again
            return error

    @cached_property
    def _ends(self) -> tuple[float, ...]:
        """The index past the last config of each branch."""
        return tuple(accumulate(branch.size for branch in self.branches))

    @cached_property
    def _size(self) -> float:
        if any(branch.size == math.inf for branch in self.branches):
            return math.inf
        return self._ends[-1] if self._ends else 0

    def size(self) -> float:
        """Count the distinct configs: an int, or ``math.inf`` with a continuous parameter.

        Raises
        ------
        SpaceError
            If the space has too many branches to count.
        """
        return self._size

    def __getitem__(self, index: int) -> Config:
        """Return the config of an index in a finite space; IndexError past the end.

        Raises
        ------
        SpaceError
            If the space is infinite.
        """
        size, index = self.size(), operator.index(index)
        if size == math.inf:
            names = ", ".join(self.continuous)
            raise SpaceError(f"expected a finite space, got continuous parameters: {names}.")
        if not 0 <= index < size:
            raise IndexError(f"index {index} is outside a space of {size} configs")
        branch = bisect_right(self._ends, index)
        return self.branches[branch].config(index - int(self._ends[branch - 1] if branch else 0))

    def discretised(self, points: Mapping[str, int]) -> Space:
        """Reduce the named parameters to that many values each; see `runner.space.spread.Points`."""
        if not any(name in points and not isinstance(domain, Choice) for name, domain in self.dimensions):
            return self

        def thin(params: Params) -> dict[str, Domain]:
            result: dict[str, Domain] = {}
            for name, domain in params:
                if isinstance(domain, Choice) and domain.conditional:
                    below = [thin(branch) for branch in domain.branches]
                    result[name] = Choice(dict(zip(domain.options, below, strict=True)))
                elif isinstance(domain, Choice) or name not in points:
                    result[name] = domain
                else:
                    result[name] = Points(domain, points[name])  # type: ignore[arg-type]
            return result

        thinned = Space(thin(self.params))
        if not self.forbid:
            return thinned
        # A clause with a forbidden value that is not among the points can no longer apply.
        clauses = [
            {
                name: [value for value in values if has_value(thinned.dimensions, name, value)]
                for name, values in clause
            }
            for clause in self.forbid
        ]
        return Space(dict(thinned.params), [clause for clause in clauses if all(clause.values())])

"""A space: named domains, conditional sub-spaces, forbidden combinations.

A config is a flat dict of Python scalars that holds the active parameters only. `Space.encode`
maps it to a row of [0, 1]^d and `Space.decode` back; d counts every parameter of every branch
once, and parameters of sibling branches with equal name and domain share one coordinate. The
coordinate of an inactive parameter is encoded as 0.5 (`Space.active` tells which they are).

A finite space is a sequence of configs, of which nothing is listed: see `runner.space.enumeration`.
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
from runner.space.enumeration import Branch, Config, cut, meets, read_clause
from runner.space.spread import Points

_SAMPLE_TRIES = 10_000
_T = TypeVar("_T")


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
        """The names of the parameters with a continuum of values."""
        return tuple(dict.fromkeys(name for name, domain in self.dimensions if domain.levels is None))

    @property
    def conditional(self) -> bool:
        """Whether some parameter exists only where another has a certain value."""
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
        # Built anew where it arrives: the hashes of strings differ between processes.
        return Space, (dict(self.params), [dict(clause) for clause in self.forbid])

    def __repr__(self) -> str:
        return f"Space({dict(self.params)!r}, forbid={[dict(clause) for clause in self.forbid]!r})"

    # -- configs and rows -------------------------------------------------------------------

    def encode(self, config: Mapping[str, Value]) -> NDArray[np.float64]:
        """The row of a config, shape (d,); inactive coordinates are 0.5."""
        row = [0.5] * self.d
        for node, u in self._each(config, lambda domain, value: domain.encode(value)):
            row[node.column] = u
        return np.array(row)

    def active(self, config: Mapping[str, Value]) -> NDArray[np.bool_]:
        """Which coordinates the config uses, shape (d,)."""
        mask = np.zeros(self.d, dtype=bool)
        for node, _ in self._each(config, lambda domain, value: domain.canonical(value)):
            mask[node.column] = True
        return mask

    def decode(self, row: Sequence[float] | NDArray[np.float64]) -> Config:
        """The config at a row, shape (d,), of [0, 1]^d; it may be forbidden (see `allows`)."""
        places = np.asarray(row, dtype=np.float64).tolist()
        if len(places) != self.d:
            raise ValueError(f"a row of {self.d} places was expected, got {len(places)}")
        config: Config = {}
        stack = [*self._tree]
        while stack:
            name, domain, column, below = stack.pop()
            config[name] = value = domain.decode(places[column])
            if isinstance(domain, Choice) and below:
                stack += below[domain.index(value)]
        return config

    def canonical(self, config: Mapping[str, Value]) -> Config:
        """The config with Python scalars, in the space's order.

        Raises
        ------
        SpaceError
            Where a parameter is missing, unknown, inactive, out of its domain, or the
            combination is forbidden; the error names the parameter.
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
            raise SpaceError(
                "there is no such parameter.", where=str(name), hint=nearest(str(name), self.names)
            )
        if not self.allows(clean):
            raise SpaceError(f"the config {clean} is a forbidden combination.")
        return clean

    def __contains__(self, config: object) -> bool:
        """Whether `canonical` accepts the config."""
        try:
            return isinstance(config, Mapping) and self.canonical(config) is not None
        except SpaceError:
            return False

    def allows(self, config: Mapping[str, Value]) -> bool:
        """Whether no forbidden combination applies to a canonical config."""
        return not any(
            all(name in config and typed(config[name]) in values for name, values in clause)
            for clause in self._clauses
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

    def _each(
        self, config: Mapping[str, Value], read: Callable[[Domain, Value], _T]
    ) -> Iterator[tuple[Node, _T]]:
        """The active parameters in order, each with what is read of its value; errors name it."""
        stack = [*self._tree]
        while stack:
            node = stack.pop()
            if node.name not in config:
                raise SpaceError(
                    f"the config {dict(config)} lacks it.", where=node.name, hint="Give it a value."
                )
            value = config[node.name]
            try:
                found = read(node.domain, value)
            except SpaceError as error:
                raise error.at(node.name) from None
            if isinstance(node.domain, Choice) and node.below:
                stack += node.below[node.domain.index(value)]
            yield node, found

    # -- finite spaces ----------------------------------------------------------------------

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The space as disjoint products, none of them empty; see `runner.space.enumeration.cut`."""
        found = self._branches
        if isinstance(found, SpaceError):
            raise SpaceError(found.message, where=found.where, hint=found.hint)
        return found

    @cached_property
    def _branches(self) -> tuple[Branch, ...] | SpaceError:
        try:
            return cut(self.params, self.forbid)
        except SpaceError as error:  # it takes as long to find again
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
        """The number of distinct configs: an int, or ``math.inf`` with a continuous parameter.

        Raises
        ------
        SpaceError
            Where the space falls into too many branches to count.
        """
        return self._size

    def __getitem__(self, index: int) -> Config:
        """The config of that index in a finite space; IndexError past the end.

        Raises
        ------
        SpaceError
            Where the space is infinite.
        """
        size, index = self.size(), operator.index(index)
        if size == math.inf:
            raise SpaceError(f"the space is infinite: {', '.join(self.continuous)} are continuous.")
        if not 0 <= index < size:
            raise IndexError(f"index {index} is outside a space of {size} configs")
        at = bisect_right(self._ends, index)
        return self.branches[at].config(index - int(self._ends[at - 1] if at else 0))

    def discretised(self, points: Mapping[str, int]) -> Space:
        """The space with the named parameters cut down to that many values each.

        Parameters
        ----------
        points : mapping of str to int
            How many values; see `runner.space.spread.Points`. Parameters not named stay as they are.
        """
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
        # A forbidden value that is not among the points can no longer be met: its clause goes.
        kept = [
            {
                name: [value for value in values if meets(thinned.dimensions, name, value)]
                for name, values in clause
            }
            for clause in self.forbid
        ]
        return Space(dict(thinned.params), [clause for clause in kept if all(clause.values())])

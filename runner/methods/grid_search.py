"""Grid search: a grid over the space, its size chosen to fit the budget.

Numbers get evenly spaced values (in the logarithm for ``log`` domains) with both bounds, integers
and steps stay on their values, categories are complete, and the parameters of a conditional branch
are gridded within it. The order is shuffled by the run's seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np

from runner._text import shown
from runner.errors import MethodError, nearest
from runner.methods.base import Method, register
from runner.methods.exhaustive import MAX_POINTS, require_any, walk
from runner.space import Space
from runner.space.domains import Choice
from runner.trial import Answer, Config, Pending, Trial

_POINTS_WITHOUT_BUDGET = 5  # chosen by hand: bounds, middle and quarters; 125 configs for 3 parameters


@register
@dataclass(frozen=True)
class Grid(Method):
    """A full grid over the space.

    Parameters
    ----------
    points : int or mapping of str to int, optional
        Points per numeric parameter, one number for all or one per name; the others get as many as
        fit the trial budget (5 each if the budget is in seconds only).

    Raises
    ------
    MethodError
        If ``points`` is less than 1, or (from `prepare`) names anything but a numeric parameter, or
        the whole grid is forbidden.
    """

    name: ClassVar[str] = "grid"
    summary: ClassVar[str] = (
        "a grid over the space, sized to the budget; for two or three parameters, and pictures"
    )
    reference: ClassVar[str] = "full factorial design; order by a Feistel network (Black and Rogaway, 2002)"
    uses_history: ClassVar[bool] = False

    points: int | dict[str, int] | None = None
    _chosen: tuple[tuple[str, int], ...] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        by_name = self.points if isinstance(self.points, Mapping) else {"": self.points}
        for name, count in by_name.items():
            if count is not None and not 1 <= count <= MAX_POINTS:
                raise MethodError(
                    f"expected 1 to {MAX_POINTS:,} points, got {shown(count)}.",
                    where=f"points.{name}".rstrip("."),
                )

    def prepare(self, space: Space, trials: int | None, parallel: int = 1) -> Self:
        """See `Method.prepare`; fixes the number of points per parameter."""
        del parallel
        numeric = _numeric(space)
        fixed: dict[str, int] = {}
        if isinstance(self.points, Mapping):
            for name in self.points:
                if name not in numeric:
                    hint = nearest(name, numeric)
                    raise MethodError(f"'{name}' is not a numeric parameter.", where="points", hint=hint)
            fixed = dict(self.points)
        elif self.points is not None:
            fixed = dict.fromkeys(numeric, self.points)
        free = [name for name in numeric if name not in fixed]
        if trials is None:
            chosen = fixed | dict.fromkeys(free, _POINTS_WITHOUT_BUDGET)
        else:
            chosen = fit_points(space, free, fixed, trials)
        clipped = tuple((name, int(min(count, _most(space, name)))) for name, count in chosen.items())
        prepared = replace(self)
        object.__setattr__(prepared, "_chosen", clipped)
        require_any(prepared.finite(space), self.name)
        return prepared

    def finite(self, space: Space) -> Space:
        """Return the grid as a finite space; `prepare` must have been called."""
        if self._chosen is None:
            raise MethodError(
                "not prepared for a space and budget.", where=self.name, hint="Call prepare() first."
            )
        return _gridded(space, self._chosen)

    def announce(self, space: Space, trials: int | None) -> str:
        """State the points per parameter and the size of the grid."""
        size = int(self.finite(space).size())
        points = ", ".join(f"{name} x {count}" for name, count in self._chosen or ())
        covered = "" if trials is None or trials >= size else f"; the budget covers {trials:,} of them"
        return f"{size:,} grid points{f' ({points})' if points else ''}{covered}."

    def propose(
        self,
        space: Space,
        completed: Sequence[Trial],
        pending: Sequence[Pending],
        number: int,
        rng: np.random.Generator,
    ) -> Config | Answer:
        """See `Method.propose`."""
        del completed, pending
        return walk(self.finite(space), number, rng)


def fit_points(space: Space, free: Sequence[str], fixed: Mapping[str, int], trials: int) -> dict[str, int]:
    """Choose points per parameter, as equal as possible, so that the grid fits the budget.

    Parameters
    ----------
    free : sequence of str
        The parameters whose points are to be chosen; earlier ones get the odd point.
    fixed : mapping of str to int
        The points of the others.
    trials : int
        Maximum size of the whole grid; if one point each already exceeds it (because of categories
        and ``fixed``), it is one each.
    """

    def fits(points: Mapping[str, int], within: Space) -> bool:
        return within.discretised({**fixed, **points}).size() <= trials

    most = int(min(MAX_POINTS, max((_most(space, name) for name in free), default=1)))
    # First the whole product, whose size is cheap to compute; forbidden configs leave room for more.
    product = Space(dict(space.params)) if space.forbid else space
    low = _largest(lambda count: fits(dict.fromkeys(free, count), product), 1, most)
    if product is not space:
        low = _largest(lambda count: fits(dict.fromkeys(free, count), space), low, most)
    points = dict.fromkeys(free, low)
    for name in free:
        if fits({**points, name: low + 1}, space):
            points[name] = low + 1
    return {**fixed, **points}


def _largest(fits: Callable[[int], bool], low: int, most: int) -> int:
    """Find the largest fitting number up to ``most`` by doubling and bisection, given that ``low`` fits."""
    step = 1
    while low + step <= most and fits(low + step):
        low, step = low + step, 2 * step
    high = min(low + step, most + 1)  # does not fit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _most(space: Space, name: str) -> float:
    """Return the number of values of a parameter; infinite if it is continuous."""
    return max(domain.levels or math.inf for n, domain in space.dimensions if n == name)


def _numeric(space: Space) -> list[str]:
    return list(dict.fromkeys(name for name, domain in space.dimensions if not isinstance(domain, Choice)))


@lru_cache(maxsize=256)
def _gridded(space: Space, points: tuple[tuple[str, int], ...]) -> Space:
    return space.discretised(dict(points))

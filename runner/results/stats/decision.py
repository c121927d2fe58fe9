"""The decision: the method recommended at one budget, and the standing of the others.

There is one decision for a budget, and everything that names a method rests on it: the verdict's
sentence, the marked row of the leaderboard, the decision map, the titles of figures.

The leader has the lowest average regret; of equal averages, the cheapest method by the order of
`CHEAPNESS`. It is recommended, unless a cheaper method is shown to be equivalent to it (see
`runner.results.stats.intervals`); then the cheapest such method is. A method that is merely not shown to
be worse is undecided, and never recommended in the leader's place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from runner.results.stats.averages import NO_BLOCK, Resampled
from runner.results.stats.intervals import EQUIVALENT, UNDECIDED, WORSE
from runner.results.stats.pairs import seeds_for
from runner.results.stats.shape import FEW_SEEDS, table, too_few_seeds

CHEAPNESS: Final = ("random", "grid", "exhaustive", "gradient", "tpe", "bayes")
"""Registered names from cheap to expensive proposals; methods not listed come after them."""
LEVEL_DIGITS: Final = 12
"""Decimals of a regret (0 to 1) to which equal averages agree, whatever the order of their sums."""

_MOST_SEEDS: Final = 10**9  # a number to show, where none would do
_NO_ROOM: Final = 1e-12  # of a regret: below rounding

RECOMMENDED: Final = "recommended"
LEADS: Final = "leads"


@dataclass(frozen=True)
class Decision:
    """The standing of each method at one budget.

    Attributes
    ----------
    leader : str
        The method with the lowest average regret; of several the cheapest.
    recommended : str
        The leader, or a cheaper method that is shown to be equivalent to it.
    level : tuple of str
        Further methods with the leader's average.
    equivalent, undecided, worse : tuple of str
        The other methods, by their standing against the leader.
    """

    leader: str
    recommended: str
    level: tuple[str, ...] = ()
    equivalent: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    worse: tuple[str, ...] = ()

    @property
    def lowest(self) -> tuple[str, ...]:
        """All methods with the lowest average."""
        return self.leader, *self.level

    @property
    def tied(self) -> tuple[str, ...]:
        """The methods that are not shown to be worse than the leader."""
        return *self.equivalent, *self.undecided

    def standing(self, method: str) -> str:
        """The standing of a method in a table: leads, equivalent, undecided or worse."""
        if method == self.leader:
            return LEADS
        if method in self.equivalent:
            return EQUIVALENT
        return UNDECIDED if method in self.undecided else WORSE

    def mark(self, method: str) -> str:
        """The word that a table puts beside the recommended method; empty for the others."""
        if method != self.recommended:
            return ""
        return LEADS if self.undecided and method == self.leader else RECOMMENDED


def decide(sample: Resampled, rope: float, names: Mapping[str, str]) -> Decision | None:
    """Decide from average regrets; None if no method has one.

    Parameters
    ----------
    names : mapping of str to str
        Registered names by labels.
    """
    methods = sample.blocks.methods
    if not np.isfinite(sample.middle).any():
        return None
    order = ranked(methods, sample.middle, names)
    places = [methods.index(method) for method in order]
    first, *others = order
    words = dict(zip(order, sample.shown(places[0], rope)[places].tolist(), strict=True))
    levels = dict(zip(order, np.round(sample.middle[places], LEVEL_DIGITS).tolist(), strict=True))
    equivalent, undecided, worse = (
        tuple(method for method in others if words[method] == word) for word in (EQUIVALENT, UNDECIDED, WORSE)
    )
    return Decision(
        first,
        min([first, *equivalent], key=lambda method: price(method, names)),
        tuple(method for method in others if levels[method] == levels[first]),
        equivalent,
        undecided,
        worse,
    )


def ranked(methods: Sequence[str], regrets: ArrayLike, names: Mapping[str, str]) -> list[str]:
    """Sort methods by average regret, equal ones by price, then as planned; unknown regrets last."""
    known = np.nan_to_num(np.round(np.asarray(regrets, dtype=np.float64), LEVEL_DIGITS), nan=math.inf)
    places = sorted(range(len(methods)), key=lambda m: (known[m], price(methods[m], names), m))
    return [methods[m] for m in places]


def price(method: str, names: Mapping[str, str]) -> int:
    """Look up the place of a method in the order of cheapness."""
    name = names.get(method, method)
    return CHEAPNESS.index(name) if name in CHEAPNESS else len(CHEAPNESS)


def seeds_needed(sample: Resampled, leader: str | None, rope: float, gamma: float = 0.75) -> pd.DataFrame:
    """Estimate how many seeds per problem would decide between the leader and each other method.

    The estimate takes the intervals that the decision rests on, and assumes that the differences stay as
    they are and the intervals shrink with the square root of the seeds.

    Returns
    -------
    pandas.DataFrame
        method (the leader), against, difference (of average regrets), difference_lower,
        difference_upper, needed (at most those there are if it is decided), have, rule (seeds for a
        claim of gamma on one problem).
    """
    kinds = {"method": "string", "against": "string"}
    kinds |= dict.fromkeys(("difference", "difference_lower", "difference_upper"), "float")
    kinds |= {"needed": "int", "have": "int", "rule": "int"}
    if leader is None:
        return table([], kinds, NO_BLOCK)
    methods, have = sample.blocks.methods, sample.blocks.fewest
    j = methods.index(leader)
    reason = sample.reason or too_few_seeds(have)
    exact = sample.copies & sample.copies[j]
    if not reason:
        middle, low, high = sample.differences(j)
    rows = []
    for m, method in enumerate(methods):
        if m == j:
            continue
        row: dict[str, Any] = {"method": leader, "against": method, "have": have, "rule": seeds_for(gamma)}
        row |= {**sample.rest(), "reason": reason}
        if not reason:
            row |= {"difference": -middle[m], "difference_lower": -high[m], "difference_upper": -low[m]}
            row["needed"] = 1 if exact[m] else _needed(middle[m], low[m], high[m], rope, have)
        rows.append(row)
    return table(rows, kinds)


def _needed(middle: float, low: float, high: float, rope: float, have: int) -> int:
    """Estimate the seeds at which an interval leaves out 0 or lies within the ROPE, whichever is sooner."""
    apart = _seeds(middle - low, middle, have)
    both = (high - middle, rope - middle), (middle - low, middle + rope)
    return min(apart, max(FEW_SEEDS, *(_seeds(half, room, have) for half, room in both)))


def _seeds(half: float, room: float, have: int) -> int:
    """Estimate the seeds at which half an interval fits into its room."""
    if half <= 0 and room > 0:
        return 1
    return int(min(_MOST_SEEDS, max(1.0, math.ceil(have * (half / max(room, _NO_ROOM)) ** 2))))

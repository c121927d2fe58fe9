"""The verdict: which method, at this budget, and how sure that is.

The leader has the lowest average regret. Tied with it is every method whose paired difference to
the leader has an interval that reaches into the ROPE. Of the leader and those tied with it the
cheapest is recommended, by the order of `CHEAPNESS`: where nothing speaks for a dear method, a plain
one does. If random search is among them, the sentence says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from runner.stats.averages import Resampled
from runner.stats.shape import FEW_SEEDS, table
from runner.wording import counted, listed

CHEAPNESS: Final = ("random", "grid", "exhaustive", "gradient", "tpe", "bayes")
"""Registered names from cheap to dear thinking; what is not here comes after."""
_HIGH, _MODERATE = 0.9, 0.75
_MANY_PROBLEMS = 10

KINDS: Final[dict[str, str]] = {
    "budget": "float",
    "axis": "text",
    "leader": "text",
    "recommended": "text",
    "regret": "float",
    "lower": "float",
    "upper": "float",
    "p_best": "float",
    "tied": "text",
    "speedup_trials": "float",
    "speedup_trials_bound": "text",
    "speedup_seconds": "float",
    "speedup_seconds_bound": "text",
    "target": "int",
    "p_same": "float",
    "as_good_as_random": "int",
    "confidence": "text",
    "sentence": "text",
    "would_change": "text",
}


def recommend(
    sample: Resampled, rope: float, names: Mapping[str, str], tied: Sequence[str] | None = None
) -> tuple[str, str, list[str]] | None:
    """Leader, recommended method, and the methods that are tied with the leader.

    None where no method has an average.

    Parameters
    ----------
    sample : Resampled
    rope : float
    names : mapping of str to str
        Registered names by labels.
    tied : sequence of str, optional
        Where it is known already who is tied with the leader.
    """
    methods, middle = sample.blocks.methods, sample.middle
    if not np.isfinite(middle).any():
        return None
    best = int(np.nanargmin(middle))
    if tied is None:
        tied = [method for m, method in enumerate(methods) if m != best and is_tied(sample, m, best, rope)]
    among = [methods[best], *tied]
    return methods[best], min(among, key=lambda method: _price(method, names, methods)), list(tied)


def is_tied(sample: Resampled, m: int, best: int, rope: float) -> bool:
    """Whether a method may be as good as the leader; it may where no interval can be given."""
    if sample.reason:
        return True
    if sample.copies([m, best]):
        return bool(sample.middle[m] - sample.middle[best] <= rope)
    return sample.difference(m, best)[1] < rope


def _price(method: str, names: Mapping[str, str], methods: Sequence[str]) -> tuple[int, int]:
    name = names.get(method, method)
    return CHEAPNESS.index(name) if name in CHEAPNESS else len(CHEAPNESS), methods.index(method)


def confidence(p_best: float, problems: int, seeds: int, tied: bool) -> str:
    """How sure it is that the leader is the best: high, moderate or low."""
    if math.isnan(p_best) or seeds < FEW_SEEDS or tied:
        return "low"
    if p_best >= _HIGH and problems >= _MANY_PROBLEMS:
        return "high"
    return "moderate" if p_best >= _MODERATE else "low"


def verdict(
    row: dict[str, Any], unit: str, randoms: Sequence[str], left_out: int, rope: float
) -> dict[str, Any]:
    """A row of verdicts with its sentence, and what would change it.

    Parameters
    ----------
    row : dict
        With the columns of `KINDS` but for the last three, and problems and seeds.
    unit : str
        What the budget is counted in, such as "trials".
    randoms : sequence of str
        Labels of random search.
    left_out : int
        How many blocks do not count.
    rope : float
        Smaller differences of regret are none.
    """
    tied = [label for label in str(row["tied"]).split(", ") if label]
    row["confidence"] = confidence(row["p_best"], row["problems"], row["seeds"], bool(tied))
    row["sentence"] = " ".join(_sentences(row, unit, tied, randoms, rope))
    row["would_change"] = " ".join(_changes(row, tied, left_out))
    return row


def _sentences(
    row: Mapping[str, Any], unit: str, tied: Sequence[str], randoms: Sequence[str], rope: float
) -> list[str]:
    chosen, leader = row["recommended"], row["leader"]
    at = f"At {budget_text(row['budget'], unit)}"
    regret = f"regret {row['regret']:.3f}"
    if not math.isnan(row["lower"]):
        regret += f" [{row['lower']:.3f}, {row['upper']:.3f}]"
    if not tied:
        said = [f"{at} use {chosen}: lowest {regret}, best in {100 * row['p_best']:.0f} % of resamples."]
        if math.isnan(row["p_best"]):
            said = [f"{at} use {chosen}: lowest {regret}."]
    elif chosen in randoms:
        said = [
            f"{at} no method is shown to beat {chosen} by more than {rope:g} of regret: use {chosen}, the "
            f"cheapest ({regret})."
        ]
    elif chosen == leader:
        said = [f"{at} use {chosen}: lowest {regret}, but {listed(tied)} may be as good (within {rope:g})."]
    else:
        others = [method for method in tied if method != chosen]
        also = f" So may {listed(others)}." if others else ""
        said = [
            f"{at} use {chosen} ({regret}): it may be as good as {leader}, the lowest, and is cheaper.{also}"
        ]
    said += _speed(row, randoms)
    if not math.isnan(row["p_same"]) and tied:
        said.append(
            f"That {leader} and the next best are practically the same has probability {row['p_same']:.2f}."
        )
    if row["as_good_as_random"] > 0 and chosen not in randoms:
        what = counted(row["as_good_as_random"], "problem")
        said.append(f"On {what} of {row['problems']} random search is as good.")
    said.append(f"Confidence: {row['confidence']} ({_rests(row)}).")
    return said


def _speed(row: Mapping[str, Any], randoms: Sequence[str]) -> list[str]:
    if row["recommended"] in randoms:
        return []
    parts = []
    for axis, less, more in (
        ("trials", "fewer trials", "more trials"),
        ("seconds", "less time", "more time"),
    ):
        factor, bound = row[f"speedup_{axis}"], row[f"speedup_{axis}_bound"]
        if math.isnan(factor):
            continue
        slower = factor < 1
        edge = {"<=": "at least " if slower else "at most ", ">=": "at most " if slower else "at least "}
        parts.append(f"{edge.get(bound, '')}{max(factor, 1 / factor):.1f} times {more if slower else less}")
    if not parts:
        return []
    return [f"It finds what random search finds in {row['target']} trials with {' and '.join(parts)}."]


def _changes(row: Mapping[str, Any], tied: Sequence[str], left_out: int) -> list[str]:
    said = []
    if row["seeds"] < FEW_SEEDS:
        said.append(f"More seeds: {row['seeds']} are too few to be sure of anything.")
    elif tied:
        said.append("More seeds may separate the methods that are tied.")
    if row["problems"] < _MANY_PROBLEMS:
        said.append(
            f"It is about {counted(row['problems'], 'problem')}; another problem may favour another method."
        )
    if left_out:
        what = counted(left_out, "block")
        said.append(
            f"{what} (problem, seed) left out of it, since not every method got so far, may come to count."
        )
    return said


def budget_text(budget: float, unit: str) -> str:
    """A budget with its unit: 30 trials, 1 trial, 2.5 seconds."""
    text = f"{budget:,.0f}" if budget == round(budget) else f"{budget:.3g}"
    return f"{text} {unit[:-1] if text == '1' and unit.endswith('s') else unit}"


def _rests(row: Mapping[str, Any]) -> str:
    return f"{counted(row['problems'], 'problem')}, {counted(row['seeds'], 'seed')}"


def refusal(budget: float, axis: str, reason: str) -> dict[str, Any]:
    """A row that says why there is no verdict."""
    return {
        "budget": budget,
        "axis": axis,
        "confidence": "none",
        "sentence": f"No verdict: {reason}",
        "reason": reason,
    }


def as_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Verdicts as a statistic."""
    return table(rows, KINDS, "no budget was reached by every method.")

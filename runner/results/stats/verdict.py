"""The verdict in words: the decision at a budget, what it rests on, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from runner._text import counted, named
from runner.results.stats.decision import Decision
from runner.results.stats.shape import FEW_SEEDS, table

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
    "p_near": "float",
    "tied": "text",
    "equivalent": "text",
    "undecided": "text",
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


def confidence(p: float, problems: int, seeds: int, tied: bool) -> str:
    """How sure the decision is: high, moderate or low.

    Parameters
    ----------
    p : float
        How probable it is that the recommended method is the best, or within the ROPE of it.
    problems, seeds : int
    tied : bool
        Whether a method is neither shown to be worse than the leader nor equivalent to it.
    """
    if math.isnan(p) or seeds < FEW_SEEDS or tied:
        return "low"
    if p >= _HIGH and problems >= _MANY_PROBLEMS:
        return "high"
    return "moderate" if p >= _MODERATE else "low"


def verdict(
    row: dict[str, Any], decision: Decision, unit: str, randoms: Sequence[str], left_out: int, rope: float
) -> dict[str, Any]:
    """A row of verdicts with its sentence, and what would change it.

    Parameters
    ----------
    row : dict
        With the columns of `KINDS` but for the last three, and problems and seeds.
    decision : Decision
    unit : str
        What the budget is counted in, such as "trials".
    randoms : sequence of str
        Labels of random search.
    left_out : int
        How many blocks do not count.
    rope : float
        Smaller differences of regret are none.
    """
    row["confidence"] = confidence(row["p_near"], row["problems"], row["seeds"], bool(decision.undecided))
    row["sentence"] = " ".join(_sentences(row, decision, unit, randoms, rope))
    row["would_change"] = " ".join(_changes(row, decision, left_out))
    return row


def _sentences(
    row: Mapping[str, Any], decision: Decision, unit: str, randoms: Sequence[str], rope: float
) -> list[str]:
    said = _choice(row, decision, unit, rope)
    if any(method in randoms for method in decision.undecided):
        said.append("Random search may be as good.")
    said += _speed(row, randoms)
    if row["as_good_as_random"] > 0 and row["problems"] > 1 and decision.recommended not in randoms:
        what = counted(row["as_good_as_random"], "problem")
        said.append(f"On {what} of {row['problems']} the mean regret of random search is no higher.")
    said.append(f"Confidence: {row['confidence']} ({_rests(row)}).")
    return said


def _choice(row: Mapping[str, Any], decision: Decision, unit: str, rope: float) -> list[str]:
    """What is recommended, or between what it is undecided."""
    at, leader, chosen = f"At {budget_text(row['budget'], unit)}", decision.leader, decision.recommended
    regret = f"regret {row['regret']:.3f}"
    if not math.isnan(row["lower"]):
        regret += f" [{row['lower']:.3f}, {row['upper']:.3f}]"
    within = f"within {rope:g} of regret"
    if chosen != leader:
        said = [
            f"{at} use {chosen} ({regret}): it is shown to be equivalent to {leader}, the lowest, {within}, "
            "and is cheaper."
        ]
        if decision.undecided:
            said.append(f"Whether {named(decision.undecided)} may be better is undecided.")
        return said
    if decision.undecided:
        lead = f"{leader} leads ({regret})"
        if decision.level:
            lead = f"{named(decision.lowest)} are level and lowest ({regret})"
        said = [f"{at} undecided between {_between(decision)}; {lead}."]
    else:
        best = "" if math.isnan(row["p_best"]) else f", best in {100 * row['p_best']:.0f} % of resamples"
        said = [f"{at} use {chosen}: lowest {regret}{best}."]
    if decision.equivalent:
        be = "is" if len(decision.equivalent) == 1 else "are"
        said.append(f"{named(decision.equivalent)} {be} shown to be equivalent, {within}.")
    return said


def _between(decision: Decision) -> str:
    """The leader and those that it is undecided against, as far as they are few."""
    return named((decision.leader, *decision.undecided))


def _speed(row: Mapping[str, Any], randoms: Sequence[str]) -> list[str]:
    if row["recommended"] in randoms:
        return []
    parts = []
    for axis, less, more, same in (
        ("trials", "fewer trials", "more trials", "as many trials"),
        ("seconds", "less time", "more time", "as much time"),
    ):
        factor, bound = row[f"speedup_{axis}"], row[f"speedup_{axis}_bound"]
        if math.isnan(factor):
            continue
        slower = factor < 1
        edge = {"<=": "at least " if slower else "at most ", ">=": "at most " if slower else "at least "}
        times = f"{max(factor, 1 / factor):.1f}"
        amount = same if times == "1.0" else f"{times} times {more if slower else less}"
        parts.append(f"{edge.get(bound, '')}{amount}")
    if not parts:
        return []
    finds = f"{row['recommended']} finds what random search finds in {row['target']} trials"
    return [f"{finds} with {' and '.join(parts)}."]


def _changes(row: Mapping[str, Any], decision: Decision, left_out: int) -> list[str]:
    said = []
    if row["seeds"] < FEW_SEEDS:
        said.append(f"More seeds: {row['seeds']} are too few to be sure of anything.")
    elif decision.undecided:
        said.append(f"More seeds may decide between {_between(decision)}.")
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

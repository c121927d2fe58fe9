"""The verdict in words: the decision at a budget, the data behind it, and the confidence in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from runner._text import counted, named
from runner.results.stats import averages, significance, targets
from runner.results.stats.comparison import Comparison
from runner.results.stats.curves import Axis
from runner.results.stats.decision import Decision, ranked
from runner.results.stats.shape import FEW_SEEDS, table, too_few_seeds

UNITS: Final[dict[str, str]] = {
    "trials": "trials",
    "equivalents": "full evaluations",
    "seconds": "seconds",
    "compute": "CPU-seconds",
}
"""The unit of a budget on each axis."""

_HIGH, _MODERATE = 0.9, 0.75
"""Probabilities that the recommended method is as good as any: one error in ten, one in four."""
_MANY_PROBLEMS = 10
"""Below this a verdict is about these problems only: one more may turn it."""

KINDS: Final[dict[str, str]] = {
    "budget": "float",
    "axis": "string",
    "leader": "string",
    "recommended": "string",
    "regret": "float",
    "lower": "float",
    "upper": "float",
    "p_best": "float",
    "p_near": "float",
    "tied": "string",
    "equivalent": "string",
    "undecided": "string",
    "speedup_trials": "float",
    "speedup_trials_bound": "string",
    "speedup_seconds": "float",
    "speedup_seconds_bound": "string",
    "target": "int",
    "p_same": "float",
    "as_good_as_random": "int",
    "confidence": "string",
    "sentence": "string",
    "would_change": "string",
}


def verdicts(comparison: Comparison, axis: Axis | None = None) -> pd.DataFrame:
    """Give the verdict at each of the budgets of `Comparison.budgets`.

    Returns
    -------
    pandas.DataFrame
        budget, axis, leader, recommended, regret, lower, upper, p_best (of the recommended), p_near
        (probability that the recommended is the best, or within the ROPE of it), tied (comma-separated
        methods that are not shown to be worse than the leader), equivalent and undecided (the two kinds of
        these), speedup_trials, speedup_seconds and their bounds, target, p_same (Bayesian: the leader is
        equivalent to the runner-up), as_good_as_random (problems), confidence (high, moderate, low, none),
        sentence, would_change.
    """
    axis = axis or comparison.axis
    budgets = (math.nan,) if comparison.empty else comparison.budgets(axis)
    rows = [_verdict(comparison, budget, axis) for budget in budgets]
    return table(rows, KINDS, "no budget was reached by every method.")


def verdict(comparison: Comparison, budget: float | None = None, axis: Axis | None = None) -> dict[str, Any]:
    """Give the verdict at one budget, by default the common one, with the columns of `verdicts`."""
    (row,) = table([_verdict(comparison, *comparison.at(budget, axis))], KINDS).to_dict("records")
    return {str(name): value for name, value in row.items()}


def _verdict(comparison: Comparison, budget: float, axis: Axis) -> dict[str, Any]:
    if comparison.empty:
        return _refusal(budget, axis, comparison.empty)
    sample = comparison.resampled(budget, axis)
    decision, methods, names = comparison.decided(sample), comparison.methods, comparison.method_names
    if decision is None:
        return _refusal(budget, axis, averages.NO_BLOCK)
    chosen, rope = decision.recommended, comparison.plan.rope
    place = methods.index(chosen)
    row: dict[str, Any] = {"budget": budget, "axis": axis, "leader": decision.leader, "recommended": chosen}
    row |= {name: ", ".join(getattr(decision, name)) for name in ("tied", "equivalent", "undecided")}
    row |= {**sample.rest(), "p_near": sample.near(place, rope)}
    regret = averages.regrets(sample).iloc[place]
    row |= {name: float(regret[name]) for name in ("regret", "lower", "upper", "p_best")}
    target = targets.target(comparison, budget if axis == "trials" else None)
    along: Axis
    for along in ("trials", "seconds"):
        speed = targets.speedup_of(comparison, along, target)
        of_chosen = speed[speed["method"] == chosen]
        row[f"speedup_{along}"] = float(of_chosen["speedup"].iloc[0]) if len(of_chosen) else math.nan
        row[f"speedup_{along}_bound"] = str(of_chosen["bound"].iloc[0]) if len(of_chosen) else ""
    second = ranked(methods, sample.middle, names)[1]
    same = significance.signed_rank(sample.blocks, [(decision.leader, second)], rope)
    row |= {"target": target, "p_same": float(same["p_same"][0]), "reason": ""}
    row["as_good_as_random"] = 0
    if comparison.random is not None and chosen != comparison.random:
        means = sample.blocks.means()
        at_random = means[methods.index(comparison.random)]
        row["as_good_as_random"] = int((at_random <= means[place] + rope).sum())
    if reason := too_few_seeds(sample.blocks.fewest):
        lowest = sample.middle[methods.index(decision.leader)]
        has = "have" if decision.level else "has"
        message = f"{reason} {named(decision.lowest)} {has} the lowest regret so far ({lowest:.3f})."
        return row | _refusal(budget, axis, message)
    randoms = [label for label, name in names.items() if name == "random"]
    left_out = sample.blocks.planned - sample.blocks.count
    row["confidence"] = confidence(row["p_near"], row["problems"], row["seeds"], bool(decision.undecided))
    row["sentence"] = " ".join(_sentences(row, decision, UNITS[axis], randoms, rope))
    row["would_change"] = " ".join(_changes(row, decision, left_out))
    return row


def confidence(p: float, problems: int, seeds: int, tied: bool) -> str:
    """Grade the decision: high, moderate or low.

    Parameters
    ----------
    p : float
        Probability that the recommended method is the best, or within the ROPE of it.
    tied : bool
        True if a method is neither shown to be worse than the leader nor equivalent to it.
    """
    if math.isnan(p) or seeds < FEW_SEEDS or tied:
        return "low"
    if p >= _HIGH and problems >= _MANY_PROBLEMS:
        return "high"
    return "moderate" if p >= _MODERATE else "low"


def _sentences(
    row: Mapping[str, Any], decision: Decision, unit: str, randoms: Sequence[str], rope: float
) -> list[str]:
    sentences = _choice(row, decision, unit, rope)
    if any(method in randoms for method in decision.undecided):
        sentences.append("Random search may be as good.")
    sentences += _speed(row, randoms)
    if row["as_good_as_random"] > 0 and row["problems"] > 1 and decision.recommended not in randoms:
        on = f"{row['as_good_as_random']} of {counted(row['problems'], 'problem')}"
        sentences.append(f"On {on}, random search is no worse.")
    sentences.append(f"Confidence: {row['confidence']} ({_rests(row)}).")
    return sentences


def _choice(row: Mapping[str, Any], decision: Decision, unit: str, rope: float) -> list[str]:
    """Name the recommended method, or those between which it is undecided."""
    at, leader, chosen = f"At {budget_text(row['budget'], unit)}", decision.leader, decision.recommended
    regret = f"regret {row['regret']:.3f}"
    if not math.isnan(row["lower"]):
        regret += f" [{row['lower']:.3f}, {row['upper']:.3f}]"
    if chosen != leader:
        reason = f"equivalent to {leader} (lowest) within {rope:g} regret, and cheaper"
        sentences = [f"{at}, use {chosen} ({regret}): {reason}."]
        if decision.undecided:
            sentences.append(f"Undecided: {named(decision.undecided)} may be better.")
        return sentences
    if decision.undecided:
        lead = f"{leader} leads ({regret})"
        if decision.level:
            lead = f"{named(decision.lowest)} are level and lowest ({regret})"
        sentences = [f"{at}, undecided between {_between(decision)}; {lead}."]
    else:
        best = "" if math.isnan(row["p_best"]) else f", best in {100 * row['p_best']:.0f} % of resamples"
        sentences = [f"{at}, use {chosen}: lowest {regret}{best}."]
    if decision.equivalent:
        be = "is" if len(decision.equivalent) == 1 else "are"
        sentences.append(f"{named(decision.equivalent)} {be} equivalent within {rope:g} regret.")
    return sentences


def _between(decision: Decision) -> str:
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
    goal = f"To match {counted(row['target'], 'trial')} of random search"
    return [f"{goal}, {row['recommended']} needs {' and '.join(parts)}."]


def _changes(row: Mapping[str, Any], decision: Decision, left_out: int) -> list[str]:
    changes = []
    if row["seeds"] < FEW_SEEDS:
        changes.append(f"Run more seeds: {row['seeds']} are too few for a confident verdict.")
    elif decision.undecided:
        changes.append(f"More seeds may decide between {_between(decision)}.")
    if row["problems"] < _MANY_PROBLEMS:
        covered = counted(row["problems"], "problem")
        changes.append(f"This covers {covered}; another problem may favour another method.")
    if left_out:
        blocks = counted(left_out, "block")
        changes.append(f"{blocks} (problem, seed) not counted yet, because not every method got this far.")
    return changes


def budget_text(budget: float, unit: str) -> str:
    """Format a budget with its unit: 30 trials, 1 trial, 2.5 seconds."""
    number = f"{budget:,.0f}" if budget == round(budget) else f"{budget:.3g}"
    return f"{number} {unit[:-1] if number == '1' and unit.endswith('s') else unit}"


def _rests(row: Mapping[str, Any]) -> str:
    return f"{counted(row['problems'], 'problem')}, {counted(row['seeds'], 'seed')}"


def _refusal(budget: float, axis: str, reason: str) -> dict[str, Any]:
    return {
        "budget": budget,
        "axis": axis,
        "confidence": "none",
        "sentence": f"No verdict: {reason}",
        "reason": reason,
    }

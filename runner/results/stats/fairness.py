"""Fairness of the comparison: a list of rules, each checked against the records of the study.

A rule passes, fails, or does not apply. The detail gives the evidence, so that a reader can judge it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from runner._text import first_of
from runner.results.stats.comparison import Comparison
from runner.results.stats.pairs import seeds_for
from runner.results.stats.plan import ComparisonPlan
from runner.results.stats.shape import FEW_SEEDS, cached

Check = tuple[str, bool | None, str]

_CANNOT_TAKE_POINTS: Final = ("grid", "exhaustive")
_MOST_NAMED: Final = 3
"""Names in one line of the list; of more a count."""


@cached
def fairness(comparison: Comparison) -> pd.DataFrame:
    """Check the rules.

    Returns
    -------
    pandas.DataFrame
        check, passed (boolean, missing if the rule does not apply), detail, problems, seeds, reason.
    """
    trials, runs, reach = comparison.trials, comparison.runs, comparison.reach
    plan, settings = comparison.plan, comparison.source.settings
    found = [*_same_function(trials, runs, settings), *_same_chances(trials, runs, reach, settings)]
    found += [*_enough(runs, reach), *_open(runs, plan, settings)]
    size = runs["problem"].nunique()
    seeds = int(runs.groupby("problem")["seed"].nunique().min()) if len(runs) else 0
    return pd.DataFrame(
        {
            "check": pd.array([check for check, _, _ in found], dtype="string"),
            "passed": pd.array([passed for _, passed, _ in found], dtype="boolean"),
            "detail": pd.array([detail for _, _, detail in found], dtype="string"),
            "problems": np.full(len(found), size, dtype=np.int64),
            "seeds": np.full(len(found), seeds, dtype=np.int64),
            "reason": pd.array([""] * len(found), dtype="string"),
        }
    )


def _same_function(trials: pd.DataFrame, runs: pd.DataFrame, settings: Mapping[str, Any]) -> Iterator[Check]:
    differ = list(settings.get("differing", ()))
    blocks = runs[["problem", "seed"]].drop_duplicates()
    detail = (
        f"in each of {len(blocks)} blocks all runs got one seed for data, splits and models, and one space"
    )
    if differ:
        detail = f"the runs of {', '.join(differ)} differ in space, data, metric or code"
    yield "same splits, data and search space", not differ, f"{detail}."
    yield _probe(trials, settings.get("probes") or {})


def _probe(trials: pd.DataFrame, probes: Mapping[str, Any]) -> Check:
    """Compare the losses of probe points, and of configs that several runs of a block evaluated."""
    name = "a probe point gives the same value in every run"
    evaluated = trials[trials["origin"].eq("evaluated") & trials["status"].eq("COMPLETED")]
    groups = evaluated.groupby(["problem", "seed", "config"], sort=False, observed=True)["loss"]
    spans = groups.agg(["size", "min", "max"])
    twice = spans[spans["size"] > 1]
    noisy = {key for key, probe in probes.items() if probe.get("noisy")}
    wrong = [f"{key[0]} seed {key[1]}" for key in twice[twice["min"] != twice["max"]].index.tolist()]
    asked = {key: probe for key, probe in probes.items() if key not in noisy}
    configs = {probe["config"] for probe in asked.values()}
    probed = trials[trials["status"].eq("COMPLETED") & trials["config"].isin(configs)]
    for key, probe in asked.items():
        problem, _, seed = key.rpartition("/")
        seen = probed[
            probed["problem"].eq(problem)
            & probed["seed"].eq(int(seed))
            & probed["config"].eq(probe["config"])
        ]["loss"]
        if probe["loss"] is None or seen.ne(probe["loss"]).any():
            wrong.append(f"{problem} seed {seed}")
    wrong = [place for place in dict.fromkeys(wrong) if place.replace(" seed ", "/") not in noisy]
    evidence = (
        f"{len(asked)} probe points were evaluated again after the runs, {len(twice)} configs by several runs"
    )
    if not asked and not len(twice):
        why = "the problems are noisy" if noisy else "no point was evaluated twice"
        return name, None, f"{why}."
    if wrong:
        return name, False, f"{evidence}; the values differ on {first_of(wrong, _MOST_NAMED)}."
    return name, True, f"{evidence}; all values are identical to the last bit."


def _same_chances(
    trials: pd.DataFrame, runs: pd.DataFrame, reach: pd.DataFrame, settings: Mapping[str, Any]
) -> Iterator[Check]:
    yield _initial(trials, runs, bool(settings.get("initial")))
    budgets = runs[["budget_trials", "budget_seconds"]].drop_duplicates()
    limits = ", ".join(_budget(row) for row in budgets.to_dict("records"))
    yield "equal budgets", len(budgets) == 1, f"each run may spend {limits}."
    timed = trials["suggest_seconds"].notna().all() and trials["suggest_seconds"].ge(0).all()
    yield (
        "proposal time counted",
        bool(timed) if len(trials) else None,
        f"{trials['suggest_seconds'].sum():.3g} s of proposals count in the axis and in budgets in seconds.",
    )
    parallel = settings.get("parallel")
    yield (
        "same number of trials in flight",
        parallel is not None,
        f"{parallel} in every run." if parallel is not None else "the number differs between the studies.",
    )
    cpus = settings.get("cpus")
    yield (
        "threads pinned",
        cpus is not None,
        f"numerical libraries may use {max(1, int(cpus or 1))} thread(s) per evaluation."
        if cpus is not None
        else "the number of CPUs per trial differs between the studies.",
    )
    if settings.get("scheduler") not in (None, "none"):
        yield "full evaluations only", True, "trials that were stopped early are never incumbents."


def _initial(trials: pd.DataFrame, runs: pd.DataFrame, points_given: bool) -> Check:
    """Check that methods start alike; they must if the study gives initial points, else they need not."""
    names = dict(zip(runs["method"], runs["method_name"], strict=True))
    able = [label for label, name in names.items() if name not in _CANNOT_TAKE_POINTS]
    first = trials[trials["number"].eq(0) & trials["method"].isin(able)]
    kinds = first.groupby(["problem", "seed"], sort=False)["config"].nunique()
    some = first.groupby(["problem", "seed"], sort=False)["method"].nunique() > 1
    if not some.any():
        return "same initial points", None, "no block has two methods that could start alike."
    alike = int((kinds[some] == 1).sum())
    detail = f"in {alike} of {int(some.sum())} blocks the first trial is the same for {', '.join(able)}"
    unable = [label for label in names if label not in able]
    detail += f"; {', '.join(unable)} cannot take points" if unable else ""
    if alike == int(some.sum()):
        return "same initial points", True, f"{detail}."
    if points_given:
        return "same initial points", False, f"{detail}, although the study gives initial points."
    return (
        "same initial points",
        None,
        f"{detail}; the study gives none, so methods start as they like.",
    )


def _budget(row: Mapping[Any, Any]) -> str:
    parts = []
    if not pd.isna(row["budget_trials"]):
        parts.append(f"{int(row['budget_trials'])} trials")
    if not pd.isna(row["budget_seconds"]):
        parts.append(f"{row['budget_seconds']:g} s")
    return " or ".join(parts) or "nothing"


def _enough(runs: pd.DataFrame, reach: pd.DataFrame) -> Iterator[Check]:
    ended = int(reach["ended"].sum())
    yield "every run ended", ended == len(reach), f"{ended} of {len(reach)} runs have ended."
    failed = runs[runs["failed"]]["run"].tolist()
    detail = f"{len(failed)} runs ended because their method raised" + (
        f": {first_of(failed, _MOST_NAMED)}" if failed else ""
    )
    yield "no method failed", not failed, f"{detail}."
    empty = runs[runs["incumbent_loss"].isna() & runs["trials"].gt(0)]["run"].tolist()
    detail = f"{len(empty)} runs have no valid trial and count with a regret of 1"
    yield (
        "no run without a valid trial",
        not empty,
        f"{detail}{': ' + first_of(empty, _MOST_NAMED) if empty else ''}.",
    )
    seeds = runs.groupby("problem")["seed"].nunique()
    fewest = int(seeds.min()) if len(seeds) else 0
    yield (
        "enough seeds",
        fewest >= FEW_SEEDS,
        f"{fewest} on the problem with the fewest; at least {FEW_SEEDS} are needed, {seeds_for(0.75)} for a "
        "claim about a single problem.",
    )


def _open(runs: pd.DataFrame, plan: ComparisonPlan, settings: Mapping[str, Any]) -> Iterator[Check]:
    yield (
        "planned before the run",
        plan.planned or None,
        f"reference {plan.reference}, ROPE {plan.rope:g}, budgets {list(plan.budgets)}."
        if plan.planned
        else "the study file has no 'report', so budgets and reference are defaults: exploratory.",
    )
    valid = runs[runs["incumbent_loss"].notna()]
    value = valid["incumbent_test"].notna()
    keeps = value.groupby(valid["problem"]).transform("any")
    without = valid.loc[~keeps, "problem"].drop_duplicates().tolist()
    none = not value.any() and not settings.get("held_out")
    detail = f"{int(value.sum())} of {int(keeps.sum())} incumbents have a value on held-out data"
    if without:
        detail += f"; {first_of(without, _MOST_NAMED)} {'holds' if len(without) == 1 else 'hold'} none out"
    yield (
        "held-out test",
        None if none else bool(value.any() and value[keeps].all()),
        "no problem holds data out." if none else f"{detail}.",
    )
    first = runs.drop_duplicates("method")
    changed = [
        f"{m}: {json.dumps(json.loads(s))}" for m, s in zip(first["method"], first["settings"], strict=True)
    ]
    yield "settings reported", True, f"{'; '.join(changed)}."

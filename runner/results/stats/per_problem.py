"""Results of each method on each problem: regrets, failed trials, coverage of the plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from runner.results.frames import FAILURES
from runner.results.ranking import quantile
from runner.results.stats.comparison import Comparison
from runner.results.stats.decision import LEVEL_DIGITS
from runner.results.stats.intervals import WORSE, mean_interval, shown
from runner.results.stats.shape import table, too_few_seeds

_FLOATS = ("regret", "lower", "upper", "value", "value_lower", "value_upper")


def by_problem(comparison: Comparison) -> pd.DataFrame:
    """Compute the regret and the metric of each method on each problem at the common budget.

    Returns
    -------
    pandas.DataFrame
        problem, method, regret (mean over the seeds), lower, upper (Student's t), value (median, in the
        problem's own direction), value_lower, value_upper (quartiles), leads (no method has a lower
        mean regret), tied (not shown to be worse than the leader; see `runner.results.stats.intervals`).
    """
    blocks, losses = comparison.blocks(), comparison.losses()
    signs, rope = comparison.signs, comparison.plan.rope
    rows = []
    for problem, values, loss, copies in zip(
        blocks.problems, blocks.values, losses.values, blocks.copies, strict=True
    ):
        n = values.shape[1]
        middle = values.mean(axis=1)
        levels = np.round(middle, LEVEL_DIGITS)
        best = int(np.argmin(levels))
        reason = too_few_seeds(n)
        worse = np.zeros(len(middle), dtype=bool)
        if not reason:
            _, low, high = mean_interval((values,))
            exact = (copies == copies[:, :1]).all(axis=1)
            worse = shown(*mean_interval((values - values[best],)), rope, n, exact & exact[best]) == WORSE
        for m, method in enumerate(blocks.methods):
            row: dict[str, Any] = {"problem": problem, "method": method, "regret": middle[m]}
            row |= {"leads": levels[m] == levels[best], "problems": 1, "seeds": n, "reason": reason}
            quartiles = sorted(signs[problem] * quantile(loss[m], q) for q in (0.25, 0.75))
            row |= {"value": signs[problem] * quantile(loss[m], 0.5) + 0.0}
            row |= {"value_lower": quartiles[0] + 0.0, "value_upper": quartiles[1] + 0.0}
            row["tied"] = not worse[m]
            if not reason:
                row |= {"lower": max(0.0, low[m]), "upper": min(1.0, high[m])}
            rows.append(row)
    kinds = {"problem": "string", "method": "string", **dict.fromkeys(_FLOATS, "float")}
    return table(rows, {**kinds, "leads": "bool", "tied": "bool"}, "no block is complete at this budget.")


def failures(trials: pd.DataFrame) -> pd.DataFrame:
    """Count failed trials: method, problem, status, trials, share (of all there), example (a message)."""
    kinds = {"method": "string", "problem": "string", "status": "string", "trials": "int", "share": "float"}
    failed = trials[trials["status"].isin(FAILURES)]
    if not len(failed):
        return table([], {**kinds, "example": "string"}, "no trial failed.")
    sizes = trials.groupby(["method", "problem"], observed=True).size()
    groups = failed.groupby(["method", "problem", "status"], sort=False, observed=True)
    found = groups.agg(trials=("number", "size"), example=("error", "first"), seeds=("seed", "nunique"))
    rows = found.reset_index().to_dict("records")
    for row in rows:
        row |= {"share": row["trials"] / sizes[row["method"], row["problem"]], "problems": 1, "reason": ""}
    return table([{str(k): v for k, v in row.items()} for row in rows], {**kinds, "example": "string"})


def coverage(reach: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Count how much of the plan was run.

    Returns
    -------
    pandas.DataFrame
        problem, method, planned, started, ended, valid (runs with a valid trial), method_failed (runs),
        trials, failures.
    """
    frame = runs.assign(
        started=runs["trials"].gt(0),
        ended=reach["ended"].to_numpy(),
        valid=runs["incumbent_loss"].notna(),
        method_failed=runs["failed"],
    )
    groups = frame.groupby(["problem", "method"], sort=False, observed=True)
    found = groups.agg(
        planned=("run", "size"),
        started=("started", "sum"),
        ended=("ended", "sum"),
        valid=("valid", "sum"),
        method_failed=("method_failed", "sum"),
        trials=("trials", "sum"),
        failures=("failures", "sum"),
        seeds=("seed", "nunique"),
    ).reset_index()
    rows = [{str(k): v for k, v in row.items()} for row in found.assign(problems=1).to_dict("records")]
    counts = ("planned", "started", "ended", "valid", "method_failed", "trials", "failures")
    return table(rows, {"problem": "string", "method": "string", **dict.fromkeys(counts, "int")})

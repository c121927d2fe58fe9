"""Costs of the methods: proposal time, and the evaluation time from which an expensive method pays off.

| symbol | here | meaning |
|---|---|---|
| n_A, o_A | trials to a target (aRT), proposal time per trial | |
| c*       | seconds of `break_even` | (n_A o_A - n_B o_B) / (n_B - n_A)  (1) |
| c, W     | seconds, workers of `retimed` | |
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.stats import targets
from runner.results.stats.comparison import Comparison
from runner.results.stats.shape import table

Floats = NDArray[np.float64]
Pays = Literal["above", "below", "always", "never"]


def costs(trials: pd.DataFrame) -> pd.DataFrame:
    """Sum up where the time of each method went, by problem.

    Returns
    -------
    pandas.DataFrame
        method, problem, trials, suggest_seconds, queue_seconds, evaluation_seconds (sums),
        overhead_per_trial (mean proposal time).
    """
    groups = trials.groupby(["method", "problem"], sort=False, observed=True)
    found = groups.agg(
        trials=("number", "size"),
        suggest_seconds=("suggest_seconds", "sum"),
        queue_seconds=("queue_seconds", "sum"),
        evaluation_seconds=("seconds", "sum"),
        seeds=("seed", "nunique"),
    ).reset_index()
    rows = found.assign(
        overhead_per_trial=found["suggest_seconds"] / found["trials"], problems=1, reason=""
    ).to_dict("records")
    kinds = {"method": "string", "problem": "string", "trials": "int"}
    names = ("suggest_seconds", "queue_seconds", "evaluation_seconds", "overhead_per_trial")
    return table(rows, {**kinds, **dict.fromkeys(names, "float")}, "no trial has ended yet.")  # type: ignore[arg-type]


def overhead_growth(trials: pd.DataFrame, bins: int = 20) -> pd.DataFrame:
    """Compute how long a proposal takes as the history grows.

    Returns
    -------
    pandas.DataFrame
        method, number (the middle of a bin of trial numbers), suggest_seconds (median), q25, q75.
    """
    kinds = {
        "method": "string",
        "number": "float",
        "suggest_seconds": "float",
        "q25": "float",
        "q75": "float",
    }
    if not len(trials):
        return table([], kinds, "no trial has ended yet.")
    most = int(trials["number"].max()) + 1
    edges = np.unique(np.linspace(0, most, min(bins, most) + 1).round())
    place = np.digitize(trials["number"].to_numpy(), edges) - 1
    groups = trials.assign(bin=place).groupby(["method", "bin"], sort=False, observed=True)
    found = groups.agg(problems=("problem", "nunique"), seeds=("seed", "nunique"))
    quantiles = groups["suggest_seconds"].quantile(np.array([0.25, 0.5, 0.75])).unstack()
    found[["q25", "suggest_seconds", "q75"]] = quantiles.reindex(found.index).to_numpy()
    found = found.reset_index()
    b = found["bin"].to_numpy()
    found["number"] = (edges[b] + edges[b + 1] - 1) / 2
    return table([{str(k): v for k, v in row.items()} for row in found.to_dict("records")], kinds)


def break_even(n_a: float, overhead_a: float, n_b: float, overhead_b: float) -> tuple[float, Pays]:
    """Compute the duration of one evaluation from which A reaches the target sooner than B.

    Returns
    -------
    seconds : float
        c* of (1); NaN if A pays off always or never.
    pays : str
        "above": A is sooner if an evaluation takes longer than c*; or "below", "always", "never".
    """
    more = n_a * overhead_a - n_b * overhead_b  # seconds that A spends on proposals more than B
    if n_a < n_b:
        c = more / (n_b - n_a)
        return (c, "above") if c > 0 else (math.nan, "always")
    if n_a == n_b:
        return math.nan, "always" if more < 0 else "never"
    c = more / (n_b - n_a)
    return (c, "below") if c > 0 else (math.nan, "never")


def break_evens(comparison: Comparison, target: int | None = None) -> pd.DataFrame:
    """Compute `break_even` of the foremost methods, for one target.

    Returns
    -------
    pandas.DataFrame
        method, against, target, trials_a, trials_b, overhead_a, overhead_b, seconds, pays.
    """
    target = targets.target(comparison) if target is None else target
    speed = targets.speedups(comparison, "trials")
    means = comparison.trials.groupby("method")["suggest_seconds"].mean()
    overheads = {method: float(means.get(method, math.nan)) for method in comparison.methods}
    kinds = {"method": "string", "against": "string", "target": "int"}
    kinds |= dict.fromkeys(("trials_a", "trials_b", "overhead_a", "overhead_b", "seconds"), "float")
    at_target = {str(row["method"]): row for row in speed[speed["target"] == target].to_dict("records")}
    rows = []
    for a, b in comparison.pairs():
        row: dict[str, Any] = {"method": a, "against": b, "target": target}
        if a not in at_target or b not in at_target:
            rows.append(row | {"reason": "random search sets no target."})
            continue
        ours, theirs = at_target[a], at_target[b]
        row |= {"problems": int(ours["problems"]), "seeds": int(ours["seeds"]), "trials_a": ours["art"]}
        row |= {"trials_b": theirs["art"], "overhead_a": overheads[a], "overhead_b": overheads[b]}
        row["reason"] = str(ours["reason"] or theirs["reason"])
        if not row["reason"] and not (math.isfinite(ours["art"]) and math.isfinite(theirs["art"])):
            row["reason"] = "one of the two methods does not hit the target on every problem."
        if not row["reason"]:
            row["seconds"], row["pays"] = break_even(ours["art"], overheads[a], theirs["art"], overheads[b])
        rows.append(row)
    return table(rows, {**kinds, "pays": "string"})


def retimed(steps: pd.DataFrame, suggest: Floats, seconds: float, workers: int = 1) -> Floats:
    """Compute when each trial would have ended, had every evaluation taken the same time.

    One worker: t_j = sum of (o_l + c) for l up to j. Several: proposals are made one after the other, and a
    trial starts when it has been proposed and a worker is free.

    Parameters
    ----------
    steps : pandas.DataFrame
        run and number; the rows of a run are adjacent and in order.
    suggest : array, shape (trials,)
        Seconds that each proposal took.
    seconds : float
        c.
    workers : int, default 1
        W. More than one gives an estimate: methods that use their history would have known less.

    Returns
    -------
    array, shape (trials,)
        Seconds since each run's start.
    """
    runs = steps["run"].to_numpy()
    if not len(runs):
        return np.zeros(0)
    first = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]])
    ends = np.r_[first[1:], len(runs)]
    found = np.empty(len(runs))
    for start, end in zip(first, ends, strict=True):
        proposing = suggest[start:end]
        if workers == 1:
            found[start:end] = np.cumsum(proposing + seconds)
            continue
        ended = np.empty(end - start)
        proposed = 0.0
        for j, o in enumerate(proposing):
            free = ended[j - workers] if j >= workers else 0.0  # equal durations end in order
            proposed = max(proposed, free) + o
            ended[j] = proposed + seconds
        found[start:end] = ended
    return found

"""Fixed targets: how much sooner than random search a method finds what random search would find.

| symbol | here | meaning |
|---|---|---|
| tau_i(b0) | loss of `targets` | E[min of b0 random draws] on instance i |
| aRT       | art | (budget of the hits + budget of the runs without a hit) / hits  (1) |
| S(b0)     | speedup | geometric mean over problems of aRT of random search / aRT of the method  (2) |

Targets are set per instance from its random draws, so no knowledge of the problem is needed and
losses of other splits do not blur them. A run without a hit is charged with all that it spent.
If a method never hits on some problem, (2) has an upper bound only; if random search does not, a lower
one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.stats.comparison import Comparison
from runner.results.stats.curves import Axis
from runner.results.stats.regret import expected_min
from runner.results.stats.shape import FEW_SEEDS, cached, table, too_few_seeds

Floats = NDArray[np.float64]

COUNTS: Final = (5, 10, 30, 100, 300, 1000, 3000, 10_000)
"""Numbers of draws whose best loss is a target: two per decade, from the fewest that set a reference."""
NO_RANDOM: Final = "no independent random search ran in this study."
FEW_DRAWS: Final = "random search has too few valid draws."


def target_counts(draws: pd.DataFrame) -> tuple[int, ...]:
    """Choose the b0 of the targets: round numbers up to the draws of every instance, and half of these."""
    if not len(draws):
        return ()
    n = int(draws.groupby(["problem", "seed"]).size().min())
    return tuple(sorted({b for b in (*COUNTS, n // 2) if COUNTS[0] <= b <= n}))


def target(comparison: Comparison, budget: float | None = None) -> int:
    """Choose the target of speed-ups at a budget: what random search finds in half of it; 0 for none."""
    most = comparison.common("trials") if budget is None else budget
    fitting = [b for b in target_counts(comparison.draws) if b <= max(most / 2, COUNTS[0])]
    return max(fitting, default=0)


def targets(draws: pd.DataFrame, counts: Sequence[int]) -> pd.DataFrame:
    """Compute the loss that a number of random draws is expected to find, on each instance.

    Failed draws find nothing: of b0 draws only the share that is valid counts.

    Parameters
    ----------
    draws : pandas.DataFrame
        `runner.results.stats.regret.random_draws`.

    Returns
    -------
    pandas.DataFrame
        problem, seed, target (b0), loss.
    """
    rows = []
    for (problem, seed), losses in draws.groupby(["problem", "seed"], sort=False)["loss"]:
        every = losses.to_numpy(dtype=np.float64)
        valid = every[np.isfinite(every)]
        share = len(valid) / len(every)
        for b in counts:
            m = max(1, round(b * share))
            rows.append({"problem": problem, "seed": seed, "target": b, "loss": expected_min(valid, m)})
    frame = pd.DataFrame(rows, columns=["problem", "seed", "target", "loss"])
    return frame.astype({"problem": "string", "seed": "int64", "target": "int64", "loss": "float64"})


@cached
def run_times(comparison: Comparison, axis: Axis) -> pd.DataFrame:
    """Find when each run of the blocks that count at the common budget hit each target.

    Returns
    -------
    pandas.DataFrame
        problem, seed, method, target, budget (spent when the target was hit; infinite where it was
        not), hit, spent (by the run as a whole).
    """
    used = comparison.used()
    losses_of = targets(comparison.draws, target_counts(comparison.draws)).dropna(subset=["loss"])
    steps, reach = comparison.steps, comparison.reach
    goals = {
        instance: list(group[["target", "loss"]].itertuples(index=False, name=None))
        for instance, group in losses_of.groupby(["problem", "seed"])
        if instance in used
    }
    runs = steps["run"].to_numpy()
    first = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]]) if len(runs) else np.zeros(0, dtype=int)
    starts = dict(zip(runs[first].tolist(), first.tolist(), strict=True))
    losses = steps["loss"].to_numpy(dtype=np.float64)
    spent = steps[axis].to_numpy(dtype=np.float64)
    rows = []
    for run, method, problem, seed, settled in reach[
        ["run", "method", "problem", "seed", "settled"]
    ].itertuples(index=False, name=None):
        if (problem, seed) not in goals:
            continue
        start = starts.get(run, 0)
        inside = slice(start, start + int(settled))
        falling = np.where(np.isnan(losses[inside]), np.inf, losses[inside])
        whole, rising = float(spent[inside][-1]) if settled else 0.0, -falling
        for b, loss in goals[problem, seed]:
            place = int(np.searchsorted(rising, -loss, side="left"))  # the first that is not above it
            hit = place < len(falling)
            when = float(spent[inside][place]) if hit else math.inf
            rows.append((problem, seed, method, b, when, hit, whole))
    columns = ["problem", "seed", "method", "target", "budget", "hit", "spent"]
    frame = pd.DataFrame(rows, columns=columns)
    strings = {"problem": "string", "method": "string"}
    return frame.astype({**strings, "seed": "int64", "target": "int64", "hit": "bool"})


def average_run_times(times: pd.DataFrame) -> pd.DataFrame:
    """Compute equation (1) for each problem, method and target: art, hits, runs, spent."""
    keys = ["problem", "method", "target"]
    charged = times["budget"].where(times["hit"], times["spent"])
    groups = times.assign(charged=charged).groupby(keys, sort=False, observed=True)
    found = groups.agg(charged=("charged", "sum"), hits=("hit", "sum"), runs=("hit", "size")).reset_index()
    with np.errstate(divide="ignore"):
        art = np.where(found["hits"] > 0, found["charged"] / found["hits"].where(found["hits"] > 0), np.inf)
    return found.assign(art=art, spent=found["charged"]).drop(columns="charged")


@cached
def speedups(comparison: Comparison, axis: Axis) -> pd.DataFrame:
    """Compute equation (2) for each method and target.

    Returns
    -------
    pandas.DataFrame
        method, target, speedup, bound ("=", ">=" or "<=", and "" where there is no number), art (the
        geometric mean over the problems; infinite if it never hits on one), hits, runs.
    """
    times, methods, reference = run_times(comparison, axis), comparison.methods, comparison.random
    counts = target_counts(comparison.draws)
    kinds = {"method": "string", "target": "int", "speedup": "float", "bound": "string", "art": "float"}
    kinds |= {"hits": "int", "runs": "int"}
    if reference is None or not counts:
        reason = NO_RANDOM if reference is None else FEW_DRAWS
        return table([{"method": method, "bound": "", "reason": reason} for method in methods], kinds)
    found = average_run_times(times)
    seeds = times.groupby("problem")["seed"].nunique()
    fewest = int(seeds.min()) if len(seeds) else 0
    rest = {"bound": "", "problems": len(seeds), "seeds": fewest, "reason": too_few_seeds(fewest, FEW_SEEDS)}
    of: dict[tuple[str, int], dict[str, tuple[float, float]]] = {}
    totals: dict[tuple[str, int], tuple[int, int]] = {}
    columns = ["problem", "method", "target", "art", "spent", "hits", "runs"]
    for problem, method, b, art, spent, hits, runs in found[columns].itertuples(index=False, name=None):
        of.setdefault((method, b), {})[problem] = art, spent
        before = totals.get((method, b), (0, 0))
        totals[method, b] = before[0] + int(hits), before[1] + int(runs)
    rows = []
    for method in methods:
        for b in counts:
            row: dict[str, Any] = {"method": method, "target": b, **rest}
            row |= dict(zip(("hits", "runs"), totals.get((method, b), (0, 0)), strict=True))
            ours, theirs = of.get((method, b), {}), of.get((reference, b), {})
            if not row["reason"] and ours:
                unknown = (math.nan, math.nan)
                row |= _speedup(
                    np.array(list(ours.values())), np.array([theirs.get(p, unknown) for p in ours])
                )
            rows.append(row)
    return table(rows, kinds)


def _speedup(ours: Floats, theirs: Floats) -> dict[str, Any]:
    """Compute equation (2) from aRT and total budget, shape (problems, 2) each."""
    a, b = ours[:, 0], theirs[:, 0]
    with np.errstate(divide="ignore"):  # the mean is 0 where nothing took time
        art = float(np.exp(np.log(a).mean())) if np.isfinite(a).all() else math.inf
    missed, lacking = ~np.isfinite(a), ~np.isfinite(b)
    if missed.any() and lacking.any():
        return {
            "art": art,
            "reason": "neither it nor random search hits the target on every problem.",
        }
    # A method that has not hit would need more than all its runs have spent.
    a, b = np.where(missed, ours[:, 1], a), np.where(lacking, theirs[:, 1], b)
    if not (a > 0).all() or not (b > 0).all():
        return {"art": art, "reason": "no time was measured."}
    bound = "<=" if missed.any() else ">=" if lacking.any() else "="
    return {"art": art, "speedup": float(np.exp(np.mean(np.log(b) - np.log(a)))), "bound": bound}


def speedup_of(comparison: Comparison, axis: Axis, count: int) -> pd.DataFrame:
    """Select the speed-ups for one target, of all methods but random search itself."""
    frame = speedups(comparison, axis)
    return frame[(frame["target"] == count) & (frame["method"] != comparison.random)]


def ecdf(
    comparison: Comparison, axis: Axis | None = None, grid: Sequence[float] | None = None
) -> pd.DataFrame:
    """Compute the share of (problem, seed, target) that each method has hit within each budget.

    Returns
    -------
    pandas.DataFrame
        method, budget, share.
    """
    points = comparison.grid(axis) if grid is None else np.asarray(grid, dtype=np.float64)
    times = run_times(comparison, axis or comparison.axis)
    rows = []
    size, seeds = times["problem"].nunique(), times.groupby("problem")["seed"].nunique()
    rest = {"problems": size, "seeds": int(seeds.min()) if len(seeds) else 0}
    for method in comparison.methods:
        hits = np.sort(times.loc[times["method"] == method, "budget"].to_numpy(dtype=np.float64))
        if not len(hits):
            rows.append({"method": method, **rest, "reason": NO_RANDOM})
            continue
        shares = np.searchsorted(hits, points, side="right") / len(hits)
        rows += [
            {"method": method, "budget": b, "share": share, **rest}
            for b, share in zip(points, shares, strict=True)
        ]
    return table(rows, {"method": "string", "budget": "float", "share": "float"})

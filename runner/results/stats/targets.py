"""Fixed targets: how much sooner than random search a method finds what random search would find.

| symbol | here | meaning |
|---|---|---|
| tau_i(b0) | loss of `targets` | E[min of b0 random draws] on instance i |
| aRT       | art | (sum of what hits took + sum of what runs without a hit spent) / hits  (1) |
| S(b0)     | speedup | geometric mean over problems of aRT of random search / aRT of the method  (2) |

Targets are set per instance from its random draws, so no knowledge of the problem is needed and
losses of other splits do not blur them. A run without a hit is charged with what it spent itself.
Where a method never hits on some problem, (2) has an upper bound only, and where random search does
not, a lower one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.stats.curves import Axis
from runner.results.stats.regret import expected_min
from runner.results.stats.shape import FEW_SEEDS, table, too_few_seeds

Floats = NDArray[np.float64]

COUNTS: Final = (5, 10, 30, 100, 300, 1000, 3000, 10_000)
NO_RANDOM: Final = "no independent random search ran beside it."
FEW_DRAWS: Final = "random search has too few valid draws."


def target_counts(draws: pd.DataFrame) -> tuple[int, ...]:
    """The b0 of the targets: round numbers up to the draws of every instance, and half of these."""
    if not len(draws):
        return ()
    n = int(draws.groupby(["problem", "seed"]).size().min())
    return tuple(sorted({b for b in (*COUNTS, n // 2) if 5 <= b <= n}))


def targets(draws: pd.DataFrame, counts: Sequence[int]) -> pd.DataFrame:
    """The loss that so many random draws are expected to find, on each instance.

    Failed draws are draws without a find: b0 of them have b0 times the share of valid ones.

    Parameters
    ----------
    draws : pandas.DataFrame
        `runner.results.stats.regret.random_draws`.
    counts : sequence of int

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


def run_times(
    steps: pd.DataFrame, reach: pd.DataFrame, found: pd.DataFrame, axis: Axis = "trials"
) -> pd.DataFrame:
    """When each run hit each target.

    Returns
    -------
    pandas.DataFrame
        problem, seed, method, target, budget (spent when the target was hit; infinite where it was
        not), hit, spent (by the run as a whole).
    """
    wanted = {
        instance: list(some[["target", "loss"]].itertuples(index=False, name=None))
        for instance, some in found.dropna(subset=["loss"]).groupby(["problem", "seed"])
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
        if (problem, seed) not in wanted:
            continue
        start = starts.get(run, 0)
        inside = slice(start, start + int(settled))
        falling = np.where(np.isnan(losses[inside]), np.inf, losses[inside])
        whole, rising = float(spent[inside][-1]) if settled else 0.0, -falling
        for b, loss in wanted[problem, seed]:
            place = int(np.searchsorted(rising, -loss, side="left"))  # the first that is not above it
            hit = place < len(falling)
            when = float(spent[inside][place]) if hit else math.inf
            rows.append((problem, seed, method, b, when, hit, whole))
    columns = ["problem", "seed", "method", "target", "budget", "hit", "spent"]
    frame = pd.DataFrame(rows, columns=columns)
    whole_numbers = {"seed": "int64", "target": "int64"}
    return frame.astype({"problem": "string", "method": "string", **whole_numbers, "hit": "bool"})


def average_run_times(times: pd.DataFrame) -> pd.DataFrame:
    """Equation (1) for each problem, method and target: art, hits, runs, spent."""
    keys = ["problem", "method", "target"]
    charged = times["budget"].where(times["hit"], times["spent"])
    groups = times.assign(charged=charged).groupby(keys, sort=False, observed=True)
    found = groups.agg(charged=("charged", "sum"), hits=("hit", "sum"), runs=("hit", "size")).reset_index()
    with np.errstate(divide="ignore"):
        art = np.where(found["hits"] > 0, found["charged"] / found["hits"].where(found["hits"] > 0), np.inf)
    return found.assign(art=art, spent=found["charged"]).drop(columns="charged")


def speedups(
    times: pd.DataFrame, reference: str | None, methods: Sequence[str], counts: Sequence[int]
) -> pd.DataFrame:
    """Equation (2) for each method and target.

    Parameters
    ----------
    times : pandas.DataFrame
        `run_times` of the blocks that count.
    reference : str or None
        The label of random search.
    methods : sequence of str
    counts : sequence of int

    Returns
    -------
    pandas.DataFrame
        method, target, speedup, bound ("=", ">=" or "<=", and "" where there is no number), art (the
        geometric mean over the problems; infinite where it never hits on one), hits, runs.
    """
    kinds = {"method": "text", "target": "int", "speedup": "float", "bound": "text", "art": "float"}
    kinds |= {"hits": "int", "runs": "int"}
    if reference is None or not counts:
        reason = NO_RANDOM if reference is None else FEW_DRAWS
        return table([{"method": method, "bound": "", "reason": reason} for method in methods], kinds)
    found = average_run_times(times)
    seeds = times.groupby("problem")["seed"].nunique()
    fewest = int(seeds.min()) if len(seeds) else 0
    rest = {"bound": "", "problems": len(seeds), "seeds": fewest, "reason": too_few_seeds(fewest, FEW_SEEDS)}
    of: dict[tuple[str, int], dict[str, tuple[float, float]]] = {}
    counted: dict[tuple[str, int], tuple[int, int]] = {}
    columns = ["problem", "method", "target", "art", "spent", "hits", "runs"]
    for problem, method, b, art, spent, hits, runs in found[columns].itertuples(index=False, name=None):
        of.setdefault((method, b), {})[problem] = art, spent
        before = counted.get((method, b), (0, 0))
        counted[method, b] = before[0] + int(hits), before[1] + int(runs)
    rows = []
    for method in methods:
        for b in counts:
            row: dict[str, Any] = {"method": method, "target": b, **rest}
            row |= dict(zip(("hits", "runs"), counted.get((method, b), (0, 0)), strict=True))
            ours, theirs = of.get((method, b), {}), of.get((reference, b), {})
            if not row["reason"] and ours:
                unknown = (math.nan, math.nan)
                row |= _speedup(
                    np.array(list(ours.values())), np.array([theirs.get(p, unknown) for p in ours])
                )
            rows.append(row)
    return table(rows, kinds)


def _speedup(ours: Floats, theirs: Floats) -> dict[str, Any]:
    """Equation (2) from aRT and what was spent, shape (problems, 2) each."""
    a, b = ours[:, 0], theirs[:, 0]
    with np.errstate(divide="ignore"):  # of what took no time the mean is 0
        art = float(np.exp(np.log(a).mean())) if np.isfinite(a).all() else math.inf
    missed, lacking = ~np.isfinite(a), ~np.isfinite(b)
    if missed.any() and lacking.any():
        return {"art": art, "reason": "neither it nor random search hits the target on every problem."}
    # Who has not hit would need more than all its runs have spent.
    a, b = np.where(missed, ours[:, 1], a), np.where(lacking, theirs[:, 1], b)
    if not (a > 0).all() or not (b > 0).all():
        return {"art": art, "reason": "no time was measured."}
    bound = "<=" if missed.any() else ">=" if lacking.any() else "="
    return {"art": art, "speedup": float(np.exp(np.mean(np.log(b) - np.log(a)))), "bound": bound}


def ecdf(times: pd.DataFrame, grid: Floats, methods: Sequence[str]) -> pd.DataFrame:
    """The share of (problem, seed, target) that each method has hit within each budget.

    Returns
    -------
    pandas.DataFrame
        method, budget, share.
    """
    rows = []
    size, seeds = times["problem"].nunique(), times.groupby("problem")["seed"].nunique()
    rest = {"problems": size, "seeds": int(seeds.min()) if len(seeds) else 0}
    for method in methods:
        hits = np.sort(times.loc[times["method"] == method, "budget"].to_numpy(dtype=np.float64))
        if not len(hits):
            rows.append({"method": method, **rest, "reason": NO_RANDOM})
            continue
        shares = np.searchsorted(hits, grid, side="right") / len(hits)
        rows += [
            {"method": method, "budget": b, "share": share, **rest}
            for b, share in zip(grid, shares, strict=True)
        ]
    return table(rows, {"method": "text", "budget": "float", "share": "float"})


def profiles(times: pd.DataFrame, target: int, methods: Sequence[str]) -> pd.DataFrame:
    """Performance profiles: the share of problems on which a method needs at most ratio times the least.

    Read the leader and the end only: the order of the others changes with who takes part (Dolan and
    Moré, Mathematical Programming 91, 2002; Gould and Scott, 2016).

    Returns
    -------
    pandas.DataFrame
        method, ratio, share.
    """
    found = average_run_times(times[times["target"] == target])
    wide = found.pivot(index="problem", columns="method", values="art").reindex(columns=list(methods))
    kinds = {"method": "text", "ratio": "float", "share": "float"}
    seeds = times.groupby("problem")["seed"].nunique()
    rest = {"problems": len(wide), "seeds": int(seeds.min()) if len(seeds) else 0}
    if not len(wide):
        return table([{"method": method, "reason": NO_RANDOM} for method in methods], kinds)
    least = wide.min(axis=1).to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore"):
        ratios = wide.to_numpy(dtype=np.float64) / least[:, None]
    ratios = np.where(np.isfinite(ratios), ratios, np.inf)
    points = np.unique(np.r_[1.0, ratios[np.isfinite(ratios)]])
    rows = [
        {"method": method, "ratio": x, "share": float((ratios[:, m] <= x).mean()), **rest}
        for m, method in enumerate(methods)
        for x in points
    ]
    return table(rows, kinds)


def within(times: pd.DataFrame, blocks: Collection[tuple[str, int]]) -> pd.DataFrame:
    """Those of some blocks."""
    inside = pd.MultiIndex.from_frame(times[["problem", "seed"]]).isin(list(blocks))
    return times[inside]

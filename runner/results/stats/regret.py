"""Normalised regret: 0 at the optimum, 1 if a run is no better than a reference loss.

An *instance* is a problem with a seed: the seed changes splits and data, so optimum and reference
are set per instance, never for the problem as a whole.

| symbol | here | meaning |
|---|---|---|
| f*     | f_opt | the least loss: known, or the best of all that was evaluated |
| f_ref  | f_ref | the median loss of one random draw |
| rho    | regret | min(1, (f - f*) / (f_ref - f*))  (1) |
| x_(k)  | draws | the sorted losses of n independent random draws |

Scaling between the best and the worst method of a study is avoided on purpose: it pins the worst
to 1 and moves when a method is added.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln

from runner.results.stats.offscale import ceilings, to_scale

Floats = NDArray[np.float64]

LEAST_DRAWS: Final = 5
"""Draws whose median is a reference: of fewer, one bad draw moves the scale of a whole instance."""
_FLAT: Final = 8 * np.finfo(np.float64).eps  # differences that rounding alone can make


def random_draws(
    trials: pd.DataFrame, runs: pd.DataFrame, limits: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Select the trials of independent random search: problem, seed, loss; NaN where a draw was not valid.

    Of several such methods the first counts, since all of a block draw alike. A penalty is not a loss.
    ``limits`` are `runner.results.stats.offscale.ceilings`.
    """
    limits = ceilings(trials) if limits is None else limits
    independent = runs["method_name"].eq("random") & ~runs["settings"].str.contains('"sobol"', regex=False)
    of_random = runs[independent.to_numpy(dtype=bool)].drop_duplicates(["problem", "seed"])
    found = trials[trials["run"].isin(of_random["run"])]
    valid = found["status"].eq("COMPLETED").to_numpy(dtype=bool) & np.isfinite(found["loss"].to_numpy())
    valid &= to_scale(found, limits)
    return pd.DataFrame(
        {
            "problem": found["problem"],
            "seed": found["seed"],
            "run": found["run"],
            "number": found["number"],
            "loss": np.where(valid, found["loss"].to_numpy(), np.nan),
        }
    )


def instances(
    trials: pd.DataFrame, runs: pd.DataFrame, limits: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Set optimum and reference loss of each instance.

    Parameters
    ----------
    trials, runs : pandas.DataFrame
        As in `runner.results.Results`.
    limits : mapping of str to float, optional
        `runner.results.stats.offscale.ceilings`, if they are known already.

    Returns
    -------
    pandas.DataFrame
        problem, seed, f_opt, f_opt_source, f_ref, f_ref_source, n_random (valid draws), flat (f_ref
        is f_opt, so that nothing can be gained), problems, seeds, reason (for having no regret).

    Notes
    -----
    If no random search ran, or gave fewer than five valid draws, the reference is the median of the runs'
    first valid losses; penalties count for neither. If a loss lies below the stated optimum (noise, or a
    wrong optimum), the best loss takes its place. If all losses of an instance are penalties, these are
    used.
    """
    valid = trials["status"].eq("COMPLETED").to_numpy(dtype=bool) & np.isfinite(trials["loss"].to_numpy())
    good = trials.loc[valid, ["problem", "seed", "run", "loss"]]
    keys = ["problem", "seed"]
    best = good.groupby(keys)["loss"].min()
    limits = ceilings(trials) if limits is None else limits
    scaled = good[to_scale(good, limits)]
    firsts = scaled.groupby([*keys, "run"], sort=False)["loss"].first().groupby(level=keys).median()
    draws = random_draws(trials, runs, limits).dropna(subset=["loss"])
    draws = draws.groupby(keys)["loss"].agg(["median", "size"])
    sign = np.where(runs["direction"].eq("minimize"), 1.0, -1.0)
    known = runs[keys].assign(known=sign * runs["optimum"].to_numpy(dtype=np.float64))
    optima = known.groupby(keys, sort=False)["known"].first()  # the same for all runs of a block
    exhausted = _exhausted(runs)
    rows = []
    for key, optimum in zip(optima.index.tolist(), optima.tolist(), strict=True):
        problem, seed = key
        lowest = float(best.get(key, math.nan))
        count = int(draws["size"].get(key, 0))
        enough = count >= LEAST_DRAWS
        f_ref = float(draws["median"].get(key, math.nan) if enough else firsts.get(key, math.nan))
        source = "random draws" if enough else "first trials"
        row = _instance(float(optimum), lowest, key in exhausted, f_ref)
        row |= {"problem": problem, "seed": seed, "f_ref_source": source, "n_random": count}
        rows.append(row)
    columns = ["problem", "seed", "f_opt", "f_opt_source", "f_ref", "f_ref_source", "n_random", "flat"]
    frame = pd.DataFrame(rows, columns=[*columns, "problems", "seeds", "reason"])
    text = dict.fromkeys(("problem", "f_opt_source", "f_ref_source", "reason"), "string")
    whole = dict.fromkeys(("seed", "n_random", "problems", "seeds"), "int64")
    return frame.astype({**text, **whole, "f_opt": "float64", "f_ref": "float64", "flat": "bool"})


def _instance(known: float, lowest: float, exhausted: bool, f_ref: float) -> dict[str, Any]:
    """Set optimum and reference of one instance, from its best loss and the median of its draws."""
    f_opt, source = _optimum(known, lowest, exhausted)
    f_ref = lowest if math.isnan(f_ref) else f_ref
    tight = abs(f_ref - f_opt) <= _FLAT * max(abs(f_ref), abs(f_opt))
    return {
        "f_opt": f_opt,
        "f_opt_source": source,
        "f_ref": f_ref,
        "flat": bool(tight or f_ref < f_opt),
        "problems": 1,
        "seeds": 1,
        "reason": "" if math.isfinite(lowest) else "no trial was valid.",
    }


def _optimum(known: float, lowest: float, exhausted: bool) -> tuple[float, str]:
    if math.isfinite(known) and not lowest < known:
        return known, "known"
    if math.isfinite(known) and known - lowest > _FLAT * max(abs(known), abs(lowest)):
        return lowest, "best seen, below the stated optimum"
    if math.isfinite(known):
        return lowest, "known"
    return lowest, "exhaustive" if exhausted else "best seen"


def _exhausted(runs: pd.DataFrame) -> set[tuple[str, int]]:
    """Find the instances whose every config was evaluated."""
    whole = (
        runs["method_name"].eq("exhaustive")
        & runs["settings"].str.contains('"resolution":null', regex=False)
        & runs["end_reason"].str.contains("nothing more", regex=False)
        & runs["failures"].eq(0)
    )
    found = runs[whole.to_numpy(dtype=bool)]
    return set(zip(found["problem"], found["seed"], strict=True))


def normalised(loss: Floats, f_opt: Floats, f_ref: Floats) -> Floats:
    """Compute equation (1); NaN stays NaN.

    On a flat instance the limit counts: 0 at the optimum and 1 above it.
    """
    loss, f_opt, f_ref = (0.5 * np.asarray(x, dtype=np.float64) for x in (loss, f_opt, f_ref))  # no overflow
    span = f_ref - f_opt
    tight = span <= _FLAT * np.maximum(np.abs(f_ref), np.abs(f_opt))
    above = loss - f_opt
    small = above <= _FLAT * np.maximum(np.abs(loss), np.abs(f_opt))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(tight, np.where(small, 0.0, 1.0), above / span)
    return np.where(np.isnan(loss), np.nan, np.clip(ratio, 0.0, 1.0))


def regrets(loss: Floats, reach: pd.DataFrame, found: pd.DataFrame) -> Floats:
    """Normalise losses to regrets, shape (runs, budgets).

    A run without a valid trial so far has a regret of 1, as if it had gained nothing.

    Parameters
    ----------
    loss : array, shape (runs, budgets)
    reach : pandas.DataFrame
        One row per run: problem and seed.
    found : pandas.DataFrame
        `instances`.
    """
    index = pd.MultiIndex.from_frame(found[["problem", "seed"]])
    where = index.get_indexer(pd.MultiIndex.from_frame(reach[["problem", "seed"]]))
    f_opt = found["f_opt"].to_numpy(dtype=np.float64)[where][:, None]
    f_ref = found["f_ref"].to_numpy(dtype=np.float64)[where][:, None]
    regret = normalised(loss, f_opt, f_ref)
    return np.where(np.isnan(loss), 1.0, regret)


def expected_min(draws: Floats, m: float) -> float:
    """Estimate the expected minimum of m independent draws, without bias, from n of them.

    E[min of m] = sum_k x_(k) C(n - k, m - 1) / C(n, m).

    Parameters
    ----------
    draws : array, shape (n,)
        Finite losses, in any order.
    m : float
        Up to n; need not be an integer.

    Returns
    -------
    float
        NaN if m is above n or below 1.
    """
    x = np.sort(np.asarray(draws, dtype=np.float64))
    n = len(x)
    if not 1 <= m <= n:
        return math.nan
    k = np.arange(1, n + 1)
    left = n - k - (m - 1)  # draws above x_(k) that are not among the m
    with np.errstate(invalid="ignore"):
        chosen = gammaln(n - k + 1) - gammaln(m) - gammaln(np.maximum(left, 0) + 1)
        whole = gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1)
        weights = np.where(left >= 0, np.exp(chosen - whole), 0.0)
    return float(x[0] + np.sum(weights * (x - x[0])) / np.sum(weights))  # exact where all are equal

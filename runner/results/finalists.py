"""The best trial of a problem in which every seed has splits of its own.

The seed of a run sets splits and data, so the lowest loss over all seeds is mostly that of the luckiest
split. The effect of a split shows in configs that were tried with every seed (a grid, the default): their
losses differ by the splits only.

| symbol | here | meaning |
|---|---|---|
| k, S | | the better half of the configs that were tried with every seed; seeds |
| Y_cs | losses | of config c with seed s |
| b_s  | | mean of Y_cs over the configs, less the mean of all |
| MSB, MSE | | mean squares between the seeds and of the residuals, in the two-way layout |

    effect_s = max(0, 1 - MSE / MSB) b_s,                                                          (1)

the best linear predictor of a random block effect: b_s itself if a seed moves all configs alike, and
0 if it does not. Of the runs' incumbents the best one has the lowest mean of loss less effect, over
the seeds with which its config was tried. The incumbents themselves cannot tell splits apart: methods of
a seed begin from the same draws, so that they share their luck too. Without such configs the lowest loss
is taken, with a note. Held-out test values are shown, and never used to choose.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner._text import counted
from runner.results.frames import HUGE
from runner.results.ranking import quantile

Floats = NDArray[np.float64]


def by_config(trials: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the losses of completed trials: a row per config, a column per seed, NaN if not tried.

    Parameters
    ----------
    trials : pandas.DataFrame
        Trials of one problem, as in `runner.results.Results`.
    """
    valid = trials["status"].eq("COMPLETED").to_numpy(dtype=bool) & np.isfinite(trials["loss"].to_numpy())
    found: pd.DataFrame = trials[valid].groupby(["config", "seed"])["loss"].min().unstack()
    return found


def seeds_differ(losses: pd.DataFrame, optima: pd.Series[float]) -> bool | None:
    """Check whether losses of one config differ between seeds; None if unknown.

    It is known if a config was tried with two seeds; and an objective with one stated optimum is a
    function, not a score on splits.

    Parameters
    ----------
    losses : pandas.DataFrame
        See `by_config`.
    optima : pandas.Series
        The stated optimum of each run; NaN if there is none.
    """
    several = losses[losses.notna().sum(axis=1) > 1]
    if len(several):
        return bool((several.min(axis=1) != several.max(axis=1)).any())
    return False if optima.notna().all() and optima.nunique() == 1 else None


def split_effects(losses: pd.DataFrame) -> dict[int, float]:
    """Estimate by how much each seed's splits raise losses, by equation (1).

    Returns
    -------
    dict of int to float
        Empty if fewer than two configs were tried with every seed.
    """
    whole = losses[losses.abs().lt(HUGE).all(axis=1)]  # a penalty is the same on every split
    if min(whole.shape) < 2:
        return {}
    order = whole.median(axis=1).sort_values(kind="stable").index
    better = whole.loc[order[: max(2, len(order) // 2)]]
    effects = _effects(better.to_numpy(dtype=np.float64))
    return dict(zip([int(seed) for seed in losses.columns], effects.tolist(), strict=True))


def _effects(losses: Floats) -> Floats:
    """Compute equation (1) from losses of shape (configs, seeds), at least two of each."""
    k, s = losses.shape
    b = losses.mean(axis=0) - losses.mean()
    rest = losses - losses.mean(axis=1, keepdims=True) - b
    between = k * float((b**2).sum()) / (s - 1)
    within = float((rest**2).sum()) / ((k - 1) * (s - 1))
    return np.asarray((1 - within / between) * b) if within < between else np.zeros(s)


def best_of(runs: pd.DataFrame, trials: pd.DataFrame, seed: int | None = None) -> dict[str, Any] | None:
    """Find the best trial of one problem; see `runner.results.Results.best`. None without a valid one.

    Parameters
    ----------
    runs, trials : pandas.DataFrame
        Runs and trials of the problem.
    seed : int, optional
        Consider only its runs.
    """
    runs = runs[runs["incumbent_loss"].notna()]
    among = runs if seed is None else runs[runs["seed"] == seed]
    if not len(among):
        return None
    losses = by_config(trials[trials["seed"].isin(among["seed"])])
    differ = seeds_differ(losses, among["optimum"]) if among["seed"].nunique() > 1 else False
    effects = split_effects(losses) if differ else {}
    order = among.assign(fair=among["incumbent_loss"])
    if effects:
        fair = (losses - pd.Series(effects)).where(losses.abs() < HUGE, np.inf).mask(losses.isna())
        order["fair"] = order["incumbent_config"].map(fair.mean(axis=1))
    first = order.sort_values(["fair", "incumbent_number"], kind="stable").iloc[0]
    same = runs.loc[runs["method"] == first["method"], "incumbent_loss"].to_numpy(dtype=np.float64)
    median = (1.0 if first["direction"] == "minimize" else -1.0) * quantile(same, 0.5) + 0.0
    test = float(first["incumbent_test"])
    found = {
        "problem": str(first["problem"]),
        "value": float(first["incumbent_value"]),
        "loss": float(first["incumbent_loss"]),
        "test": None if math.isnan(test) else test,
        "config": json.loads(first["incumbent_config"]),
        "method": str(first["method"]),
        "seed": int(first["seed"]),
        "number": int(first["incumbent_number"]),
        "median": median,
    }
    expected = f"{median:.4g}, the median of {first['method']} over {counted(len(same), 'seed')}"
    return found | {"note": "" if differ is False else _caveat(bool(differ), effects, expected)}


def _caveat(differ: bool, effects: Mapping[int, float], expected: str) -> str:
    """Write the caveat on a score that was chosen from several seeds."""
    come = "come" if differ else "may come"
    chosen = "a lucky split cannot be told from a better config here"
    if any(effects.values()):
        chosen = "their effect, by the configs that all seeds tried, was subtracted before choosing"
    elif effects:
        chosen = "they have no common effect on the configs, so scores were compared as they are"
    return f"Scores of different seeds {come} from different splits; {chosen}. Expect about {expected}."

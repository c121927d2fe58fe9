"""The best trial of a problem where every seed has splits of its own.

The seed of a run sets splits and data, so the lowest loss over all seeds is first of all that of the
luckiest split. All methods of a seed share its splits, so what a split gives shows in all of them:

| symbol | here | meaning |
|---|---|---|
| k, S | | methods that have an incumbent with every seed; seeds |
| Y_ms | losses | of the incumbents |
| b_s  | | mean of Y_ms over the methods, less the mean of all |
| MSB, MSE | | mean squares between the seeds and of what is left, in the two-way layout |

    effect_s = max(0, 1 - MSE / MSB) b_s,                                                          (1)

the best linear predictor of a random block effect: b_s itself where seeds differ by much more than runs
do, and 0 where they do not. The trial with the lowest loss less its seed's effect is the best one. A
single method does not tell its splits from its luck; the lowest loss is taken then, and that is said.
Held-out test values are for looking at and choose nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.ranking import quantile
from runner.wording import counted

Floats = NDArray[np.float64]


def seeds_differ(runs: pd.DataFrame, trials: pd.DataFrame) -> bool | None:
    """Whether one config has other losses with other seeds; None where that is not known.

    It is known where a config was tried with two seeds; and an objective with one stated optimum is a
    function, not a score on splits.

    Parameters
    ----------
    runs, trials : pandas.DataFrame
        Those of one problem, as in `runner.results.Results`.
    """
    valid = trials["status"].eq("COMPLETED").to_numpy(dtype=bool) & np.isfinite(trials["loss"].to_numpy())
    groups = trials[valid].groupby("config", sort=False)
    shared = groups["seed"].nunique() > 1
    if not shared.any():
        return False if runs["optimum"].notna().all() and runs["optimum"].nunique() == 1 else None
    return bool((groups["loss"].nunique()[shared] > 1).any())


def split_effects(runs: pd.DataFrame) -> dict[int, float]:
    """How much each seed's splits raise the losses of all methods, by equation (1).

    Parameters
    ----------
    runs : pandas.DataFrame
        Those of one problem that have an incumbent.

    Returns
    -------
    dict of int to float
        Empty where fewer than two methods have an incumbent with every seed.
    """
    wide = runs.pivot_table(index="method", columns="seed", values="incumbent_loss", aggfunc="min").dropna()
    if min(wide.shape) < 2:
        return {}
    effects = _effects(wide.to_numpy(dtype=np.float64))
    return dict(zip([int(seed) for seed in wide.columns], effects.tolist(), strict=True))


def _effects(losses: Floats) -> Floats:
    """Equation (1) of losses of shape (methods, seeds), at least two of each."""
    k, s = losses.shape
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        b = losses.mean(axis=0) - losses.mean()
        rest = losses - losses.mean(axis=1, keepdims=True) - b
        between = k * float((b**2).sum()) / (s - 1)
        within = float((rest**2).sum()) / ((k - 1) * (s - 1))
    if not (0 < between < math.inf and within < between):  # penalties overflow, and tell nothing
        return np.zeros(s)
    return np.asarray((1 - within / between) * b)


def best_of(runs: pd.DataFrame, trials: pd.DataFrame, seed: int | None = None) -> dict[str, Any] | None:
    """The best trial of one problem, as `runner.results.Results.best` has it; None without a valid one.

    Parameters
    ----------
    runs, trials : pandas.DataFrame
        Those of the problem.
    seed : int, optional
        Only its runs are candidates.
    """
    runs = runs[runs["incumbent_loss"].notna()]
    among = runs if seed is None else runs[runs["seed"] == seed]
    if not len(among):
        return None
    several = among["seed"].nunique() > 1
    differ = seeds_differ(runs, trials) if several else False
    effects = split_effects(runs) if differ is not False else {}
    losses = among["incumbent_loss"]
    order = among.assign(fair=losses - among["seed"].map(effects).fillna(0.0))
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
    """What is to be known of a score that was chosen from several seeds."""
    come = "come" if differ else "may come"
    chosen = "nothing here tells a lucky split from a better config"
    if any(effects.values()):
        chosen = "the config was chosen by its score less what its seed's splits give all methods"
    elif effects:
        chosen = "seeds differ no more than runs do, so they were compared as they are"
    return f"Scores of different seeds {come} from different splits; {chosen}. Expect about {expected}."

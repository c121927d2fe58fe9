"""Generalisation: the loss of incumbents on data that no method saw.

| symbol | here | meaning |
|---|---|---|
| i_1, ..., i_T | | the incumbents of a run, by their validation loss |
| gap | gap | test(i_T) - val(i_T) |
| ot_T | overtuning | test(i_T) - min_t test(i_t)  (1) |
| relative | | ot_T / (test(i_1) - min_t test(i_t))  (2) |

The test value is always that of the validation incumbent, never the best of the test values. All
are losses. Source: Schneider, Bischl and Feurer, "Overtuning", AutoML 2025.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from runner.results.frames import HUGE
from runner.results.stats.comparison import Comparison
from runner.results.stats.intervals import mean_interval
from runner.results.stats.shape import LEAST_SEEDS, cached, table

Floats = NDArray[np.float64]

PENALTY: Final = "an incumbent or its test value is a penalty, not a measurement."
NO_TEST: Final = "the incumbents have no test value."
_RUN_FLOATS = ("loss", "test_loss", "first_test_loss", "gap", "overtuning", "relative")


def overtuning(tests: Floats) -> tuple[float, float]:
    """Compute (1) and (2) from the test losses of successive incumbents.

    Returns
    -------
    overtuning, relative : float
        relative is 0 if nothing was lost, infinite if there was a loss but never a gain.
    """
    best = float(tests.min())
    lost, won = float(tests[-1]) - best, float(tests[0]) - best
    if won > 0:
        return lost, lost / won
    return lost, 0.0 if lost == 0 else math.inf


@cached
def generalisation(comparison: Comparison) -> pd.DataFrame:
    """Compare the validation and test losses of each run's incumbents.

    Returns
    -------
    pandas.DataFrame
        One row per run: problem, method, seed, loss, test_loss (of the last incumbent),
        first_test_loss, gap, overtuning, relative, worse_than_first, incumbents (their number).
    """
    trials, steps, signs = comparison.trials, comparison.steps, comparison.signs
    new = steps["incumbent"].eq(steps["number"]).fillna(False).to_numpy(dtype=bool)
    found = steps[new].assign(validation=trials["loss"].to_numpy()[new])
    sign = found["problem"].map(signs).to_numpy(dtype=np.float64)
    found["tested"] = sign * found["test"].to_numpy(dtype=np.float64)
    columns = [found[name].to_numpy() for name in ("problem", "method", "seed", "validation", "tested")]
    runs = found["run"].to_numpy()
    starts = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]]) if len(runs) else np.zeros(0, dtype=int)
    rows: list[dict[str, Any]] = []
    for start, end in zip(starts, [*starts[1:], len(runs)], strict=False):
        problem, method, seed, validation, tests = (column[start:end] for column in columns)
        row: dict[str, Any] = {"problem": problem[0], "method": method[0], "seed": seed[0]}
        row |= {"incumbents": len(tests), "problems": 1, "seeds": 1, "reason": NO_TEST}
        row["loss"] = float(validation[-1])
        if not max(abs(row["loss"]), np.nanmax(np.abs(tests), initial=0.0)) < HUGE:
            rows.append(row | {"reason": PENALTY})
            continue
        if np.isfinite(tests[-1]):
            row |= {"test_loss": tests[-1], "gap": tests[-1] - row["loss"], "reason": ""}
        if np.isfinite(tests).all():
            row["overtuning"], row["relative"] = overtuning(tests)
            row |= {"first_test_loss": tests[0], "worse_than_first": bool(tests[-1] > tests[0])}
        rows.append(row)
    kinds = {"problem": "string", "method": "string", "seed": "int", "incumbents": "int"}
    kinds |= {**dict.fromkeys(_RUN_FLOATS, "float"), "worse_than_first": "bool"}
    return table(rows, kinds, "no trial was valid.")


def summary(runs: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Summarise `generalisation` by method and problem.

    Returns
    -------
    pandas.DataFrame
        problem, method, gap, gap_lower, gap_upper (mean over the seeds with Student's t), test_loss,
        overtuned (share of runs with a better earlier incumbent on test), worse_than_first (share).
    """
    names = ("gap", "gap_lower", "gap_upper", "test_loss", "overtuned", "worse_than_first")
    kinds = {"problem": "string", "method": "string", **dict.fromkeys(names, "float")}
    known = runs[runs["reason"].eq("")]
    if not len(known):
        return table([{"method": method, "reason": NO_TEST} for method in methods], kinds)
    rows: list[dict[str, Any]] = []
    for (problem, method), part in known.groupby(["problem", "method"], sort=False, observed=True):
        gaps = part["gap"].to_numpy(dtype=np.float64)
        row: dict[str, Any] = {"problem": problem, "method": method, "problems": 1, "seeds": len(part)}
        row |= {"gap": gaps.mean(), "test_loss": part["test_loss"].mean()}
        if len(gaps) >= LEAST_SEEDS:
            _, low, high = mean_interval((gaps,))
            row |= {"gap_lower": float(low), "gap_upper": float(high)}
        whole = part.dropna(subset=["overtuning"])
        if len(whole):
            row |= {"overtuned": float(whole["overtuning"].gt(0).mean())}
            row |= {"worse_than_first": float(whole["worse_than_first"].mean())}
        rows.append(row)
    return table(rows, kinds)


def agreement(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare the order of the methods in validation and on test.

    Returns
    -------
    pandas.DataFrame
        problem, kendall (tau between the methods' mean losses in validation and on test, 1 if the order is
        the same), same_winner.
    """
    kinds = {"problem": "string", "kendall": "float", "same_winner": "bool"}
    known = runs[runs["reason"].eq("")]
    rows: list[dict[str, Any]] = []
    for problem, part in known.groupby("problem", sort=False, observed=True):
        means = part.groupby("method", sort=False)[["loss", "test_loss"]].mean()
        row: dict[str, Any] = {"problem": problem, "problems": 1, "seeds": int(part["seed"].nunique())}
        if len(means) < 2:
            rows.append(row | {"reason": "only one method has test values."})
            continue
        row["kendall"] = float(stats.kendalltau(means["loss"], means["test_loss"]).statistic)
        lowest = means.eq(means.min())  # all methods that share the lowest loss win
        row["same_winner"] = bool(lowest.all(axis=1).any())
        rows.append(row)
    return table(rows, kinds, NO_TEST)

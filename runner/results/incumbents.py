"""The incumbent of each run after each of its trials, and the progress of each run.

Trials are taken by number, which is the order in which the method sees them; so these frames are the same
for any number of workers, except for the seconds. An incumbent counts from the trial on that found it,
never before.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from runner.journal.reader import Record
from runner.results.frames import Floats, Positions, judged_losses, positions, signs
from runner.trial import GIVEN_UP, NOTHING_MORE


def incumbents_frame(record: Record, trials: pd.DataFrame, cpus: float) -> pd.DataFrame:
    """Make one row per trial; see `runner.results.Results.incumbents`."""
    run = positions(record)
    found = trials[["run", "method", "problem", "seed", "number"]].copy()
    judged = judged_losses(trials)
    losses = pd.Series(judged).groupby(run).cummin().to_numpy()
    losses = np.where(np.isfinite(losses), losses, np.nan)
    sign = signs(record)
    optima = np.array([math.nan if r.optimum is None else r.optimum for r in record.runs])
    found["loss"] = losses
    found["value"] = sign[run] * losses + 0.0  # no -0.0
    found["regret"] = losses - (sign * optima)[run]
    spent = trials["suggest_seconds"] + trials["seconds"]
    found["seconds"] = spent.groupby(run).cumsum().to_numpy()
    found["equivalents"] = trials["share"].groupby(run).cumsum().to_numpy()
    found["compute"] = cpus * trials["seconds"].groupby(run).cumsum().to_numpy()
    found["trials"] = found["number"] + 1
    rows = incumbent_of_each(run, judged)
    has = rows >= 0
    found["incumbent"] = pd.arrays.IntegerArray(np.where(has, trials["number"].to_numpy()[rows], 0), ~has)
    # The test value of the incumbent, never the best of the test values.
    found["test"] = np.where(has, trials["test"].to_numpy()[rows], np.nan)
    return found


def incumbent_of_each(run: Positions, judged: Floats) -> Positions:
    """Find the row of the run's incumbent after each trial, or -1.

    Of equal losses the first stays. ``run`` is ascending, and trials are in their order within it.
    """
    best = pd.Series(judged).groupby(run).cummin().to_numpy()
    first = np.diff(run, prepend=-1) != 0
    before = np.where(first, np.inf, np.roll(best, 1)) if len(best) else best
    found = np.maximum.accumulate(np.where(best < before, np.arange(len(best)), -1))
    return np.where(np.isfinite(best), found, -1)


def reach_frame(record: Record, steps: pd.DataFrame) -> pd.DataFrame:
    """Make one row per run; see `runner.results.Results.reach`."""
    run, count = positions(record), len(record.runs)
    number = steps["number"].to_numpy()
    starts = np.searchsorted(run, np.arange(count))
    gapless = number == np.arange(len(run)) - starts[run] if len(run) else np.zeros(0, dtype=bool)
    settled = np.bincount(run, gapless, count).astype(np.intp)  # numbers ascend, so the first ones are
    done = np.array([bool(r.end_reason) for r in record.runs], dtype=bool)
    failed = np.array([r.failed for r in record.runs], dtype=bool)
    exhausted = np.array([r.end_reason == NOTHING_MORE for r in record.runs], dtype=bool)
    given_up = np.array([r.end_reason.startswith(GIVEN_UP) for r in record.runs], dtype=bool)
    last = starts + settled - 1
    frame = pd.DataFrame(
        {
            "run": pd.array([r.id for r in record.runs], dtype="string"),
            "method": pd.array([r.label for r in record.runs], dtype="string"),
            "problem": pd.array([r.problem for r in record.runs], dtype="string"),
            "seed": np.array([r.seed for r in record.runs], dtype=np.int64),
            "ended": done,
            "exhausted": exhausted,
            "failed": failed,
            "settled": settled.astype(np.int64),
        }
    )
    for axis in ("trials", "equivalents", "seconds", "compute"):
        spent = np.zeros(count)
        spent[settled > 0] = steps[axis].to_numpy(dtype=np.float64)[last[settled > 0]]
        frame[axis] = np.where(exhausted | failed | given_up, np.inf, spent)
    return frame

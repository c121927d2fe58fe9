"""The leaderboard: the methods of each problem by their median incumbent over the seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from runner.journal.reader import Record
from runner.results.frames import FAILURES, Floats, judged_losses, positions

_QUARTILES = (0.25, 0.5, 0.75)


def leaderboard(record: Record, frame: pd.DataFrame, trials: int | None) -> pd.DataFrame:
    """Make the table of `runner.results.Results.leaderboard` from the frame of trials."""
    run, count = positions(record), len(record.runs)
    counted = np.ones(len(run), dtype=bool)
    if trials is not None:
        counted = frame["number"].to_numpy() < trials
    run = run[counted]

    def total(weights: Any) -> Floats:
        return np.bincount(run, np.asarray(weights, dtype=np.float64)[counted], count).astype(np.float64)

    best = np.full(count, np.inf)
    np.minimum.at(best, run, judged_losses(frame)[counted])
    sums = {
        "trials": np.bincount(run, minlength=count),
        "failures": total(frame["status"].isin(FAILURES)).astype(np.int64),
        "evaluation_seconds": total(frame["seconds"]),
        "proposal_seconds": total(frame["suggest_seconds"]),
    }
    members: dict[str, dict[str, list[int]]] = {}
    for position, planned in enumerate(record.runs):
        members.setdefault(planned.problem, {}).setdefault(planned.label, []).append(position)
    rows: list[dict[str, Any]] = []
    for problem, methods in members.items():
        standings = []
        for method, where in methods.items():
            minimised = record.runs[where[0]].direction == "minimize"
            standing: dict[str, Any] = {"problem": problem, "rank": 0, "method": method}
            standing |= _spread(best[where], minimised)
            standings.append(standing | {name: values[where].sum() for name, values in sums.items()})
        standings.sort(key=lambda standing: (standing["loss"], standing["method"]))
        for standing in standings:
            standing["rank"] = 1 + sum(other["loss"] < standing["loss"] for other in standings)
        rows += standings
    return pd.DataFrame(rows).astype({"problem": "string", "method": "string"})


def _spread(losses: Floats, minimised: bool) -> dict[str, Any]:
    """Summarise the runs' best losses, shape (runs,): median and quartiles as values, median as a loss."""
    lower, median, upper = (quantile(losses, q) for q in _QUARTILES)
    # Adding 0.0 makes a -0.0 a plain 0.0.
    value, bounds = (median, (lower, upper)) if minimised else (0.0 - median, (0.0 - upper, 0.0 - lower))
    return {
        "value": value + 0.0,
        "lower": bounds[0] + 0.0,
        "upper": bounds[1] + 0.0,
        "loss": median,
        "runs": len(losses),
        "valid_runs": int(np.isfinite(losses).sum()),
    }


def quantile(losses: Floats, q: float) -> float:
    """Compute a quantile of losses that may be infinite, linear between neighbours (Hyndman and Fan's 7).

    It is infinite between a finite and an infinite loss, and between two infinite ones, where NumPy's is
    NaN.
    """
    ordered = np.sort(losses)
    place = (len(ordered) - 1) * q
    below, share = float(ordered[math.floor(place)]), place % 1.0
    above = float(ordered[math.ceil(place)])
    if share == 0.0 or below == above:
        return below
    if math.isinf(above - below) and math.isfinite(above):  # the difference overflows, its parts do not
        return (1.0 - share) * below + share * above
    return below + share * (above - below)

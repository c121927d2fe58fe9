"""The leaderboard: one row per method, with all that decides between them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from runner.results.frames import FAILURES
from runner.results.stats.decision import LEVEL_DIGITS, Decision, ranked
from runner.results.stats.shape import table

_FLOATS = (
    "regret", "lower", "upper", "auc", "rank", "rank_lower", "rank_upper", "p_best",
    "p_beats", "p_beats_lower", "p_beats_upper", "difference", "difference_lower", "difference_upper",
)  # fmt: skip
KINDS: Final[dict[str, str]] = {
    "place": "int",
    "method": "text",
    "recommended": "bool",
    "standing": "text",
    **dict.fromkeys(_FLOATS, "float"),
    "tied": "bool",
    "wins": "int",
    "ties": "int",
    "losses": "int",
    "speedup_trials": "float",
    "speedup_trials_bound": "text",
    "speedup_seconds": "float",
    "speedup_seconds_bound": "text",
    "overhead_seconds": "float",
    "test": "float",
    "gap": "float",
    "failures": "int",
    "trials": "int",
    "imputed": "int",
    "blocks": "int",
    "blocks_planned": "int",
}
"""The columns in their order."""


def leaderboard(
    methods: Sequence[str],
    parts: Mapping[str, pd.DataFrame],
    budget: float,
    decision: Decision | None,
    names: Mapping[str, str],
) -> pd.DataFrame:
    """The leaderboard at one budget, from the statistics that it is made of.

    Parameters
    ----------
    methods : sequence of str
    parts : mapping of str to pandas.DataFrame
        Each with a column ``method``: regret, area, rank, beats, difference, trials
        and seconds (speed-ups for one target), counts (per method: overhead_seconds, test, gap,
        failures, trials, imputed, blocks, blocks_planned).
    budget : float
    decision : Decision or None
        At this budget.
    names : mapping of str to str
        Registered names by labels.

    Returns
    -------
    pandas.DataFrame
        place (methods with equal regret share one), method, and the columns of `KINDS`: recommended
        (the one method that the verdict names), standing (leads, equivalent, undecided, worse), tied
        (not shown to be worse than the leader). What has no interval keeps its average, and says why in
        ``reason``.
    """
    rows = []
    by_method = {name: _by_method(frame) for name, frame in parts.items()}

    def of(part: str, method: str, columns: Mapping[str, str]) -> dict[str, Any]:
        row = by_method[part].get(method)
        return {} if row is None else {ours: row[theirs] for ours, theirs in columns.items()}

    def interval(name: str) -> dict[str, str]:
        return {f"{name}_lower": "lower", f"{name}_upper": "upper"}

    for method in methods:
        row: dict[str, Any] = {"method": method, "budget": budget}
        same = ("regret", "lower", "upper", "p_best", "problems", "seeds", "reason")
        row |= of("regret", method, {name: name for name in same})
        row |= of("area", method, {"auc": "auc"})
        row |= of("rank", method, {"rank": "rank", **interval("rank")})
        counts = {name: name for name in ("wins", "ties", "losses")}
        row |= of("beats", method, {"p_beats": "probability", **interval("p_beats"), **counts})
        row |= of("difference", method, {"difference": "difference", **interval("difference")})
        if decision is not None:
            row |= {"recommended": method == decision.recommended, "standing": decision.standing(method)}
        row["tied"] = decision is None or method not in decision.worse
        for axis in ("trials", "seconds"):
            row |= of(axis, method, {f"speedup_{axis}": "speedup", f"speedup_{axis}_bound": "bound"})
        row |= of("counts", method, {str(name): str(name) for name in parts["counts"]})
        rows.append(row)
    order = ranked(methods, [float(row["regret"]) for row in rows], names)
    rows.sort(key=lambda row: order.index(row["method"]))
    levels = np.round([float(row["regret"]) for row in rows], LEVEL_DIGITS)
    for row, level in zip(rows, levels, strict=True):
        row["place"] = 1 + int((levels < level).sum())
    return table(rows, {"place": "int", "method": "text", "budget": "float", **KINDS})


def _by_method(frame: pd.DataFrame) -> dict[str, dict[Hashable, Any]]:
    """The first row of each method."""
    return {str(row["method"]): row for row in reversed(frame.to_dict("records"))}


def counts(
    cells: pd.DataFrame, trials: pd.DataFrame, signs: Mapping[str, float], one_metric: bool
) -> pd.DataFrame:
    """What the leaderboard counts and averages of each method.

    Parameters
    ----------
    cells : pandas.DataFrame
        `runner.results.stats.Comparison.cells`.
    trials : pandas.DataFrame
        Those within the budget.
    signs : mapping of str to float
        Of each problem 1.0 where its metric is minimised, else -1.0.
    one_metric : bool
        Whether all problems have the same metric, so that test losses may be averaged.

    Returns
    -------
    pandas.DataFrame
        method, overhead_seconds (mean thinking per trial), test (mean over problems of the mean test
        loss of the incumbents), gap (test loss minus loss), failures, trials, imputed, blocks,
        blocks_planned.
    """
    sign = cells["problem"].map(dict(signs)).to_numpy(dtype=np.float64)
    used = cells.assign(test_loss=sign * cells["test"].to_numpy(dtype=np.float64))
    used["gap"] = used["test_loss"] - used["loss"]
    failed = trials["status"].isin(FAILURES)
    of_trials = trials.assign(failed=failed).groupby("method", observed=True)
    inside = used[used["used"]]
    of_cells = inside.groupby("method", observed=True)
    found = pd.DataFrame(index=pd.Index(used["method"].drop_duplicates(), name="method"))
    found["overhead_seconds"] = of_trials["suggest_seconds"].mean()
    found[["test", "gap"]] = np.nan
    if one_metric:
        means = inside.groupby(["method", "problem"], observed=True)[["test_loss", "gap"]].mean()
        means = means.groupby(level="method").mean()
        found["test"], found["gap"] = means["test_loss"], means["gap"]
    whole = {
        "failures": of_trials["failed"].sum(),
        "trials": of_trials.size(),
        "imputed": of_cells["imputed"].sum(),
        "blocks": of_cells.size(),
        "blocks_planned": used.groupby("method", observed=True).size(),
    }
    for name, some in whole.items():
        found[name] = some.reindex(found.index).fillna(0).astype(np.int64)
    return found.reset_index()

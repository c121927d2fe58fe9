"""The leaderboard: one row per method, with all that decides between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from runner.results.frames import FAILURES
from runner.results.stats import anytime, averages, pairs, targets
from runner.results.stats.comparison import Comparison
from runner.results.stats.curves import Axis
from runner.results.stats.decision import LEVEL_DIGITS, ranked
from runner.results.stats.shape import cached, table

_FLOATS = (
    "regret", "lower", "upper", "auc", "rank", "rank_lower", "rank_upper", "p_best",
    "p_beats", "p_beats_lower", "p_beats_upper", "difference", "difference_lower", "difference_upper",
)  # fmt: skip
KINDS: Final[dict[str, str]] = {
    "place": "int",
    "method": "string",
    "budget": "float",
    "recommended": "bool",
    "standing": "string",
    **dict.fromkeys(_FLOATS, "float"),
    "tied": "bool",
    **dict.fromkeys(("wins", "ties", "losses"), "int"),
    "speedup_trials": "float",
    "speedup_trials_bound": "string",
    "speedup_seconds": "float",
    "speedup_seconds_bound": "string",
    **dict.fromkeys(("overhead_seconds", "test", "gap"), "float"),
    **dict.fromkeys(("failures", "trials", "imputed", "blocks", "blocks_planned"), "int"),
}
"""The columns in their order."""


def leaderboard(
    comparison: Comparison, budget: float | None = None, axis: Axis | None = None
) -> pd.DataFrame:
    """Rank the methods at one budget, by default the common one.

    Returns
    -------
    pandas.DataFrame
        The columns of `KINDS`. place: methods with equal regret share one; recommended: the one method
        that the verdict names; standing: leads, equivalent, undecided or worse; tied: not shown to be worse
        than the leader. A row without an interval keeps its average, and says why in ``reason``.
    """
    return _leaderboard(comparison, *comparison.at(budget, axis))


@cached
def _leaderboard(comparison: Comparison, budget: float, axis: Axis) -> pd.DataFrame:
    sample = comparison.resampled(budget, axis)
    plan, decision, methods = comparison.plan, comparison.decided(sample), comparison.methods
    target = targets.target(comparison, budget if axis == "trials" else None)
    counted = _counts(comparison, budget, axis)
    parts: list[tuple[pd.DataFrame, dict[str, str]]] = [
        (
            averages.regrets(sample),
            _same("regret", "lower", "upper", "p_best", "problems", "seeds", "reason"),
        ),
        (anytime.areas(comparison, axis), _same("auc")),
        (anytime.ranks(comparison, axis, (budget,)), {"rank": "rank", **_interval("rank")}),
        (
            pairs.beats(sample.blocks, comparison.pairs("reference"), plan.gamma),
            {"p_beats": "probability", **_interval("p_beats"), **_same("wins", "ties", "losses")},
        ),
        (
            averages.differences(sample, plan.reference, plan.rope),
            {"difference": "difference", **_interval("difference")},
        ),
        *(
            (
                targets.speedup_of(comparison, along, target),
                {f"speedup_{along}": "speedup", f"speedup_{along}_bound": "bound"},
            )
            for along in ("trials", "seconds")
        ),
        (counted, _same(*counted)),
    ]
    found = [({row["method"]: row for row in frame.to_dict("records")}, names) for frame, names in parts]
    rows = []
    for method in methods:
        row: dict[str, Any] = {"method": method, "budget": budget}
        for by_method, names in found:
            if method in by_method:
                row |= {ours: by_method[method][theirs] for ours, theirs in names.items()}
        if decision is not None:
            row |= {"recommended": method == decision.recommended, "standing": decision.standing(method)}
        row["tied"] = decision is None or method not in decision.worse
        rows.append(row)
    order = ranked(methods, [float(row["regret"]) for row in rows], comparison.method_names)
    rows.sort(key=lambda row: order.index(row["method"]))
    levels = np.round([float(row["regret"]) for row in rows], LEVEL_DIGITS)
    for row, level in zip(rows, levels, strict=True):
        row["place"] = 1 + int((levels < level).sum())
    return table(rows, KINDS)


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _interval(name: str) -> dict[str, str]:
    return {f"{name}_lower": "lower", f"{name}_upper": "upper"}


def _counts(comparison: Comparison, budget: float, axis: Axis) -> pd.DataFrame:
    spent = comparison.steps[axis].to_numpy() <= budget * (1 + 1e-9)  # sums of shares are rounded
    first = comparison.runs.drop_duplicates("problem")
    one_metric = len(first[["metric", "direction"]].drop_duplicates()) == 1
    return counts(comparison.cells(budget, axis), comparison.trials[spent], comparison.signs, one_metric)


def counts(
    cells: pd.DataFrame, trials: pd.DataFrame, signs: Mapping[str, float], one_metric: bool
) -> pd.DataFrame:
    """Count and average what the leaderboard says of each method.

    Parameters
    ----------
    cells : pandas.DataFrame
        `runner.results.stats.Comparison.cells`.
    trials : pandas.DataFrame
        The trials within the budget.
    signs : mapping of str to float
        For each problem 1.0 if its metric is minimised, else -1.0.
    one_metric : bool
        True if all problems have the same metric, so that test losses may be averaged.

    Returns
    -------
    pandas.DataFrame
        method, overhead_seconds (mean proposal time per trial), test (mean over problems of the mean test
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

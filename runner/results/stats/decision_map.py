"""The decision map: the method to use, by the number of evaluations and the duration of each.

| symbol | here | meaning |
|---|---|---|
| x, c | evaluations, seconds | the time available: x evaluations of c seconds |
| E_j | axis of `spent` | full evaluations of a run up to its trial j, as the verdict counts them |
| O_j | suggest | seconds of proposal time up to trial j |

The recorded runs are re-timed as if every evaluation took c seconds: time spent on proposals cannot be
spent on evaluations, so that trial j ends after

    E_j + floor(O_j / c)  evaluations.                                                             (1)

If the proposals of every method take less than one evaluation, (1) is E_j, and a cell is the verdict
at that budget: the same numbers, the same decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.stats.comparison import Comparison
from runner.results.stats.curves import Axis, curves
from runner.results.stats.regret import regrets
from runner.results.stats.shape import table

Floats = NDArray[np.float64]

SECONDS: Final = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""Decades from a formula to a training run of a quarter of an hour."""
_ROUNDING: Final = 1e-9  # of sums of seconds: three tenths of a second are three of a tenth

_KINDS: Final[dict[str, str]] = {
    "evaluations": "float",
    "seconds_per_evaluation": "float",
    "method": "string",
    "leader": "string",
    "undecided": "string",
    "regret": "float",
    "p_best": "float",
    "sure": "bool",
}


def spent(steps: pd.DataFrame, suggest: Floats, seconds: float, axis: Axis) -> pd.DataFrame:
    """Give the steps the budget that they would have spent on the axis, by equation (1).

    Parameters
    ----------
    steps : pandas.DataFrame
        `runner.results.Results.incumbents`.
    suggest : array, shape (trials,)
        Seconds that each proposal took.
    seconds : float
        c.
    axis : "trials" or "equivalents"
    """
    work = pd.Series(suggest, index=steps.index).groupby(steps["run"], sort=False).cumsum()
    lost = np.floor(work.to_numpy(dtype=np.float64) / seconds * (1 + _ROUNDING))
    return steps.assign(**{axis: steps[axis].to_numpy(dtype=np.float64) + lost})


def decision_map(
    comparison: Comparison, evaluations: Sequence[float] | None = None, seconds: Sequence[float] = SECONDS
) -> pd.DataFrame:
    """Decide for each number of evaluations, by default the budgets of the verdicts, and each duration.

    Returns
    -------
    pandas.DataFrame
        evaluations, seconds_per_evaluation, method (recommended), leader, undecided (comma-separated),
        regret (of the recommended), p_best (of the leader), sure (nothing is undecided).
    """
    axis, steps, reach = comparison.axis, comparison.steps, comparison.reach
    budgets = np.asarray(comparison.budgets() if evaluations is None else evaluations, dtype=np.float64)
    suggest = comparison.trials["suggest_seconds"].to_numpy(dtype=np.float64)
    rows = []
    for c in seconds:
        known = curves(spent(steps, suggest, c, axis), reach, budgets, axis)
        regret, valid = regrets(known.loss, reach, comparison.instances), ~np.isnan(known.loss)
        for b, x in enumerate(budgets.tolist()):
            blocks = comparison.layout.blocks(regret[:, b], known.reached[:, b], valid[:, b])
            sample = comparison.sampled(blocks)
            decision = comparison.decided(sample)
            row: dict[str, Any] = {"evaluations": x, "seconds_per_evaluation": c}
            row |= {**sample.rest(), "reason": sample.reason}
            if decision is not None:
                best = float(sample.best()[blocks.methods.index(decision.leader)])
                row |= {"leader": decision.leader, "method": decision.recommended, "p_best": best}
                row["undecided"] = ", ".join(decision.undecided)
                row["regret"] = float(sample.middle[blocks.methods.index(decision.recommended)])
                row["sure"] = not decision.undecided
            rows.append(row)
    return table(rows, _KINDS, "no budget was reached by every method.")

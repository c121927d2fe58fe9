"""The decision map: which method, for so many evaluations of so many seconds each.

| symbol | here | meaning |
|---|---|---|
| x, c | evaluations, seconds | what there is time for: x evaluations of c seconds |
| E_j | axis of `spent` | full evaluations of a run up to its trial j, as the verdict counts them |
| O_j | suggest | seconds of the method's own work up to there |

The recorded runs are counted anew as if every evaluation took c seconds: what a method takes for its
own work it cannot spend on evaluations, so that trial j is there after

    E_j + floor(O_j / c)  evaluations.                                                             (1)

Where the work of every method takes less than one evaluation, (1) is E_j, and a cell is the verdict
at that budget: the same numbers, the same decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.stats.averages import Resampled
from runner.results.stats.curves import Axis
from runner.results.stats.decision import Decision
from runner.results.stats.shape import table

Floats = NDArray[np.float64]

SECONDS: Final = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
_ROUNDING: Final = 1e-9  # of sums of seconds: three tenths of a second are three of a tenth

_KINDS: Final[dict[str, str]] = {
    "evaluations": "float",
    "seconds_per_evaluation": "float",
    "method": "text",
    "leader": "text",
    "undecided": "text",
    "regret": "float",
    "p_best": "float",
    "sure": "bool",
}


def spent(steps: pd.DataFrame, suggest: Floats, seconds: float, axis: Axis) -> pd.DataFrame:
    """The steps with what they would have spent of the axis, by equation (1).

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


def decision_map(cells: Sequence[tuple[float, float, Resampled, Decision | None]]) -> pd.DataFrame:
    """The decision for each number of evaluations and each duration of one.

    Parameters
    ----------
    cells : sequence of (float, float, Resampled, Decision or None)
        Evaluations, seconds of one, average regrets, and what is decided by them.

    Returns
    -------
    pandas.DataFrame
        evaluations, seconds_per_evaluation, method (recommended), leader, undecided (with commas
        between), regret (of the recommended), p_best (of the leader), sure (nothing is undecided).
    """
    rows = []
    for evaluations, seconds, sample, decision in cells:
        row: dict[str, Any] = {"evaluations": evaluations, "seconds_per_evaluation": seconds}
        row |= {**sample.rest(), "reason": sample.reason}
        if decision is not None:
            methods = sample.blocks.methods
            best = float(sample.best()[methods.index(decision.leader)])
            row |= {"leader": decision.leader, "method": decision.recommended, "p_best": best}
            row["undecided"] = ", ".join(decision.undecided)
            row["regret"] = float(sample.middle[methods.index(decision.recommended)])
            row["sure"] = not decision.undecided
        rows.append(row)
    return table(rows, _KINDS, "no budget was reached by every method.")

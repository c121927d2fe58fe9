"""The decision map: which method, for so many evaluations of so many seconds each.

The recorded runs are timed anew as if every evaluation took c seconds (see `costs.retimed`), with
the thinking that was measured. A budget of x evaluations is the time x c: a method that thinks for
long gets through fewer of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.stats.averages import Resampled
from runner.stats.blocks import Blocks
from runner.stats.costs import retimed
from runner.stats.shape import table
from runner.stats.verdict import recommend

Floats = NDArray[np.float64]

SECONDS: Final = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
DRAWS: Final = 500
_SURE: Final = 0.75

_KINDS: Final[dict[str, str]] = {
    "evaluations": "float",
    "seconds_per_evaluation": "float",
    "method": "text",
    "leader": "text",
    "regret": "float",
    "p_best": "float",
    "sure": "bool",
}


def retimed_steps(steps: pd.DataFrame, suggest: Floats, seconds: float, workers: int = 1) -> pd.DataFrame:
    """The steps with the seconds that they would have had."""
    return steps.assign(seconds=retimed(steps, suggest, seconds, workers))


def decision_map(
    blocks: Sequence[Sequence[Blocks]],
    evaluations: Sequence[float],
    seconds: Sequence[float],
    rope: float,
    names: Mapping[str, str],
) -> pd.DataFrame:
    """The recommendation for each number of evaluations and each duration of one.

    Parameters
    ----------
    blocks : sequence of sequence of Blocks
        Of regrets: for each duration those after each number of evaluations' time.
    evaluations, seconds : sequence of float
    rope : float
    names : mapping of str to str

    Returns
    -------
    pandas.DataFrame
        evaluations, seconds_per_evaluation, method (recommended), leader, regret, p_best (of the leader),
        sure (nothing is tied with the leader, and it is the best in three of four resamples).
    """
    rows = []
    for c, of_duration in zip(seconds, blocks, strict=True):
        for x, some in zip(evaluations, of_duration, strict=True):
            row: dict[str, Any] = {"evaluations": x, "seconds_per_evaluation": c}
            sample = Resampled(some, draws=DRAWS)
            found = recommend(sample, rope, names)
            row |= {**sample.rest(), "reason": sample.reason}
            if found is not None:
                leader, chosen, tied = found
                best = float(sample.best()[sample.blocks.methods.index(leader)])
                row |= {"leader": leader, "method": chosen, "p_best": best}
                row["regret"] = float(sample.middle[sample.blocks.methods.index(chosen)])
                row["sure"] = not tied and not math.isnan(best) and best >= _SURE
            rows.append(row)
    return table(rows, _KINDS, "no budget was reached by every method.")

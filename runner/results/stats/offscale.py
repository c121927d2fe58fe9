"""Penalties: losses that say "as bad as can be" and are no measurement.

An objective that cannot evaluate a config may answer with a constant such as 1e6 or the largest
float. A median or a mean of such losses is a number of nobody's: a reference loss of 1e308 would make
all regrets 0, and all methods equivalent. A penalty is therefore a valid trial (it may even be an
incumbent, and then has a regret of 1), but no scale is made of it: it counts as a draw that found
nothing, and figures draw it at the edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.frames import HUGE

Floats = NDArray[np.float64]

_LEAST_CONFIGS: Final = 3
_GAP: Final = 1e3


def ceilings(trials: pd.DataFrame) -> dict[str, float]:
    """For each problem the least loss that is a penalty; infinity where there is none.

    Penalties are losses of `HUGE` or more; and the largest loss, where three different configs or more
    have exactly that one, and it is a thousand times as far from the best loss as the next largest.
    Something must be left beside them.

    Parameters
    ----------
    trials : pandas.DataFrame
        As in `runner.results.Results`.
    """
    valid = trials["status"].eq("COMPLETED").to_numpy(dtype=bool) & np.isfinite(trials["loss"].to_numpy())
    good = trials.loc[valid, ["problem", "config", "loss"]].drop_duplicates()
    found = dict.fromkeys(trials["problem"].unique().tolist(), np.inf)
    for problem, rows in good.groupby("problem", sort=False):
        losses, configs = np.unique(rows["loss"].to_numpy(dtype=np.float64), return_counts=True)
        found[str(problem)] = _ceiling(losses, configs)
    return found


def _ceiling(losses: Floats, configs: NDArray[np.intp]) -> float:
    """The same from the different losses, ascending, and of how many configs each is."""
    kept = int((losses < HUGE).sum())
    if kept == 0:
        return np.inf
    while kept > 2:
        gaps = 0.5 * losses[kept - 2 : kept] - 0.5 * losses[0]  # halves cannot overflow
        if configs[kept - 1] < _LEAST_CONFIGS or gaps[1] / _GAP < gaps[0]:
            break
        kept -= 1
    return float(losses[kept]) if kept < len(losses) else np.inf


def to_scale(trials: pd.DataFrame, limits: Mapping[str, float]) -> NDArray[np.bool_]:
    """For each trial whether its loss is below its problem's ceiling; NaN is."""
    limit = trials["problem"].map(limits).to_numpy(dtype=np.float64)
    return np.asarray(~(trials["loss"].to_numpy(dtype=np.float64) >= limit))

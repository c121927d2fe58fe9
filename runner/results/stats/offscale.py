"""Penalties: losses that say "as bad as can be" and are not measurements.

An objective that cannot evaluate a config may return a constant such as 1e6 or the largest float. A
median or mean of such losses is meaningless: a reference loss of 1e308 would make all regrets 0, and
all methods equivalent. A penalty is therefore a valid trial (it may even be an incumbent, and then has
a regret of 1), but sets no scale: it counts as a draw that found nothing, and figures draw it at the
edge.
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
"""Configs with exactly the same loss; two may be twins by chance or by a parameter without effect."""
_GAP: Final = 1e3
"""Ratio of the distances from the best loss; measured losses of one problem seldom leave such a gap."""


def ceilings(trials: pd.DataFrame) -> dict[str, float]:
    """Find the least loss of each problem that is a penalty; infinity if there is none.

    Penalties are losses of `HUGE` or more; and the largest loss, if at least three different configs have
    exactly that one, and it is a thousand times as far from the best loss as the next largest. At least
    one loss must be left that is not a penalty.

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
    """Find the penalty among the distinct losses, ascending, with the number of configs of each."""
    below = int((losses < HUGE).sum())
    if below == 0:
        return np.inf
    while below > 2:
        gaps = 0.5 * losses[below - 2 : below] - 0.5 * losses[0]  # halves cannot overflow
        if configs[below - 1] < _LEAST_CONFIGS or gaps[1] / _GAP < gaps[0]:
            break
        below -= 1
    return float(losses[below]) if below < len(losses) else np.inf


def to_scale(trials: pd.DataFrame, limits: Mapping[str, float]) -> NDArray[np.bool_]:
    """Select the trials whose loss is below its problem's ceiling, or NaN."""
    limit = trials["problem"].map(limits).to_numpy(dtype=np.float64)
    return np.asarray(~(trials["loss"].to_numpy(dtype=np.float64) >= limit))

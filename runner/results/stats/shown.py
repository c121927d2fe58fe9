"""What an interval of a difference shows: better, worse, equivalent, or nothing yet.

| word | the 95 % interval of a paired difference of regrets |
|---|---|
| equivalent | lies within the ROPE, and rests on at least five seeds |
| better, worse | lies below 0, or above it, and not within the ROPE |
| undecided | holds 0 and reaches out of the ROPE, or may not be given |

That nothing is shown is no sign of equality: the fewer the data, the more is undecided.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runner.results.stats.shape import FEW_SEEDS

BETTER: Final = "better"
EQUIVALENT: Final = "equivalent"
WORSE: Final = "worse"
UNDECIDED: Final = "undecided"


def shown(
    middle: ArrayLike, lower: ArrayLike, upper: ArrayLike, rope: float, seeds: int, exact: ArrayLike = False
) -> NDArray[np.str_]:
    """The word for each difference.

    Parameters
    ----------
    middle, lower, upper : array, shape (n,)
        Differences of regrets, and their intervals; NaN where none may be given. An interval of
        resamples need not hold its middle; it is stretched to.
    rope : float
    seeds : int
        The fewest seeds of any problem.
    exact : array of bool, shape (n,), optional
        Where the difference is the same with every seed, so that it needs no further ones.
    """
    middle, low, high = (np.asarray(x, dtype=np.float64) for x in (middle, lower, upper))
    low, high = np.minimum(low, middle), np.maximum(high, middle)  # NaN stays
    enough = np.asarray(exact, dtype=bool) | (seeds >= FEW_SEEDS)
    conditions = [enough & (low >= -rope) & (high <= rope), high < 0, low > 0]
    return np.select(conditions, [EQUIVALENT, BETTER, WORSE], UNDECIDED)

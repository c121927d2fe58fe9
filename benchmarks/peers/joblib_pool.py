"""joblib with its default pool (loky) and its default batches. Nothing is written to disk."""

from __future__ import annotations

import random

from joblib import Parallel, delayed

from benchmarks import clock
from benchmarks.objectives import Timed, span


def measure(scratch, *, work, seconds, trials, workers):
    """Random search as one would write it with joblib."""
    del scratch
    rng = random.Random(0)
    objective = delayed(Timed(work, seconds))
    answers = Parallel(n_jobs=workers)(objective({"x": rng.random()}) for _ in range(trials))
    return clock.stop() | clock.read([span(answer) for answer in answers], workers)

"""Plain processes, each with its share of the trials and nothing else to do: what the machine can give."""

from __future__ import annotations

import itertools
import multiprocessing
import random

from benchmarks import clock
from benchmarks.objectives import Timed, span


def measure(scratch, *, work, seconds, trials, workers):
    """Evaluate trials in a plain pool; no process waits for another."""
    del scratch
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        shares = [(work, seconds, len(range(worker, trials, workers)), worker) for worker in range(workers)]
        spans = list(itertools.chain.from_iterable(pool.starmap(_share, shares, chunksize=1)))
    return clock.stop() | clock.read(spans, workers)


def _share(work, seconds, trials, seed):
    objective, rng = Timed(work, seconds), random.Random(seed)
    return [span(objective({"x": rng.random()})) for _ in range(trials)]

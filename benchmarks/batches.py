"""Batches switched off, to see what a single trial costs."""

import runner.engine.batching


def without_batches():
    """Send every trial to its worker alone; in this process, until it ends."""
    if not hasattr(runner.engine.batching, "MOST_JOBS"):
        raise AttributeError("runner.engine.batching.MOST_JOBS is gone: what holds batches to one trial now?")
    runner.engine.batching.MOST_JOBS = 1

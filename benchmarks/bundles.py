"""Bundles switched off, to see what a single trial costs."""

import runner.engine.batching


def without_bundles():
    """Send every trial to its lane alone; in this process, until it ends."""
    if not hasattr(runner.engine.batching, "MOST_JOBS"):
        raise AttributeError("runner.engine.batching.MOST_JOBS is gone: what holds bundles to one trial now?")
    runner.engine.batching.MOST_JOBS = 1

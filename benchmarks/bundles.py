"""Bundles switched off, to see what a single trial costs."""

import runner.pace


def without_bundles():
    """Send every trial to its lane alone; in this process, until it ends."""
    if not hasattr(runner.pace, "MOST_JOBS"):
        raise AttributeError("runner.pace.MOST_JOBS is gone: what holds bundles to one trial now?")
    runner.pace.MOST_JOBS = 1

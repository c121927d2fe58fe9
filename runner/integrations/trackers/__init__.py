"""Experiment trackers that receive the events of a study as they happen.

One tracked run per run, one step per trial. Each tracker has a thread of its own, so that a slow, hanging
or failing one cannot hold up the study; a failure is reported once, and the tracker is not called again.
"""

from runner.integrations.trackers.tracked import Tracked, with_trackers
from runner.integrations.trackers.tracker import Tracker

__all__ = ["Tracked", "Tracker", "with_trackers"]

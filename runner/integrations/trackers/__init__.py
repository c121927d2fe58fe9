"""What happens in a study, told to experiment trackers as it happens.

One tracked run per run, one step per trial. A tracker is a thread of its own: one that is slow, hangs
or fails holds nothing up; it is told of once, and left.
"""

from runner.integrations.trackers.tracked import Tracked, with_trackers
from runner.integrations.trackers.tracker import Tracker

__all__ = ["Tracked", "Tracker", "with_trackers"]

"""What may be concluded from a study, and how sure that is; works without Ray."""

from runner.results.stats.comparison import Comparison
from runner.results.stats.curves import AXES, AXIS_TITLES
from runner.results.stats.shape import refused

__all__ = ["AXES", "AXIS_TITLES", "Comparison", "refused"]

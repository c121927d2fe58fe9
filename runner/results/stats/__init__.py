"""Statistics of a study: comparisons of methods, with the confidence in them; works without Ray."""

from runner.results.stats.comparison import Comparison
from runner.results.stats.curves import AXES, AXIS_TITLES
from runner.results.stats.shape import refused

__all__ = ["AXES", "AXIS_TITLES", "Comparison", "refused"]

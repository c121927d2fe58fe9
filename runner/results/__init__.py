"""The pandas frames of a study directory; works without Ray, and while the study runs."""

from runner.results.results import Results

__all__ = ["Results"]

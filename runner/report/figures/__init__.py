"""Figures: descriptions made from frames, and two renderers that draw them.

`runner.report.figures.svg` draws for the page, `runner.report.figures.plot` (matplotlib) for files.
"""

from runner.report.figures.marks import Axis, Figure, Panel
from runner.report.figures.palette import Style, styles
from runner.report.figures.sheet import Sheet

__all__ = ["Axis", "Figure", "Panel", "Sheet", "Style", "styles"]

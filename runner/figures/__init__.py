"""From frames to figures: descriptions of what is drawn, and two pencils that draw them.

`runner.figures.svg` draws for the page, `runner.figures.plot` (matplotlib) for files.
"""

from runner.figures.marks import Axis, Figure, Panel
from runner.figures.palette import Style, styles
from runner.figures.sheet import Sheet

__all__ = ["Axis", "Figure", "Panel", "Sheet", "Style", "styles"]

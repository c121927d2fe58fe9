"""The hyper-parameters and their domains; other programs' spaces are read in `runner.space.formats`."""

from runner.space.domains import Choice, Domain, Float, Int
from runner.space.enumeration import Branch, Clause, Config
from runner.space.space import Space

__all__ = ["Branch", "Choice", "Clause", "Config", "Domain", "Float", "Int", "Space"]

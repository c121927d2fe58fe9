"""Hyper-parameters and their domains; `runner.space.formats` reads other libraries' spaces."""

from runner.space.domains import Choice, Domain, Float, Int
from runner.space.enumeration import Branch, Clause, Config
from runner.space.space import Space

__all__ = ["Branch", "Choice", "Clause", "Config", "Domain", "Float", "Int", "Space"]

"""The six methods, one file each; importing this package fills the registry."""

from runner.methods.base import METHODS, Method, make_method, register
from runner.methods.bayes import Bayes
from runner.methods.exhaustive import Exhaustive
from runner.methods.gradient import Gradient
from runner.methods.grid_search import Grid
from runner.methods.random_search import Random
from runner.methods.tpe import TPE

__all__ = [
    "METHODS",
    "TPE",
    "Bayes",
    "Exhaustive",
    "Gradient",
    "Grid",
    "Method",
    "Random",
    "make_method",
    "register",
]

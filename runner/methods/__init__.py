"""The six methods, imported on first use because the dependencies of some take seconds."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from runner.methods.base import METHODS, Method, make_method, register
from runner.trial import DONE, WAIT, Answer, Config, Pending, Trial

if TYPE_CHECKING:
    from runner.methods.bayes.method import Bayes
    from runner.methods.exhaustive import Exhaustive
    from runner.methods.gradient.method import Gradient
    from runner.methods.grid_search import Grid
    from runner.methods.random_search import Random
    from runner.methods.tpe.method import TPE

_HOME = {
    "Bayes": "bayes.method",
    "Exhaustive": "exhaustive",
    "Gradient": "gradient.method",
    "Grid": "grid_search",
    "Random": "random_search",
    "TPE": "tpe.method",
}

__all__ = [
    "DONE",
    "METHODS",
    "TPE",
    "WAIT",
    "Answer",
    "Bayes",
    "Config",
    "Exhaustive",
    "Gradient",
    "Grid",
    "Method",
    "Pending",
    "Random",
    "Trial",
    "make_method",
    "register",
]


def __getattr__(name: str) -> object:
    """Import a method on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'runner.methods' has no attribute '{name}'")
    value: object = getattr(importlib.import_module(f"runner.methods.{_HOME[name]}"), name)
    globals()[name] = value
    return value

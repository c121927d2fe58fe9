"""fivefold: compare methods of hyper-parameter optimisation, in parallel on Ray.

All public names are imported at their first use, so that ``import runner`` loads neither Ray nor pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.api import Result, optimize, run
    from runner.integrations.sklearn.search_cv import SearchCV
    from runner.problems import Problem, problem
    from runner.problems.files.data_files import data_file
    from runner.problems.hypergradients.implicit import implicit_hypergradient
    from runner.results import Results
    from runner.search import (
        BayesSearch,
        ExhaustiveSearch,
        GradientSearch,
        GridSearch,
        MethodSearch,
        RandomSearch,
        TPESearch,
    )
    from runner.space import Space
    from runner.space.domains import Choice, Float, Int
    from runner.study.gradient_check import check_gradient
    from runner.study.study import Study

_HOME = {
    "Choice": "space",
    "Float": "space",
    "Int": "space",
    "Space": "space",
    "Problem": "problems",
    "problem": "problems",
    "Study": "study.study",
    "Results": "results",
    "Result": "api",
    "optimize": "api",
    "run": "api",
    "SearchCV": "integrations.sklearn.search_cv",
    "data_file": "problems.files.data_files",
    "check_gradient": "study.gradient_check",
    "implicit_hypergradient": "problems.hypergradients.implicit",
    "MethodSearch": "search",
    "BayesSearch": "search",
    "ExhaustiveSearch": "search",
    "GradientSearch": "search",
    "GridSearch": "search",
    "RandomSearch": "search",
    "TPESearch": "search",
}

__all__ = [
    "BayesSearch",
    "Choice",
    "ExhaustiveSearch",
    "Float",
    "GradientSearch",
    "GridSearch",
    "Int",
    "MethodSearch",
    "Problem",
    "RandomSearch",
    "Result",
    "Results",
    "SearchCV",
    "Space",
    "Study",
    "TPESearch",
    "check_gradient",
    "data_file",
    "implicit_hypergradient",
    "optimize",
    "problem",
    "run",
]


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'runner' has no attribute '{name}'")
    value: object = getattr(importlib.import_module(f"runner.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return [*globals(), *_HOME]

"""Public conformance suites for methods and problems.

::

    class TestMine(MethodContract):
        method = Mine()

`MethodContract` and `ProblemContract` are pytest base classes, imported on first use; `simulate` runs a
method on a function within the process, as a study would, and does not need pytest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from runner.testing.simulation import BRANIN_SPACE, SPACES, bowl, branin, simulate

if TYPE_CHECKING:
    from runner.testing.method_contract import MethodContract
    from runner.testing.problem_contract import ProblemContract

_CONTRACTS = {"MethodContract": "method_contract", "ProblemContract": "problem_contract"}

__all__ = ["BRANIN_SPACE", "SPACES", "MethodContract", "ProblemContract", "bowl", "branin", "simulate"]


def __getattr__(name: str) -> object:
    """Import a contract on first use; ModuleNotFoundError if pytest is not installed."""
    if name not in _CONTRACTS:
        raise AttributeError(f"module 'runner.testing' has no attribute '{name}'")
    try:
        value: object = getattr(importlib.import_module(f"runner.testing.{_CONTRACTS[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "pytest":
            raise
        raise ModuleNotFoundError(
            f"{name} is a class of pytest tests, and pytest is not installed. Run: pip install pytest.",
            name="pytest",
        ) from None
    globals()[name] = value
    return value

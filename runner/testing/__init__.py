"""Public conformance suites: a new method or problem subclasses one in three lines.

::

    class TestMine(MethodContract):
        method = Mine()

`MethodContract` and `ProblemContract` are pytest base classes; `simulate` runs a method on a
function within the process, as a study would.
"""

from runner.testing.method_contract import MethodContract
from runner.testing.problem_contract import ProblemContract
from runner.testing.simulation import BRANIN_SPACE, SPACES, bowl, branin, simulate

__all__ = ["BRANIN_SPACE", "SPACES", "MethodContract", "ProblemContract", "bowl", "branin", "simulate"]

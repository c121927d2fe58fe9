"""Built-in problems, one kind per file, and the registry that importing this fills."""

from runner.problems import hypergradients, synthetic  # noqa: F401  (they register themselves)
from runner.problems.base import PROBLEMS, FunctionProblem, Problem, problem, register
from runner.problems.estimators import EstimatorProblem
from runner.problems.evaluation import evaluate, judge
from runner.problems.loading import load_problem

__all__ = [
    "PROBLEMS",
    "EstimatorProblem",
    "FunctionProblem",
    "Problem",
    "evaluate",
    "judge",
    "load_problem",
    "problem",
    "register",
]

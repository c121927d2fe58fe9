"""Problems: base classes, built-in problems and their registry, and loading and evaluation."""

from runner.problems import hypergradients, synthetic  # noqa: F401  (they register themselves)
from runner.problems.answers import judge
from runner.problems.base import PROBLEMS, FunctionProblem, Problem, problem, register
from runner.problems.estimators.problem import EstimatorProblem
from runner.problems.evaluation import evaluate
from runner.problems.loading import load_problem
from runner.problems.recorded import RecordedProblem
from runner.seeds import rng_for, seed_for

__all__ = [
    "PROBLEMS",
    "EstimatorProblem",
    "FunctionProblem",
    "Problem",
    "RecordedProblem",
    "evaluate",
    "judge",
    "load_problem",
    "problem",
    "register",
    "rng_for",
    "seed_for",
]

"""Problems whose gradient in the hyper-parameters is exact, by the implicit function theorem.

A bilevel problem fits weights to training data under hyper-parameters and scores them on validation data.
Where the fit is a stationary point of a smooth function, one linear solve gives the derivative of the
validation loss in all hyper-parameters at once.

The class of a problem, and what it needs of SciPy, is imported when the problem is made.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from runner.problems.base import Problem, register

_PROBLEMS: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    # A weight for each of 100 training rows, a fifth of which have a wrong label.
    "data_weights": ("data_weights", "DataWeights", {}),
    # Strength and L1 share of an elastic net.
    "elastic_net": ("elastic_net", "SparseLinear", {}),
    # Strength of a lasso; a path method finds its optimum in one pass.
    "lasso": ("elastic_net", "SparseLinear", {"kind": "lasso"}),
    # An L1 penalty for every feature.
    "lasso_features": ("elastic_net", "SparseLinear", {"kind": "lasso_features"}),
    # One kernel scale and the penalty.
    "kernel_ridge": ("kernel_ridge", "KernelRidge", {}),
    # A kernel scale for every feature, and the penalty.
    "kernel_ridge_ard": ("kernel_ridge", "KernelRidge", {"ard": True}),
    # Ten length scales, signal and noise of a Gaussian process.
    "gp_likelihood": ("marginal_likelihood", "MarginalLikelihood", {}),
    # L2 penalties of a multinomial logistic regression: one, one per class, one per feature.
    "softmax_l2": ("multinomial", "MultinomialPenalty", {}),
    "softmax_l2_classes": ("multinomial", "MultinomialPenalty", {"grouping": "classes"}),
    "softmax_l2_features": ("multinomial", "MultinomialPenalty", {"grouping": "features"}),
    # L1, L2 or both for a multinomial logistic regression on handwritten digits.
    "penalty_digits": ("multinomial", "PenaltyChoice", {}),
    # L2 penalties of a logistic regression: one; one each for the mean, error and worst features; one per
    # feature; and one for each of 50 features, 15 of which are informative.
    "logistic_l2": ("penalties", "L2Penalty", {}),
    "logistic_l2_groups": ("penalties", "L2Penalty", {"grouping": "blocks"}),
    "logistic_l2_features": ("penalties", "L2Penalty", {"grouping": "features"}),
    "logistic_synthetic50": ("penalties", "L2Penalty", {"model": "synthetic", "grouping": "features"}),
    # A penalty for every feature of a support vector machine.
    "hinge_features": ("penalties", "L2Penalty", {"model": "hinge", "grouping": "features"}),
    # One penalty of a ridge regression, whose optimum a path method finds in one fit; one per feature.
    "ridge": ("penalties", "L2Penalty", {"model": "ridge"}),
    "ridge_features": ("penalties", "L2Penalty", {"model": "ridge", "grouping": "features"}),
    # A bilevel quadratic in 20 parameters, of condition 1000.
    "quadratic20": ("quadratic", "Quadratic", {"d": 20}),
    # Rate, momentum and decay of a network's training, differentiated through all its steps.
    "network_unrolled": ("unrolled", "UnrolledNetwork", {}),
}


def _factory(name: str, module: str, kind: str, settings: dict[str, Any]) -> Callable[[], Problem]:
    def make() -> Problem:
        made: Problem = getattr(import_module(f"{__name__}.{module}"), kind)(name, **settings)
        return made

    return make


for _name, _entry in _PROBLEMS.items():
    register(_name)(_factory(_name, *_entry))

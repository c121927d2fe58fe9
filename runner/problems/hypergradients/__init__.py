"""Problems whose gradient in the hyper-parameters is exact: the implicit function theorem.

A bilevel problem fits weights to training data under hyper-parameters, and judges them on other
data. Where the fit is the stationary point of a smooth function, one linear solve gives the
derivative of the judgement in all hyper-parameters at once.

A module here, and what it needs of SciPy, is imported when one of its problems is asked for; it then
puts its own factories in the place of those below.
"""

from collections.abc import Callable
from importlib import import_module

from runner.problems.base import PROBLEMS, Problem, register

_HOMES = {
    "data_weights": ("data_weights",),
    "elastic_net": ("elastic_net", "lasso", "lasso_features"),
    "kernel_ridge": ("kernel_ridge", "kernel_ridge_ard"),
    "marginal_likelihood": ("gp_likelihood",),
    "multinomial": ("penalty_digits", "softmax_l2", "softmax_l2_classes", "softmax_l2_features"),
    "penalties": (
        "hinge_features",
        "logistic_l2",
        "logistic_l2_features",
        "logistic_l2_groups",
        "logistic_synthetic50",
        "ridge",
        "ridge_features",
    ),
    "quadratic": ("quadratic20",),
    "unrolled": ("network_unrolled",),
}


def _from(home: str, name: str) -> Callable[[], Problem]:
    def factory() -> Problem:
        import_module(f"{__name__}.{home}")
        return PROBLEMS[name]()

    return factory


for _home, _names in _HOMES.items():
    for _name in _names:
        register(_name)(_from(_home, _name))

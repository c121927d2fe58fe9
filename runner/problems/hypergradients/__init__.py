"""Problems whose gradient in the hyper-parameters is exact: the implicit function theorem.

A bilevel problem fits weights to training data under hyper-parameters, and judges them on other
data. Where the fit is the stationary point of a smooth function, one linear solve gives the
derivative of the judgement in all hyper-parameters at once.
"""

from runner.problems.hypergradients import (  # noqa: F401  (they register themselves)
    data_weights,
    elastic_net,
    kernel_ridge,
    marginal_likelihood,
    multinomial,
    penalties,
    quadratic,
    unrolled,
)

"""Losses of a linear model, as functions of the margin m = X w, with their first two derivatives.

=============  =========================================  ======================
loss           value at margin m and target t             targets
=============  =========================================  ======================
LOGISTIC       log(1 + exp m) - t m                       0 or 1
SQUARED_HINGE  max(0, 1 - s m)^2 with s = 2 t - 1         0 or 1
SQUARED        (m - t)^2 / 2                              numbers
=============  =========================================  ======================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.problems.hypergradients.parts import Array

OfMargin = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Loss:
    """A loss and its derivatives in the margin; each takes margins and targets of one shape."""

    value: OfMargin
    slope: OfMargin
    curvature: OfMargin


def sigmoid(m: Array) -> Array:
    """Compute 1 / (1 + exp(-m)) without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * m))


def _logistic_curvature(m: Array, t: Array) -> Array:
    del t
    p = sigmoid(m)
    return p * (1 - p)


def _gap(m: Array, t: Array) -> Array:
    return np.maximum(0.0, 1.0 - (2.0 * t - 1.0) * m)


LOGISTIC = Loss(
    lambda m, t: np.logaddexp(0, m) - t * m,
    lambda m, t: sigmoid(m) - t,
    _logistic_curvature,
)
SQUARED_HINGE = Loss(
    lambda m, t: _gap(m, t) ** 2,
    lambda m, t: -2.0 * (2.0 * t - 1.0) * _gap(m, t),
    lambda m, t: 2.0 * (_gap(m, t) > 0.0).astype(np.float64),
)
SQUARED = Loss(
    lambda m, t: 0.5 * (m - t) ** 2,
    lambda m, t: m - t,
    lambda m, t: np.ones_like(m),
)

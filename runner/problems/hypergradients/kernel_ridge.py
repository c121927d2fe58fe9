"""Kernel ridge regression: one scale of the kernel, or one per feature, and the penalty.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
K, V       kernel of the training rows; of the validation and the training rows
g_k, l     inverse scales of the kernel (`runner.problems.hypergradients.kernels`); penalty
a          coefficients, (K + l I) a = y
r          V a - y_val, so that f = |r|^2 / n
q          solution of (K + l I) q = 2 V'r / n
=========  =======================================================================

df/dl = - q'a  (eq. 1) and df/dg_k = 2 r'(dV/dg_k) a / n - q'(dK/dg_k) a  (eq. 2).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from runner.problems.hypergradients.bilevel import Bilevel, Validated, by_name, number, numbered, vector
from runner.problems.hypergradients.kernels import kernel, weighted_distances
from runner.problems.hypergradients.parts import FEATURES, Part
from runner.space import Float, Space
from runner.trial import Config


class KernelRidge(Bilevel):
    """Scales and penalty of a kernel ridge regression on the diabetes data, by mean squared error.

    Features and target are standardised, so that 1 is the error of the mean. The kernel is
    scikit-learn's ``rbf``.

    Parameters
    ----------
    ard : bool, default False
        Give every feature a scale of its own (automatic relevance determination).
    """

    def __init__(self, name: str, ard: bool = False) -> None:
        features = FEATURES["diabetes"]
        scales = numbered("gamma_", features) if ard else ["gamma"]
        space = {scale: Float(1e-4, 1e1, log=True) for scale in scales}
        default: Config = {**dict.fromkeys(scales, 1.0 / features), "penalty": 1.0}
        super().__init__(name, Space(space | {"penalty": Float(1e-4, 1e2, log=True)}), default, "diabetes")
        self._scales = scales

    def validate(self, part: Part, config: Config) -> Validated:
        """See `Bilevel.validate`."""
        g = np.broadcast_to(vector(config, self._scales), part.X.shape[1])
        K, V = kernel(part.X, part.X, g), kernel(part.X_val, part.X, g)
        factor = cho_factor(K + number(config, "penalty") * np.eye(len(K)), lower=True)
        a = cho_solve(factor, part.y)
        r = V @ a - part.y_val

        def gradient() -> dict[str, float]:
            n = len(r)
            q = cho_solve(factor, 2.0 / n * V.T @ r)
            outer = weighted_distances(2.0 / n * np.outer(r, a) * V, part.X_val, part.X)
            inner = weighted_distances(np.outer(q, a) * K, part.X, part.X)
            slopes = inner - outer  # eq. 2
            slopes = slopes if len(self._scales) > 1 else slopes.sum(keepdims=True)
            return by_name(self._scales, slopes) | {"penalty": -float(q @ a)}  # eq. 1

        return Validated(float(r @ r / len(r)), gradient, 1)

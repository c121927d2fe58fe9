"""Elastic net and lasso: one strength, or one per feature.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
X, y, n    features and target of the training rows, centred; their number
w, S, s    weights; their support; their signs on it
b_j, l_j   L1 and L2 penalty of weight j
h(w)       |y - X w|^2 / (2 n) + sum of b |w| + sum of l w^2 / 2
H          X_S'X_S / n + diag(l_S)
q          solution of H q = slope of the outer loss in w_S
=========  =======================================================================

Between changes of the support, w_S = H^-1 (X_S'y / n - b_S s)  (eq. 1), so that
df/db_j = - s_j q_j and df/dl_j = - w_j q_j on the support  (eq. 2), and 0 elsewhere: where no
weight is left, the loss is flat.

References
----------
Q. Bertrand et al., "Implicit differentiation of Lasso-type models for hyperparameter optimization",
ICML 2020.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from runner.errors import ProblemError
from runner.problems.hypergradients.bilevel import Bilevel, Validated, by_name, number, numbered, vector
from runner.problems.hypergradients.implicit import Linear, implicit_hypergradient
from runner.problems.hypergradients.orthant import Mask, minimise
from runner.problems.hypergradients.parts import FEATURES, Array, Part
from runner.space import Float, Space
from runner.trial import Config

Kind = Literal["elastic_net", "lasso", "lasso_features"]


class SparseLinear(Bilevel):
    """Penalties of a sparse linear regression on the diabetes data, by the mean squared error.

    Features and target are standardised, so that 1 is the error of the mean.

    Parameters
    ----------
    kind : "elastic_net", "lasso" or "lasso_features"
        ``alpha`` and ``l1_ratio`` as in scikit-learn's ElasticNet; ``alpha`` alone, as in its
        Lasso; or an L1 penalty ``alpha_j`` for each feature.

    Notes
    -----
    The loss has a kink wherever a weight becomes 0, and is flat where all are. The upper bound of the
    strength is therefore below the one that leaves no weight.
    """

    def __init__(self, name: str, kind: Kind = "elastic_net") -> None:
        features = FEATURES["diabetes"]
        if kind not in ("elastic_net", "lasso", "lasso_features"):
            raise ProblemError(
                f"expected 'elastic_net', 'lasso' or 'lasso_features', got {kind!r}.", where="kind"
            )
        names = numbered("alpha_", features) if kind == "lasso_features" else ["alpha"]
        space = {key: Float(1e-4, 0.5, log=True) for key in names}
        default: Config = dict.fromkeys(names, 0.01)
        if kind == "elastic_net":
            space["l1_ratio"] = Float(0.0, 1.0)
            default["l1_ratio"] = 0.5
        super().__init__(name, Space(space), default, "diabetes")
        self._kind, self._names = kind, names

    def validate(self, part: Part, config: Config) -> Validated:
        """See `Bilevel.validate`."""
        alpha = vector(config, self._names)
        ratio = number(config, "l1_ratio") if self._kind == "elastic_net" else 1.0
        b = np.broadcast_to(alpha * ratio, part.X.shape[1])
        l = np.broadcast_to(alpha * (1.0 - ratio), part.X.shape[1])  # noqa: E741
        smooth = Gram(part.X, part.y, l)
        w, support, work = minimise(smooth, b, tolerance=1e-12)
        r = part.X_val @ w - part.y_val

        def gradient() -> dict[str, float]:
            q = np.zeros_like(w)
            if support.any():
                H, _ = smooth.curvature(w, support)
                slope = 2.0 / len(r) * part.X_val.T @ r
                q[support] = implicit_hypergradient(H, slope[support], w[support][None, :]).q
            by_b, by_l = -np.sign(w) * q, -w * q  # eq. 2
            if self._kind == "lasso_features":
                return by_name(self._names, by_b)
            slopes = {"alpha": float((ratio * by_b + (1.0 - ratio) * by_l).sum())}
            if self._kind == "elastic_net":
                slopes["l1_ratio"] = float((alpha * (by_b - by_l)).sum())
            return slopes

        return Validated(float(r @ r / len(r)), gradient, work)


class Gram:
    """The smooth part of h; a `runner.problems.hypergradients.orthant.Smooth`."""

    def __init__(self, X: Array, y: Array, l: Array) -> None:  # noqa: E741
        self._H = X.T @ X / len(y) + np.diag(l)
        self._c, self._half = X.T @ y / len(y), 0.5 * float(y @ y) / len(y)
        self.bound = float(np.linalg.norm(self._H, 2))

    def at(self, w: Array) -> tuple[float, Array]:
        """See `Smooth.at`."""
        pull = self._H @ w
        return self._half + float(w @ (0.5 * pull - self._c)), pull - self._c

    def curvature(self, w: Array, support: Mask) -> tuple[Linear, Array]:
        """See `Smooth.curvature`."""
        del w
        H = self._H[np.ix_(support, support)]
        return H, np.diag(H)

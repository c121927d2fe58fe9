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
from numpy.typing import NDArray

from runner.errors import ProblemError
from runner.problems.base import Problem, register
from runner.problems.hypergradients.bilevel import Bilevel, Judged, number, numbered
from runner.problems.hypergradients.implicit import Linear, implicit_hypergradient
from runner.problems.hypergradients.orthant import Mask, minimise
from runner.problems.hypergradients.parts import Part, read
from runner.space import Float, Space
from runner.trial import Config

Array = NDArray[np.float64]
Kind = Literal["elastic_net", "lasso", "lasso_features"]


class SparseLinear(Bilevel):
    """Penalties of a sparse linear regression on the diabetes data, by the mean squared error.

    Features and target are standardised, so that 1 is the error of the mean.

    Parameters
    ----------
    name : str
    kind : "elastic_net", "lasso" or "lasso_features"
        ``alpha`` and ``l1_ratio`` as scikit-learn's ElasticNet has them; ``alpha`` alone, its
        Lasso; or an L1 penalty ``alpha_j`` for each feature.

    Notes
    -----
    The loss has a kink wherever a weight becomes 0, and is flat where all are. The strength
    therefore ends below the one that leaves no weight.
    """

    def __init__(self, name: str, kind: Kind = "elastic_net") -> None:
        features = len(read("diabetes").feature_names)
        if kind not in ("elastic_net", "lasso", "lasso_features"):
            raise ProblemError(
                f"got {kind!r}; 'elastic_net', 'lasso' or 'lasso_features' was expected.", where="kind"
            )
        names = numbered("alpha_", features) if kind == "lasso_features" else ["alpha"]
        space = {key: Float(1e-4, 0.5, log=True) for key in names}
        default: Config = dict.fromkeys(names, 0.01)
        if kind == "elastic_net":
            space["l1_ratio"] = Float(0.0, 1.0)
            default["l1_ratio"] = 0.5
        super().__init__(name, Space(space), default, "diabetes")
        self._kind, self._names = kind, names

    def judged(self, part: Part, config: Config) -> Judged:
        """See `Bilevel.judged`."""
        alpha = np.array([number(config, name) for name in self._names])
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
                return dict(zip(self._names, by_b.tolist(), strict=True))
            slopes = {"alpha": float((ratio * by_b + (1.0 - ratio) * by_l).sum())}
            if self._kind == "elastic_net":
                slopes["l1_ratio"] = float((alpha * (by_b - by_l)).sum())
            return slopes

        return Judged(float(r @ r / len(r)), gradient, work)


class Gram:
    """The smooth part of h; a `runner.problems.hypergradients.orthant.Smooth`.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, p)
    y : numpy.ndarray, shape (n,)
    l : numpy.ndarray, shape (p,)
    """

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


@register("elastic_net")
def elastic_net() -> Problem:
    """Strength and L1 share of an elastic net."""
    return SparseLinear("elastic_net", "elastic_net")


@register("lasso")
def lasso() -> Problem:
    """The strength of a lasso; a path method finds its optimum in one pass."""
    return SparseLinear("lasso", "lasso")


@register("lasso_features")
def lasso_features() -> Problem:
    """An L1 penalty for every feature."""
    return SparseLinear("lasso_features", "lasso_features")

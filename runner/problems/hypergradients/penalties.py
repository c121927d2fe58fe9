"""L2 penalties of linear models: ridge, logistic regression, squared-hinge support vector machine.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
h(w, a)    inner objective: training loss plus penalty, minimised at w*(a)
f(a)       outer objective, g(w*(a)): validation loss
H          second derivative of h in w, at w*
q          solution of H q = grad g
a_k        penalty of feature group k, so that h = sum of losses + sum_j a_k(j) w_j^2 / 2
=========  =======================================================================

From grad_w h(w*(a), a) = 0 follows  df/da = - (d^2 h / da dw) q  (eq. 1), and for the penalties
df/da_k = - sum over j in group k of w_j q_j  (eq. 2).

References
----------
F. Pedregosa, "Hyperparameter optimization with approximate gradient", ICML 2016, eq. 4 to 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from runner.errors import ProblemError, nearest
from runner.problems.base import Problem
from runner.problems.hypergradients.bilevel import by_name, numbered, vector
from runner.problems.hypergradients.losses import LOGISTIC, SQUARED, SQUARED_HINGE, Loss
from runner.problems.hypergradients.newton import fit_linear, mean_loss
from runner.problems.hypergradients.parts import FEATURES, SYNTHETIC, stacked
from runner.space import Float, Space
from runner.trial import Config

Grouping = Literal["global", "blocks", "features"]

_FOLDS = 5  # as usual for cross-validation
_INTERCEPT_PENALTY = 1e-8  # keeps H definite for a separable fold; negligible otherwise


@dataclass(frozen=True)
class _Model:
    """A data set with inner and outer loss; `scale` times the outer loss is reported."""

    data: str
    inner: Loss
    outer: Loss
    scale: float = 1.0


MODELS: Final = {
    "logistic": _Model("breast_cancer", LOGISTIC, LOGISTIC),
    "synthetic": _Model(SYNTHETIC, LOGISTIC, LOGISTIC),
    "hinge": _Model("breast_cancer", SQUARED_HINGE, LOGISTIC),
    "ridge": _Model("diabetes", SQUARED, SQUARED, 2.0),  # the mean of squares, without the half
}


class L2Penalty(Problem):
    """L2 penalties of a linear model, by the cross-validated loss.

    A penalty multiplies half the squared weights of its group, against the *sum* of the training
    losses, so that one global penalty is 1 / C of scikit-learn's LogisticRegression, 1 / (2 C) of
    its LinearSVC, and the alpha of its Ridge. The intercept is free. 20 % of the rows are held out
    as test; the rest is cut into 5 folds, stratified where there are classes; features, and the
    target of a regression, are standardised by each training part.

    Parameters
    ----------
    name : str
    model : str, default "logistic"
        "logistic" on the breast-cancer data, "synthetic" the same on drawn data with 50 features,
        "hinge" a support vector machine with squared hinge loss, judged by the log-loss of its
        margins, "ridge" on the diabetes data, judged by the mean squared error (1 is that of the mean).
    grouping : "global", "blocks" or "features"
        One penalty; one for each of the breast-cancer data's mean, error and worst features; or
        one per feature.
    """

    metric = "loss"
    has_gradient = True

    def __init__(self, name: str, model: str = "logistic", grouping: Grouping = "global") -> None:
        if model not in MODELS:
            raise ProblemError(
                f"expected a model, got {model!r}.", where="model", hint=nearest(str(model), MODELS)
            )
        self.name, self._model = name, MODELS[model]
        names, self._groups = _grouped(self._model.data, grouping)
        self.space = Space({key: Float(1e-5, 1e3, log=True) for key in names})
        self.default = dict.fromkeys(names, 1.0)

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """See `Problem.evaluate`: loss, gradient, folds, test and inner_work."""
        model = self._model
        a = vector(config, self.space.names)
        split = stacked(model.data, _FOLDS, seed)
        penalty = np.append(a[self._groups], _INTERCEPT_PENALTY)
        fit = fit_linear(split.X, split.t, split.P, penalty, model.inner)
        losses, slopes = mean_loss(split.X_val, split.t_val, split.P_val, fit.w, model.outer)
        losses, slopes = model.scale * losses, model.scale * slopes
        q = np.linalg.solve(fit.H[:-1], slopes[:-1, :, None])[..., 0]
        per_weight = -(fit.w[:-1] * q).mean(axis=0)[:-1]  # eq. 2, averaged over the folds
        gradient = np.bincount(self._groups, per_weight, len(a)).astype(np.float64)
        return {
            "loss": float(losses[:-1].mean()),
            "gradient": by_name(self.space.names, gradient),
            "folds": losses[:-1].tolist(),
            "test": float(losses[-1]),
            "inner_work": fit.steps * _FOLDS,
        }


def _grouped(data: str, grouping: Grouping) -> tuple[list[str], NDArray[np.intp]]:
    """Name the penalties, and map each feature to the index of its penalty."""
    count = FEATURES[data]
    if grouping == "global":
        return ["penalty"], np.zeros(count, dtype=np.intp)
    if grouping == "blocks" and data == "breast_cancer":
        return ["penalty_mean", "penalty_error", "penalty_worst"], np.repeat(np.arange(3), 10)
    if grouping == "features":
        return numbered("penalty_", count), np.arange(count)
    raise ProblemError(
        f"expected 'global', 'features', or 'blocks' for breast_cancer, got {grouping!r} for {data}.",
        where="grouping",
    )

"""A weight for every training row, some of which have a wrong label.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
x_i        weight of training row i, in [0, 1]
l_i(w)     log-loss of training row i
h(w)       sum of x_i l_i(w) + penalty |w|^2 / 2
H, q       second derivative of h at its minimum; solution of H q = slope of the outer loss
=========  =======================================================================

df/dx_i = - q . (slope of l_i in w)  (eq. 1): one linear system for any number of rows.

References
----------
L. Franceschi et al., "Forward and reverse gradient-based hyperparameter optimization", ICML 2017
(data hyper-cleaning).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runner.problems.base import Problem
from runner.problems.hypergradients.bilevel import by_name, numbered, vector
from runner.problems.hypergradients.implicit import implicit_hypergradient
from runner.problems.hypergradients.losses import LOGISTIC
from runner.problems.hypergradients.newton import fit_linear, mean_loss
from runner.problems.hypergradients.parts import parts
from runner.seeds import rng_for
from runner.space import Float, Space
from runner.trial import Config

_FOLDS = 5  # as the other problems, for the same test rows; only the part trained on all of them is used
_PENALTY = 1.0  # scikit-learn's default, C = 1


class DataWeights(Problem):
    """Weights of the training rows of a logistic regression on the breast-cancer data.

    A fifth of the training labels are flipped, different ones with each seed; the loss is the log-loss
    of the remaining rows, which have correct labels. The test part is apart from both. There are more
    weights than a few hundred validation rows can determine, so a long search overfits them: its loss falls
    below that of the test part.

    Parameters
    ----------
    rows : int, default 100
        Number of training rows.
    flipped : float, default 0.2
        Share of the training labels that are wrong.
    """

    has_gradient = True

    def __init__(self, name: str, rows: int = 100, flipped: float = 0.2) -> None:
        self.name, self._flipped = name, flipped
        names = numbered("weight_", rows)
        self.space = Space({key: Float(0.0, 1.0) for key in names})
        self.default = dict.fromkeys(names, 1.0)

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """See `Problem.evaluate`: loss, gradient, test and inner_work."""
        x = vector(config, self.space.names)[None]
        whole = parts("breast_cancer", _FOLDS, seed)[-1]
        n = x.shape[1]
        X, X_test = (np.column_stack([rows, np.ones(len(rows))])[None] for rows in (whole.X, whole.X_val))
        # "turned" names a random stream: another name would flip other labels.
        t, wrong = whole.y[None, :n].copy(), rng_for(seed, "turned").random(n) < self._flipped
        t[:, wrong] = 1.0 - t[:, wrong]
        fit = fit_linear(X[:, :n], t, x, np.full(X.shape[2], _PENALTY), LOGISTIC)
        t_val, held = whole.y[None, n:], whole.y_val[None]
        loss, slope = mean_loss(X[:, n:], t_val, np.ones_like(t_val), fit.w, LOGISTIC)
        test, _ = mean_loss(X_test, held, np.ones_like(held), fit.w, LOGISTIC)
        of_rows = LOGISTIC.slope(X[0, :n] @ fit.w[0], t[0])[:, None] * X[0, :n]
        found = implicit_hypergradient(fit.H[0], slope[0], of_rows)  # eq. 1
        return {
            "loss": float(loss[0]),
            "gradient": by_name(self.space.names, found.gradient),
            "test": float(test[0]),
            "inner_work": fit.steps,
        }

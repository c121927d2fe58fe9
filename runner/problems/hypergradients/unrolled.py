"""A small neural network, trained by gradient descent with momentum, and differentiated through it.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
w, v       weights and velocity; w starts at random, v at 0
L(w)       mean log-loss of the training rows
r, m, c    rate, momentum, decay
=========  =======================================================================

Each step is v <- m v - r (grad L(w) + c w), w <- w + v  (eq. 1). The derivative of the validation loss at
the last w goes back through all steps, so it is exact for this number of steps, converged or not; at a
stationary point the loss would not depend on the rate.

References
----------
D. Maclaurin, D. Duvenaud and R. P. Adams, "Gradient-based hyperparameter optimization through
reversible learning", ICML 2015.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from runner.errors import ProblemError
from runner.problems.base import Problem
from runner.problems.hypergradients.bilevel import by_name, vector
from runner.problems.hypergradients.multinomial import one_hot
from runner.problems.hypergradients.parts import COARSE_DIGITS, Array, parts
from runner.seeds import rng_for
from runner.space import Float, Space
from runner.trial import Config

_FOLDS = 5  # as the other problems, for the same test rows; only the part trained on all of them is used
_NAMES = ("rate", "momentum", "decay")


class UnrolledNetwork(Problem):
    """Rate, momentum and decay of a network's training on coarse handwritten digits, by log-loss.

    One hidden layer of tanh units, full batches. Needs the package ``autograd``, which the extra
    of this name installs.

    Parameters
    ----------
    hidden : int, default 12
        Hidden units.
    steps : int, default 30
        Training steps.
    rows : int, default 200
        Number of training rows, and of validation rows.
    """

    has_gradient = True

    def __init__(self, name: str, hidden: int = 12, steps: int = 30, rows: int = 200) -> None:
        self.name = name
        self.space = Space(
            {
                "rate": Float(1e-2, 1.0, log=True),
                "momentum": Float(0.0, 0.95),
                "decay": Float(1e-5, 1e-1, log=True),
            }
        )
        self.default = {"rate": 0.1, "momentum": 0.9, "decay": 1e-4}
        self._hidden, self._steps, self._rows = hidden, steps, rows

    def check(self) -> None:
        """Raise ProblemError if autograd is not installed."""
        if find_spec("autograd") is None:
            raise ProblemError(
                "the package autograd is not installed.",
                where=self.name,
                hint="Install it with: pip install 'fivefold[autograd]'",
            )

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """See `Problem.evaluate`: loss, gradient, test and inner_work."""
        self.check()
        from autograd import grad, value_and_grad

        whole = parts(COARSE_DIGITS, _FOLDS, seed, False)[-1]
        T, n = one_hot(whole.y), self._rows
        p, c = whole.X.shape[1], T.shape[1]
        h = self._hidden
        rng = rng_for(seed, "network")
        start = np.concatenate([rng.normal(0.0, p**-0.5, p * h), rng.normal(0.0, h**-0.5, h * c)])
        slope = grad(lambda w: _log_loss(w, whole.X[:n], T[:n], h))

        def trained(x: Any) -> Any:
            w, v = start, np.zeros_like(start)
            for _ in range(self._steps):
                v = x[1] * v - x[0] * (slope(w) + x[2] * w)  # eq. 1
                w = w + v
            return w

        weights: Any = None

        def outer(x: Any) -> Any:
            nonlocal weights
            weights = trained(x)
            return _log_loss(weights, whole.X[n : 2 * n], T[n : 2 * n], h)

        loss, gradient = value_and_grad(outer)(vector(config, _NAMES))
        weights = getattr(weights, "_value", weights)  # out of autograd's box
        labels = np.asarray(whole.y_val[:, None] == np.arange(c), dtype=np.float64)
        return {
            "loss": float(loss),
            "gradient": by_name(_NAMES, gradient),
            "test": float(_log_loss(weights, whole.X_val, labels, h)),
            "inner_work": self._steps,
        }


def _log_loss(w: Any, X: Array, T: Array, hidden: int) -> Any:
    """Compute the mean log-loss of the network with weights w, of NumPy or of autograd."""
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp

    cut = X.shape[1] * hidden
    M = anp.dot(anp.tanh(anp.dot(X, w[:cut].reshape(X.shape[1], hidden))), w[cut:].reshape(hidden, -1))
    return anp.mean(logsumexp(M, axis=1) - anp.sum(M * T, axis=1))

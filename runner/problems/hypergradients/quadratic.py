"""A bilevel quadratic with a closed-form optimum.

The inner problem is w*(x) = argmin w'Aw/2 - (Sx)'Aw, so w* = Sx; the outer loss is
1 + |w* - c|^2 / 2 with c = S x*. It equals 1 + (x - x*)'S'S(x - x*) / 2, whose minimum is 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runner.errors import ProblemError
from runner.problems.base import Problem
from runner.problems.hypergradients.bilevel import by_name, numbered, vector
from runner.problems.hypergradients.parts import Array
from runner.seeds import rng_for
from runner.space import Float, Space
from runner.trial import Config


class Quadratic(Problem):
    """A bilevel quadratic with a known optimum.

    Parameters
    ----------
    d : int
        Number of hyper-parameters, each in [-5, 5].
    condition : float, default 1000
        Condition number of S'S, whose eigenvalues are log-spaced from 1 / condition to 1.
    """

    has_gradient = True
    optimum = 1.0

    def __init__(self, name: str, d: int, condition: float = 1e3) -> None:
        if d < 1 or condition < 1:
            raise ProblemError(f"expected at least 1, got d={d} and condition={condition}.", where=name)
        self.name = name
        names = numbered("x", d)
        self.space = Space({name: Float(-5.0, 5.0) for name in names})
        rng = rng_for("quadratic", d, condition)
        turn, turn_inner = _rotation(d, rng), _rotation(d, rng)
        spectrum = np.geomspace(1.0 / condition, 1.0, d) if d > 1 else np.ones(1)
        self._A = turn_inner @ np.diag(np.linspace(1.0, 10.0, d)) @ turn_inner.T
        self._S = turn @ np.diag(np.sqrt(spectrum)) @ turn.T
        x = rng.uniform(-3.0, 3.0, d)
        self._c = self._S @ x
        self.minimisers = (dict(zip(names, x.tolist(), strict=True)),)

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """See `Problem.evaluate`; the seed has no influence."""
        del seed
        x = vector(config, self.space.names)
        cross = self._A @ self._S  # minus d^2 h / dx dw
        w = np.linalg.solve(self._A, cross @ x)
        q = np.linalg.solve(self._A, w - self._c)
        gradient = cross.T @ q
        return {
            "loss": float(1.0 + 0.5 * (w - self._c) @ (w - self._c)),
            "gradient": by_name(self.space.names, gradient),
            "inner_work": 1,
        }


def _rotation(d: int, rng: np.random.Generator) -> Array:
    turned: Array = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return turned

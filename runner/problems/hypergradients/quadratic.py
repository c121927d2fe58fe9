"""A bilevel quadratic whose optimum is known in closed form.

The inner problem is w*(x) = argmin w'Aw/2 - (Sx)'Aw, so w* = Sx; the outer loss is
1 + |w* - c|^2 / 2 with c = S x*. It equals 1 + (x - x*)'S'S(x - x*) / 2, whose minimum is 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.errors import ProblemError
from runner.problems.base import Problem, register
from runner.problems.hypergradients.bilevel import number, numbered
from runner.seeds import rng_for
from runner.space import Float, Space
from runner.trial import Config

Array = NDArray[np.float64]


class Quadratic(Problem):
    """A bilevel quadratic with a known optimum.

    Parameters
    ----------
    d : int
        Number of hyper-parameters, each in [-5, 5].
    condition : float, default 1000
        Of S'S, whose eigenvalues are evenly spread in the logarithm from 1 / condition to 1.
    """

    metric = "loss"
    has_gradient = True
    optimum = 1.0

    def __init__(self, d: int, condition: float = 1e3) -> None:
        if d < 1 or condition < 1:
            raise ProblemError(
                f"d is {d} and condition is {condition}; at least 1 was expected.", where="quadratic"
            )
        self.name = f"quadratic{d}"
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
        x = np.array([number(config, name) for name in self.space.names])
        cross = self._A @ self._S  # minus d^2 h / dx dw
        w = np.linalg.solve(self._A, cross @ x)
        q = np.linalg.solve(self._A, w - self._c)
        gradient = cross.T @ q
        return {
            "loss": float(1.0 + 0.5 * (w - self._c) @ (w - self._c)),
            "gradient": dict(zip(self.space.names, gradient.tolist(), strict=True)),
            "inner_work": 1,
        }


def _rotation(d: int, rng: np.random.Generator) -> Array:
    turned: Array = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return turned


@register("quadratic20")
def quadratic20() -> Problem:
    """A bilevel quadratic in 20 parameters, of condition 1000."""
    return Quadratic(20)

"""Test functions with known minima, at microseconds per evaluation.

The classic ones have their textbook form and domain, so that figures can be compared with
the literature; none has its minimum in the middle of its domain. The seed has no influence.

=============  ==============================================================================
problem        difficulty
=============  ==============================================================================
branin         two parameters, three minima of equal depth
hartmann6      six parameters, one narrow minimum among several local ones
ackley         five parameters, a funnel covered with local minima
rosenbrock     four parameters, a curved valley with a flat floor
sphere         ten parameters, a bowl; with its gradient
mixed          a float, a logarithmic float, an int and a category that moves the minimum
conditional    a category whose options have parameters of their own
=============  ==============================================================================

``rosenbrock_gradient`` is rosenbrock with its gradient. The others do not report one and are black boxes.

References
----------
L. C. W. Dixon and G. P. Szegö, "Towards Global Optimisation 2", 1978 (branin, hartmann6).
D. H. Ackley, "A Connectionist Machine for Genetic Hillclimbing", 1987.
H. H. Rosenbrock, "An Automatic Method for Finding the Greatest or Least Value of a Function",
The Computer Journal 3, 1960.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.problems.base import FunctionProblem, problem, register
from runner.space import Choice, Float, Int
from runner.trial import Config


def _register(problem: FunctionProblem) -> FunctionProblem:
    register(problem.name)(lambda: problem)
    return problem


def _box(d: int, low: float, high: float) -> dict[str, Float]:
    return {f"x{i}": Float(low, high) for i in range(1, d + 1)}


def _at(x: Sequence[float]) -> Config:
    return {f"x{i}": value for i, value in enumerate(x, start=1)}


def _vector(config: Config) -> NDArray[np.float64]:
    return np.array([config[f"x{i}"] for i in range(1, len(config) + 1)], dtype=np.float64)


def _number(config: Config, name: str) -> float:
    return float(config[name])  # type: ignore[arg-type]


@_register
@problem(
    {"x1": Float(-5.0, 10.0), "x2": Float(0.0, 15.0)},
    optimum=0.39788735772973816,  # 10 / (8 pi)
    minimisers=[_at([-math.pi, 12.275]), _at([math.pi, 2.275]), _at([3 * math.pi, 2.475])],
)
def branin(config: Config) -> float:
    """(x2 - 5.1 x1^2 / (4 pi^2) + 5 x1 / pi - 6)^2 + 10 (1 - 1 / (8 pi)) cos x1 + 10."""
    x1, x2 = _vector(config)
    bent = x2 - 5.1 * x1**2 / (4 * math.pi**2) + 5 * x1 / math.pi - 6
    return float(bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x1) + 10)


_HARTMANN_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_HARTMANN_SCALES = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_HARTMANN_CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


@_register
@problem(
    _box(6, 0.0, 1.0),
    optimum=-3.322368011415515,
    minimisers=[_at([0.201689511, 0.150010688, 0.476873974, 0.275332430, 0.311651617, 0.657300534])],
)
def hartmann6(config: Config) -> float:
    """Minus the sum over i of c_i exp(- sum over j of A_ij (x_j - P_ij)^2), i = 1 to 4, j = 1 to 6."""
    distances = (_HARTMANN_SCALES * (_vector(config) - _HARTMANN_CENTRES) ** 2).sum(axis=1)
    return float(-_HARTMANN_WEIGHTS @ np.exp(-distances))


@_register
@problem(_box(5, -10.0, 25.0), optimum=0.0, minimisers=[_at([0.0] * 5)])
def ackley(config: Config) -> float:
    """20 (1 - exp(-|x| / (5 sqrt d))) + e - exp(mean of cos 2 pi x); the domain is not centred."""
    x = _vector(config)
    funnel = -20 * math.expm1(-0.2 * math.sqrt(float((x**2).mean())))
    # e (1 - exp(m - 1)), which is exactly 0 at the minimum, where e - exp(m) may round below it.
    return funnel - math.e * math.expm1(float(np.cos(2 * math.pi * x).mean()) - 1)


_VALLEY: dict[str, Any] = {"space": _box(4, -5.0, 10.0), "optimum": 0.0, "minimisers": [_at([1.0] * 4)]}


@_register
@problem(**_VALLEY)
def rosenbrock(config: Config) -> float:
    """Sum over i of 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2."""
    x = _vector(config)
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


@_register
@problem(**_VALLEY, has_gradient=True)
def rosenbrock_gradient(config: Config) -> dict[str, Any]:
    """`rosenbrock` with its gradient."""
    x = _vector(config)
    bend = x[1:] - x[:-1] ** 2
    slope = np.zeros_like(x)
    slope[:-1] = -400 * x[:-1] * bend - 2 * (1 - x[:-1])
    slope[1:] += 200 * bend
    return {"loss": rosenbrock(config), "gradient": _at(slope.tolist())}


_BOTTOM = np.array([-4.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0, -3.5, 2.5])


@_register
@problem(
    _box(10, -5.0, 5.0),
    has_gradient=True,
    optimum=0.0,
    minimisers=[_at(_BOTTOM.tolist())],
)
def sphere(config: Config) -> dict[str, Any]:
    """|x - c|^2 with a fixed c off the centre."""
    away = _vector(config) - _BOTTOM
    return {"loss": float(away @ away), "gradient": _at((2 * away).tolist())}


_KINDS = {"round": (0.3, 0.2), "flat": (0.5, 0.1), "steep": (0.8, 0.0)}
"""Position and depth of the minimum in x, per category."""


@_register
@problem(
    {
        "x": Float(0.0, 1.0),
        "rate": Float(1e-5, 1.0, log=True),
        "count": Int(1, 20),
        "kind": Choice(list(_KINDS)),
    },
    optimum=0.0,
    minimisers=[{"x": 0.8, "rate": 1e-3, "count": 7, "kind": "steep"}],
    default={"x": 0.5, "rate": 1e-2, "count": 10, "kind": "round"},
)
def mixed(config: Config) -> float:
    """(x - m_kind)^2 + (log10 rate + 3)^2 / 10 + ((count - 7) / 10)^2 + b_kind."""
    middle, base = _KINDS[str(config["kind"])]
    x, rate, count = (_number(config, name) for name in ("x", "rate", "count"))
    return (x - middle) ** 2 + math.log10(rate / 1e-3) ** 2 / 10 + ((count - 7) / 10) ** 2 + base


@_register
@problem(
    {
        "model": Choice(
            {
                "constant": {},
                "linear": {"penalty": Float(1e-6, 1e2, log=True)},
                "tree": {"depth": Int(1, 20), "share": Float(0.1, 1.0)},
            }
        )
    },
    optimum=0.1,
    minimisers=[{"model": "tree", "depth": 6, "share": 0.7}],
    default={"model": "linear", "penalty": 1.0},
)
def conditional(config: Config) -> float:
    """1 for constant; 0.3 + (log10 penalty + 2)^2 / 20 for linear; for tree a bowl of depth 0.1.

    The bowl is 0.1 + ((depth - 6) / 10)^2 + (share - 0.7)^2.
    """
    if config["model"] == "constant":
        return 1.0
    if config["model"] == "linear":
        return 0.3 + math.log10(_number(config, "penalty") / 1e-2) ** 2 / 20
    return 0.1 + ((_number(config, "depth") - 6) / 10) ** 2 + (_number(config, "share") - 0.7) ** 2

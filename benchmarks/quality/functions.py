"""Test functions, shifted for each seed, so that no method can know the place of a minimum.

``f(x - s)`` with the shift s uniform within a tenth of each range to either side: the minimum stays
inside, and off the centre. ``rotated`` ones are turned about their minimum by a random rotation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner.problems.synthetic import ackley, hartmann6, rosenbrock
from runner.seeds import rng_for
from runner.space import Choice, Float, Int, Space

SHIFT = 0.1


@dataclass(frozen=True)
class Function:
    """A function of a seed: a space, an objective to be minimised, and its least value."""

    space: Space
    objective: Callable[[dict], float]
    optimum: float


def _box(d, low, high):
    return {f"x{i}": Float(low, high) for i in range(1, d + 1)}


def _vector(config):
    return np.array([config[f"x{i}"] for i in range(1, len(config) + 1)])


def _at(x):
    return {f"x{i}": float(value) for i, value in enumerate(x, start=1)}


def levy(x):
    w = 1 + (x - 1) / 4
    middle = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2)
    last = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return math.sin(math.pi * w[0]) ** 2 + float(middle.sum()) + last


def griewank(x):
    return float((x**2).sum() / 4000 - np.prod(np.cos(x / np.sqrt(np.arange(1, len(x) + 1)))) + 1)


def styblinski(x):
    return float((x**4 - 16 * x**2 + 5 * x).sum() / 2)


def michalewicz(x):
    return -float((np.sin(x) * np.sin(np.arange(1, len(x) + 1) * x**2 / math.pi) ** 20).sum())


def camel(x):
    a, b = x
    return (4 - 2.1 * a**2 + a**4 / 3) * a**2 + a * b + (4 * b**2 - 4) * b**2


def branin(x):
    bent = x[1] - 5.1 * x[0] ** 2 / (4 * math.pi**2) + 5 * x[0] / math.pi - 6
    return bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10


def ellipsoid(x):
    return float((100.0 ** (np.arange(len(x)) / (len(x) - 1)) * x**2).sum())


def _of(problem):
    return lambda x: problem.function(_at(x))


_SMOOTH = {
    # name: (function of a vector, d, low, high, optimum, centre of rotation or None)
    "hartmann6": (_of(hartmann6), 6, 0.0, 1.0, -3.322368011415515, None),
    "levy6": (levy, 6, -10.0, 10.0, 0.0, None),
    "ackley5": (_of(ackley), 5, -10.0, 25.0, 0.0, None),
    "rosenbrock4": (_of(rosenbrock), 4, -5.0, 10.0, 0.0, None),
    "griewank5-rotated": (griewank, 5, -20.0, 30.0, 0.0, 0.0),
    "ellipsoid6-rotated": (ellipsoid, 6, -4.0, 6.0, 0.0, 0.0),
    "styblinski5": (styblinski, 5, -5.0, 5.0, -39.16616570377142 * 5, None),
    "michalewicz5": (michalewicz, 5, 0.0, math.pi, -4.687658179, None),
    "branin": (branin, 2, (-5.0, 0.0), (10.0, 15.0), 0.39788735772973816, None),
    "camel": (camel, 2, (-3.0, -2.0), (3.0, 2.0), -1.031628453489877, None),
}


def _smooth(name, seed):
    f, d, low, high, optimum, centre = _SMOOTH[name]
    rng = rng_for("function", name, seed)
    low, high = np.broadcast_to(low, d), np.broadcast_to(high, d)
    shift = rng.uniform(-SHIFT, SHIFT, d) * (high - low)
    turn = np.eye(d)
    if centre is not None:
        turn, triangle = np.linalg.qr(rng.standard_normal((d, d)))
        turn = turn * np.sign(np.diag(triangle))
    space = Space({f"x{i + 1}": Float(float(low[i]), float(high[i])) for i in range(d)})
    return Function(space, lambda config: f(turn @ (_vector(config) - shift)), optimum)


def _mixed(seed, rough):
    """A bowl, with waves where it is rough, in floats, logarithms, whole numbers and categories."""
    rng = rng_for("function", "mixed", seed)
    space = Space(
        {
            "x": Float(0.0, 1.0),
            "rate": Float(1e-5, 1.0, log=True),
            "slope": Float(-4.0, 4.0),
            "n": Int(1, 30),
            "width": Int(1, 512, log=True),
            "share": Float(0.0, 1.0, step=0.05),
            "a": Choice(["r", "s", "t", "u"]),
            "b": Choice([True, False]),
        }
    )
    best = space.encode(space.decode(rng.uniform(0.2, 0.8, space.d)))
    # A category's penalty, and how far it moves the minimum in x.
    costs = dict(zip("rstu", 0.15 * rng.permutation(4), strict=True))
    moves = dict(zip("rstu", rng.uniform(-0.2, 0.2, 4), strict=True))
    good = bool(rng.integers(2))

    def objective(config):
        u = space.encode(config)[:6] - best[:6]
        u[0] -= moves[config["a"]] if costs[config["a"]] else 0.0
        waves = 0.05 * float((1 - np.cos(6 * math.pi * u[:3])).sum()) if rough else 0.0
        # The optimum has the good category and is on the grid.
        return 4 * float(u @ u) + waves + costs[config["a"]] + 0.2 * (config["b"] != good)

    return Function(space, objective, 0.0)


def _conditional(seed):
    """A solver with its own parameters, three branches, and two shared ones.

    Which branch has the minimum, and where in it, is drawn for each seed; the others' minima
    are 0.1 and 0.3 above.
    """
    rng = rng_for("function", "conditional", seed)
    space = Space(
        {
            "rate": Float(1e-4, 1.0, log=True),
            "solver": Choice(
                {
                    "sgd": {"momentum": Float(0.0, 1.0), "batch": Int(8, 256, log=True)},
                    "adam": {"beta": Float(0.0, 1.0), "decay": Float(1e-6, 1e-1, log=True)},
                    "newton": {"damping": Float(1e-4, 1e2, log=True), "steps": Int(1, 20)},
                }
            ),
            "penalty": Float(1e-6, 1e2, log=True),
        }
    )
    base = dict(zip(("sgd", "adam", "newton"), rng.permutation([0.0, 0.1, 0.3]), strict=True))
    # On the grid, so that the least value is met.
    rows = {solver: space.encode(_with(space, solver, rng.uniform(0.15, 0.85, space.d))) for solver in base}

    def objective(config):
        row, active = space.encode(config), space.active(config)
        numeric = active.copy()
        numeric[1] = False  # the solver itself
        away = (row - rows[config["solver"]])[numeric]
        return float(base[config["solver"]]) + float(4 * away @ away)

    return Function(space, objective, 0.0)


def _with(space, solver, row):
    row = row.copy()
    row[1] = (["sgd", "adam", "newton"].index(solver) + 0.5) / 3
    return space.decode(row)


SMOOTH = tuple(_SMOOTH)


def make(name, seed):
    """The function of that name and seed."""
    if name in ("mixed8", "mixed8-rough"):
        return _mixed(seed, name.endswith("rough"))
    if name == "conditional":
        return _conditional(seed)
    return _smooth(name, seed)

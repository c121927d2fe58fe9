"""Simulation of a run within the process, with spaces of every kind, functions and histories."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Callable
from typing import Final

import numpy as np

from runner.errors import MethodError
from runner.methods.base import Method
from runner.seeds import proposal_rng, rng_for
from runner.space import Choice, Float, Int, Space
from runner.trial import DONE, WAIT, Config, Outcome, Pending, Status, Trial

Objective = Callable[[Config], float | Outcome]


def simulate(
    method: Method, space: Space, objective: Objective, trials: int, parallel: int = 1, entropy: int = 0
) -> list[Trial]:
    """Simulate one run in trial order, as in a study with any number of workers.

    Proposal *i* knows exactly the trials before ``i - parallel + 1``; those between are pending.
    When the method answers WAIT, the oldest pending trial ends and the request is repeated. A method
    without ``uses_history`` gets an empty history.

    Parameters
    ----------
    method : Method
        Need not be prepared.
    objective : callable
        Config to loss (minimised), or to an `Outcome`. A number that is not finite is INVALID.
    trials : int
        The budget; fewer are returned if the method is DONE before.
    parallel : int, default 1
        Maximum number of trials in flight.
    entropy : int, default 0
        The run's seed.

    Returns
    -------
    list of Trial
        In the order of their numbers.

    Raises
    ------
    MethodError
        If the method cannot search the space, or WAITs with nothing pending.
    SpaceError
        If a proposal is outside the space.
    """
    method = method.prepare(space, trials, parallel)
    ended: list[Trial] = []
    known = 0
    for number in range(trials):
        if method.uses_history:
            known = max(known, number - parallel + 1)
        while True:
            ahead = ended[known:] if method.uses_history else []
            pending = [Pending(trial.number, trial.config, known=trial.known) for trial in ahead]
            answer = method.propose(space, ended[:known], pending, number, proposal_rng(entropy, number))
            if answer is not WAIT:
                break
            if not pending:
                raise MethodError("the method answered WAIT with no trial pending.", where=method.name)
            known += 1
        if answer is DONE:
            break
        config = space.canonical(answer)
        ended.append(Trial(number, config, _outcome(objective(dict(config))), known=known))
    return ended


def _outcome(answer: float | Outcome) -> Outcome:
    if isinstance(answer, Outcome):
        return answer
    if not math.isfinite(answer):
        return Outcome(Status.INVALID, error=f"the loss is {answer}.")
    return Outcome(Status.COMPLETED, loss=float(answer), value=float(answer))


_NESTED = Choice(
    {
        "svm": {
            "C": Float(1e-3, 1e3, log=True),
            "kernel": Choice({"linear": {}, "rbf": {"gamma": Float(1e-4, 1.0, log=True)}, "poly": None}),
        },
        "forest": {"depth": Int(1, 20), "gamma": Float(0.0, 2.0)},
        "dummy": {},
    }
)

SPACES: Final[dict[str, Space]] = {
    "one": Space({"x": Float(-5.0, 5.0)}),
    "floats": Space({"x": Float(-1.0, 3.0), "rate": Float(1e-6, 1e-1, log=True), "p": Float(0, 1, step=0.1)}),
    "ints": Space({"n": Int(-3, 3), "width": Int(1, 1024, log=True), "even": Int(0, 100, step=2)}),
    "huge": Space({"n": Int(1, 10**12), "m": Int(1, 10**12, log=True), "k": Int(0, 10**15 - 1)}),
    "choices": Space({"a": Choice([1, 1.0, True, None, "1"]), "b": Choice(["x", "y", "z"])}),
    "single": Space({"only": Choice(["this"]), "x": Float(0.0, 1.0)}),
    "point": Space({"only": Choice(["this"])}),
    "mixed": Space(
        {"x": Float(0.0, 1.0), "n": Int(1, 9), "c": Choice(["a", "b", "c"]), "on": Choice([True, False])}
    ),
    "eight": Space({f"x{i}": Float(-1.0, 1.0) for i in range(8)}),
    "conditional": Space({"model": _NESTED, "scale": Choice([False, True])}),
    "forbidden": Space(
        {
            "penalty": Choice(["l1", "l2", "none"]),
            "solver": Choice(["lbfgs", "saga"]),
            "C": Float(0.1, 10, log=True),
        },
        forbid=[{"penalty": "l1", "solver": "lbfgs"}, {"penalty": "none", "solver": "saga"}],
    ),
    "finite": Space({"n": Int(0, 3), "c": Choice(["a", "b", "c"])}, forbid=[{"n": 3, "c": ["a", "b"]}]),
}
"""Spaces of every kind of domain; the contract runs a method on all of them."""


def bowl(space: Space) -> Objective:
    """Make a quadratic in the encoded coordinates of the active parameters, with its gradient.

    The minimum is 0, with every coordinate at 0.3; the gradient is that of the continuous parameters,
    in their own units.
    """

    def objective(config: Config) -> Outcome:
        active = space.active(config)
        offsets = np.where(active, space.encode(config) - 0.3, 0.0)
        gradient: dict[str, float] = {}
        for column, (name, domain) in enumerate(space.dimensions):
            if active[column] and isinstance(domain, Float) and domain.step is None:
                x = float(config[name])  # type: ignore[arg-type]  # a Float's value is a float
                per_unit = x * math.log(domain.high / domain.low) if domain.log else domain.high - domain.low
                gradient[name] = 2.0 * float(offsets[column]) / per_unit
        loss = float(offsets @ offsets)
        return Outcome(Status.COMPLETED, loss=loss, value=loss, gradient=gradient)

    return objective


BRANIN_SPACE: Final = Space({"x": Float(-5.0, 10.0), "y": Float(0.0, 15.0)})


def branin(config: Config) -> Outcome:
    """Evaluate Branin's function with its gradient; three minimisers, minimum 0.397887.

    f = (y - b x^2 + c x - 6)^2 + 10 (1 - t) cos x + 10 with b = 5.1 / (4 pi^2), c = 5 / pi and
    t = 1 / (8 pi): L. C. W. Dixon and G. P. Szego, "Towards Global Optimisation 2" (1978).
    """
    x, y = float(config["x"]), float(config["y"])  # type: ignore[arg-type]
    b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
    rest = y - b * x**2 + c * x - 6
    loss = rest**2 + 10 * (1 - t) * math.cos(x) + 10
    slope = 2 * rest * (c - 2 * b * x) - 10 * (1 - t) * math.sin(x)
    return Outcome(Status.COMPLETED, loss=loss, value=loss, gradient={"x": slope, "y": 2 * rest})


def global_state() -> bytes:
    """Serialise the states of Python's and NumPy's global generators, for comparison."""
    return pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002


def foreign_trials(
    space: Space, count: int = 15, change: Callable[[int, Outcome], Outcome] = lambda i, true: true
) -> list[Trial]:
    """Make trials with random configs, on a `bowl`, that no method proposed.

    ``change`` maps a trial's number and true outcome to its outcome in the history.
    """
    rng, objective = rng_for("foreign trials"), bowl(space)
    configs = [space.sample(rng) for _ in range(count)]
    return [Trial(i, config, change(i, _outcome(objective(config)))) for i, config in enumerate(configs)]


_FAILURES = (Status.FAILED, Status.TIMEOUT, Status.CRASHED, Status.INVALID)


def _failed(i: int) -> Outcome:
    return Outcome(_FAILURES[i % len(_FAILURES)], error="It failed.")


def _lost(loss: float | None, status: Status = Status.COMPLETED) -> Outcome:
    return Outcome(status, loss=loss, value=loss)


HISTORIES: Final[dict[str, Callable[[Space, int], list[Trial]]]] = {
    "foreign": foreign_trials,
    "half failed": lambda space, n: foreign_trials(space, n, lambda i, o: _failed(i) if i % 2 else o),
    "all failed": lambda space, n: foreign_trials(space, n, lambda i, o: _failed(i)),
    "half stopped": lambda space, n: foreign_trials(
        space, n, lambda i, o: _lost(o.loss, Status.STOPPED) if i % 2 else o
    ),
    "constant": lambda space, n: foreign_trials(space, n, lambda i, o: _lost(1.0)),
    "extreme": lambda space, n: foreign_trials(space, n, lambda i, o: _lost((-1.0) ** i * 1e300)),
    "duplicates": lambda space, n: [Trial(i, *_first(space)) for i in range(n)],
}
"""Histories that a method must accept, by space and number of trials."""


def _first(space: Space) -> tuple[Config, Outcome]:
    (trial,) = foreign_trials(space, 1)
    return trial.config, trial.outcome

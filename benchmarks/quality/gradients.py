"""Runs on problems with hypergradients: by ours, by SciPy's minimisers with restarts, by random search.

Everything starts in the middle of the cube where it has a start, and one evaluation is one inner
solve with its gradient, whether the gradient is used or not.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from runner.methods import make_method
from runner.methods.gradient.arms import Arm
from runner.problems import evaluate, load_problem
from runner.seeds import rng_for, seed_for
from runner.testing import simulate

OURS = ("gradient", "random", "tpe", "bayes")


def races(_scratch, sampler, problems, seeds, budget, parallel=1, noise=0.0, blind=False):
    """Per problem and seed: the losses, and what belongs to the best of them.

    Parameters
    ----------
    sampler : str
        One of `OURS`, "COBYQA", "L-BFGS-B", or "default", which is the problem's default config.
    noise : float
        Standard deviation of a relative error of the loss; derivatives then have ten times as much.
    blind : bool
        Whether gradients are withheld.
    """
    found, started = {}, time.process_time()
    for name in problems:
        problem = load_problem(name)
        found[name] = []
        for seed in range(seeds):
            course = _Course(problem, seed, noise, blind)
            _run(sampler, problem, course, seed, budget, parallel)
            found[name].append(course.told())
    return {"runs": found, "cpu": time.process_time() - started, "finished": time.time()}


class _Done(Exception):
    """The budget is spent."""


class _Course:
    """A problem's outcomes in the order in which they were asked for.

    Parameters
    ----------
    problem : Problem
    seed : int
        Of its data, and of the noise.
    noise, blind
        See `races`.
    """

    def __init__(self, problem, seed, noise, blind):
        self._problem, self._seed, self._noise, self._blind = problem, seed, noise, blind
        self._rng = rng_for("noise", problem.name, seed)
        self.outcomes, self.true = [], []

    def __call__(self, config):
        outcome = evaluate(self._problem, config, seed=self._seed)
        self.true.append(outcome.loss)
        if self._noise and outcome.loss is not None:
            errors = self._rng.standard_normal(1 + len(outcome.gradient or {}))
            slopes = zip((outcome.gradient or {}).items(), errors[1:], strict=True)
            outcome = dataclasses.replace(
                outcome,
                loss=outcome.loss * (1 + self._noise * errors[0]),
                gradient={n: g * (1 + 10 * self._noise * e) for (n, g), e in slopes},
            )
        if self._blind:
            outcome = dataclasses.replace(outcome, gradient=None)
        self.outcomes.append(outcome)
        return outcome

    def told(self):
        """Losses, accumulated inner work, and of the best trial its true loss and its test loss."""
        losses = [outcome.loss for outcome in self.outcomes]
        best = min((i for i, x in enumerate(losses) if x is not None), key=losses.__getitem__)
        work = np.cumsum([outcome.metrics.get("inner_work", 1.0) for outcome in self.outcomes])
        return {
            "losses": losses,
            "work": work.tolist(),
            "true": self.true[best],
            "test": self.outcomes[best].test,
        }


def _run(sampler, problem, course, seed, budget, parallel):
    if sampler in OURS:
        simulate(
            make_method(sampler), problem.space, course, budget, parallel, seed_for("races", seed, bits=128)
        )
    elif sampler == "default":
        course(problem.default or problem.space.decode(np.full(problem.space.d, 0.5)))
    else:
        try:
            _scipy(sampler, problem.space, course, seed, budget)
        except _Done:
            return


def _scipy(sampler, space, course, seed, budget):
    """One of SciPy's minimisers from the middle, then from random points, until the budget is spent."""
    from scipy.optimize import minimize

    arm = Arm.of(space, space.decode(np.full(space.d, 0.5)))
    rng = rng_for("restarts", sampler, seed)
    spent = 0

    def both(z):
        nonlocal spent
        if spent >= budget:
            raise _Done
        spent += 1
        config = arm.config(np.clip(z, 0.0, 1.0))
        outcome = course(config)
        loss = 1e9 if outcome.loss is None else outcome.loss
        slopes = np.nan_to_num(arm.gradient(config, outcome.gradient))
        return (loss, slopes) if sampler == "L-BFGS-B" else loss

    start = np.full(arm.d, 0.5)
    while True:
        minimize(both, start, method=sampler, jac=sampler == "L-BFGS-B" or None, bounds=[(0.0, 1.0)] * arm.d)
        start = rng.random(arm.d)

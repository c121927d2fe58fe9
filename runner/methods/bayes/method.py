"""Bayesian optimisation: a Gaussian process model of the loss, and an acquisition function.

The package bayesian-optimization holds the observations and makes the proposal through our own
acquisition function (`UnitAcquisition`), because its built-in ones support no logarithms,
conditions, noise or pending trials. It sees rows of the unit cube only.

Everything is rebuilt from the history at each call (see `runner.methods.bayes.model`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from bayes_opt import BayesianOptimization
from bayes_opt.acquisition import AcquisitionFunction
from threadpoolctl import ThreadpoolController

from runner._text import shown
from runner.errors import MethodError
from runner.methods.base import Method, register
from runner.methods.bayes.acquisition import Acquisition, Name, Search
from runner.methods.bayes.gaussian_process import Array, GaussianProcess
from runner.methods.bayes.model import hyperparameters, log_seconds, observations, succeeded, warped
from runner.methods.bayes.thompson import PosteriorSample
from runner.methods.encoded import Cube, cube_of
from runner.methods.exhaustive import walk
from runner.methods.random_search import sobol_row
from runner.seeds import run_entropy
from runner.space import Space
from runner.trial import DONE, Answer, Config, Pending, Trial

_MIN_VALID = 2  # losses before a model is fitted; one has no spread
_ANCHORS = 5  # observations with the lowest means, near which the acquisition function is searched
_DESIGN_TRIES = 32  # Sobol points, or draws, before a space counts as all but exhausted


@register
@dataclass(frozen=True)
class Bayes(Method):
    """A Gaussian process and an acquisition function, over any space.

    The process has a Matern-5/2 kernel with a length scale for each parameter, and noise. Failed
    and stopped trials count as the worst loss. Pending trials count as if they had ended with the
    process's prediction, so any number of trials can be in flight.

    Parameters
    ----------
    acquisition : "logei", "ei", "ucb", "pi" or "thompson", default "logei"
        Logarithm of the expected improvement, which is flat nowhere; expected improvement; upper
        confidence bound (of the negative loss); probability of improvement; the minimiser of
        a function drawn from the process.
    initial : int, optional
        Number of trials, finished or pending, that come from a Sobol sequence first; by default
        twice the number of parameters plus 2, at least 8 and at most 16.
    kappa : float, default 2.0
        For "ucb": weight of the standard deviation.
    xi : float, default 0.0
        For the others: the least improvement that counts, in standard deviations of the loss.
        With 0, "pi" stays near the first good config that it finds; 0.03 lets it leave.
    per_second : bool, default False
        For "logei": improvement per second of evaluation, with a second process for the logarithm
        of the seconds. Measured seconds vary, so the study's table is not reproducible.

    Raises
    ------
    MethodError
        If ``initial`` is less than 1, ``kappa`` or ``xi`` is negative or not finite, or
        ``per_second`` is combined with another acquisition function.
    """

    name: ClassVar[str] = "bayes"
    summary: ClassVar[str] = "a Gaussian process of the loss; the most from few and expensive trials"
    reference: ClassVar[str] = (
        "Jones, Schonlau and Welch (1998), eq. 15; LogEI: Ament et al. (2023), eq. 9; bayesian-optimization 3"
    )

    acquisition: Name = "logei"
    initial: int | None = None
    kappa: float = 2.0
    xi: float = 0.0
    per_second: bool = False

    def __post_init__(self) -> None:
        if self.initial is not None and self.initial < 1:
            raise MethodError(f"expected at least 1 trial, got {shown(self.initial)}.", where="initial")
        for name in ("kappa", "xi"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise MethodError(
                    f"expected a finite non-negative number, got {shown(getattr(self, name))}.", where=name
                )
        if self.per_second and self.acquisition != "logei":
            raise MethodError(
                f"cannot be combined with acquisition: {self.acquisition}.",
                where="per_second",
                hint="Use it with acquisition: logei.",
            )

    def propose(
        self,
        space: Space,
        completed: Sequence[Trial],
        pending: Sequence[Pending],
        number: int,
        rng: np.random.Generator,
    ) -> Config | Answer:
        """See `Method.propose`."""
        cube = cube_of(space)
        finished = [space.encode(trial.config) for trial in completed]
        running = [space.encode(trial.config) for trial in pending]
        known = frozenset(row.tobytes() for row in (*finished, *running))
        # A forbidden config may be known (from another source), but does not count towards the space's size.
        if cube.size <= len(known) and sum(cube.allows(np.frombuffer(row)) for row in known) >= cube.size:
            return DONE
        started = len(finished) + len(running) >= self._initial(space)
        if not started or sum(map(succeeded, completed)) < _MIN_VALID:
            return _design(cube, known, number, rng)
        seconds = log_seconds(cube, completed, finished) if self.per_second else None
        optimizer = BayesianOptimization(
            None,
            {f"u{j}": (0.0, 1.0) for j in range(space.d)},
            acquisition_function=UnitAcquisition(self, cube, running, known, rng, seconds),
            random_state=number % 2**32,  # unused, but without it the package would seed from the system
            verbose=0,
            allow_duplicate_points=True,
        )
        for row, loss in observations(completed, finished):
            optimizer.space.register(row, -loss)
        with _blas().limit(limits=1):  # the order of sums, and so the last bit, depends on the threads
            suggestion = optimizer.suggest()
        return space.decode([float(suggestion[f"u{j}"]) for j in range(space.d)])

    def _initial(self, space: Space) -> int:
        return max(8, min(2 * space.d + 2, 16)) if self.initial is None else self.initial


class UnitAcquisition(AcquisitionFunction):  # type: ignore[misc]  # the package has no types
    """Acquisition function for bayesian-optimization, on rows of the unit cube.

    Parameters
    ----------
    running : sequence of ndarray
        Rows of the pending trials.
    known : frozenset of bytes
        Rows that must not be proposed.
    seconds : GaussianProcess, optional
        Model of the logarithm of an evaluation's seconds, for ``per_second``.
    """

    def __init__(
        self,
        settings: Bayes,
        cube: Cube,
        running: Sequence[Array],
        known: frozenset[bytes],
        rng: np.random.Generator,
        seconds: GaussianProcess | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.cube = cube
        self.running = running
        self.known = known
        self.rng = rng
        self.seconds = seconds
        self.best = 0.0

    def base_acq(self, mean: Array, std: Array) -> Array:
        """Evaluate the function at posterior means and deviations of the (negative) target."""
        return self._acquisition()(-mean, std)[0]

    def suggest(self, gp: Any, target_space: Any, *args: Any, **kwargs: Any) -> Array:
        """Propose a row; the package's own process and generator are not used."""
        del gp, args, kwargs
        self.i += 1
        rows, losses = target_space.params, -target_space.target
        features = self.cube.features(rows)
        owner = self.cube.embedding.owner
        theta = hyperparameters(features, owner, losses)
        pending = np.reshape(self.running, (-1, self.cube.space.d))
        process = GaussianProcess(features, owner, warped(losses), theta)
        model = process.with_pending(self.cube.features(pending))
        means = model.mean(model.Z)
        self.best = float(np.min(means))
        anchors = np.concatenate([rows, pending])[np.argsort(means, kind="stable")[:_ANCHORS]]
        posterior = PosteriorSample(model, self.rng) if self.settings.acquisition == "thompson" else model
        search = Search(self.cube, posterior, self._acquisition(), self.known, self.rng, self.seconds)
        row = search.best(anchors)
        if row is None:  # all candidates are known or forbidden
            row = self.cube.space.encode(_unknown(self.cube, self.known, self.rng))
        return row

    def get_acquisition_params(self) -> dict[str, Any]:
        """Return the settings in the form that the package saves."""
        return self.settings.settings()

    def set_acquisition_params(self, params: dict[str, Any]) -> None:
        """Restore settings that the package has saved."""
        self.settings = Bayes(**params)

    def _acquisition(self) -> Acquisition:
        return Acquisition(self.settings.acquisition, self.best, self.settings.kappa, self.settings.xi)


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


def _design(cube: Cube, known: frozenset[bytes], number: int, rng: np.random.Generator) -> Config:
    """Return the next point of the run's Sobol sequence that is allowed and not known."""
    for i in range(number, number + _DESIGN_TRIES):
        config = cube.space.decode(sobol_row(cube.space.d, i, run_entropy(rng)))
        if cube.space.encode(config).tobytes() not in known and cube.space.allows(config):
            return config
    return _unknown(cube, known, rng)


def _unknown(cube: Cube, known: frozenset[bytes], rng: np.random.Generator) -> Config:
    """Return a config that is not known; in an infinite space possibly a known one."""
    if cube.size < math.inf:
        configs = (walk(cube.space, i, rng) for i in range(int(cube.size)))  # known ones may come first
        return next(
            config
            for config in configs
            if not isinstance(config, Answer) and cube.space.encode(config).tobytes() not in known
        )
    draws = [cube.space.sample(rng) for _ in range(_DESIGN_TRIES)]
    return next((c for c in draws if cube.space.encode(c).tobytes() not in known), draws[0])

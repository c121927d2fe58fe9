"""Bayesian optimisation: a Gaussian process of the loss, and the config it hopes most of.

The package bayesian-optimization holds the observations and runs the ask; what it asks is an
acquisition function of our own (`UnitAcquisition`), because its built-in ones know no logs, no
conditions, no noise and no pending trials. It is given rows of the unit cube only.

Everything is rebuilt from the history at each call. Hyper-parameters are fitted to a prefix of
the history, after every result at first and more rarely later, always from the same starts, so
that they are a function of the history too; a memo saves fitting the same prefix again.
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
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from runner.errors import MethodError
from runner.methods.acquisition import Goal, Name, Search
from runner.methods.base import Method, register
from runner.methods.cube import Cube, cube_of
from runner.methods.exhaustive import walk
from runner.methods.gaussian_process import Array, GaussianProcess, fit, warped
from runner.methods.random_search import sobol_row
from runner.seeds import run_entropy
from runner.space import Space
from runner.trial import DONE, Answer, Config, Pending, Trial

_LEAST_VALID = 2
_REFIT_ALWAYS = 150
_REFITS_LATER = 50
_FIT_BEST = _FIT_NEWEST = 100
_FIT_POINTS = 400
_ANCHORS = 5
_DESIGN_TRIES = 32


@register
@dataclass(frozen=True)
class Bayes(Method):
    """A Gaussian process and an acquisition function, over any space.

    The process has a Matern-5/2 kernel with a length scale for each parameter, and noise. It
    learns failed and stopped trials as the worst loss. Pending trials count as if they had
    ended with what the process expects of them, so any number of trials can be in flight.

    Parameters
    ----------
    acquisition : "logei", "ei", "ucb" or "pi", default "logei"
        Expected improvement by its logarithm, which is flat nowhere; plain; the upper
        confidence bound (of the negative loss); the probability of improvement.
    initial : int, optional
        How many trials, finished or pending, come from a Sobol sequence first; by default
        twice the number of parameters plus 2, at least 8 and at most 16.
    kappa : float, default 2.0
        Of "ucb": how many standard deviations count as hope.
    xi : float, default 0.0
        Of the others: the least improvement that counts, in standard deviations of the loss.
        With 0 "pi" stays near the first good config that it meets; 0.03 lets it leave.

    Raises
    ------
    MethodError
        Where ``initial`` is less than 1, or ``kappa`` or ``xi`` is negative or not finite.
    """

    name: ClassVar[str] = "bayes"
    summary: ClassVar[str] = "a Gaussian process of the loss; the most from few and dear trials"
    reference: ClassVar[str] = (
        "Jones, Schonlau and Welch (1998), eq. 15; LogEI: Ament et al. (2023), eq. 9; bayesian-optimization 3"
    )

    acquisition: Name = "logei"
    initial: int | None = None
    kappa: float = 2.0
    xi: float = 0.0

    def __post_init__(self) -> None:
        if self.initial is not None and self.initial < 1:
            raise MethodError(f"got {self.initial}; at least 1 trial was expected.", where="initial")
        for name in ("kappa", "xi"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise MethodError(
                    f"got {getattr(self, name)}; a finite number of at least 0 was expected.", where=name
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
        # A forbidden config may be known (from elsewhere), but is none of the space's.
        if cube.size <= len(known) and sum(cube.allows(np.frombuffer(row)) for row in known) >= cube.size:
            return DONE
        started = len(finished) + len(running) >= self._initial(space)
        if not started or sum(map(_succeeded, completed)) < _LEAST_VALID:
            return _design(cube, known, number, rng)
        optimizer = BayesianOptimization(
            None,
            {f"u{j}": (0.0, 1.0) for j in range(space.d)},
            acquisition_function=UnitAcquisition(self, cube, running, known, rng),
            random_state=number % 2**32,  # else it would be seeded by the system; it is not used
            verbose=0,
            allow_duplicate_points=True,
        )
        for row, loss in _observations(completed, finished):
            optimizer.space.register(row, -loss)
        with _blas().limit(limits=1):  # the order of sums, and so the last bit, depends on threads
            suggestion = optimizer.suggest()
        return space.decode([float(suggestion[f"u{j}"]) for j in range(space.d)])

    def _initial(self, space: Space) -> int:
        return max(8, min(2 * space.d + 2, 16)) if self.initial is None else self.initial


class UnitAcquisition(AcquisitionFunction):  # type: ignore[misc]  # the package has no types
    """The acquisition function that bayesian-optimization asks, on rows of the unit cube.

    Parameters
    ----------
    settings : Bayes
    cube : Cube
    running : sequence of ndarray
        The rows of the pending trials.
    known : frozenset of bytes
        The rows that must not be proposed.
    rng : numpy.random.Generator
        Of the proposal.
    """

    def __init__(
        self,
        settings: Bayes,
        cube: Cube,
        running: Sequence[Array],
        known: frozenset[bytes],
        rng: np.random.Generator,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.cube = cube
        self.running = running
        self.known = known
        self.rng = rng
        self.best = 0.0

    def base_acq(self, mean: Array, std: Array) -> Array:
        """The acquisition function of posterior means and deviations of the (negative) target."""
        return self._goal()(-mean, std)[0]

    def suggest(self, gp: Any, target_space: Any, *args: Any, **kwargs: Any) -> Array:
        """The row to try next; the package's own process and generator are not used."""
        del gp, args, kwargs
        self.i += 1
        rows, losses = target_space.params, -target_space.target
        features = self.cube.features(rows)
        owner = self.cube.embedding.owner
        theta = _hyperparameters(features, owner, losses)
        pending = np.reshape(self.running, (-1, self.cube.space.d))
        model = GaussianProcess(features, owner, warped(losses), theta).believing(self.cube.features(pending))
        means = model.mean(model.Z)
        self.best = float(np.min(means))
        anchors = np.concatenate([rows, pending])[np.argsort(means, kind="stable")[:_ANCHORS]]
        search = Search(self.cube, model, self._goal(), self.known, self.rng)
        found = search.best(anchors)
        if found is None:  # all that was drawn is known, or forbidden
            found = self.cube.space.encode(_unknown(self.cube, self.known, self.rng))
        return found

    def get_acquisition_params(self) -> dict[str, Any]:
        """The settings, as the package saves them."""
        return self.settings.settings()

    def set_acquisition_params(self, params: dict[str, Any]) -> None:
        """Settings that the package has saved."""
        self.settings = Bayes(**params)

    def _goal(self) -> Goal:
        return Goal(self.settings.acquisition, self.best, self.settings.kappa, self.settings.xi)


def _succeeded(trial: Trial) -> bool:
    return trial.valid and trial.loss is not None and math.isfinite(trial.loss)


def _observations(completed: Sequence[Trial], rows: Sequence[Array]) -> list[tuple[Array, float]]:
    """Each distinct row once, with its mean loss; failures have the worst loss."""
    worst = max(trial.loss for trial in completed if _succeeded(trial) and trial.loss is not None)
    found: dict[bytes, tuple[Array, list[float]]] = {}
    for trial, row in zip(completed, rows, strict=True):
        loss = trial.loss if _succeeded(trial) and trial.loss is not None else worst
        found.setdefault(row.tobytes(), (row, []))[1].append(loss)
    return [(row, sum(loss / len(losses) for loss in losses)) for row, losses in found.values()]


def _hyperparameters(features: Array, owner: NDArray[np.intp], losses: Array) -> Array:
    """Hyper-parameters by the first results: all of them up to 150, then in about 50 steps.

    Of many results 400 are fitted: the best, the newest, and others evenly from the rest.
    """
    n = len(losses)
    n -= n % (n // _REFITS_LATER) if n > _REFIT_ALWAYS else 0
    y = warped(losses[:n])
    chosen = np.arange(n)
    if n > _FIT_POINTS:
        kept = {*np.argsort(y, kind="stable")[:_FIT_BEST].tolist(), *range(n - _FIT_NEWEST, n)}
        rest = [i for i in range(n) if i not in kept]
        even = np.linspace(0, len(rest) - 1, _FIT_POINTS - len(kept)).round().astype(int)
        chosen = np.array(sorted(kept | {rest[i] for i in even}))
    return _fitted(features[chosen].tobytes(), owner.tobytes(), y[chosen].tobytes())


@lru_cache(maxsize=256)  # the runs of a study take turns
def _fitted(features: bytes, owner: bytes, y: bytes) -> Array:
    owners, targets = np.frombuffer(owner, dtype=np.intp), np.frombuffer(y)
    theta = fit(np.frombuffer(features).reshape(len(targets), len(owners)), owners, targets)
    theta.flags.writeable = False
    return theta


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


def _design(cube: Cube, known: frozenset[bytes], number: int, rng: np.random.Generator) -> Config:
    """The next point of the run's Sobol sequence that is allowed and not known."""
    for i in range(number, number + _DESIGN_TRIES):
        config = cube.space.decode(sobol_row(cube.space.d, i, run_entropy(rng)))
        if cube.space.encode(config).tobytes() not in known and cube.space.allows(config):
            return config
    return _unknown(cube, known, rng)


def _unknown(cube: Cube, known: frozenset[bytes], rng: np.random.Generator) -> Config:
    """A config that is not known; in an infinite space perhaps a known one, after all."""
    if cube.size < math.inf:
        configs = (
            walk(cube.space, i, rng) for i in range(int(cube.size))
        )  # at most as many as are known come first
        return next(
            config
            for config in configs
            if not isinstance(config, Answer) and cube.space.encode(config).tobytes() not in known
        )
    draws = [cube.space.sample(rng) for _ in range(_DESIGN_TRIES)]
    return next((c for c in draws if cube.space.encode(c).tobytes() not in known), draws[0])

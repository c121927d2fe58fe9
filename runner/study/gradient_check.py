"""Check of a reported gradient against differences of the loss.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
x, u       a config, and its place in the encoded cube
h, v       step; a random direction, 0.5 to 1.5 in size in each parameter with a derivative
rise       loss at u + h v, minus loss at u - h v
predicted  sum over the parameters of derivative times difference of x between the two
parts      root of the sum of squares of the terms of predicted, which does not cancel
=========  =======================================================================

The error is |predicted - rise| / max(|predicted|, |rise|, parts)  (eq. 1). It is about h^2 for a correct
gradient; a wrong derivative changes it in almost every direction.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runner._text import first_of
from runner.errors import ProblemError
from runner.problems import Problem, evaluate
from runner.problems.files.objective_files import importable
from runner.problems.isolation import preserve_generators
from runner.seeds import rng_for
from runner.space.domains import Float
from runner.study.study import Study
from runner.trial import Config, Outcome

_STEP = 1e-3  # of the cube: an error of 1e-6 by curvature, while 1e-9 of rounding stays below it
_SMALLER = 0.1  # factor of the step where the first one disagrees, perhaps by curvature or a kink
_TOLERANCE = 0.05  # far above both errors, below a factor or sign that was forgotten
_ROUNDING = 1e-9  # of the loss: a smaller rise is rounding
_SMALL = 1e-2  # of the largest slope: smaller ones drown in the error of the others
_MOST_CONFIGS = 3  # each costs two trials or more
_MOST_NAMED = 3  # parameters, in one line


class Agreement(enum.StrEnum):
    """Result of comparing a reported gradient with differences."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSENT = "absent"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Slope:
    """One derivative, reported and measured by differences, in the parameter's unit."""

    name: str
    reported: float
    measured: float


@dataclass(frozen=True)
class GradientCheck:
    """Result of `check_gradient`.

    Attributes
    ----------
    agreement : Agreement
        RIGHT; WRONG; ABSENT where no gradient is reported; UNDECIDED where differences are inconclusive.
    config : dict
        Config at which it was compared.
    error : float
        Relative to the larger of the two; 0 where nothing was compared.
    wrong : tuple of Slope
        Wrong derivatives, the worst first.
    missing : tuple of str
        Continuous parameters without a derivative; a search takes differences in them.
    message : str
        Summary for a reader.
    trials : int
        Number of evaluations that it took.
    """

    problem: str
    agreement: Agreement
    config: Config
    error: float = 0.0
    wrong: tuple[Slope, ...] = ()
    missing: tuple[str, ...] = ()
    message: str = ""
    trials: int = 0


def check_gradients(study: Study) -> list[GradientCheck]:
    """Run `check_gradient` for each problem of a study, with the seed of its first run."""
    return [
        check_gradient(
            problem,
            seed=next(spec.problem_seed for spec in study.runs if spec.problem is problem),
            threads=study.trial.needs(problem.name).threads,
        )
        for problem in study.problems
    ]


def check_gradient(
    problem: Problem, config: Config | None = None, *, seed: int = 0, threads: int = 1
) -> GradientCheck:
    """Compare the gradient that an objective reports with differences of its loss.

    It takes two trials beside that of the config, along a random direction; where they disagree, two
    more with a smaller step, and then two for each parameter, to find the wrong derivatives.

    Parameters
    ----------
    config : dict, optional
        Config at which to compare. Default: a random one; up to three, where one fails or its loss is
        flat.
    seed : int, default 0
        The block's seed, as in `Problem.evaluate`.
    threads : int, default 1
        Threads of numerical libraries.

    Raises
    ------
    ProblemError
        Where no config could be evaluated.
    SpaceError
        Where the given config is not in the space.

    Notes
    -----
    A gradient that is declared truncated (``gradient_exact: False``) is right if it has the sign of
    the differences. Slopes below a hundredth of the largest one are not judged.
    """
    rng = rng_for("gradient check", problem.name, seed)
    configs = [problem.space.canonical(config)] if config is not None else []
    configs = configs or [problem.space.sample(rng) for _ in range(_MOST_CONFIGS)]
    with preserve_generators(), importable():
        probe = _Probe(problem, seed, threads)
        for tried in configs:
            found = _compare(probe, tried, rng)
            if found is not None and found.agreement is not Agreement.UNDECIDED:
                return found
        if found is None:
            raise ProblemError(f"no config could be evaluated: {probe.error}", where=problem.name)
        return found


class _Probe:
    """Evaluates configs, counts them, and keeps the last error."""

    def __init__(self, problem: Problem, seed: int, threads: int) -> None:
        self.problem, self._seed, self._threads = problem, seed, threads
        self.trials, self.error = 0, ""

    def outcome(self, config: Config) -> Outcome:
        self.trials += 1
        outcome = evaluate(self.problem, config, self._seed, threads=self._threads)
        self.error = outcome.error or self.error
        return outcome

    def along(
        self, config: Config, gradient: Mapping[str, float], way: Mapping[str, float], step: float
    ) -> tuple[dict[str, float], float, dict[str, float]]:
        """Terms of the prediction, rise (NaN where a trial failed), and the parameters' differences."""
        low, high = (self._moved(config, way, size) for size in (-step, step))
        losses = [self.outcome(end).loss for end in (high, low)]
        rise = np.nan if losses[0] is None or losses[1] is None else losses[0] - losses[1]
        apart = {name: float(high[name]) - float(low[name]) for name in way}  # type: ignore[arg-type]
        return {name: gradient[name] * apart[name] for name in way}, float(rise), apart

    def _moved(self, config: Config, way: Mapping[str, float], step: float) -> Config:
        domains = _continuous(self.problem, config)
        places = {name: domains[name].encode(config[name]) + step * size for name, size in way.items()}
        return {**config, **{name: domains[name].decode(place) for name, place in places.items()}}


def _compare(probe: _Probe, config: Config, rng: np.random.Generator) -> GradientCheck | None:
    """Check at one config; None where it has no loss."""
    problem = probe.problem
    if problem.noisy:
        text = "its loss is noisy, and differences would magnify that."
        return GradientCheck(problem.name, Agreement.UNDECIDED, config, message=f"not compared: {text}")
    outcome = probe.outcome(config)
    if outcome.loss is None:
        return None
    continuous = _continuous(problem, config)
    gradient = {n: slope for n, slope in (outcome.gradient or {}).items() if n in continuous}
    missing = tuple(name for name in continuous if name not in gradient)
    if not gradient:
        text = "no gradient of a continuous parameter is reported; a search takes differences."
        return GradientCheck(
            problem.name, Agreement.ABSENT, config, missing=missing, message=text, trials=probe.trials
        )
    way = {name: float(rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.5)) for name in gradient}
    truncated = outcome.metrics.get("gradient_exact") == 0.0
    rounding = _ROUNDING * max(1.0, abs(outcome.loss))
    for step in (_STEP, _SMALLER * _STEP):
        terms, rise, _ = probe.along(config, gradient, way, step)
        error = _error(list(terms.values()), rise, truncated)
        if max(map(abs, [rise, *terms.values()])) <= rounding or not np.isfinite(rise):
            break
        if error <= _TOLERANCE:
            return _right(problem, config, error, missing, truncated, probe.trials)
    else:
        wrong = _wrong(probe, config, gradient, way, truncated)
        if wrong:
            return GradientCheck(
                problem.name, Agreement.WRONG, config, error, wrong, missing, _message(wrong), probe.trials
            )
    text = "differences are inconclusive: the loss is flat, noisy or has kinks at the tried configs."
    return GradientCheck(problem.name, Agreement.UNDECIDED, config, error, (), missing, text, probe.trials)


def _continuous(problem: Problem, config: Config) -> dict[str, Float]:
    """Select the active parameters that can be moved by any step, with their domains."""
    active = problem.space.active(config)
    return {
        name: domain
        for column, (name, domain) in enumerate(problem.space.dimensions)
        if active[column] and isinstance(domain, Float) and domain.step is None
    }


def _error(terms: Sequence[float], rise: float, truncated: bool) -> float:
    """Compute eq. 1; for a truncated gradient 0 where the signs agree, else 1."""
    predicted = sum(terms)
    if truncated:
        return 0.0 if predicted * rise >= 0.0 else 1.0
    size = max(abs(predicted), abs(rise), float(np.linalg.norm(terms)))
    return abs(predicted - rise) / size if size else 0.0


def _wrong(
    probe: _Probe, config: Config, gradient: Mapping[str, float], way: Mapping[str, float], truncated: bool
) -> tuple[Slope, ...]:
    """List the derivatives that differ from differences in their own parameter, the worst first."""
    found: list[tuple[float, float, Slope]] = []
    for name in way:
        terms, rise, apart = probe.along(config, gradient, {name: 1.0}, _SMALLER * _STEP)
        slope = Slope(name, gradient[name], rise / apart[name])
        size = max(abs(terms[name]), abs(rise))
        found.append((_error([terms[name]], rise, truncated), size, slope))
    largest = max((size for _, size, _ in found if np.isfinite(size)), default=0.0)
    bad = [(e * size, slope) for e, size, slope in found if e > _TOLERANCE and size > _SMALL * largest]
    return tuple(slope for _, slope in sorted(bad, key=lambda pair: -pair[0]))


def _right(
    problem: Problem, config: Config, error: float, missing: tuple[str, ...], truncated: bool, trials: int
) -> GradientCheck:
    extra = trials - 1
    text = (
        f"the truncated gradient has the sign of the differences ({extra} extra trials)."
        if truncated
        else f"the gradient agrees with differences to {error:.0e} ({extra} extra trials)."
    )
    if missing:
        text += f" Without a derivative: {first_of(missing, _MOST_NAMED)}."
    return GradientCheck(problem.name, Agreement.RIGHT, config, error, (), missing, text, trials)


def _message(wrong: Sequence[Slope]) -> str:
    parts = [f"expected {s.measured:.4g} for '{s.name}' by differences, got {s.reported:.4g}" for s in wrong]
    more = f"; and {len(parts) - _MOST_NAMED} more" if len(parts) > _MOST_NAMED else ""
    return f"the gradient is wrong: {'; '.join(parts[:_MOST_NAMED])}{more}."

"""What a problem is, and how one config is evaluated into an `Outcome`.

A problem answers with a number, or with a mapping that holds the metric and perhaps more; this
module turns any answer, also a wrong one, into an outcome. The sign turns here and nowhere
else: a maximised metric becomes a minimised loss, and its gradient with it.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from runner.convert import parse_space
from runner.errors import FivefoldError, ProblemError
from runner.space import Domain, Space
from runner.trial import Config, Outcome, Status

Direction = Literal["minimize", "maximize"]
Answer = float | Mapping[str, Any] | Iterator[Any]

_RESERVED = {"loss", "gradient", "test", "folds"}
_MOST_METRICS = 100
_MOST_ERROR_CHARACTERS = 2000


class Problem(ABC):
    """An objective over a space.

    Attributes
    ----------
    name : str
        What tables call it.
    space : Space
    direction : "minimize" or "maximize"
        Which way the metric is better.
    metric : str
        The key of the metric in the answers.
    noisy : bool
        Whether two evaluations of one config with one seed may differ.
    has_gradient : bool
        Whether answers hold a gradient.
    optimum : float or None
        The best possible value of the metric, where it is known.
    minimisers : tuple of dict
        Configs that reach the optimum, where they are known.
    default : dict or None
        The config that one would use without any search.
    """

    name: str
    space: Space
    direction: Direction = "minimize"
    metric: str = "loss"
    noisy: bool = False
    has_gradient: bool = False
    optimum: float | None = None
    minimisers: tuple[Config, ...] = ()
    default: Config | None = None

    @abstractmethod
    def evaluate(self, config: Config, seed: int) -> Answer:
        """The metric at a config.

        Parameters
        ----------
        config : dict
            The active parameters.
        seed : int
            Of the block (study seed, problem, seed), below 2**32: the same for every method and
            config of a block. Splits and model seeds are derived from it by
            ``runner.seeds.seed_for(seed, "split")`` and the like.

        Returns
        -------
        float, mapping or iterator
            The metric's value; or a mapping with the metric (under its name or ``loss``) and
            perhaps ``gradient`` ({name: d metric / d parameter}, own units), ``test``,
            ``folds`` (values per fold) and further numbers; or an iterator of such, whose last
            one counts. All in the problem's own direction.
        """

    def check(self) -> None:  # noqa: B027  (most problems have nothing to check)
        """Raise ProblemError where the problem cannot be evaluated at all (data missing, ...)."""


@dataclass
class FunctionProblem(Problem):
    """A problem made of a Python function; see `problem`."""

    function: Callable[..., Any]
    space: Space
    name: str
    direction: Direction = "minimize"
    metric: str = "loss"
    noisy: bool = False
    has_gradient: bool = False
    optimum: float | None = None
    default: Config | None = None
    minimisers: tuple[Config, ...] = ()

    def __post_init__(self) -> None:
        if self.direction not in ("minimize", "maximize"):
            raise ProblemError(
                f"direction is {self.direction!r}; 'minimize' or 'maximize' was expected.", where=self.name
            )
        self._takes_seed = "seed" in inspect.signature(self.function).parameters

    def __call__(self, config: Config, **options: Any) -> Any:
        """The function itself."""
        return self.function(config, **options)

    def evaluate(self, config: Config, seed: int) -> Answer:
        """See `Problem.evaluate`; the function gets ``seed=`` where its signature has it."""
        answer: Answer = self.function(config, seed=seed) if self._takes_seed else self.function(config)
        return answer


def problem(
    space: Space | Mapping[str, Domain | Mapping[str, Any] | Sequence[Any]],
    *,
    forbid: Sequence[Mapping[str, object]] = (),
    name: str | None = None,
    direction: Direction = "minimize",
    metric: str = "loss",
    noisy: bool = False,
    has_gradient: bool = False,
    optimum: float | None = None,
    default: Config | None = None,
) -> Callable[[Callable[..., Any]], FunctionProblem]:
    """Decorator that makes a problem of a function.

    Parameters
    ----------
    space : Space or mapping
        The parameters: domains, or the form that a study file has.
    forbid : sequence of mappings
        Forbidden combinations; see `Space`.
    name : str, optional
        Default: the function's name.
    direction, metric, noisy, has_gradient, optimum, default
        See `Problem`.

    Examples
    --------
    >>> @problem(space={"x": Float(-5.0, 5.0)}, optimum=0.0)
    ... def parabola(config):
    ...     return config["x"] ** 2
    >>> parabola.evaluate({"x": 3.0}, seed=0)
    9.0
    """

    def wrap(function: Callable[..., Any]) -> FunctionProblem:
        return FunctionProblem(
            function,
            parse_space(space, forbid),
            name or function.__name__,
            direction,
            metric,
            noisy,
            has_gradient,
            optimum,
            default,
        )

    return wrap


def evaluate(problem: Problem, config: Config, seed: int, timeout: float | None = None) -> Outcome:
    """Evaluate one config, whatever happens.

    Parameters
    ----------
    problem : Problem
    config : dict
        The objective gets a copy.
    seed : int
        The block's seed; see `Problem.evaluate`.
    timeout : float, optional
        Seconds; an evaluation that took longer is a TIMEOUT. It is not interrupted here: the
        engine kills it from outside.

    Returns
    -------
    Outcome
        Never raises for what the objective does, except KeyboardInterrupt.
    """
    start = time.perf_counter()
    try:
        answer: object = problem.evaluate(dict(config), seed)
        if isinstance(answer, Iterator):
            answer = _last(answer)
        outcome = judge(problem, answer)
    except (Exception, SystemExit) as error:  # whatever user code raises is data
        outcome = Outcome(Status.FAILED, error=_clip(_describe(error)))
    seconds = time.perf_counter() - start
    if timeout is not None and seconds > timeout:
        outcome = Outcome(Status.TIMEOUT, error=f"took {seconds:.1f} s; the limit is {timeout:g} s.")
    return dataclasses.replace(outcome, seconds=seconds)


def judge(problem: Problem, answer: object) -> Outcome:
    """Turn an objective's answer into an outcome, without its duration.

    Raises
    ------
    ProblemError
        Never for a bad metric (that is INVALID), only for a malformed gradient, test or fold.
    """
    sign = -1.0 if problem.direction == "maximize" else 1.0
    given: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {problem.metric: answer}
    key = problem.metric if problem.metric in given else "loss"
    if key not in given:
        return Outcome(
            Status.INVALID,
            error=_clip(f"the answer has no '{problem.metric}', only {sorted(map(str, given))}."),
        )
    value = as_number(given[key])
    if value is None or not math.isfinite(value):
        return Outcome(
            Status.INVALID,
            error=_clip(f"the metric '{key}' is {_short(given[key])}; a finite number was expected."),
        )
    gradient = given.get("gradient")
    folds = given.get("folds", ())
    return Outcome(
        Status.COMPLETED,
        loss=sign * value,
        value=value,
        test=as_number(given.get("test")),
        gradient=None if gradient is None else _gradient(problem, gradient, sign),
        metrics=_metrics(given, key),
        folds=tuple(sign * float(fold) for fold in folds),
    )


def as_number(value: object) -> float | None:
    """The value as a float, or None where it is no number."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    return float(value)


def _gradient(problem: Problem, gradient: object, sign: float) -> dict[str, float]:
    if not isinstance(gradient, Mapping):
        raise ProblemError(
            f"the gradient is {_short(gradient)}; a mapping of parameters to numbers was expected."
        )
    for name in gradient:
        if name not in problem.space.names:
            raise ProblemError(f"the gradient names '{name}', which is no parameter.")
    numbers = {str(name): as_number(value) for name, value in gradient.items()}
    return {name: sign * x for name, x in numbers.items() if x is not None and math.isfinite(x)}


def _metrics(given: Mapping[str, Any], key: str) -> dict[str, float]:
    numbers = (
        (str(name), as_number(v)) for name, v in given.items() if name not in _RESERVED and name != key
    )
    kept = [(name, x) for name, x in numbers if x is not None]
    return dict(kept[:_MOST_METRICS])


def _last(steps: Iterator[Any]) -> object:
    answer: object = None
    for step in steps:
        answer = step
    return answer


def _describe(error: BaseException) -> str:
    return str(error) if isinstance(error, FivefoldError) else f"{type(error).__name__}: {error}"


def _clip(text: str) -> str:
    return text if len(text) <= _MOST_ERROR_CHARACTERS else text[: _MOST_ERROR_CHARACTERS - 1] + "…"


def _short(value: object) -> str:
    plain = isinstance(value, int | float | str | bool | None)
    text = repr(value) if plain else f"a {type(value).__name__}"
    return text if len(text) <= _MOST_ERROR_CHARACTERS else text[: _MOST_ERROR_CHARACTERS - 1] + "…"


def _short(value: object) -> str:
    if isinstance(value, int | float | str | bool | None):
        text = repr(value)
    else:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:79] + "…"


PROBLEMS: dict[str, Callable[[], Problem]] = {}
"""The registry of built-in problems: name -> factory, filled by `register`."""


def register(name: str) -> Callable[[Callable[[], Problem]], Callable[[], Problem]]:
    """Decorator that adds a factory of a built-in problem to the registry."""

    def add(factory: Callable[[], Problem]) -> Callable[[], Problem]:
        PROBLEMS[name] = factory
        return factory

    return add

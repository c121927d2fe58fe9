"""Problems: objectives over a space, with everything that is known about them.

A problem reports its metric in its own direction; `runner.problems.answers` turns it into a
minimised loss.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from runner.errors import ProblemError, SpaceError
from runner.problems.checkpoints import checkpoint_dir
from runner.space import Domain, Space
from runner.space.formats import parse_space
from runner.trial import Config, Outcome

Direction = Literal["minimize", "maximize"]
Answer = float | Mapping[str, Any] | Iterator[Any]

MOST_STEPS = 10_000
"""Largest number of steps whose losses are recorded, which keeps a row of the journal below a megabyte."""

_OPTIONS = {"seed", "checkpoint_dir"}
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_NAMED_ONLY = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)


class Problem(ABC):
    """An objective over a space.

    Attributes
    ----------
    name : str
        Its name in tables.
    direction : "minimize" or "maximize"
        Direction in which the metric improves.
    metric : str
        The key of the metric in the answers.
    noisy : bool
        Whether two evaluations of one config with one seed may differ.
    has_gradient : bool
        Whether answers hold a gradient.
    optimum : float or None
        The best possible value of the metric, if known.
    minimisers : tuple of dict
        Configs that reach the optimum, if known.
    default : dict or None
        The config that one would use without any search.
    steps : int
        Number of steps of a full evaluation that answers step by step; else 1.
    recalls_all : bool
        Whether `recall` knows every outcome, so that nothing is ever evaluated.
    checkpoints : bool
        Whether its evaluations save checkpoints; see `runner.problems.checkpoints`.
    has_test : bool
        Whether `test_score` can score a config on data that no evaluation uses.
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
    steps: int = 1
    recalls_all: bool = False
    checkpoints: bool = False
    has_test: bool = False

    @abstractmethod
    def evaluate(self, config: Config, seed: int) -> Answer:
        """Compute the metric at a config.

        Parameters
        ----------
        config : dict
            The active parameters.
        seed : int
            Seed of the block (study seed, problem, seed), below 2**32: the same for every method and
            config of a block. Derive splits and model seeds from it by
            ``runner.seeds.seed_for(seed, "split")`` and the like.

        Returns
        -------
        float, mapping or iterator
            The metric's value; or a mapping with the metric (under its name or ``loss``) and
            optionally ``gradient`` ({name: d metric / d parameter}, own units), ``gradient_log``
            (by the parameter's natural logarithm), ``gradient_exact`` (False if the gradient
            is truncated, so that its size means little), ``test``, ``folds`` (values per fold) and
            further numbers. All in the problem's own direction.

            An iterator of these, such as a generator, answers step by step: each item is the answer
            after one more step, and the last one counts. A scheduler may stop it after any step but the
            last of ``steps``; a generator is then closed, so that its ``finally`` runs.
        """

    def evaluate_fully(self, config: Config, seed: int) -> Answer:
        """Evaluate without a scheduler, at less cost for problems whose steps cost extra."""
        return self.evaluate(config, seed)

    def share(self, step: int) -> float:
        """Compute the share of a full evaluation that is spent after a number of steps."""
        return step / self.steps

    def recall(self, config: Config, seed: int) -> Outcome | None:
        """Look up the outcome if it is known without an evaluation; it is charged with its seconds."""
        del config, seed
        return None

    def test_score(self, config: Config, seed: int) -> float:
        """Compute the metric at a config on data that no evaluation uses, if ``has_test``.

        Called for every incumbent after the runs; no method sees it.
        """
        raise NotImplementedError(f"{self.name} has no test")

    def optimum_for(self, seed: int) -> float | None:
        """Get the best possible value of the metric for the data of a seed, if known."""
        del seed
        return self.optimum

    def baseline(self, seed: int) -> float | None:
        """Get the metric of the best constant answer, such as one class for all rows; None if undefined."""
        del seed
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, shown before the first trial."""
        return ()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle a problem of an objective file by module and name, so that each process has one instance."""
        module, name = vars(self).get("_place", ("", ""))
        if module and getattr(sys.modules.get(module), name, None) is self:
            return _at_place, (module, name)
        return super().__reduce_ex__(protocol)

    def check(self) -> None:  # noqa: B027  (most problems have nothing to check)
        """Raise ProblemError if the problem cannot be evaluated at all (missing data, ...)."""


def _at_place(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


@dataclass
class FunctionProblem(Problem):
    """A problem made of a Python function; see `problem`.

    ``_caller``, if set, calls the function with config and options: a wrapper around each call that is
    not part of the problem's identity.
    """

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
    steps: int = 1
    _caller: Callable[..., Any] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.direction not in ("minimize", "maximize"):
            raise ProblemError(
                f"direction: expected 'minimize' or 'maximize', got {self.direction!r}.", where=self.name
            )
        integer = isinstance(self.steps, int) and not isinstance(self.steps, bool)
        if not integer or not 1 <= self.steps <= MOST_STEPS:
            raise ProblemError(
                f"steps: expected an integer from 1 to {MOST_STEPS:,}, got {self.steps!r}.",
                where=self.name,
                hint="Give the number of values that the function yields in a full evaluation.",
            )
        options = _options_of(self.function, self.name)
        self._takes_seed, self.checkpoints = "seed" in options, "checkpoint_dir" in options
        if self.default is not None:
            self.default = self._config(self.default, "default")
        self.minimisers = tuple(self._config(config, "minimisers") for config in self.minimisers)

    def __call__(self, config: Config, **options: Any) -> Any:
        """Call the function itself."""
        return self.function(config, **options)

    def evaluate(self, config: Config, seed: int) -> Answer:
        """See `Problem.evaluate`; the function gets the options that its signature has."""
        options: dict[str, Any] = {"seed": seed} if self._takes_seed else {}
        if self.checkpoints:
            options["checkpoint_dir"] = checkpoint_dir()
        function = self.function if self._caller is None else partial(self._caller, self.function)
        answer: Answer = function(config, **options)
        return answer

    def _config(self, config: Config, key: str) -> Config:
        try:
            return self.space.canonical(config)
        except SpaceError as error:
            raise error.at(f"{self.name}.{key}") from None


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
    minimisers: Sequence[Config] = (),
    default: Config | None = None,
    steps: int = 1,
) -> Callable[[Callable[..., Any]], FunctionProblem]:
    """Decorate a function to make it a problem.

    Parameters
    ----------
    space : Space or mapping
        The parameters: domains, or the form of a study file.
    forbid : sequence of mappings
        Forbidden combinations; see `Space`.
    name : str, optional
        Default: the function's name.
    direction, metric, noisy, has_gradient, optimum, minimisers, default
        See `Problem`.
    steps : int, default 1
        Number of values that a generator function yields in a full evaluation; a study's scheduler
        may then stop it early.

    Raises
    ------
    ProblemError
        If the function does not take a config, needs more than a config and a seed, or the number of
        steps is invalid.
    SpaceError
        If the space, the default or a minimiser is invalid.

    Examples
    --------
    >>> @problem(space={"x": Float(-5.0, 5.0)}, optimum=0.0)
    ... def parabola(config):
    ...     return config["x"] ** 2
    >>> parabola.evaluate({"x": 3.0}, seed=0)
    9.0

    A function that yields is evaluated step by step:

    >>> @problem(space={"rate": Float(0.0, 1.0)}, steps=3)
    ... def descent(config):
    ...     x = 1.0
    ...     for _ in range(3):
    ...         x -= config["rate"] * x
    ...         yield x
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
            tuple(minimisers),
            steps,
        )

    return wrap


def _options_of(function: Callable[..., Any], name: str) -> set[str]:
    """List the options that a function takes; ProblemError if it cannot be called as an objective."""
    if not callable(function):
        raise ProblemError(f"expected a function, got {function!r}.", where=name)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # some functions written in C have no signature
        return set()
    if not parameters or parameters[0].kind in _NAMED_ONLY:
        raise ProblemError(
            "the function does not take a config.",
            where=name,
            hint="Give it a first parameter: def f(config): ...",
        )
    for parameter in parameters[1:]:
        needed = parameter.default is parameter.empty and parameter.kind not in _VARIABLE
        if needed and parameter.name not in _OPTIONS:
            raise ProblemError(
                f"the function needs '{parameter.name}', but is called with the config and the seed only.",
                where=name,
                hint="Give it a default value.",
            )
    return {parameter.name for parameter in parameters[1:]} & _OPTIONS


PROBLEMS: dict[str, Callable[[], Problem]] = {}
"""Registry of built-in problems: name -> factory, filled by `register`."""


def register(name: str) -> Callable[[Callable[[], Problem]], Callable[[], Problem]]:
    """Decorate a factory of a built-in problem to add it to the registry."""

    def add(factory: Callable[[], Problem]) -> Callable[[], Problem]:
        PROBLEMS[name] = factory
        return factory

    return add

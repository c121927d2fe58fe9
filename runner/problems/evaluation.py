"""One evaluation: any answer of an objective, also a wrong one, turned into an `Outcome`.

A problem answers with a number, or with a mapping that holds the metric and perhaps more. The
sign turns here and nowhere else: a maximised metric becomes a minimised loss, and its gradient
with it.

Numerical libraries are held to one thread (or as many as the caller says): sums over another
number of threads round differently, so that a loss would depend on the machine, and small
matrices are slower on several.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from runner.errors import ProblemError, clip, describe
from runner.problems.base import Problem
from runner.trial import Config, Outcome, Status

_RESERVED = {"loss", "gradient", "test", "folds"}
_MOST_METRICS = 100
_MOST_FOLDS = 1000
_MOST_ERROR_CHARACTERS = 2000
_MOST_SHORT = 80


def evaluate(
    problem: Problem, config: Config, seed: int, timeout: float | None = None, threads: int = 1
) -> Outcome:
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
    threads : int, default 1
        Of the BLAS and OpenMP libraries that are loaded when the evaluation starts.

    Returns
    -------
    Outcome
        Never raises for what the objective does, except KeyboardInterrupt.
    """
    start = time.perf_counter()
    process = os.getpid()
    try:
        with _held_to(threads), _restored():
            answer: object = problem.evaluate(dict(config), seed)
            if isinstance(answer, Iterator):
                answer = _last(answer)
        outcome = judge(problem, answer)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever user code raises is data
        outcome = Outcome(Status.FAILED, error=_sentence(describe(error)))
    finally:
        if os.getpid() != process:  # a child that the objective forked must not go on as a second driver
            os._exit(0)
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
            error=_sentence(f"the answer has no '{problem.metric}', only {sorted(map(str, given))}."),
        )
    value = as_number(given[key])
    if value is None or not math.isfinite(value):
        return Outcome(
            Status.INVALID,
            error=_sentence(f"the metric '{key}' is {_short(given[key])}; a finite number was expected."),
        )
    gradient = given.get("gradient")
    return Outcome(
        Status.COMPLETED,
        loss=sign * value,
        value=value,
        test=_test(given.get("test")),
        gradient=None if gradient is None else _gradient(problem, gradient, sign),
        metrics=_metrics(given, key),
        folds=_folds(given.get("folds", ()), sign),
    )


def as_number(value: object) -> float | None:
    """The value as a float, or None where it is no number."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        return float(value)
    except OverflowError:  # an int beyond the largest float
        return math.inf if value > 0 else -math.inf


def _held_to(threads: int) -> AbstractContextManager[object]:
    limit: AbstractContextManager[object] = _controller(len(sys.modules)).limit(limits=threads)
    return limit


@lru_cache(maxsize=1)
def _controller(modules: int) -> ThreadpoolController:
    """The loaded libraries; looked for again (10 ms) only where modules were imported since."""
    del modules
    return ThreadpoolController()


@contextmanager
def _restored() -> Iterator[None]:
    """What an objective does to folder and environment must not reach the next one."""
    folder, environment = Path.cwd(), dict(os.environ)
    try:
        yield
    finally:
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)
        with suppress(OSError):  # it may have been removed
            os.chdir(folder)


def _test(given: object) -> float | None:
    value = as_number(given)
    if given is not None and value is None:
        raise ProblemError(f"'test' is {_short(given)}; a number was expected.")
    return value


def _folds(given: object, sign: float) -> tuple[float, ...]:
    """The losses per fold; ProblemError where they are no short list of numbers."""
    numbers = [as_number(fold) for fold in given] if isinstance(given, Iterable) else [None]
    folds = tuple(sign * x for x in numbers if x is not None)
    if len(folds) < len(numbers) or isinstance(given, str | Mapping):
        raise ProblemError(f"'folds' is {_short(given)}; a list of numbers was expected.")
    if len(folds) > _MOST_FOLDS:
        raise ProblemError(f"'folds' holds {len(folds):,} numbers; at most {_MOST_FOLDS:,} are kept.")
    return folds


def _gradient(problem: Problem, gradient: object, sign: float) -> dict[str, float]:
    if not isinstance(gradient, Mapping):
        raise ProblemError(
            f"the gradient is {_short(gradient)}; a mapping of parameters to numbers was expected."
        )
    for name in gradient:
        if name not in problem.space.names:
            raise ProblemError(f"the gradient names '{name}', which is no parameter.")
    numbers = {str(name): as_number(value) for name, value in gradient.items()}
    for name, number in numbers.items():
        if number is None:
            raise ProblemError(
                f"the gradient of '{name}' is {_short(gradient[name])}; a number was expected."
            )
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


def _sentence(text: str) -> str:
    return clip(text, _MOST_ERROR_CHARACTERS)


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, int | float | str | None) else f"a {type(value).__name__}"
    return clip(text, _MOST_SHORT)

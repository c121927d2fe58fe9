"""Base class of problems that are fitted fold by fold, and helpers for the parameters of all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.errors import ProblemError
from runner.problems.base import Problem
from runner.problems.hypergradients.parts import Array, Part, parts
from runner.space import Space
from runner.trial import Config


@dataclass(frozen=True)
class Validated:
    """A fit and its score on the validation rows.

    Attributes
    ----------
    loss : float
        The outer loss.
    gradient : callable
        Gives d loss / d parameter by name; not called for the test part.
    work : int
        Evaluations of the inner objective and products with its curvature.
    """

    loss: float
    gradient: Callable[[], Mapping[str, float]]
    work: int


class Bilevel(Problem):
    """A problem whose loss is the mean validation loss over folds.

    Answers hold the loss, its exact gradient, the loss of each fold, that of the test part (fitted to
    all folds) and ``inner_work``: evaluations of the inner objective and its curvature, and products
    with the latter, over all folds and without the test part.

    Parameters
    ----------
    data, folds, each
        See `runner.problems.hypergradients.parts.parts`.
    """

    has_gradient = True

    def __init__(
        self, name: str, space: Space, default: Config, data: str, folds: int = 5, each: bool = True
    ) -> None:
        self.name, self.space, self.default = name, space, default
        self._data, self._folds, self._each = data, folds, each

    @abstractmethod
    def validate(self, part: Part, config: Config) -> Validated:
        """Fit to the training rows of a part and score on its validation rows."""

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """See `Problem.evaluate`: loss, gradient, folds, test and inner_work."""
        all_parts = parts(self._data, self._folds, seed, self._each)
        *folds, whole = (self.validate(part, config) for part in all_parts)
        slopes = [fold.gradient() for fold in folds]
        losses = [fold.loss for fold in folds]
        return {
            "loss": float(np.mean(losses)),
            "gradient": {name: float(np.mean([slope[name] for slope in slopes])) for name in slopes[0]},
            "folds": losses,
            "test": whole.loss,
            "inner_work": sum(fold.work for fold in folds),
        }


def number(config: Config, name: str) -> float:
    """Get a parameter's value as a float; ProblemError if it is not a number."""
    value = config[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProblemError(f"expected a number, got {value!r}.", where=name)
    return float(value)


def vector(config: Config, names: Sequence[str]) -> Array:
    """Get the values of several parameters; ProblemError if one is not a number."""
    return np.array([number(config, name) for name in names])


def by_name(names: Sequence[str], slopes: Array) -> dict[str, float]:
    """Name the entries of a gradient."""
    return dict(zip(names, slopes.tolist(), strict=True))


def numbered(name: str, count: int) -> list[str]:
    """Number a name with a fixed width: x0, x1, ...; x00, x01, ..."""
    return [f"{name}{i:0{len(str(count - 1))}d}" for i in range(count)]

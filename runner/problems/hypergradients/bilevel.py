"""The frame of a problem that is fitted fold by fold, and two helpers of all its neighbours."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.errors import ProblemError
from runner.problems.base import Problem
from runner.problems.hypergradients.parts import Part, parts
from runner.space import Space
from runner.trial import Config


@dataclass(frozen=True)
class Judged:
    """A fit, judged by its validation rows.

    Attributes
    ----------
    loss : float
        The outer loss.
    gradient : callable
        d loss / d parameter by name; asked only where it is wanted.
    work : int
        Evaluations of the inner objective so far, or of a product with its curvature.
    """

    loss: float
    gradient: Callable[[], Mapping[str, float]]
    work: int


class Bilevel(Problem):
    """A problem whose loss is the mean over folds of what validation rows say of a fit.

    Answers with the loss, its exact gradient, the loss of each fold, that of the test part
    (fitted to all folds) and ``inner_work``: how often the inner objective, its curvature or a
    product with it was evaluated, over all folds and without the test part.

    Parameters
    ----------
    name : str
    space : Space
    default : dict
    data : str
        See `runner.problems.hypergradients.parts.parts`.
    folds : int, default 5
    each : bool, default True
        Whether each feature is scaled by itself.
    """

    metric = "loss"
    has_gradient = True

    def __init__(
        self, name: str, space: Space, default: Config, data: str, folds: int = 5, each: bool = True
    ) -> None:
        self.name, self.space, self.default = name, space, default
        self._data, self._folds, self._each = data, folds, each

    @abstractmethod
    def judged(self, part: Part, config: Config) -> Judged:
        """Fit to the training rows of a part, and judge by its validation rows."""

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """See `Problem.evaluate`: loss, gradient, folds, test and inner_work."""
        *folds, whole = (
            self.judged(part, config) for part in parts(self._data, self._folds, seed, self._each)
        )
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
    """A parameter's value; ProblemError where it is no number."""
    value = config[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProblemError(f"got {value!r}; a number was expected.", where=name)
    return float(value)


def numbered(name: str, count: int) -> list[str]:
    """Names with numbers of one width: x0, x1, ...; x00, x01, ..."""
    return [f"{name}{i:0{len(str(count - 1))}d}" for i in range(count)]

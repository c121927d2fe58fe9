"""Score predictors that ignore the features, and find scorers that barely reflect the rarest class.

scikit-learn takes a second to import, so each function imports what it needs.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from runner.problems.estimators.data.data import Data
from runner.problems.estimators.folds import Rows

RARE: Final = 0.2
"""A class is rare below this share of the rows, and below half of its share among equal classes."""

_BLIND: Final = ("accuracy", "top_k_accuracy", "f1_micro", "precision_micro", "recall_micro")
_SYMMETRIC: Final = ("roc_auc", "neg_brier_score")
"""Scorers whose value does not depend on which of two classes is the positive one."""
_MOST_TRIED: Final = 10  # most frequent classes; a rarer one is not a better constant for any usual scorer


@dataclass(frozen=True)
class Baseline:
    """The best predictor that ignores the features.

    Attributes
    ----------
    answer : str
        A phrase such as "always answering 'no'".
    folds : tuple of float
        Its score on each fold.
    test : float or None
        Its score on the held-out rows, if there are any.
    """

    answer: str
    folds: tuple[float, ...]
    test: float | None

    @property
    def value(self) -> float:
        """Its score in cross-validation."""
        return float(np.mean(self.folds))


@dataclass(frozen=True)
class Balance:
    """The rarest and the most frequent of the classes, with their shares of the rows."""

    classes: int
    rarest: str
    share: float
    commonest: str
    most: float

    @property
    def uneven(self) -> bool:
        """The rarest class is so rare that plain accuracy barely reflects it."""
        return self.share < min(RARE, 0.5 / self.classes)

    @classmethod
    def of(cls, data: Data) -> Balance | None:
        """Find the balance of a target with classes; None for a quantity."""
        values, counts = np.unique(data.y, return_counts=True)
        if data.task != "classification" or len(values) < 2:
            return None
        low, high = int(np.argmin(counts)), int(np.argmax(counts))
        shares = counts / len(data.y)
        rarest, commonest = class_name(data, values[low]), class_name(data, values[high])
        return cls(len(values), rarest, float(shares[low]), commonest, float(shares[high]))


def class_name(data: Data, value: Any) -> str:
    """Get the name of a class in the file."""
    return data.classes[int(value)] if data.classes else f"{value}"


def best_constant(
    data: Data,
    classifies: bool,
    scorer: Any,
    folds: Sequence[tuple[Rows, Rows]],
    parts: tuple[Rows, Rows],
) -> Baseline | None:
    """Find the best predictor that ignores the features; None if none can be scored.

    ``folds`` and ``parts`` are the results of `runner.problems.estimators.folds.split`.
    """

    def score(model: Any, train: Rows, held: Rows) -> float:
        return float(scorer(model.fit(data.X[train], data.y[train]), data.X[held], data.y[held]))

    baselines: list[Baseline] = []
    rest, held = parts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about classes that are never predicted
        for answer, model in _constants(data, classifies):
            with suppress(Exception):  # of a scorer that needs more than a prediction
                scores = tuple(score(model, *fold) for fold in folds)
                baselines.append(Baseline(answer, scores, score(model, rest, held) if len(held) else None))
    finite = [baseline for baseline in baselines if np.isfinite(baseline.value)]
    return max(finite, key=lambda baseline: baseline.value, default=None)


def _constants(data: Data, classifies: bool) -> Iterator[tuple[str, Any]]:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if not classifies:
        yield "always answering the mean", DummyRegressor(strategy="mean")
        yield "always answering the median", DummyRegressor(strategy="median")
        return
    values, counts = np.unique(data.y, return_counts=True)
    for i in np.argsort(-counts, kind="stable")[:_MOST_TRIED]:
        answer = f"always answering '{class_name(data, values[i])}'"
        yield answer, DummyClassifier(strategy="constant", constant=values[i])
    yield "answering every row with the shares of the classes", DummyClassifier(strategy="prior")


def balanced_scorer(data: Data, model: Any) -> str | None:
    """Choose a scorer for a target with a rare class; None if no class is rare.

    For two classes ``roc_auc``: the probability that a row of the rare class is ranked above one of the
    other, whatever the threshold; a constant has 0.5. For more classes, or a model that predicts only
    classes, ``balanced_accuracy``: the mean recall of the classes.
    """
    balance = Balance.of(data)
    if balance is None or not balance.uneven:
        return None
    ranks = hasattr(model, "predict_proba") or hasattr(model, "decision_function")
    return "roc_auc" if ranks and balance.classes == 2 else "balanced_accuracy"


def scorer_warning(data: Data, metric: str) -> str:
    """Warn of a scorer that barely reflects the rarest class; empty if it does reflect it."""
    balance = Balance.of(data)
    if balance is None or not balance.uneven:
        return ""
    if metric in _BLIND:
        two, more = "roc_auc, average_precision or balanced_accuracy", "balanced_accuracy or f1_macro"
        better = two if balance.classes == 2 else more
        return (
            f"'{balance.rarest}' is {balance.share:.1%} of the rows, and {metric} barely reflects it: always"
            f" answering '{balance.commonest}' has {balance.most:.4g}. Use {better} as scoring."
        )
    if positive_class(data, metric) == balance.commonest and metric not in _SYMMETRIC:
        return (
            f"{metric} is that of '{balance.commonest}', {balance.most:.0%} of the rows, and barely reflects"
            f" '{balance.rarest}'. Use roc_auc or balanced_accuracy as scoring, or write the target as 1 for"
            f" '{balance.rarest}' and 0."
        )
    return ""


def positive_class(data: Data, metric: str) -> str | None:
    """Get the positive class of a scorer of two classes; None if it has none."""
    from sklearn.metrics import get_scorer

    values = np.unique(data.y)
    if data.task != "classification" or len(values) != 2:
        return None
    scorer = get_scorer(metric)
    label = inspect.signature(scorer._score_func).parameters.get("pos_label")
    if metric in _SYMMETRIC:
        return class_name(data, values[1])
    counted = None if label is None else scorer._kwargs.get("pos_label", label.default)
    return class_name(data, 1) if counted == 1 and 1 in values else None

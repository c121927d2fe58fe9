"""Penalties of a multinomial logistic regression, and which penalty: L1, L2 or both.

The inner problem and its symbols are those of `runner.problems.hypergradients.softmax`. The
outer loss is the mean log-loss of the validation rows. With q the solution of H q = its slope
in W, restricted to the support, a penalty b of a group of weights has df/db = - sum over the
group of W q  (eq. 1). For h = log-losses + (r |W| + (1 - r) W^2 / 2) / C, the elastic net,
df/dC = sum of (r s + (1 - r) W) q / C^2  (eq. 2) and df/dr = - sum of (s - W) q / C  (eq. 3).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from runner.errors import ProblemError
from runner.problems.base import Problem, register
from runner.problems.hypergradients.bilevel import Bilevel, Judged, number, numbered
from runner.problems.hypergradients.implicit import Schedule, implicit_hypergradient
from runner.problems.hypergradients.parts import COARSE_DIGITS, Part, read
from runner.problems.hypergradients.softmax import TOLERANCE, Softmax, curvature, fit_softmax
from runner.space import Choice, Float, Space
from runner.trial import Config

Array = NDArray[np.float64]
Grouping = Literal["global", "classes", "features"]

_LEAST_RIDGE = 1e-6  # without it the classes' weights could be moved together


class MultinomialPenalty(Bilevel):
    """L2 penalties of a multinomial logistic regression, by the cross-validated log-loss.

    A penalty multiplies half the squared weights of its group, against the sum of the training
    log-losses. The intercepts are free.

    Parameters
    ----------
    name : str
    data : str, default "wine"
        A built-in data set with classes.
    grouping : "global", "classes" or "features"
        One penalty; one per class; or one per feature.
    folds : int, default 5
    each : bool, default True
        Whether each feature is scaled by itself.
    schedule : Schedule, optional
        Of the inner tolerances. Each fit then starts at the weights of the fold's last one in
        this process, so that a loss depends on what was evaluated before: the problem is declared
        ``noisy``, nothing of it is shared, and its tables differ with the number of lanes.
        Default: each fit starts anew and is exact.
    """

    def __init__(
        self,
        name: str,
        data: str = "wine",
        grouping: Grouping = "global",
        folds: int = 5,
        each: bool = True,
        schedule: Schedule | None = None,
    ) -> None:
        source = read(data)
        p, c = len(source.feature_names), len(np.unique(source.y))
        groups = {
            "global": (["penalty"], np.zeros((p, c), dtype=np.intp)),
            "classes": (numbered("penalty_", c), np.tile(np.arange(c), (p, 1))),
            "features": (numbered("penalty_", p), np.tile(np.arange(p)[:, None], (1, c))),
        }
        if grouping not in groups:
            raise ProblemError(
                f"got {grouping!r}; 'global', 'classes' or 'features' was expected.", where="grouping"
            )
        names, self._groups = groups[grouping]
        space = Space({key: Float(1e-4, 1e3, log=True) for key in names})
        super().__init__(name, space, dict.fromkeys(names, 1.0), data, folds, each)
        self._schedule, self.noisy = schedule, schedule is not None
        self._last: dict[int, tuple[int, Array, Array]] = {}  # of each part: fits, W, q

    def judged(self, part: Part, config: Config) -> Judged:
        """See `Bilevel.judged`."""
        penalties = np.array([number(config, name) for name in self.space.names])
        X, T = with_ones(part.X), one_hot(part.y)
        B = np.vstack([penalties[self._groups], np.full(T.shape[1], _LEAST_RIDGE)])
        fits, W, q = self._last.get(id(part), (0, None, None))
        tolerance = TOLERANCE if self._schedule is None else self._schedule.tolerance(fits)
        fit = fit_softmax(X, T, np.zeros_like(B), B, W, tolerance)
        loss, slope = log_loss(part, fit.W)
        product, diagonal = curvature(X, fit.P, B, fit.support)
        found = implicit_hypergradient(
            product,
            slope.ravel(),
            lambda q: np.bincount(
                self._groups.ravel(), (fit.W[:-1] * q.reshape(B.shape)[:-1]).ravel(), len(penalties)
            ),  # eq. 1
            tolerance=tolerance,
            start=q,
            diagonal=diagonal,
        )
        if self._schedule is not None:
            self._last[id(part)] = fits + 1, fit.W, found.q
        gradient = dict(zip(self.space.names, found.gradient.tolist(), strict=True))
        return Judged(loss, lambda: gradient, fit.work + found.products)


class PenaltyChoice(Bilevel):
    """Which penalty of a multinomial logistic regression, and how much of it.

    Parameters and meaning are those of scikit-learn's LogisticRegression: ``penalty`` is l1, l2 or
    elasticnet, ``C`` the inverse strength, and ``l1_ratio`` exists only with the elastic net. The
    loss is smooth in C and l1_ratio but where a weight becomes 0.

    Parameters
    ----------
    name : str
    data : str, default "coarse_digits"
        Digits at 4 x 4 pixels, at which a fit takes hundredths of a second. At 8 x 8, "digits", an L1
        fit with a large C takes seconds.
    folds : int, default 3
    """

    def __init__(self, name: str, data: str = COARSE_DIGITS, folds: int = 3) -> None:
        options = {"l1": {}, "l2": {}, "elasticnet": {"l1_ratio": Float(0.0, 1.0)}}
        space = Space({"penalty": Choice(options), "C": Float(1e-3, 1e2, log=True)})
        super().__init__(name, space, {"penalty": "l2", "C": 1.0}, data, folds, each="digits" not in data)

    def judged(self, part: Part, config: Config) -> Judged:
        """See `Bilevel.judged`."""
        kind, C = config["penalty"], number(config, "C")
        r = number(config, "l1_ratio") if kind == "elasticnet" else float(kind == "l1")
        X, T = with_ones(part.X), one_hot(part.y)
        free = np.zeros((1, T.shape[1]))
        shape = (X.shape[1] - 1, T.shape[1])
        A = np.vstack([np.full(shape, r / C), free])
        B = np.vstack([np.full(shape, (1 - r) / C), free]) + _LEAST_RIDGE
        fit = fit_softmax(X, T, A, B)
        loss, slope = log_loss(part, fit.W)

        def gradient() -> dict[str, float]:
            found = _through_fit(X, B, fit, slope)
            W, q, s = fit.W[:-1], found[:-1], np.sign(fit.W[:-1])
            slopes = {"C": float(((r * s + (1 - r) * W) * q).sum() / C**2)}  # eq. 2
            if kind == "elasticnet":
                slopes["l1_ratio"] = float(-((s - W) * q).sum() / C)  # eq. 3
            return slopes

        return Judged(loss, gradient, fit.work)


def _through_fit(X: Array, B: Array, fit: Softmax, slope: Array) -> Array:
    """The solution q, 0 off the support."""
    product, diagonal = curvature(X, fit.P, B, fit.support)
    found = implicit_hypergradient(product, slope[fit.support], lambda q: q[:1], diagonal=diagonal)
    q = np.zeros_like(fit.W)
    q[fit.support] = found.q
    return q


def with_ones(X: Array) -> Array:
    """Features with a last column of ones."""
    return np.column_stack([X, np.ones(len(X))])


def one_hot(y: Array) -> Array:
    """A column for each of the labels 0, 1, ..."""
    return np.asarray(y[:, None] == np.arange(int(y.max()) + 1), dtype=np.float64)


def log_loss(part: Part, W: Array) -> tuple[float, Array]:
    """Mean log-loss of the validation rows, and its slope in W."""
    X = with_ones(part.X_val)
    M = X @ W
    T = np.asarray(part.y_val[:, None] == np.arange(W.shape[1]), dtype=np.float64)
    loss = (logsumexp(M, axis=1) - (M * T).sum(axis=1)).mean()
    return float(loss), np.asarray(X.T @ (softmax(M, axis=1) - T) / len(T), dtype=np.float64)


def _registered(name: str, **settings: Any) -> None:
    @register(name)
    def factory() -> Problem:
        return MultinomialPenalty(name, **settings)


_registered("softmax_l2")
_registered("softmax_l2_classes", grouping="classes")
_registered("softmax_l2_features", grouping="features")


@register("penalty_digits")
def penalty_digits() -> Problem:
    """L1, L2 or both of a multinomial logistic regression on handwritten digits."""
    return PenaltyChoice("penalty_digits")

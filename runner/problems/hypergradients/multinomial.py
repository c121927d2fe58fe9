"""Penalties of a multinomial logistic regression, and which penalty: L1, L2 or both.

The inner problem and its symbols are those of `runner.problems.hypergradients.softmax`. The
outer loss is the mean log-loss of the validation rows. With q the solution of H q = its slope
in W, restricted to the support, a penalty b of a group of weights has df/db = - sum over the
group of W q  (eq. 1). For h = log-losses + (r |W| + (1 - r) W^2 / 2) / C, the elastic net,
df/dC = sum of (r s + (1 - r) W) q / C^2  (eq. 2) and df/dr = - sum of (s - W) q / C  (eq. 3), where s
is the sign of W.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runner.errors import ProblemError
from runner.problems.base import Problem, register
from runner.problems.hypergradients.bilevel import Bilevel, Judged, number, numbered
from runner.problems.hypergradients.implicit import Schedule, implicit_hypergradient
from runner.problems.hypergradients.orthant import TOLERANCE, minimise
from runner.problems.hypergradients.parts import COARSE_DIGITS, Part, read
from runner.problems.hypergradients.softmax import Softmax, log_losses
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
        smooth = Softmax(X, T, B)
        fits, w, q = self._last.get(id(part), (0, None, None))
        tolerance = TOLERANCE if self._schedule is None else self._schedule.tolerance(fits)
        fit = minimise(smooth, np.zeros(B.size), w, tolerance)
        loss, slope = log_loss(part, fit.w)
        H, diagonal = smooth.curvature(fit.w, fit.support)
        groups = self._groups.ravel()
        found = implicit_hypergradient(
            H,
            slope,
            lambda q: np.bincount(groups, (fit.w * q)[: groups.size], len(penalties)).astype(
                np.float64
            ),  # eq. 1
            tolerance=tolerance,
            start=q,
            diagonal=diagonal,
        )
        if self._schedule is not None:
            self._last[id(part)] = fits + 1, fit.w, found.q
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
        options = Choice({"l1": {}, "l2": {}, "elasticnet": {"l1_ratio": Float(0.0, 1.0)}})
        space = Space({"penalty": options, "C": Float(1e-3, 1e1, log=True)})
        super().__init__(name, space, {"penalty": "l2", "C": 1.0}, data, folds, each="digits" not in data)

    def judged(self, part: Part, config: Config) -> Judged:
        """See `Bilevel.judged`."""
        kind, C = config["penalty"], number(config, "C")
        r = number(config, "l1_ratio") if kind == "elasticnet" else float(kind == "l1")
        X, T = with_ones(part.X), one_hot(part.y)
        p, c = part.X.shape[1], T.shape[1]
        a = np.repeat([r / C, 0.0], [p * c, c])
        smooth = Softmax(X, T, np.repeat([(1 - r) / C, 0.0], [p, 1])[:, None] + np.full(c, _LEAST_RIDGE))
        fit = minimise(smooth, a)
        loss, slope = log_loss(part, fit.w)

        def gradient() -> dict[str, float]:
            H, diagonal = smooth.curvature(fit.w, fit.support)
            w, s = fit.w[fit.support], np.sign(fit.w[fit.support])
            counts = np.flatnonzero(fit.support) < p * c  # not the intercepts
            cross = np.array([-(r * s + (1 - r) * w) / C**2, (s - w) / C]) * counts  # eq. 2 and 3
            found = implicit_hypergradient(H, slope[fit.support], cross, diagonal=diagonal).gradient.tolist()
            return dict(zip(("C", "l1_ratio")[: 2 if kind == "elasticnet" else 1], found, strict=False))

        return Judged(loss, gradient, fit.work)


def with_ones(X: Array) -> Array:
    """Features with a last column of ones."""
    return np.column_stack([X, np.ones(len(X))])


def one_hot(y: Array) -> Array:
    """A column for each of the labels 0, 1, ..."""
    return np.asarray(y[:, None] == np.arange(int(y.max()) + 1), dtype=np.float64)


def log_loss(part: Part, w: Array) -> tuple[float, Array]:
    """Mean log-loss of the validation rows, and its slope in w."""
    X = with_ones(part.X_val)
    M = X @ w.reshape(X.shape[1], -1)
    T = np.asarray(part.y_val[:, None] == np.arange(M.shape[1]), dtype=np.float64)
    losses, P = log_losses(M, T)
    return float(losses.mean()), (X.T @ (P - T) / len(T)).ravel()


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

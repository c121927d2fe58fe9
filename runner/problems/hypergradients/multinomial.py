"""Penalties of a multinomial logistic regression: their strengths, and the choice of L1, L2 or both.

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

from runner.errors import ProblemError, nearest
from runner.problems.hypergradients.bilevel import Bilevel, Validated, by_name, number, numbered, vector
from runner.problems.hypergradients.implicit import Schedule, implicit_hypergradient
from runner.problems.hypergradients.orthant import TOLERANCE, minimise
from runner.problems.hypergradients.parts import CLASSES, COARSE_DIGITS, FEATURES, Array, Part
from runner.problems.hypergradients.softmax import Softmax, log_losses
from runner.space import Choice, Float, Space
from runner.trial import Config

Grouping = Literal["global", "classes", "features"]

_LEAST_RIDGE = 1e-6  # makes the minimum unique: adding one vector to all classes' weights changes no loss


class MultinomialPenalty(Bilevel):
    """L2 penalties of a multinomial logistic regression, by the cross-validated log-loss.

    A penalty multiplies half the squared weights of its group, against the sum of the training
    log-losses. The intercepts are free.

    Parameters
    ----------
    data : str, default "wine"
        A built-in data set with classes.
    grouping : "global", "classes" or "features"
        One penalty; one per class; or one per feature.
    folds, each
        See `runner.problems.hypergradients.parts.parts`.
    schedule : Schedule, optional
        Inner tolerances. Each fit then starts at the weights of the fold's previous one in this
        process, so that a loss depends on earlier evaluations: the problem is declared ``noisy``, its
        outcomes are not shared between runs, and its tables differ with the number of workers.
        Default: each fit starts at 0 and is exact.
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
        if data not in CLASSES:
            raise ProblemError(
                f"expected a data set with classes, got {data!r}.",
                where="data",
                hint=nearest(str(data), CLASSES),
            )
        p, c = FEATURES[data], CLASSES[data]
        groups = {
            "global": (["penalty"], np.zeros((p, c), dtype=np.intp)),
            "classes": (numbered("penalty_", c), np.tile(np.arange(c), (p, 1))),
            "features": (numbered("penalty_", p), np.tile(np.arange(p)[:, None], (1, c))),
        }
        if grouping not in groups:
            raise ProblemError(
                f"expected 'global', 'classes' or 'features', got {grouping!r}.", where="grouping"
            )
        names, self._groups = groups[grouping]
        space = Space({key: Float(1e-4, 1e3, log=True) for key in names})
        super().__init__(name, space, dict.fromkeys(names, 1.0), data, folds, each)
        self._schedule, self.noisy = schedule, schedule is not None
        self._last: dict[Part, tuple[int, Array, Array]] = {}  # fits, w, q

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the fits: each process has its own."""
        return {**self.__dict__, "_last": {}}

    def validate(self, part: Part, config: Config) -> Validated:
        """See `Bilevel.validate`."""
        penalties = vector(config, self.space.names)
        X, T = with_ones(part.X), one_hot(part.y)
        B = np.vstack([penalties[self._groups], np.full(T.shape[1], _LEAST_RIDGE)])
        smooth = Softmax(X, T, B)
        fits, w, q = self._last.get(part, (0, None, None))
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
            self._last[part] = fits + 1, fit.w, found.q
        gradient = by_name(self.space.names, found.gradient)
        return Validated(loss, lambda: gradient, fit.work + found.products)


class PenaltyChoice(Bilevel):
    """Kind and strength of the penalty of a multinomial logistic regression.

    The parameters mean the same as in scikit-learn's LogisticRegression: ``penalty`` is l1, l2 or
    elasticnet, ``C`` the inverse strength, and ``l1_ratio`` exists only with the elastic net. The
    loss is smooth in C and l1_ratio except where a weight becomes 0.

    Parameters
    ----------
    data : str, default "coarse_digits"
        Digits at 4 x 4 pixels, at which a fit takes hundredths of a second. At 8 x 8, "digits", an L1
        fit with a large C takes seconds.
    """

    def __init__(self, name: str, data: str = COARSE_DIGITS, folds: int = 3) -> None:
        options = Choice({"l1": {}, "l2": {}, "elasticnet": {"l1_ratio": Float(0.0, 1.0)}})
        space = Space({"penalty": options, "C": Float(1e-3, 1e1, log=True)})
        super().__init__(name, space, {"penalty": "l2", "C": 1.0}, data, folds, each="digits" not in data)

    def validate(self, part: Part, config: Config) -> Validated:
        """See `Bilevel.validate`."""
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

        return Validated(loss, gradient, fit.work)


def with_ones(X: Array) -> Array:
    """Append a column of ones to the features."""
    return np.column_stack([X, np.ones(len(X))])


def one_hot(y: Array) -> Array:
    """Encode labels 0, 1, ... as one column each."""
    return np.asarray(y[:, None] == np.arange(int(y.max()) + 1), dtype=np.float64)


def log_loss(part: Part, w: Array) -> tuple[float, Array]:
    """Compute the mean log-loss of the validation rows and its slope in w."""
    X = with_ones(part.X_val)
    M = X @ w.reshape(X.shape[1], -1)
    T = np.asarray(part.y_val[:, None] == np.arange(M.shape[1]), dtype=np.float64)
    losses, P = log_losses(M, T)
    return float(losses.mean()), (X.T @ (P - T) / len(T)).ravel()

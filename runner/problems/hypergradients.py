"""Problems whose gradient in the hyper-parameters is exact: the implicit function theorem.

A bilevel problem fits weights to training data under hyper-parameters, and judges them on other
data. Where the fit is the stationary point of a smooth function, one linear solve gives the
derivative of the judgement in all hyper-parameters at once.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
h(w, a)    inner objective: training loss plus penalty, minimised at w*(a)
f(a)       outer objective, g(w*(a)): validation loss
H          second derivative of h in w, at w*
q          solution of H q = grad g
X, t       features with a last column of ones, shape (n, p); labels 0 or 1
P          1 where a row counts, 0 where it pads a fold to the common length
a_k        penalty of feature group k, so that h = sum log-loss + sum_j a_k(j) w_j^2 / 2
=========  =======================================================================

From grad_w h(w*(a), a) = 0 follows  df/da = - (d^2 h / da dw) q  (eq. 1), and for the penalties
df/da_k = - sum over j in group k of w_j q_j  (eq. 2).

References
----------
F. Pedregosa, "Hyperparameter optimization with approximate gradient", ICML 2016, eq. 4 to 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runner.errors import ProblemError
from runner.problems.base import Problem, register
from runner.problems.logistic import fit_logistic, log_loss
from runner.seeds import rng_for, seed_for
from runner.space import Float, Space
from runner.trial import Config

Array = NDArray[np.float64]
Grouping = Literal["global", "blocks", "features"]

_FOLDS = 5
_TEST_SHARE = 0.2
_INTERCEPT_PENALTY = 1e-8  # keeps H definite where a fold can be separated


@dataclass(frozen=True, eq=False)
class Split:
    """Training and validation parts of the folds, and of the test split as a last one.

    Attributes
    ----------
    X, X_val : numpy.ndarray, shape (folds + 1, n, p)
        Standardised by the training part; a last column of ones; padded with zeros.
    t, t_val : numpy.ndarray, shape (folds + 1, n)
        Labels, 0 or 1.
    P, P_val : numpy.ndarray, shape (folds + 1, n)
        Which rows count.
    """

    X: Array
    t: Array
    P: Array
    X_val: Array
    t_val: Array
    P_val: Array


class LogisticPenalty(Problem):
    """L2 penalties of a logistic regression on the breast-cancer data, by cross-validated log-loss.

    A penalty multiplies half the squared weights of its group, against the *sum* of the training
    log-losses, so that one global penalty is 1 / C of scikit-learn's LogisticRegression. The
    intercept is free. 20 % of the rows are held out as test; the rest is cut into 5 stratified
    folds; features are standardised by each training part.

    Parameters
    ----------
    name : str
    grouping : "global", "blocks" or "features"
        One penalty; one for each of the data's mean, error and worst features; or one per
        feature.
    """

    metric = "loss"
    has_gradient = True

    def __init__(self, name: str, grouping: Grouping = "global") -> None:
        self.name = name
        names, self._groups = _grouped(grouping)
        self.space = Space({key: Float(1e-5, 1e3, log=True) for key in names})
        self.default = dict.fromkeys(names, 1.0)

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """See `Problem.evaluate`: loss, gradient, folds and test."""
        a = np.array([_as_float(config[name]) for name in self.space.names])
        split = _split(seed)
        penalty = np.append(a[self._groups], _INTERCEPT_PENALTY)
        w, H = fit_logistic(split.X, split.t, split.P, penalty)
        losses, slopes = log_loss(split.X_val, split.t_val, split.P_val, w)
        q = np.linalg.solve(H[:-1], slopes[:-1, :, None])[..., 0]
        per_weight = -(w[:-1] * q).mean(axis=0)[:-1]  # eq. 2, averaged over the folds
        gradient = np.bincount(self._groups, weights=per_weight, minlength=len(a))
        return {
            "loss": float(losses[:-1].mean()),
            "gradient": dict(zip(self.space.names, gradient.tolist(), strict=True)),
            "folds": losses[:-1].tolist(),
            "test": float(losses[-1]),
        }


class Quadratic(Problem):
    """A bilevel quadratic with a known optimum.

    The inner problem is w*(x) = argmin w'Aw/2 - (Sx)'Aw, so w* = Sx; the outer loss is
    1 + |w* - c|^2 / 2 with c = S x*. It equals 1 + (x - x*)'S'S(x - x*) / 2, whose minimum is 1.

    Parameters
    ----------
    d : int
        Number of hyper-parameters, each in [-5, 5].
    condition : float, default 1000
        Of S'S, whose eigenvalues are evenly spread in the logarithm from 1 / condition to 1.
    """

    metric = "loss"
    has_gradient = True
    optimum = 1.0

    def __init__(self, d: int, condition: float = 1e3) -> None:
        if d < 1 or condition < 1:
            raise ProblemError(
                f"d is {d} and condition is {condition}; at least 1 was expected.", where="quadratic"
            )
        self.name = f"quadratic{d}"
        names = [f"x{i:0{len(str(d - 1))}d}" for i in range(d)]
        self.space = Space({name: Float(-5.0, 5.0) for name in names})
        rng = rng_for("quadratic", d, condition)
        turn, turn_inner = _rotation(d, rng), _rotation(d, rng)
        spectrum = np.geomspace(1.0 / condition, 1.0, d) if d > 1 else np.ones(1)
        self._A = turn_inner @ np.diag(np.linspace(1.0, 10.0, d)) @ turn_inner.T
        self._S = turn @ np.diag(np.sqrt(spectrum)) @ turn.T
        x = rng.uniform(-3.0, 3.0, d)
        self._c = self._S @ x
        self.minimisers = (dict(zip(names, x.tolist(), strict=True)),)

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """See `Problem.evaluate`; the seed has no influence."""
        del seed
        x = np.array([_as_float(config[name]) for name in self.space.names])
        cross = self._A @ self._S  # minus d^2 h / dx dw
        w = np.linalg.solve(self._A, cross @ x)
        q = np.linalg.solve(self._A, w - self._c)
        gradient = cross.T @ q  # eq. 1
        return {
            "loss": float(1.0 + 0.5 * (w - self._c) @ (w - self._c)),
            "gradient": dict(zip(self.space.names, gradient.tolist(), strict=True)),
        }


@lru_cache(maxsize=32)
def _split(seed: int) -> Split:
    from sklearn.model_selection import StratifiedKFold, train_test_split  # slow to import

    X, t = _data()
    rest, test = train_test_split(
        np.arange(len(t)), test_size=_TEST_SHARE, stratify=t, random_state=seed_for(seed, "test")
    )
    cut = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed_for(seed, "split"))
    parts = [(rest[train], rest[val]) for train, val in cut.split(X[rest], t[rest])]
    parts.append((rest, test))
    columns: list[list[Array]] = [[], [], [], [], [], []]
    longest = [max(len(part[side]) for part in parts) for side in (0, 1)]
    for part in parts:
        mean, std = X[part[0]].mean(axis=0), X[part[0]].std(axis=0)
        for side in (0, 1):
            rows, pad = part[side], longest[side] - len(part[side])
            scaled = np.hstack([(X[rows] - mean) / std, np.ones((len(rows), 1))])
            columns[3 * side].append(np.pad(scaled, ((0, pad), (0, 0))))
            columns[3 * side + 1].append(np.pad(t[rows], (0, pad)))
            columns[3 * side + 2].append(np.pad(np.ones(len(rows)), (0, pad)))
    return Split(*(np.stack(column) for column in columns))


@lru_cache(maxsize=1)
def _data() -> tuple[Array, Array]:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return data.data.astype(np.float64), data.target.astype(np.float64)


def _grouped(grouping: Grouping) -> tuple[list[str], NDArray[np.intp]]:
    """The penalties' names, and for each of the 30 features the index of its penalty."""
    if grouping == "global":
        return ["penalty"], np.zeros(30, dtype=np.intp)
    if grouping == "blocks":
        return ["penalty_mean", "penalty_error", "penalty_worst"], np.repeat(np.arange(3), 10)
    if grouping == "features":
        return [f"penalty_{i:02d}" for i in range(30)], np.arange(30)
    raise ProblemError(f"got {grouping!r}; 'global', 'blocks' or 'features' was expected.", where="grouping")


def _rotation(d: int, rng: np.random.Generator) -> Array:
    turned: Array = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return turned


def _as_float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProblemError(f"got {value!r}; a number was expected.")
    return float(value)


@register("logistic_l2")
def logistic_l2() -> Problem:
    """One penalty for all 30 features."""
    return LogisticPenalty("logistic_l2", "global")


@register("logistic_l2_groups")
def logistic_l2_groups() -> Problem:
    """A penalty each for the mean, error and worst features."""
    return LogisticPenalty("logistic_l2_groups", "blocks")


@register("logistic_l2_features")
def logistic_l2_features() -> Problem:
    """A penalty for every feature."""
    return LogisticPenalty("logistic_l2_features", "features")


@register("quadratic20")
def quadratic20() -> Problem:
    """A bilevel quadratic in 20 parameters, of condition 1000."""
    return Quadratic(20)

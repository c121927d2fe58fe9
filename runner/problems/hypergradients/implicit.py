"""Differentiate an outer loss through an inner fit, given products with the fit's curvature.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
h(w, x)    inner objective with p weights w and d hyper-parameters x, minimised at w*(x)
g(w, x)    outer loss, so that f(x) = g(w*(x), x)
H          d^2 h / dw^2, the Hessian at w*, (p, p)
C          d^2 h / dx dw, the cross derivative at w*, (d, p)
q          solution of H q = dg/dw
=========  =======================================================================

From dh/dw = 0 at w*(x) follows  df/dx = dg/dx - C q  (eq. 1): one linear system, whatever d is.

References
----------
F. Pedregosa, "Hyperparameter optimization with approximate gradient", ICML 2016.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg

from runner.errors import ProblemError
from runner.problems.hypergradients.parts import Array

Linear = Array | Callable[[Array], Array]
"""A matrix, or a function that multiplies by it."""

_WHERE = "implicit_hypergradient"


@dataclass(frozen=True, eq=False)
class Hypergradient:
    """Result of `implicit_hypergradient`.

    Attributes
    ----------
    gradient : numpy.ndarray, shape (d,)
        df/dx.
    q : numpy.ndarray, shape (p,)
        Solution of the linear system: a start for the next one.
    residual : float
        |H q - dg/dw| / |dg/dw|.
    exact : bool
        Whether the residual is within the tolerance. If not, report ``gradient_exact: False``.
    products : int
        Products with the Hessian; 1 if it was factorised.
    """

    gradient: Array
    q: Array
    residual: float
    exact: bool
    products: int


def implicit_hypergradient(
    hessian: Linear,
    outer_gradient: Array,
    cross: Linear,
    direct: Array | float = 0.0,
    *,
    tolerance: float = 1e-10,
    start: Array | None = None,
    damping: float = 0.0,
    most: int | None = None,
    diagonal: Array | None = None,
) -> Hypergradient:
    """Differentiate the outer loss in the hyper-parameters by the implicit function theorem.

    For fits that end at a stationary point of a smooth inner objective: penalties, weights of
    losses or rows, kernel parameters. Not for parameters on which that point does not depend, such as
    a learning rate; those take unrolling (`runner.problems.hypergradients.unrolled`).

    Parameters
    ----------
    hessian : numpy.ndarray, shape (p, p), or callable
        H, symmetric and positive definite, which is factorised; or a function v -> H v, for
        conjugate gradients.
    outer_gradient : numpy.ndarray, shape (p,)
        dg/dw at the fitted weights.
    cross : numpy.ndarray, shape (d, p), or callable
        C, or a function q -> C q. For a penalty x_k on half the squared weights of group k, C q
        is the sum over the group of w_j q_j.
    direct : numpy.ndarray, shape (d,), default 0
        dg/dx at fixed weights.
    tolerance : float, default 1e-10
        Largest residual if the Hessian is a function; see `Schedule`.
    start : numpy.ndarray, shape (p,), optional
        Start of conjugate gradients, such as the ``q`` of a neighbouring x.
    damping : float, default 0
        Added to the diagonal of a Hessian that is not definite; the gradient is then that of another
        problem, different by about this share.
    most : int, optional
        Largest number of products; the solution reached by then is returned and may not be ``exact``.
        Default 10 p + 100, after which an error is raised.
    diagonal : numpy.ndarray, shape (p,), optional
        The Hessian's diagonal, or an approximation, as a preconditioner.

    Raises
    ------
    ProblemError
        If the shapes do not fit, a value is not finite, the Hessian is not positive definite, or the
        residual stays above the tolerance.

    Examples
    --------
    Ridge regression, h = |X w - y|^2 / 2 + x |w|^2 / 2, validated by g = |V w - z|^2 / 2:

    >>> import numpy as np
    >>> X, y, V, z, x = np.eye(2), np.array([2.0, 4.0]), np.eye(2), np.ones(2), 1.0
    >>> H = X.T @ X + x * np.eye(2)
    >>> w = np.linalg.solve(H, X.T @ y)
    >>> found = implicit_hypergradient(H, V.T @ (V @ w - z), w[None, :])
    >>> found.gradient.round(12).tolist()
    [-1.0]
    """
    b = _vector(outer_gradient, "outer_gradient")
    if callable(hessian):
        q, residual, products = _iterate(hessian, b, tolerance, start, damping, most, diagonal)
    else:
        q, residual, products = _factorise(np.asarray(hessian, dtype=np.float64), b, damping)
    exact = damping == 0.0 and (residual <= tolerance or not callable(hessian))
    product = cross(q) if callable(cross) else np.asarray(cross, dtype=np.float64) @ q
    gradient = np.atleast_1d(np.asarray(direct - product, dtype=np.float64))  # eq. 1
    if not np.isfinite(gradient).all():
        raise ProblemError("the gradient is not finite.", where=_WHERE)
    return Hypergradient(gradient, q, residual, exact, products)


def _factorise(H: Array, b: Array, damping: float) -> tuple[Array, float, int]:
    if H.shape != (len(b), len(b)):
        raise ProblemError(f"expected a Hessian of shape {(len(b), len(b))}, got {H.shape}.", where=_WHERE)
    try:
        q = cho_solve(cho_factor(H + damping * np.eye(len(b)), lower=True), b)
    except (LinAlgError, ValueError):
        raise ProblemError(
            "the Hessian is not finite and positive definite.",
            where=_WHERE,
            hint="Fit the weights better, or set damping.",
        ) from None
    return q, _share(H @ q + damping * q - b, b), 1


def _iterate(
    product: Callable[[Array], Array],
    b: Array,
    tolerance: float,
    start: Array | None,
    damping: float,
    most: int | None,
    diagonal: Array | None,
) -> tuple[Array, float, int]:
    q, residual, products = conjugate_gradients(
        lambda v: product(v) + damping * v if damping else product(v),
        b,
        tolerance,
        start=start,
        most=most,
        diagonal=None if diagonal is None else diagonal + damping,
    )
    if most is None and not residual <= tolerance:
        raise ProblemError(
            f"expected a residual of at most {tolerance:.2g}, got {residual:.2g} after {products:,} products "
            "of conjugate gradients.",
            where=_WHERE,
            hint="The Hessian may not be positive definite: fit the weights better, set damping, or "
            "set 'most' and report gradient_exact: False.",
        )
    return q, residual, products


def conjugate_gradients(
    product: Callable[[Array], Array],
    b: Array,
    tolerance: float,
    *,
    start: Array | None = None,
    most: int | None = None,
    diagonal: Array | None = None,
) -> tuple[Array, float, int]:
    """Solve H q = b; return q, the relative residual and the number of products.

    The residual is NaN or infinite if H is so far from positive definite that a step divides by zero.
    By default at most 10 p + 100 products: in exact arithmetic p suffice, with rounding more are needed.
    """
    count = 0

    def counted(v: Array) -> Array:
        nonlocal count
        count += 1
        return product(v)

    p = len(b)
    if not b.any():
        return np.zeros(p), 0.0, 0
    options: dict[str, Any] = {}
    if diagonal is not None:
        inverse = 1.0 / diagonal
        options["M"] = LinearOperator((p, p), matvec=lambda v: inverse * v, dtype=np.float64)
    H = LinearOperator((p, p), matvec=counted, dtype=np.float64)
    with np.errstate(all="ignore"):  # whether a sum is exactly 0 depends on the processor
        q, _ = cg(H, b, x0=start, rtol=0.5 * tolerance, maxiter=most or 10 * p + 100, **options)
        return q, _share(counted(q) - b, b), count


def _share(residual: Array, b: Array) -> float:
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(residual)) / size if size else 0.0


def _vector(value: object, name: str) -> Array:
    vector = np.asarray(value, dtype=np.float64)
    if vector.ndim != 1:
        raise ProblemError(f"expected a vector, got an array of shape {vector.shape}.", where=name)
    if not np.isfinite(vector).all():
        raise ProblemError("expected finite numbers, got NaN or infinity.", where=name)
    return vector


@dataclass(frozen=True)
class Schedule:
    """Tolerances of the inner fit and of the linear system over the evaluations of an outer loop.

    Early gradients need not be exact: a descent that begins with loose fits and ends with tight
    ones, each started at the weights of the last one, needs a fraction of the inner work. The sum of
    the tolerances must be finite for the outer loop to converge (Pedregosa, 2016), which excludes
    "constant".

    Parameters
    ----------
    kind : "exponential", "quadratic", "cubic" or "constant"
        first * rate^k; first / (k + 1)^2; first / (k + 1)^3; first. k counts from 0.
    first : float, default 1e-3
    rate : float, default 0.5
        Only for "exponential".
    floor : float, default 1e-10
        Smallest tolerance.

    Examples
    --------
    >>> [Schedule(first=1e-2).tolerance(k) for k in (0, 1, 50)]
    [0.01, 0.005, 1e-10]
    """

    kind: Literal["exponential", "quadratic", "cubic", "constant"] = "exponential"
    first: float = 1e-3
    rate: float = 0.5
    floor: float = 1e-10

    def __post_init__(self) -> None:
        if self.kind not in ("exponential", "quadratic", "cubic", "constant"):
            raise ProblemError(
                f"expected exponential, quadratic, cubic or constant, got {self.kind!r}.",
                where="schedule.kind",
            )
        for name in ("first", "rate", "floor"):
            if not (0.0 < getattr(self, name) < 1.0 and math.isfinite(getattr(self, name))):
                raise ProblemError(
                    f"expected a number between 0 and 1, got {getattr(self, name)}.",
                    where=f"schedule.{name}",
                )

    def tolerance(self, k: int) -> float:
        """Get the tolerance of evaluation k of an outer loop."""
        share = {
            "exponential": self.rate**k,
            "quadratic": (k + 1.0) ** -2,
            "cubic": (k + 1.0) ** -3,
            "constant": 1.0,
        }[self.kind]
        return max(self.first * share, self.floor)

"""The squared-exponential kernel with a scale for each feature, and sums over its derivatives.

=========  =======================================================================
symbol     meaning
=========  =======================================================================
X, Z       features, shapes (n, p) and (m, p)
g_k        inverse scale of feature k
K          K_ij = exp(- sum_k g_k (X_ik - Z_jk)^2)
=========  =======================================================================

As dK_ij / dg_k = - (X_ik - Z_jk)^2 K_ij, whatever is linear in it needs, for a matrix M,
sum_ij M_ij (X_ik - Z_jk)^2 = X_k^2 . (M 1) + Z_k^2 . (M' 1) - 2 X_k' M Z_k  (eq. 1), for all k
at the cost of one product with M.
"""

from __future__ import annotations

import numpy as np

from runner.problems.hypergradients.parts import Array


def kernel(X: Array, Z: Array, g: Array) -> Array:
    """Compute K; g has shape (p,)."""
    root = np.sqrt(g)
    a, b = X * root, Z * root
    distances = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * a @ b.T
    return np.asarray(np.exp(-np.maximum(distances, 0.0)), dtype=np.float64)


def weighted_distances(M: Array, X: Array, Z: Array) -> Array:
    """Compute eq. 1, shape (p,)."""
    squares = X.T**2 @ M.sum(axis=1) + Z.T**2 @ M.sum(axis=0)
    return np.asarray(squares - 2.0 * (X * (M @ Z)).sum(axis=0), dtype=np.float64)

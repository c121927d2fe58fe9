import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.methods.gradient.quasi_newton import Secants, bfgs

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 8), st.integers(0, 30), st.booleans())
def test_any_pairs_give_a_positive_definite_matrix(seed, d, count, diagonal):
    rng = np.random.default_rng(seed)
    pairs = [
        (rng.standard_normal(d) * 10.0 ** rng.uniform(-9, 1), rng.standard_normal(d) * 10.0**power)
        for power in rng.uniform(-100, 150, count)
    ]
    B = bfgs(pairs, d, 2.0, diagonal and count > 0)
    assert (B == B.T).all()
    np.linalg.cholesky(B)


def test_of_a_sum_over_parameters_one_step_gives_the_hessian():
    H = np.diag(np.geomspace(1.0, 100.0, 6))
    s = np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
    assert bfgs([(s, H @ s)], 6, 1.0, diagonal=True) == pytest.approx(H)


@pytest.mark.parametrize("rotated", [False, True])
def test_the_first_matrix_is_the_one_that_predicts(rotated):
    """Of a diagonal Hessian the diagonal one is taken; of a rotated one, the multiple of the identity."""
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.standard_normal((12, 12)))[0] if rotated else np.eye(12)
    H = turn @ np.diag(np.geomspace(0.01, 1.0, 12)) @ turn.T
    secants = Secants(12)
    errors = []
    for _ in range(6):
        s = rng.choice([-1.0, 1.0], 12)
        secants.add(s, H @ s)
        errors.append(float(np.linalg.norm(secants.matrix(1.0) - H) / np.linalg.norm(H)))
    assert (errors[-1] < 1e-6) == (not rotated)


def test_what_does_not_move_or_overflows_is_left_out():
    secants = Secants(2)
    secants.add(np.zeros(2), np.ones(2))
    secants.add(np.ones(2), np.array([np.inf, 1.0]))
    assert np.array_equal(secants.matrix(3.0), 3.0 * np.eye(2))

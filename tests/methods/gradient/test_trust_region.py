import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from runner.methods.gradient.quasi_newton import bfgs
from runner.methods.gradient.trust_region import MAX_RADIUS, Quadratic, Radius, cubic_step


def random_quadratic(seed, d, condition=1e3):
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    B = turn @ np.diag(np.geomspace(1.0, condition, d)) @ turn.T
    return Quadratic(rng.standard_normal(d) * 10.0 ** rng.uniform(-3, 3), (B + B.T) / 2), rng


seeds = st.integers(0, 2**32 - 1)


class TestQuadratic:
    @given(seeds, st.integers(1, 15))
    def test_the_minimiser_meets_the_conditions_of_a_minimum(self, seed, d):
        """Feasible; and at each coordinate the slope is 0, or points out of the box at a bound."""
        model, rng = random_quadratic(seed, d)
        reach = 10.0 ** rng.uniform(-3, 1)
        low, high = -reach * rng.random(d), reach * rng.random(d)
        p = model.minimise(low, high)
        assert (low <= p).all()
        assert (p <= high).all()
        slope = model.g + model.B @ p
        free = (p > low) & (p < high)
        tolerance = 1e-8 * np.abs(model.g).max()
        assert np.abs(slope[free]).max(initial=0) <= tolerance
        assert (slope[p == low] >= -tolerance).all()
        assert (slope[p == high] <= tolerance).all()

    @given(seeds, st.integers(1, 6))
    def test_it_agrees_with_another_solver(self, seed, d):
        model, rng = random_quadratic(seed, d, condition=10.0)
        low, high = -rng.random(d), rng.random(d)
        other = minimize(
            model.value,
            np.zeros(d),
            jac=lambda p: model.g + model.B @ p,
            bounds=list(zip(low, high, strict=True)),
            method="L-BFGS-B",
            options={"ftol": 1e-15, "gtol": 1e-10},
        )
        assert model.value(model.minimise(low, high)) <= other.fun + 1e-9 * (1 + abs(other.fun))

    def test_without_bounds_it_is_the_newton_step(self):
        model, _ = random_quadratic(3, 8)
        far = np.full(8, 1e9)
        assert model.minimise(-far, far) == pytest.approx(-np.linalg.solve(model.B, model.g), rel=1e-9)

    def test_a_closed_box_and_a_flat_model_do_not_move(self):
        zero = np.zeros(4)
        model, _ = random_quadratic(0, 4)
        assert not model.minimise(zero, zero).any()
        assert not Quadratic(zero, np.eye(4)).minimise(zero - 1, zero + 1).any()


class TestBFGS:
    @given(seeds, st.integers(1, 8), st.integers(0, 30))
    def test_any_pairs_give_a_positive_definite_matrix(self, seed, d, count):
        rng = np.random.default_rng(seed)
        pairs = [
            (rng.standard_normal(d) * 10.0 ** rng.uniform(-9, 1), rng.standard_normal(d) * 10.0**power)
            for power in rng.uniform(-100, 150, count)
        ]
        B = bfgs(pairs, d, 2.0)
        assert np.array_equal(B, B.T) or np.allclose(B, B.T)
        np.linalg.cholesky(B)

    def test_the_last_pair_is_met(self):
        """The secant equation B s = y."""
        model, rng = random_quadratic(1, 6)
        steps = [rng.standard_normal(6) for _ in range(5)]
        B = bfgs([(s, model.B @ s) for s in steps], 6, 1.0)
        assert B @ steps[-1] == pytest.approx(model.B @ steps[-1])

    def test_enough_conjugate_pairs_give_the_hessian(self):
        model, _ = random_quadratic(2, 6)
        directions = np.linalg.eigh(model.B)[1].T
        assert bfgs([(s, model.B @ s) for s in directions], 6, 1.0) == pytest.approx(model.B, rel=1e-6)

    def test_negative_curvature_is_left_out(self):
        s = np.array([1.0, 0.0])
        assert np.array_equal(bfgs([(s, -s)], 2, 3.0), 3.0 * np.eye(2))
        assert np.array_equal(bfgs([], 2, 3.0), 3.0 * np.eye(2))


class TestRadius:
    def test_a_good_step_to_the_edge_widens_it_and_a_bad_one_narrows_it(self):
        radius = Radius(0.1)
        assert radius.judge(decrease=1.0, predicted=1.0, length=0.1)
        assert radius.value == pytest.approx(0.2)
        assert radius.judge(decrease=0.1, predicted=1.0, length=0.2)
        assert radius.value == pytest.approx(0.1)
        assert not radius.judge(decrease=-1.0, predicted=1.0, length=0.05)
        assert radius.value == pytest.approx(0.35 * 0.05)

    def test_a_failed_trial_is_rejected_whatever_the_noise(self):
        radius = Radius(0.1)
        assert not radius.judge(decrease=-np.inf, predicted=1.0, length=0.1, eps=5.0)
        assert radius.value < 0.1

    def test_noise_lets_a_slightly_worse_point_pass(self):
        assert not Radius(0.1).judge(decrease=-0.01, predicted=0.001, length=0.1)
        assert Radius(0.1).judge(decrease=-0.01, predicted=0.001, length=0.1, eps=0.02)
        assert not Radius(0.1).judge(decrease=-0.05, predicted=0.001, length=0.1, eps=0.02)

    @given(st.lists(st.tuples(st.floats(-2, 2), st.floats(0, 1)), max_size=50))
    def test_it_stays_between_zero_and_its_largest(self, steps):
        radius = Radius(0.2)
        for decrease, share in steps:
            radius.judge(decrease, 1.0, share * radius.value)
            assert 0 <= radius.value <= MAX_RADIUS

    def test_where_sizes_mean_nothing_a_decrease_decides(self):
        radius = Radius(0.1)
        assert radius.compare(decrease=1e-9, length=0.1)
        assert radius.value == pytest.approx(0.15)
        assert not radius.compare(decrease=-1e-9, length=0.1)
        assert radius.compare(decrease=-1e-9, length=0.1, eps=1e-8)


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.floats(-2, 2), st.floats(0.1, 2))
def test_the_step_to_the_minimum_of_a_cubic_is_exact(cubic, start, step):
    slope, bend = np.polyder(cubic), np.polyder(cubic, 2)
    rise = np.polyval(cubic, start + step) - np.polyval(cubic, start)
    p = cubic_step(step, rise, np.polyval(slope, start), np.polyval(slope, start + step))
    if p is not None and abs(p) < 100 and np.polyval(bend, start) ** 2 > 1e-2:
        assert abs(np.polyval(slope, start + p)) <= 1e-5 * (
            1 + np.abs(cubic).sum() * (1 + abs(start + p)) ** 2
        )

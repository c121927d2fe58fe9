import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from runner.methods.bayes.gaussian_process import GaussianProcess, fit, log_posterior, matern
from runner.methods.bayes.model import warped

seeds = st.integers(0, 2**32 - 1)
OWNER = np.array([0, 1, 1, 1, 2])  # a number, a choice of three, a number


def data(seed, n=12):
    rng = np.random.default_rng(seed)
    Z = np.zeros((n, 5))
    Z[:, [0, 4]] = rng.random((n, 2)) - 0.5
    Z[np.arange(n), 1 + rng.integers(0, 3, n)] = math.sqrt(0.5)
    theta = np.concatenate([rng.normal(-0.7, 0.5, 3), rng.normal(0, 0.5, 1), rng.normal(-5, 1, 1)])
    return Z, rng.standard_normal(n), theta


def oracle(Z, y, theta):
    """The same model by scikit-learn."""
    kernel = ConstantKernel(math.exp(theta[-2])) * Matern(np.exp(theta[:-2])[OWNER], nu=2.5)
    return GaussianProcessRegressor(kernel, alpha=math.exp(theta[-1]), optimizer=None).fit(Z, y)


class TestLikelihood:
    @given(seeds)
    @settings(max_examples=25)
    def test_gradient_is_that_of_finite_differences(self, seed):
        Z, y, theta = data(seed)
        _, gradient = log_posterior(theta, Z, OWNER, y)
        for i in range(len(theta)):
            h = np.zeros_like(theta)
            h[i] = 1e-5
            ahead, behind = (log_posterior(theta + s * h, Z, OWNER, y)[0] for s in (1, -1))
            assert gradient[i] == pytest.approx((ahead - behind) / 2e-5, rel=1e-4, abs=1e-4)

    @given(seeds)
    @settings(max_examples=10)
    def test_differs_from_the_normal_density_by_the_prior_and_a_constant(self, seed):
        """The prior's own term is taken off by a second set of data under the same theta."""
        Z, y, theta = data(seed)
        K = oracle(Z, y, theta).kernel_(Z) + math.exp(theta[-1]) * np.eye(len(y))
        normal = [multivariate_normal(cov=K).logpdf(t) for t in (y, 2 * y + 1)]
        ours = [log_posterior(theta, Z, OWNER, t)[0] for t in (y, 2 * y + 1)]
        assert ours[0] - ours[1] == pytest.approx(normal[0] - normal[1], rel=1e-8)

    def test_prior_alone_is_greatest_at_its_median(self):
        """Targets of one row say nothing of length scales, so these come out as the prior's."""
        theta = fit(np.zeros((1, 3)), np.arange(3), np.zeros(1))
        assert np.exp(theta[:3]) == pytest.approx(0.5, rel=1e-2)


class TestFit:
    def test_is_a_function_of_its_arguments(self):
        Z, y, _ = data(0, 20)
        assert np.array_equal(fit(Z, OWNER, y), fit(Z.copy(), OWNER, y.copy()))

    @pytest.mark.parametrize("seed", range(3))
    def test_tells_what_matters_from_what_does_not(self, seed):
        rng = np.random.default_rng(seed)
        Z = rng.random((40, 3)) - 0.5
        ell = np.exp(fit(Z, np.arange(3), np.sin(7 * Z[:, 1]))[:3])
        assert 3 * ell[1] < min(ell[0], ell[2])

    @pytest.mark.parametrize("noise", [0.0, 0.5])
    def test_finds_the_noise(self, noise):
        rng = np.random.default_rng(1)
        Z = rng.random((80, 1)) - 0.5
        y = np.sin(6 * Z[:, 0]) + noise * rng.standard_normal(80)
        v = math.exp(fit(Z, np.zeros(1, dtype=np.intp), y)[-1])
        assert v == pytest.approx(0.25, rel=0.5) if noise else v < 1e-3

    def test_moves_with_the_order_of_the_coordinates(self):
        rng = np.random.default_rng(2)
        Z = rng.random((25, 3)) - 0.5
        y = warped(Z @ [1.0, -2.0, 0.3] + np.cos(5 * Z[:, 2]))
        order = [2, 0, 1]
        a, b = fit(Z, np.arange(3), y), fit(Z[:, order], np.arange(3), y)
        assert b == pytest.approx(a[[*order, 3, 4]], abs=0.05)

    def test_survives_rows_that_coincide(self):
        Z, y = np.zeros((30, 1)), np.where(np.arange(30) % 2, 1.0, -1.0)
        assert np.isfinite(fit(Z, np.zeros(1, dtype=np.intp), y)).all()


class TestPosterior:
    @given(seeds)
    @settings(max_examples=15)
    def test_is_that_of_scikit_learn(self, seed):
        Z, y, theta = data(seed)
        new, _, _ = data(seed + 1, 6)
        mean, std = oracle(Z, y, theta).predict(new, return_std=True)
        process = GaussianProcess(Z, OWNER, y, theta)
        ours = process.predict(new)
        assert ours[0] == pytest.approx(mean, abs=1e-8)
        assert ours[1] == pytest.approx(std, abs=1e-6)
        assert np.array_equal(process.mean(new), ours[0])

    def test_interpolates_what_has_no_noise(self):
        Z, y, theta = data(3)
        theta[-1] = math.log(1e-8)
        mean, std = GaussianProcess(Z, OWNER, y, theta).predict(Z)
        assert mean == pytest.approx(y, abs=1e-4)
        assert std.max() < 1e-3

    def test_is_the_prior_far_from_the_data(self):
        Z, y, theta = data(4)
        mean, std = GaussianProcess(Z, OWNER, y, theta).predict(np.full((1, 5), 1e3))
        assert mean[0] == 0.0
        assert std[0] == pytest.approx(math.exp(theta[-2] / 2))

    @given(seeds)
    @settings(max_examples=15)
    def test_slopes_are_those_of_finite_differences(self, seed):
        Z, y, theta = data(seed)
        process = GaussianProcess(Z, OWNER, y, theta)
        z = data(seed + 1, 1)[0][0]
        mean, std, dmean, dstd = process.slopes(z)
        assert (mean, std) == pytest.approx(
            [float(part[0]) for part in process.predict(z[None, :])], rel=1e-6
        )
        for i, slope in enumerate((dmean, dstd)):
            numeric = approx_fprime(z, lambda x, i=i: float(process.predict(x[None, :])[i][0]), 1e-7)
            assert slope == pytest.approx(numeric, rel=1e-3, abs=1e-4)

    def test_believing_lowers_the_deviation_and_keeps_the_mean(self):
        Z, y, theta = data(5)
        pending, new = data(6, 4)[0], data(7, 30)[0]
        process = GaussianProcess(Z, OWNER, y, theta)
        believer = process.with_pending(pending)
        assert believer.predict(new)[0] == pytest.approx(process.predict(new)[0], abs=1e-6)
        assert (believer.predict(new)[1] <= process.predict(new)[1] + 1e-9).all()
        assert believer.predict(pending)[1].max() < 0.3 * process.predict(pending)[1].max()
        assert process.with_pending(np.empty((0, 5))) is process

    def test_survives_rows_that_coincide_without_noise(self):
        theta = np.array([0.0, 0.0, -60.0])
        process = GaussianProcess(np.zeros((40, 1)), np.zeros(1, dtype=np.intp), np.ones(40), theta)
        assert np.isfinite(process.predict(np.array([[0.0], [0.3]]))).all()


def test_matern_is_that_of_the_book_and_its_factor_the_derivative():
    rho2 = np.array([0.0, 1e-6, 0.3, 2.0, 50.0])
    k, g = matern(rho2, 2.0)
    assert k == pytest.approx(2.0 * Matern(nu=2.5)(np.sqrt(rho2)[:, None], np.zeros((1, 1)))[:, 0])
    h = 1e-7
    numeric = (matern(rho2 + h, 2.0)[0] - k) / h
    assert -g / 2 == pytest.approx(numeric, rel=1e-3, abs=1e-7)

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from runner.methods.bayes.acquisition import Acquisition, Search, log_h
from runner.methods.bayes.gaussian_process import GaussianProcess
from runner.methods.encoded import Cube
from runner.space import Space
from runner.space.domains import Choice, Float, Int

NAMES = ["logei", "ei", "ucb", "pi"]


class TestLogH:
    @pytest.mark.parametrize("z", [-2000.0, -300.0, -40.0, -6.0, -1.5, -1.0, -0.5, 0.0, 1.0, 4.0])
    def test_is_the_integral_that_defines_it(self, z):
        """h(z) / phi(z) is the integral of t exp(z t - t^2 / 2) over t > 0; in s = |z| t where z < 0."""
        scale = max(1.0, -z)
        integral, _ = quad(
            lambda s: s * math.exp(z * s / scale - (s / scale) ** 2 / 2), 0, 60, epsabs=0, limit=200
        )
        value, _ = log_h(np.array(z))
        assert float(value) == pytest.approx(
            norm.logpdf(z) + math.log(integral) - 2 * math.log(scale), rel=1e-9
        )

    @given(st.floats(-1e5, 50))
    def test_its_derivative_is_that_of_finite_differences(self, z):
        step = 1e-4 * max(1.0, abs(z)) ** 0.5 / max(1.0, abs(z))
        (behind, ahead), _ = log_h(np.array([z - step, z + step]))
        assert float(log_h(np.array(z))[1]) == pytest.approx(
            (ahead - behind) / (2 * step), rel=1e-3, abs=1e-8
        )

    @pytest.mark.parametrize("seam", [-1.0, -5e3])
    def test_its_pieces_meet(self, seam):
        z = np.array([np.nextafter(seam, -np.inf), seam, np.nextafter(seam, np.inf)])
        value, q = log_h(z)
        assert np.ptp(value) < 1e-8 * abs(value[0]) + 1e-12
        assert np.ptp(q) < 1e-6 * abs(q[0])

    def test_is_finite_and_rising_where_h_underflows(self):
        z = -np.logspace(10, -3, 400)
        value, q = log_h(z)
        assert np.isfinite(value).all()
        assert (np.diff(value) > 0).all()
        assert np.isfinite(q).all()
        assert (q > 0).all()
        assert norm.pdf(-40.0) + -40.0 * norm.cdf(-40.0) <= 1e-300  # where plain EI is lost


class TestGoal:
    @given(st.sampled_from(NAMES), st.floats(-3, 3), st.floats(0.05, 3), st.floats(0, 0.5))
    def test_derivatives_are_those_of_finite_differences(self, name, mean, std, xi):
        acquisition = Acquisition(name, 0.3, 1.7, xi)
        _, by_mean, by_std = acquisition(np.array(mean), np.array(std))
        h = 1e-6 * std
        ahead, behind = (float(acquisition(np.array(mean + s * h), np.array(std))[0]) for s in (1, -1))
        assert float(by_mean) == pytest.approx((ahead - behind) / (2 * h), rel=1e-4, abs=1e-5)
        ahead, behind = (float(acquisition(np.array(mean), np.array(std + s * h))[0]) for s in (1, -1))
        assert float(by_std) == pytest.approx((ahead - behind) / (2 * h), rel=1e-4, abs=1e-4)

    def test_improvement_is_the_mean_of_what_is_gained(self):
        mean, std = np.array([0.5, -1.0]), np.array([0.7, 2.0])
        gained = [
            quad(lambda y, m=m, s=s: max(0.2 - 0.1 - y, 0) * norm.pdf(y, m, s), m - 12 * s, 0.1)[0]
            for m, s in zip(mean, std, strict=True)
        ]
        assert Acquisition("ei", 0.2, 0, 0.1)(mean, std)[0] == pytest.approx(gained)
        assert Acquisition("logei", 0.2, 0, 0.1)(mean, std)[0] == pytest.approx(np.log(gained))

    def test_confidence_bound_and_probability(self):
        mean, std = np.array([0.5, -1.0]), np.array([0.7, 2.0])
        assert Acquisition("ucb", 9.0, 2.0, 0)(mean, std)[0] == pytest.approx(2 * std - mean)
        assert Acquisition("pi", 0.2, 0, 0.1)(mean, std)[0] == pytest.approx(norm.logcdf((0.1 - mean) / std))


def search(space, name="logei", seed=0, known=frozenset(), n=12):
    """A search on a process of random results; the anchors are its rows."""
    rng = np.random.default_rng(seed)
    cube = Cube(space)
    rows = cube.snap(rng.random((n, space.d)))
    theta = np.array([*[math.log(0.4)] * space.d, 0.0, math.log(1e-3)])
    y = rng.standard_normal(n)
    model = GaussianProcess(cube.features(rows), cube.embedding.owner, y, theta)
    acquisition = Acquisition(name, float(model.mean(model.Z).min()), 2.0, 0.0)
    return Search(cube, model, acquisition, known, rng), rows


MIXED = Space(
    {"x": Float(0, 1), "k": Int(1, 9), "c": Choice({"a": {"y": Float(1e-3, 1, log=True)}, "b": {}})}
)


class TestSearch:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("seed", range(3))
    def test_finds_what_many_draws_do_not_better(self, name, seed):
        space = Space({"x": Float(0, 1), "y": Float(0, 1)})
        hunt, rows = search(space, name, seed)
        found = hunt.values(hunt.best(rows)[None, :])[0]
        grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 60)] * 2), axis=-1).reshape(-1, 2)
        assert found >= hunt.values(grid).max() - 1e-3

    @pytest.mark.parametrize("seed", range(3))
    def test_in_a_mixed_space_too(self, seed):
        hunt, rows = search(MIXED, seed=seed)
        found = hunt.values(hunt.best(rows)[None, :])[0]
        draws = hunt.cube.snap(np.random.default_rng(9).random((4000, MIXED.d)))
        assert found >= hunt.values(draws).max() - 1e-3

    @given(st.integers(0, 1000))
    @settings(max_examples=10)
    def test_climbing_never_goes_down(self, seed):
        hunt, rows = search(MIXED, seed=seed)
        for row in rows[:2]:
            assert hunt.values(hunt.climb(row)[None, :])[0] >= hunt.values(row[None, :])[0]

    def test_of_a_small_space_is_the_best_of_all_that_is_new(self):
        space = Space({"i": Int(0, 6), "j": Int(0, 6), "c": Choice(["a", "b", "c"])})
        hunt, rows = search(space)
        assert hunt.cube.rows is not None
        order = np.argsort(-hunt.values(hunt.cube.rows), kind="stable")
        assert np.array_equal(hunt.best(rows), hunt.cube.rows[order[0]])
        known = frozenset(hunt.cube.rows[i].tobytes() for i in order[:7])
        hunt, rows = search(space, known=known)
        assert np.array_equal(hunt.best(rows), hunt.cube.rows[order[7]])

    def test_is_none_where_all_is_known(self):
        space = Space({"i": Int(0, 3)})
        known = frozenset(space.encode(space[i]).tobytes() for i in range(4))
        hunt, rows = search(space, known=known, n=4)
        assert hunt.best(rows) is None

    def test_each_pattern_of_active_parameters_has_its_climb(self):
        """A branch that one draw in 200 meets is searched as deeply as the others."""
        options = {i: {"deep": Float(0, 1)} if i == 0 else {} for i in range(200)}
        hunt, rows = search(Space({"c": Choice(options), "x": Float(0, 1)}))
        pool = hunt.cube.snap(np.random.default_rng(0).random((512, 3)))
        chosen = list(hunt._best_of_patterns(pool, hunt.values(pool)))
        assert {bool(hunt.cube.active(pool[[i]])[0, 1]) for i in chosen} == {True, False}
        assert hunt.best(rows) is not None

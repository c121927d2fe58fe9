import numpy as np
import pytest
from scipy.optimize import approx_fprime

from runner.methods.bayes.gaussian_process import GaussianProcess
from runner.methods.bayes.thompson import PosteriorSample
from runner.seeds import rng_for

OWNER = np.arange(2)
THETA = np.log([0.4, 0.7, 1.3, 1e-3])


@pytest.fixture(scope="module")
def process():
    rng = rng_for("observations")
    Z = rng.random((8, 2)) - 0.5
    return GaussianProcess(Z, OWNER, np.sin(5 * Z[:, 0]) + Z[:, 1], THETA)


def test_draws_have_the_mean_and_the_deviation_of_the_process(process):
    """Of 600 draws the mean is off by 5 standard errors with probability 6e-7 at each point."""
    Z = rng_for("points").random((10, 2)) - 0.5
    values = np.array([PosteriorSample(process, rng_for("draw", i)).predict(Z)[0] for i in range(600)])
    mean, std = process.predict(Z)
    assert (np.abs(values.mean(axis=0) - mean) < 5 * std / np.sqrt(600) + 0.01).all()
    assert values.std(axis=0) == pytest.approx(std, rel=0.25, abs=0.02)


def test_a_draw_is_one_function_and_slopes_are_its_own(process):
    draw = PosteriorSample(process, rng_for("one"))
    z = np.array([0.1, -0.2])
    value, std, slope, none = draw.slopes(z)
    assert value == pytest.approx(float(draw.predict(z[None, :])[0][0]))
    assert std == 0.0
    assert not none.any()
    numeric = approx_fprime(z, lambda x: float(draw.predict(x[None, :])[0][0]), 1e-7)
    assert slope == pytest.approx(numeric, rel=1e-4, abs=1e-4)


def test_draws_pass_through_what_has_no_noise(process):
    sharp = GaussianProcess(process.Z, OWNER, process.y, np.append(THETA[:3], np.log(1e-8)))
    assert PosteriorSample(sharp, rng_for("any")).predict(process.Z)[0] == pytest.approx(process.y, abs=1e-2)

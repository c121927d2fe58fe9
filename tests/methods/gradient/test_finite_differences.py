import math

import numpy as np
import pytest

from runner.methods.gradient.finite_differences import estimate_noise


def test_smooth_losses_show_no_noise():
    for f in (math.exp, math.sin, lambda x: 3 * x**2 - x, lambda x: 1.0):
        assert estimate_noise([f(0.3 + 1e-4 * k) for k in range(7)]) <= 1e-13


@pytest.mark.parametrize("sigma", [1e-6, 1e-2])
def test_noise_is_told_within_a_factor(sigma):
    """The median over 200 lines on a slope; a single one has seven losses."""
    rng = np.random.default_rng(0)
    found = [
        estimate_noise([1 + 1e-4 * k + sigma * rng.standard_normal() for k in range(7)]) for _ in range(200)
    ]
    told = [x for x in found if x]
    assert len(told) > 100
    assert sigma / 1.5 < np.median(told) < (1.5 * sigma if sigma > 1e-4 else math.inf)


def test_a_loss_that_failed_measures_nothing():
    assert estimate_noise([1.0, math.inf, 1.0, 1.0, 1.0, 1.0, 1.0]) == 0.0

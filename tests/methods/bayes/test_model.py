import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata

from runner.methods.bayes.model import log_seconds, warped
from runner.methods.encoded import cube_of
from runner.seeds import rng_for
from runner.space import Float, Space
from runner.trial import Outcome, Status, Trial

LINE = Space({"x": Float(0.0, 1.0)})


def timed(i, x, seconds, status=Status.COMPLETED):
    return Trial(i, {"x": x}, Outcome(status, 1.0, 1.0, seconds=seconds))


def process(trials):
    return log_seconds(cube_of(LINE), trials, [LINE.encode(t.config) for t in trials])


class TestSeconds:
    def test_are_learnt_by_their_logarithm_about_their_mean(self):
        trials = [timed(i, i / 19, 10.0 ** (4 * i / 19)) for i in range(20)]
        found = process(trials)
        features = cube_of(LINE).features(np.array([[0.25], [0.75]]))
        assert found.mean(features) == pytest.approx([-math.log(10.0), math.log(10.0)], abs=0.1)

    def test_of_failures_count_and_what_took_no_time_does_not(self):
        rng = rng_for("seconds")
        trials = [timed(i, float(rng.random()), 1.0 + i, Status.FAILED) for i in range(5)]
        assert len(process(trials).y) == 5
        assert len(process([*trials, timed(9, 0.5, 0.0), timed(10, 0.6, math.inf)]).y) == 5

    @pytest.mark.parametrize("seconds", [[], [1.0], [2.0, 2.0, 2.0], [0.0, 0.0]])
    def test_say_nothing_where_all_are_equal(self, seconds):
        assert process([timed(i, i / 7, s) for i, s in enumerate(seconds)]) is None


losses = hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 2)))


class TestWarped:
    @given(losses)
    def test_is_standardised_and_keeps_the_order(self, y):
        w = warped(y)
        if np.ptp(y) == 0:
            assert (w == 0).all()
            return
        assert np.mean(w) == pytest.approx(0, abs=1e-9)
        assert np.std(w) == pytest.approx(1)
        order = np.argsort(y, kind="stable")
        assert (np.diff(w[order]) >= -1e-12).all()
        worse = np.diff(rankdata(y, method="min")[order]) > 0
        assert (np.diff(w[order])[worse & (y[order][1:] > np.median(y))] > 0).all()

    @given(losses, st.integers(-300, 300))
    def test_is_exactly_the_same_in_another_unit(self, y, power):
        assert np.array_equal(warped(np.ldexp(y, power)), warped(y))

    @given(losses)
    def test_only_the_order_of_the_bad_half_counts(self, y):
        bad = y > np.sort(y)[(len(y) - 1) // 2]
        stretched = np.where(bad, 1e100 * (y - y.min()) + y, y)
        assert np.array_equal(warped(stretched), warped(y))

    @given(losses, st.floats(-100, 100))
    def test_a_constant_added_changes_nothing(self, y, shift):
        if np.ptp(y) > 1:
            assert warped(np.round(y + shift, 2)) == pytest.approx(
                warped(np.round(y + shift, 2) - round(shift, 2)), abs=1e-6
            )

    @pytest.mark.parametrize(
        "y",
        [
            [1.7e308, -1.7e308],
            [1e308, 1e308, 0.0],
            [5e-324, 0.0, 1e-310],
            [1e300, 1.0, 2.0, 3.0],
            [0.1] * 3,
            [7.0],
        ],
    )
    def test_takes_any_finite_losses(self, y):
        assert np.isfinite(warped(np.array(y))).all()

    def test_a_huge_loss_hides_no_detail(self):
        y = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
        assert np.array_equal(warped(np.append(y, 6.0)), warped(np.append(y, 1e300)))

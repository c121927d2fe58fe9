"""Intervals: against Student's own formula, and by how often they hold the truth."""

import numpy as np
import pytest
from scipy import stats

from runner.results.stats.averages import Resampled, area
from runner.results.stats.blocks import Blocks
from runner.results.stats.intervals import degrees, drawn_interval, iqm, mean_interval, resampled_iqm


def blocks(*values, methods=None):
    """Of arrays (methods, seeds), one per problem."""
    values = [np.asarray(value, dtype=float) for value in values]
    methods = methods or tuple("abcdef"[: len(values[0])])
    first = 0
    copies = []
    for value in values:
        copies.append(first + np.arange(value.size).reshape(value.shape))
        first += value.size
    seeds = tuple(np.arange(value.shape[1]) for value in values)
    names = tuple(f"p{i}" for i in range(len(values)))
    return Blocks(methods, names, tuple(values), seeds, sum(map(len, seeds)), tuple(copies))


def test_the_iqm_is_scipys_trimmed_mean():
    rng = np.random.default_rng(0)
    for n in range(1, 30):
        x = rng.normal(size=n)
        assert iqm(x) == pytest.approx(stats.trim_mean(x, 0.25))
    assert iqm(np.array([0.0, 1.0, 2.0, 100.0])) == 1.5


def test_one_problem_has_students_interval():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    middle, low, high = mean_interval((x,))
    expected = stats.t.interval(0.95, 3, loc=x.mean(), scale=stats.sem(x))
    assert (middle, low, high) == pytest.approx((x.mean(), *expected))


def test_degrees_of_freedom_are_satterthwaites():
    # Two equal variances of n = 5 each: both count, 4 + 4. One that varies: its own 4.
    assert degrees(np.array([1.0, 1.0]), np.array([5.0, 5.0])) == pytest.approx(8)
    assert degrees(np.array([1.0, 0.0]), np.array([5.0, 5.0])) == pytest.approx(4)
    assert degrees(np.array([0.0, 0.0]), np.array([5.0, 5.0])) == 8
    a, b = np.array([1.0, 2.0, 4.0]), np.array([3.0, 9.0, 3.0, 2.0])
    welch = stats.ttest_ind(a, b, equal_var=False)
    assert degrees(np.array([a.var(ddof=1), b.var(ddof=1)]), np.array([3.0, 4.0])) == pytest.approx(welch.df)


def test_a_new_problem_is_judged_by_the_spread_of_problems():
    values = (np.array([1.0, 1.0]), np.array([2.0, 2.0]), np.array([3.0, 3.0]))
    middle, low, high = mean_interval(values, "problems")
    expected = stats.t.interval(0.95, 2, loc=2, scale=stats.sem([1, 2, 3]))
    assert (middle, low, high) == pytest.approx((2, *expected))
    _, low, high = mean_interval(values, "seeds")
    assert low == high == 2


def test_resamples_are_paired():
    """Methods that differ by a constant differ by it in every resample."""
    rng = np.random.default_rng(1)
    base = [rng.uniform(size=6) for _ in range(5)]
    drawn = resampled_iqm(blocks(*(np.stack([x, x + 0.25]) for x in base)), draws=200)
    assert drawn[:, 1] - drawn[:, 0] == pytest.approx(0.25)
    assert drawn[:, 0].std() > 0
    again = resampled_iqm(blocks(*(np.stack([x, x + 0.25]) for x in base)), draws=200)
    np.testing.assert_array_equal(drawn, again)


def test_p_best_shares_ties_and_adds_up():
    same = np.random.default_rng(2).uniform(size=(1, 8))
    sample = Resampled(blocks(np.vstack([same, same, same + 1]), np.vstack([same, same, same + 1])))
    assert sample.best() == pytest.approx([0.5, 0.5, 0.0])


def test_ragged_blocks_have_intervals_too():
    rng = np.random.default_rng(3)
    some = blocks(rng.uniform(size=(2, 3)), rng.uniform(size=(2, 7)))
    for scope in ("seeds", "problems"):
        drawn = resampled_iqm(some, scope, 100)
        assert drawn.shape == (100, 2)
        assert np.isfinite(drawn).all()


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("problems", [1, 10])
def test_coverage(seeds, problems):
    """The intervals hold the truth in 95 % of studies; 90 % to 99 % of 400 are let pass.

    At a true coverage of 95 % a test fails by chance with a probability below 0.0002.
    `make bench` measures it with many more studies and distributions.
    """
    rng = np.random.default_rng(seeds * 100 + problems)
    centres = rng.uniform(0.2, 0.7, problems)
    truth = float(iqm(np.concatenate([c + rng.normal(0, 0.1, 200_000 // problems) for c in centres])))
    hits = means = 0
    for _ in range(400):
        values = [c + rng.normal(0, 0.1, (1, seeds)) for c in centres]
        drawn = resampled_iqm(blocks(*values), draws=200)[:, 0]
        each = tuple(value[0] for value in values)
        low, high = drawn_interval(float(iqm(np.concatenate(each))), drawn, each, "seeds")
        hits += low <= truth <= high
        _, low, high = mean_interval(each)
        means += low <= centres.mean() <= high
    assert 0.90 <= hits / 400 <= 0.99
    assert 0.90 <= means / 400 <= 0.99


def test_the_area_of_steps():
    assert area(np.array([1.0, 2.0, 3.0]), np.array([0.9, 0.6, 0.3])) == pytest.approx(0.6)
    # 1.0 up to 2 s, 0.5 from there to 10 s: (2 + 4) / 10.
    assert area(np.array([2.0, 10.0]), np.array([[0.5, 0.5]]))[0] == pytest.approx(0.5)
    assert area(np.array([1.0, 2.0, 10.0]), np.array([1.0, 0.5, 0.0])) == pytest.approx((1 + 1 + 4) / 10)
    # Over the logarithm each tenfold counts alike.
    assert area(np.array([1.0, 10.0, 100.0]), np.array([1.0, 0.0, 0.0]), log=True) == pytest.approx(0.5)

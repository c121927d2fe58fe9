"""P(A beats B) by hand: Jeffreys for one problem, all wins together for several."""

import numpy as np
import pytest
from scipy import stats

from runner.results.stats.pairs import (
    all_pairs,
    beats,
    beats_by_problem,
    jeffreys,
    pairs_against,
    seeds_for,
)
from tests.results.stats.test_intervals import blocks


def test_five_wins_of_five_are_no_certainty():
    some = blocks([[0.1] * 5, [0.2] * 5])
    row = beats_by_problem(some, [("a", "b")]).iloc[0]
    assert (row["wins"], row["ties"], row["losses"], row["share"]) == (5, 0, 0, 1.0)
    assert row["probability"] == pytest.approx(5.5 / 6)
    assert (row["lower"], row["upper"]) == pytest.approx(stats.beta.ppf([0.025, 0.975], 5.5, 0.5))
    across = beats(some, [("a", "b")]).iloc[0]
    assert (across["probability"], across["lower"], across["upper"]) == pytest.approx(
        (row["probability"], row["lower"], row["upper"])
    )


def test_a_tie_is_half_a_win():
    row = beats(blocks([[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.1, 0.9]]), [("a", "b")]).iloc[0]
    assert (row["wins"], row["ties"], row["losses"], row["share"]) == (1, 2, 1, 0.5)
    assert row["verdict"] == "no evidence"


def test_the_reference_is_not_compared_with_itself():
    assert pairs_against(["a", "b", "c"], "b") == [("a", "b"), ("c", "b")]


def test_both_sides_add_up():
    rng = np.random.default_rng(0)
    some = blocks(*(rng.uniform(size=(3, 6)) for _ in range(4)))
    found = beats(some, all_pairs(some.methods)).set_index(["method", "against"])
    for a, b in all_pairs(some.methods):
        assert found.at[(a, b), "probability"] == pytest.approx(1 - found.at[(b, a), "probability"])
        assert found.at[(a, b), "lower"] == pytest.approx(1 - found.at[(b, a), "upper"])


def test_three_answers():
    def verdict(wins, n):
        row = np.r_[np.zeros(wins), np.full(n - wins, 2.0)]
        return beats(blocks(np.stack([row, np.ones(n)])), [("a", "b")])["verdict"][0]

    assert verdict(12, 20) == "no evidence"
    assert verdict(280, 500) == "real but small"
    assert verdict(19, 20) == "real and meaningful"


def test_below_three_seeds_there_is_only_the_share():
    row = beats(blocks([[0.1, 0.1], [0.2, 0.2]]), [("a", "b")]).iloc[0]
    assert row["share"] == 1.0
    assert np.isnan(row["probability"])
    assert row["reason"] == "only 2 seeds; at least 3 are needed."


def test_copies_count_once():
    some = blocks([[0.1] * 5, [0.2] * 5])
    copies = (np.array([[7] * 5, [8] * 5]),)
    same = type(some)(some.methods, some.problems, some.values, some.seeds, some.planned, copies)
    row = beats(same, [("a", "b")]).iloc[0]
    assert (row["wins"], row["seeds"]) == (1, 1)
    assert row["reason"]


def test_problems_have_equal_weight_whatever_their_seeds():
    some = blocks([[0.0] * 12, [1.0] * 12], [[1.0] * 4, [0.0] * 4])
    row = beats(some, [("a", "b")]).iloc[0]
    assert row["share"] == 0.5
    n = 4 / (1 / 12 + 1 / 4)
    assert (row["lower"], row["upper"]) == pytest.approx(jeffreys(n / 2, n)[1:])


@pytest.mark.parametrize("truth", [0.6, 0.95])
@pytest.mark.parametrize("seeds", [3, 10])
def test_coverage_over_ten_problems(truth, seeds):
    """90 % at the least of 2,000 studies; below that by chance with a probability below 1e-9 at 95 %."""
    rng = np.random.default_rng(5)
    hits = 0
    for wins in rng.binomial(10 * seeds, truth, 2000):
        _, low, high = jeffreys(wins, 10 * seeds)
        hits += low <= truth <= high
    assert hits / 2000 >= 0.9


def test_seeds_for_a_claim():
    """Noether's numbers as the literature has them."""
    assert [seeds_for(g) for g in (0.6, 0.65, 0.7, 0.75, 0.8, 0.9)] == [181, 81, 46, 29, 21, 12]

"""Tests across problems, against scipy, scikit-posthocs, autorank and baycomp."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from runner.results.stats.pairs import all_pairs, pairs_against
from runner.results.stats.significance import (
    critical_difference,
    friedman,
    friedman_ranks,
    holm,
    signed_rank,
    signed_rank_shares,
    wilcoxon_holm,
)
from tests.results.stats.test_intervals import blocks


def scores(problems=12, methods=4, seed=0, gap=0.05):
    """Regrets with one seed per problem, and the same as a table problems x methods."""
    rng = np.random.default_rng(seed)
    wide = (
        rng.uniform(0.1, 0.6, (problems, 1))
        + gap * np.arange(methods)
        + rng.normal(0, 0.06, (problems, methods))
    )
    return blocks(*(row[:, None] for row in wide)), pd.DataFrame(wide, columns=list("abcdef"[:methods]))


def test_wilcoxon_is_scipys_and_scikit_posthocs():
    import scikit_posthocs as posthocs

    some, wide = scores()
    found = wilcoxon_holm(some, [(a, b) for a, b in all_pairs(some.methods) if a < b])
    for row in found.to_dict("records"):
        assert row["p"] == pytest.approx(
            stats.wilcoxon(wide[row["method"]], wide[row["against"]]).pvalue, abs=1e-12
        )
    long = wide.melt(var_name="method", value_name="y")
    theirs = posthocs.posthoc_wilcoxon(long, val_col="y", group_col="method", p_adjust="holm")
    for row in found.to_dict("records"):
        assert row["p_holm"] == pytest.approx(theirs.at[row["method"], row["against"]], abs=1e-6)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_equal_methods_do_not_differ():
    some = blocks(*(np.full((2, 1), x) for x in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)))
    row = wilcoxon_holm(some, [("a", "b")]).iloc[0]
    assert (row["p"], row["significant"]) == (1.0, False)
    tested = friedman(blocks(*(np.full((3, 1), x) for x in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)))).iloc[0]
    assert (tested["p"], tested["p_f"]) == (1.0, 1.0)


def test_friedman_and_the_critical_difference_are_autoranks():
    from autorank import _util as ranking

    some, wide = scores(problems=15, methods=5, gap=0.08)
    found = friedman(some).iloc[0]
    chi2, p = stats.friedmanchisquare(*wide.to_numpy().T)
    assert (found["chi2"], found["p"]) == pytest.approx((chi2, p))
    theirs = ranking.rank_multiple_nonparametric(wide, 0.05, False, False, "ascending", "cohen_d", None)
    # Its quantile is interpolated, from tables: 0.050003 lies above it, not 0.05.
    assert found["cd"] == pytest.approx(theirs.cd, abs=2e-5)
    q = found["cd"] * math.sqrt(12 * 15 / (5 * 6))
    assert stats.studentized_range.sf(q, 5, np.inf) == pytest.approx(0.05, abs=1e-9)
    assert found["p"] == pytest.approx(theirs.pvalue, abs=1e-6)
    assert found["cd_reason"] == ""
    ranks = friedman_ranks(some).set_index("method")["rank"]
    expected = wide.rank(axis=1).mean()
    assert ranks[expected.index].tolist() == pytest.approx(expected.tolist())


def test_the_critical_difference_is_demsars():
    """Demsar (2006), table 5: q of 0.05 for 2 to 5 methods, and its example of 4 methods on 14 sets."""
    q = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}
    for k, value in q.items():
        assert critical_difference(k, 10) / math.sqrt(k * (k + 1) / 60) == pytest.approx(
            value, abs=1.1e-3
        )  # the paper cuts digits off
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.01)


def test_nemenyi_by_scikit_posthocs():
    """Two mean ranks are as far apart as the critical difference where Nemenyi's p is 0.05."""
    import scikit_posthocs as posthocs

    some, wide = scores(problems=14, methods=4, gap=0.06)
    cd = friedman(some)["cd_needed"][0]
    ranks = wide.rank(axis=1).mean().to_numpy()
    theirs = posthocs.posthoc_nemenyi_friedman(wide.to_numpy()).to_numpy()
    for i in range(4):
        for j in range(i):
            gap = abs(ranks[i] - ranks[j])
            p = stats.studentized_range.sf(gap / math.sqrt(4 * 5 / (6 * 14)) * math.sqrt(2), 4, np.inf)
            assert p == pytest.approx(theirs[i, j], abs=1e-6)
            assert (gap > cd) == (theirs[i, j] < 0.05)


def test_groups_hold_who_is_not_apart():
    # On 30 problems always in the same order: mean ranks 1, 2, 3 with CD 0.605: nobody is tied.
    some = blocks(*(np.array([[0.1], [0.2], [0.3]]) + i / 100 for i in range(30)))
    assert friedman_ranks(some)["groups"].tolist() == ["", "", ""]
    assert friedman_ranks(some)["rank"].tolist() == [1, 2, 3]


def test_the_bayesian_test_is_baycomps():
    import baycomp

    _, wide = scores(problems=9, methods=2, gap=0.02, seed=3)
    ours = signed_rank_shares((wide["b"] - wide["a"]).to_numpy(), 0.01)
    np.random.seed(0)  # noqa: NPY002  (its own generator)
    theirs = baycomp.SignedRankTest(
        wide["a"].to_numpy(), wide["b"].to_numpy(), rope=0.01, nsamples=20_000
    ).probs()
    # Monte-Carlo error of 20,000 draws: five standard deviations of 0.0035.
    assert ours[0] == pytest.approx(theirs[2], abs=0.02)
    assert ours[1] == pytest.approx(theirs[1], abs=0.02)
    assert sum(ours) == pytest.approx(1)


def test_the_bayesian_test_turns_with_its_sides():
    some, _ = scores(problems=8, methods=2)
    ab, ba = (signed_rank(some, [pair], 0.01).iloc[0] for pair in (("a", "b"), ("b", "a")))
    assert ab["p_better"] == pytest.approx(ba["p_worse"], abs=0.01)
    assert ab["p_better"] > ab["p_worse"]
    clear = blocks(*(np.array([[0.1], [0.5]]) for _ in range(8)))
    assert signed_rank(clear, [("a", "b")], 0.01)["p_better"][0] > 0.99


def test_gates():
    few, _ = scores(problems=5)
    for frame in (
        wilcoxon_holm(few, pairs_against(few.methods, "a")),
        signed_rank(few, pairs_against(few.methods, "a"), 0.01),
        friedman(few),
        friedman_ranks(few),
    ):
        assert frame["reason"].eq("only 5 problems; at least 6 are needed.").all()
    some, _ = scores(problems=8)
    assert "at least 10" in friedman(some)["cd_reason"][0]
    assert math.isnan(friedman(some)["cd"][0])
    alike, _ = scores(problems=12, gap=0.0, seed=2)
    assert "no difference" in friedman(alike)["cd_reason"][0]
    two, _ = scores(methods=2)
    assert "3 methods" in friedman(two)["reason"][0]

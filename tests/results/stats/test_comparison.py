"""A comparison as a whole: what must not change a number, and data that are thin or odd."""

import math

import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from runner.errors import ResultsError
from runner.results.stats import (
    Comparison,
    anytime,
    pairs,
    refused,
    significance,
    targets,
)
from runner.results.stats.anytime import ranks
from runner.results.stats.averages import regrets
from runner.results.stats.blocks import copies_of
from runner.results.stats.fairness import fairness
from runner.results.stats.leaderboard import leaderboard
from runner.results.stats.robustness import robustness
from runner.results.stats.verdict import verdict, verdicts
from tests.comparisons import NOTHING_MORE, STATISTICS, compared, results_of, simulated

INFINITE = ["relative", "art", "trials_a", "trials_b", "value", "value_lower", "value_upper"]
"""Where infinity is an answer: nothing found by some runs."""


@pytest.fixture(scope="module")
def big():
    return compared(simulated(problems=7, seeds=5, trials=30), suggest=0.01)


def every(c):
    """All statistics by their names."""
    return {name: statistic(c) for name, statistic in STATISTICS.items()}


def check(c):
    """All statistics have the one shape, and no number stands where there is a reason."""
    for name, frame in every(c).items():
        assert list(frame.columns[-3:]) == ["problems", "seeds", "reason"], name
        assert len(frame), name
        assert frame["reason"].notna().all(), name
        numbers = frame[frame["reason"].eq("")].select_dtypes("float")
        numbers = numbers.drop(columns=INFINITE, errors="ignore")
        assert not np.isinf(numbers).any(axis=None), name
        for column in ("regret", "lower", "upper", "p_best", "probability", "share", "auc"):
            if column in frame and name not in ("differences", "generalisation"):
                assert frame[column].dropna().between(-1e-12, 1 + 1e-12).all() or name == "ranks", (
                    name,
                    column,
                )
        assert isinstance(refused(frame), str)


# -- what must not change a number ------------------------------------------------------------------


def test_the_shape_holds_for_a_whole_study(big):
    check(big)
    for name in ("regret", "beats", "wilcoxon", "signed_rank", "friedman", "speedups", "verdicts", "areas"):
        assert refused(STATISTICS[name](big)) == "", name


def test_names_of_methods_and_their_order_do_not_matter(big):
    losses = simulated(problems=7, seeds=5, trials=30)
    renamed = {("p" + key[0], {"random": "z", "tpe": "y", "bayes": "x"}[key[1]], key[2]): some
               for key, some in reversed(losses.items())}  # fmt: skip
    names = {"z": "random", "y": "tpe", "x": "bayes"}
    other = compared(renamed, suggest=0.01, names=names)
    back = {"z": "random", "y": "tpe", "x": "bayes"}
    for name in ("regret", "ranks", "areas", "speedups"):
        a, b = STATISTICS[name](big), STATISTICS[name](other)
        keys = [key for key in ("method", "budget", "target") if key in a]
        b["method"] = b["method"].replace(back).astype("string")
        numbers = a.select_dtypes("float").columns.difference(["lower", "upper", "p_best"])
        a, b = (frame.sort_values(keys, ignore_index=True)[[*keys, *numbers]] for frame in (a, b))
        assert_frame_equal(a[list(dict.fromkeys(a))], b[list(dict.fromkeys(b))], check_like=True)


def test_seeds_may_come_in_any_order_and_have_any_name(big):
    losses = simulated(problems=7, seeds=5, trials=30)
    place = {0: 40, 1: 10, 2: 30, 3: 20, 4: 50}
    other = compared({(p, m, place[s]): some for (p, m, s), some in losses.items()}, suggest=0.01)
    for name in ("ranks", "areas", "beats", "wilcoxon", "friedman"):
        assert_frame_equal(STATISTICS[name](big), STATISTICS[name](other))
    np.testing.assert_allclose(regrets(big.resampled())["regret"], regrets(other.resampled())["regret"])


def test_the_unit_of_a_loss_does_not_matter(big):
    losses = simulated(problems=7, seeds=5, trials=30)
    scales = {f"p{i}": (10.0 ** (i - 3), 5.0 * i) for i in range(7)}
    other = compared(
        {
            key: [None if loss is None else scales[key[0]][0] * loss + scales[key[0]][1] for loss in some]
            for key, some in losses.items()
        },
        suggest=0.01,
    )
    for name in ("regret", "ranks", "areas", "beats", "differences", "speedups"):
        a, b = (STATISTICS[name](c).select_dtypes("float") for c in (big, other))
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_a_method_more_moves_no_regret_of_the_others():
    losses = simulated(problems=4, seeds=4, trials=25)
    few = {key: some for key, some in losses.items() if key[1] != "bayes"}
    optimum = 0.0  # known, so that the best seen does not move it
    a = compared(few, optimum=optimum).cells()
    b = compared(losses, optimum=optimum).cells()
    kept = b[b["method"] != "bayes"].reset_index(drop=True)
    np.testing.assert_array_equal(a["regret"], kept["regret"])


def test_the_same_again_is_the_same(big):
    other = compared(simulated(problems=7, seeds=5, trials=30), suggest=0.01)
    assert_frame_equal(leaderboard(big), leaderboard(other))
    assert_frame_equal(verdicts(big), verdicts(other))


# -- by hand ----------------------------------------------------------------------------------------


def test_ranks_by_hand():
    losses = {}
    for s, (a, b, c) in enumerate([(1, 2, 3), (2, 2, None), (1, 3, 2)]):
        losses |= {("p", "a", s): [a], ("p", "b", s): [b], ("p", "c", s): [c]}
    found = ranks(compared(losses), grid=[1]).set_index("method")["rank"]
    # 1, 1.5, 1 and 2, 1.5, 3 and 3, 3 (no valid trial is last), 2.
    assert found.to_dict() == pytest.approx({"a": 3.5 / 3, "b": 6.5 / 3, "c": 8 / 3})


def test_equal_ranks_in_a_few_blocks_are_no_certainty():
    losses = {(p, m, s): [float(v)] for p in "pq" for s in range(3) for m, v in (("a", 1), ("b", 2))}
    found = ranks(compared(losses), grid=[1]).set_index("method")
    u = stats.beta.ppf(0.975, 0.5, 6.5)
    assert found["rank"].to_dict() == {"a": 1.0, "b": 2.0}
    assert (found.at["a", "lower"], found.at["a", "upper"]) == pytest.approx((1, 1 + u))
    assert (found.at["b", "lower"], found.at["b", "upper"]) == pytest.approx((2 - u, 2))
    one = ranks(compared({k: v for k, v in losses.items() if k[0] == "p"}), grid=[1])
    assert one["lower"].isna().all()


def test_a_run_without_a_valid_trial_is_as_bad_as_can_be_and_never_dropped():
    losses = {("p", "random", s): [1.0, 2.0, 3.0, 4.0, 5.0] for s in range(4)}
    losses |= {("p", "tpe", s): [1.0] * 5 if s else [None] * 5 for s in range(4)}
    c = compared(losses, optimum=0.0)
    board = leaderboard(c).set_index("method")
    assert board.at["tpe", "imputed"] == 1
    assert board.at["tpe", "regret"] == pytest.approx((1 + 3 * (1 / 3)) / 4)
    assert board.at["tpe", "blocks"] == 4
    checks = robustness(c).set_index("check")
    assert "without imputed runs" in checks.index
    assert not fairness(c).set_index("check").at["no run without a valid trial", "passed"]


def test_copies_are_no_evidence():
    losses = {("p", "grid", s): [3.0, 1.0, 2.0] for s in range(5)}
    losses |= {("p", "random", s): [float(s + 1), 5.0, 0.5 + s] for s in range(5)}
    c = compared(losses, optimum=0.0)
    assert c.blocks().constant.tolist() == [True, False]
    row = regrets(c.resampled()).set_index("method").loc["grid"]
    assert "copies" in row["reason"]
    assert math.isnan(row["lower"])
    assert regrets(c.resampled()).set_index("method").at["random", "reason"] == ""
    same = copies_of(c.trials, c.runs)
    assert same[:5].nunique() == 1
    assert same[5:].nunique() == 5


def test_speed_ups_by_hand():
    """Random search has its k-th best draw where it has it; tpe finds the best at its second trial."""
    random = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    losses = {}
    for s in range(5):
        losses |= {("p", "random", s): random, ("p", "tpe", s): [9.5, 0.0] + [9.0] * 8}
    c = compared(losses, seconds=2.0)
    assert targets.target_counts(c.draws) == (5, 10)
    found = targets.speedups(c, "trials").set_index(["method", "target"])
    # E[min of 10 of 10] is 0, hit at 10; E[min of 5 of 10] = 5/6 is between 0 and 1, hit at 10 too.
    assert found.at[("random", 10), "art"] == pytest.approx(10)
    assert found.at[("tpe", 10), "art"] == pytest.approx(2)
    assert found.at[("tpe", 10), "speedup"] == pytest.approx(5)
    assert found.at[("tpe", 5), "speedup"] == pytest.approx(5)
    assert targets.speedups(c, "seconds").set_index(["method", "target"]).at[
        ("tpe", 10), "speedup"
    ] == pytest.approx(5)
    curve = targets.ecdf(c, grid=[1, 2, 10]).set_index(["method", "budget"])["share"]
    assert curve[("tpe", 2.0)] == 1.0
    assert curve[("random", 2.0)] == 0.0


def test_unsuccessful_runs_are_charged_what_they_spent():
    """Two hits at 10 and 20 and one run that ended without at 30: 60 / 2, and no hit at all is a bound."""
    random = list(range(40, 0, -1))
    losses = {("p", "random", s): [float(x) for x in random] for s in range(5)}
    losses |= {("p", "late", s): [50.0] * (9 + 10 * s) + [0.5] + [50.0] * 10 for s in range(2)}
    losses |= {("p", "late", s): [50.0] * 30 for s in range(2, 5)}
    losses |= {("p", "never", s): [50.0] * 40 for s in range(5)}
    c = compared(losses, optimum=0.0, budget=40, end=NOTHING_MORE)
    found = targets.speedups(c, "trials").set_index(["method", "target"])
    assert found.at[("late", 40 // 2), "art"] == pytest.approx((10 + 20 + 3 * 30) / 2)
    row = found.loc[("never", 20)]
    assert (row["bound"], row["art"], row["hits"]) == ("<=", math.inf, 0)
    # random needs 40 for E[min of 20 of 40] (between 1 and 2), and "never" at least 200.
    assert row["speedup"] == pytest.approx(found.at[("random", 20), "art"] / 200)


# -- thin and odd data ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "losses, keys, empty",
    [
        ({("p", "a", 0): [], ("p", "b", 0): []}, {"end": ""}, "no trial has ended yet."),
        ({("p", "a", 0): [None] * 4, ("p", "b", 0): [None] * 3}, {}, "no trial was valid."),
        ({("p", "random", s): [float(s), 1.0] for s in range(4)}, {}, "one method"),
        ({("p", m, s): [2.0] * 6 for m in ("random", "tpe") for s in range(4)}, {}, "same loss"),
    ],
    ids=["nothing", "all failed", "one method", "constant"],
)
def test_where_nothing_can_be_compared_there_is_a_reason(losses, keys, empty):
    c = compared(losses, **keys)
    assert empty in c.empty
    check(c)
    found = verdicts(c)
    assert found["confidence"].tolist() == ["none"]
    assert empty in found["sentence"][0]


@pytest.mark.parametrize(
    "losses, keys",
    [
        (simulated(problems=2, seeds=1, trials=12), {}),
        (simulated(problems=1, seeds=6, trials=12), {}),
        (simulated(problems=3, seeds=2, trials=6), {}),
        (simulated(problems=2, seeds=3, trials=1), {}),
        (simulated(problems=2, seeds=3, trials=20, fail=0.9), {}),
        ({k: v[: 5 + 3 * (k[2] % 3)] for k, v in simulated(problems=3, seeds=4, trials=20).items()}, {}),
        ({k: v[: 4 + k[2]] for k, v in simulated(problems=2, seeds=4, trials=20).items()}, {"end": ""}),
        ({k: v if k[2] else [] for k, v in simulated(problems=2, seeds=4, trials=9).items()}, {"end": ""}),
        ({k: v for k, v in simulated(problems=2, seeds=4, trials=9).items() if k != ("p1", "tpe", 2)}, {}),
        ({k: v for k, v in simulated(problems=2, seeds=4, trials=9).items() if k[1] != "random"}, {}),
        (simulated(problems=2, seeds=4, trials=9), {"statuses": lambda *k: "STOPPED" if k[3] % 3 else None}),
        (simulated(problems=7, seeds=3, trials=9), {"seconds": 0.0}),
        (simulated(problems=2, seeds=5, trials=9), {"seconds": 0.0}),
        (simulated(problems=2, seeds=3, trials=9), {"failed": [("p0", "tpe", 0)], "tests": 0.5}),
    ],
    ids=[
        "one seed", "one problem", "two seeds", "one trial", "most failed", "unequal budgets", "interrupted",
        "not begun", "a run missing", "no random", "stopped", "no time", "no time, more seeds",
        "a method failed",
    ],
)  # fmt: skip
def test_thin_and_odd_data(losses, keys):
    c = compared(losses, **keys)
    check(c)
    assert verdicts(c)["sentence"].str.len().gt(10).all()
    ranks(c, "seconds"), anytime.anytime(c, "seconds"), leaderboard(c, axis="compute"), verdicts(c, "seconds")


def test_a_block_that_lacks_a_method_never_counts():
    losses = simulated(problems=2, seeds=4, trials=9)
    del losses["p1", "tpe", 2]
    c = compared(losses)
    assert c.blocks().count == 7
    assert c.blocks().planned == 8
    assert not c.cells().query("problem == 'p1' and seed == 2")["used"].any()


def test_one_seed_gives_no_interval_and_no_verdict():
    c = compared(simulated(problems=8, seeds=1, trials=20))
    assert regrets(c.resampled())["lower"].isna().all()
    assert regrets(c.resampled())["regret"].notna().all()
    assert verdict(c)["confidence"] == "none"
    assert "1 seed" in verdict(c)["sentence"]


# -- studies together -------------------------------------------------------------------------------


def test_what_is_said_of_too_few_seeds_is_the_regret_of_the_one_that_is_named():
    c = compared(simulated(problems=8, seeds=1, trials=20))
    row = verdict(c)
    regret = leaderboard(c).set_index("method")["regret"][row["leader"]]
    assert f"{row['leader']} has the lowest regret so far ({regret:.3f})" in row["sentence"]
    assert row["leader"] == row["recommended"] != "random", "the leader is named, never the cheapest"


def test_studies_over_the_same_blocks_are_joined():
    losses = simulated(problems=3, seeds=4, trials=15)
    whole = compared(losses)
    parts = [
        results_of({k: v for k, v in losses.items() if (k[1] == "bayes") == odd}, name=f"s{odd}")
        for odd in (False, True)
    ]
    joint = Comparison.of(*parts)
    assert joint.methods == ["random", "tpe", "bayes"]
    np.testing.assert_allclose(regrets(joint.resampled())["regret"], regrets(whole.resampled())["regret"])
    again = Comparison.of(parts[0], parts[0])
    assert again.methods == [f"{m} (by-hand 1)" if 0 else m for m in again.methods]
    assert len(again.methods) == 4
    assert regrets(again.resampled())["regret"].iloc[0] == regrets(again.resampled())["regret"].iloc[2]


def test_studies_that_share_nothing_are_refused_with_the_reason():
    some = results_of(simulated(problems=2, seeds=2, trials=5))
    with pytest.raises(ResultsError, match="study seeds differ"):
        Comparison.of(some, results_of(simulated(problems=2, seeds=2, trials=5), seed=7))
    others = {("q", m, s): v for (_, m, s), v in simulated(problems=1, seeds=2, trials=5).items()}
    with pytest.raises(ResultsError, match="no problem in common"):
        Comparison.of(some, results_of(others))
    turned = results_of(simulated(problems=2, seeds=2, trials=5), direction="maximize")
    with pytest.raises(ResultsError, match="differ in space, metric, data or code"):
        Comparison.of(some, turned)
    three = results_of(simulated(problems=3, seeds=2, trials=5))
    joint = Comparison.of(some, three)
    assert joint.problems == ["p0", "p1"]
    assert "left out, because the studies differ in them: p2 seed 0" in " ".join(joint.notes)


def test_reasons_are_sentences(big):
    texts = set()
    for c in (
        big,
        compared(simulated(problems=2, seeds=1, trials=5)),
        compared({("p", "a", 0): []}),
    ):
        for frame in every(c).values():
            texts |= set(frame["reason"])
    assert all(text == "" or (text.endswith(".") and "nan" not in text) for text in texts)


# -- an independent calculation ---------------------------------------------------------------------


def test_numbers_of_an_independent_calculation(big):
    """Written down from another program's answers for the same losses; equal to 1e-9."""
    order = ["random", "tpe", "bayes"]

    def of(frame, column):
        return frame.set_index("method")[column][order].tolist()

    def near(*values):
        return pytest.approx(list(values), rel=1e-9)

    assert of(regrets(big.resampled(5)), "regret") == near(
        0.24132305640213572, 0.003815495504585748, 0.0038562341130908093
    )
    assert of(regrets(big.resampled(30)), "regret") == near(
        0.010139726953428616, 2.0140881413097152e-05, 2.171518878566101e-06
    )
    assert of(anytime.areas(big), "auc") == near(
        0.15007260014812426, 0.03403870446403211, 0.026358645389497098
    )
    assert of(ranks(big, grid=[5]), "rank") == near(2.742857142857143, 1.6571428571428573, 1.6)
    assert of(ranks(big, grid=[30]), "rank") == near(2.9714285714285715, 1.6285714285714286, 1.4)
    tested = significance.friedman(big.blocks(5)).iloc[0]
    assert [tested["p"], tested["p_f"]] == near(0.005063414171757498, 0.00021573022484384832)
    assert tested["cd_needed"] == pytest.approx(1.2527606587727418, abs=1e-6)
    found = targets.speedups(big, "trials").set_index(["target", "method"])["speedup"]
    for target, tpe, bayes in (
        (5, 2.06624192632026, 2.4202276806700076),
        (10, 3.0489450265835716, 3.283183347368451),
        (15, 3.6011010442740767, 3.6783406623496964),
    ):
        assert [found[target, "tpe"], found[target, "bayes"]] == near(tpe, bayes)
    share = pairs.beats(big.blocks(5), big.pairs("random")).set_index("method")["share"]
    assert share["tpe"] == pytest.approx(0.8857142857142858)
    # By problem its interval is of 4,000 draws: within five standard errors.
    first = pairs.beats_by_problem(big.blocks(5), big.pairs("random")).query("method == 'tpe'")
    assert first["lower"].tolist()[:2] == pytest.approx([0.20698, 0.36548], abs=0.02)
    assert first["upper"].tolist()[:2] == pytest.approx([0.89911, 0.97728], abs=0.02)

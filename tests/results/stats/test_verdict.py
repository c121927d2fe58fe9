"""The verdict says no more than the numbers do; costs, importance and generalisation by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from runner.results.stats.boundaries import boundaries
from runner.results.stats.costs import break_even, retimed
from runner.results.stats.decision_map import decision_map
from runner.results.stats.fairness import fairness
from runner.results.stats.generalisation import agreement, generalisation, overtuning
from runner.results.stats.importance import divergence, importance
from runner.results.stats.latex import escape, leaderboard_latex
from runner.results.stats.leaderboard import leaderboard
from runner.results.stats.verdict import budget_text, confidence, verdict
from tests.comparisons import compared, simulated

SPLIT = {"random": 1.0, "bayes": 4.0}


def two(gap, problems=12, seeds=8, noise=0.05):
    """Two methods of which one is better by so much regret on every problem, with one trial each."""
    rng = np.random.default_rng(0)
    losses = {}
    for p in range(problems):
        for s in range(seeds):
            base = 0.5 + rng.normal(0, 0.05)
            for m, shift in (("random", 0.0), ("bayes", -gap)):
                losses[f"p{p}", m, s] = [min(0.99, max(0.01, base + shift + rng.normal(0, noise)))] * 5
    # The reference loss is 1, by draws of which the median is 1 and whose best is the loss itself.
    return {k: [1.0, 1.0, 1.0, 1.0, v[0]] if k[1] == "random" else v for k, v in losses.items()}


def test_a_clear_winner_is_told_with_confidence():
    c = compared(two(0.2), optimum=0.0)
    row = verdict(c)
    assert (row["leader"], row["recommended"], row["tied"]) == ("bayes", "bayes", "")
    assert row["confidence"] == "high"
    assert row["sentence"].startswith("At 5 trials, use bayes: lowest regret 0.")
    assert "100 % of resamples" in row["sentence"]
    assert "(12 problems, 8 seeds)" in row["sentence"]
    assert row["lower"] < row["regret"] < row["upper"]


def test_fewer_problems_make_it_moderate_and_few_seeds_low():
    assert verdict(compared(two(0.2, problems=4), optimum=0.0))["confidence"] == "moderate"
    assert verdict(compared(two(0.2, problems=4, seeds=4), optimum=0.0))["confidence"] == "low"
    assert confidence(0.95, 10, 5, tied=False) == "high"
    assert confidence(0.95, 9, 5, tied=False) == "moderate"
    assert confidence(0.95, 10, 5, tied=True) == "low"
    assert confidence(math.nan, 10, 5, tied=False) == "low"


def test_a_cheaper_method_that_is_shown_to_be_equivalent_is_recommended_and_it_is_said():
    row = verdict(compared(two(0.002, noise=0.0), optimum=0.0))
    assert (row["leader"], row["recommended"], row["equivalent"]) == ("bayes", "random", "random")
    assert "use random (regret" in row["sentence"]
    assert "equivalent to bayes (lowest) within 0.01 regret, and cheaper." in row["sentence"]
    assert row["p_near"] == 1.0
    assert row["confidence"] == "high"


def test_what_is_not_shown_to_be_worse_is_undecided_and_the_leader_is_named():
    c = compared(two(0.02, noise=0.1), optimum=0.0)
    row = verdict(c)
    assert (row["leader"], row["recommended"], row["undecided"]) == ("bayes", "bayes", "random")
    assert row["sentence"].startswith(
        "At 5 trials, undecided between bayes and random; bayes leads (regret 0."
    )
    assert "Random search may be as good." in row["sentence"]
    assert row["would_change"] == "More seeds may decide between bayes and random."
    assert row["confidence"] == "low"
    assert leaderboard(c)["tied"].all()
    assert leaderboard(c)["standing"].tolist() == ["leads", "undecided"]


def test_methods_that_are_level_are_all_named():
    losses = {(p, m, s): [float(s), 0.5] for p in "pq" for s in range(3) for m in ("tpe", "bayes")}
    losses |= {(p, "random", s): [float(s), 0.6] for p in "pq" for s in range(3)}
    row = verdict(compared(losses, optimum=0.0))
    assert "tpe and bayes are level and lowest" in row["sentence"]
    assert row["leader"] == "tpe"  # the cheaper one
    few = verdict(compared({k: v for k, v in losses.items() if k[2] < 2}, optimum=0.0))
    assert "tpe and bayes have the lowest regret so far" in few["sentence"]


def test_a_plan_is_kept_to():
    text = "{name: n, problems: [a], methods: [random], budget: {trials: 9}, "
    text += "report: {budgets: [3, 7], rope: 0.02}}"
    c = compared(simulated(problems=2, seeds=4, trials=9), study=text)
    assert c.plan.planned
    assert (c.plan.rope, c.plan.reference) == (0.02, "random")
    assert c.budgets() == (3.0, 7.0, 9.0)
    assert fairness(c).set_index("check").at["planned before the run", "passed"]
    plain = compared(simulated(problems=2, seeds=4, trials=9))
    assert not plain.plan.planned
    assert pd.isna(fairness(plain).set_index("check").at["planned before the run", "passed"])


def test_starting_each_in_its_own_way_is_unfair_only_where_points_were_given():
    losses = simulated(problems=2, seeds=4, trials=9)

    def apart(p, m, s, n):
        return {"x": n / 100 + (m == "bayes") / 1000}

    check = "same initial points"
    own = fairness(compared(losses, configs=apart)).set_index("check")
    assert pd.isna(own.at[check, "passed"])
    assert "methods start as they like" in own.at[check, "detail"]
    text = "{name: n, problems: [a], methods: [random], budget: {trials: 9}, initial: [{config: default}]}"
    given = fairness(compared(losses, configs=apart, study=text)).set_index("check")
    assert not given.at[check, "passed"]
    assert fairness(compared(losses)).set_index("check").at[check, "passed"]


def test_a_text_that_is_no_study_file_plans_nothing():
    c = compared(simulated(problems=1, seeds=3, trials=9), study="[1, 2")
    assert (c.plan.planned, c.plan.reference) == (False, "random")


def test_a_slow_method_is_said_to_cost_time():
    losses = simulated(problems=6, seeds=12, trials=12, methods=SPLIT)
    c = compared(losses, seconds=0.01, suggest=lambda p, m, s, n: 1.0 if m == "bayes" else 0.0)
    row = verdict(c)
    assert row["speedup_trials"] > 1 > row["speedup_seconds"]
    assert "fewer trials and" in row["sentence"]
    assert "times more time" in row["sentence"]
    found = decision_map(c, evaluations=[12], seconds=(0.001, 100.0)).set_index("seconds_per_evaluation")
    assert found["method"].to_dict() == {0.001: "random", 100.0: "bayes"}


def test_break_even_by_hand():
    """30 trials of 0.4 s thinking against 100 of 0.001 s pay from (12 - 0.1) / 70 s on."""
    assert break_even(30, 0.4, 100, 0.001) == (pytest.approx(0.17), "above")
    assert break_even(100, 0.001, 30, 0.4) == (pytest.approx(0.17), "below")
    assert break_even(30, 0.001, 100, 0.4)[1] == "always"
    assert break_even(100, 0.4, 30, 0.001)[1] == "never"
    assert break_even(10, 0.1, 10, 0.2)[1] == "always"
    assert break_even(10, 0.2, 10, 0.1)[1] == "never"


def test_retiming_by_hand():
    steps = pd.DataFrame({"run": ["a"] * 4 + ["b"] * 2})
    think = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(retimed(steps, think, 2.0), [3, 6, 9, 12, 2, 4])
    # Two workers: thinking is done one after the other; the third waits for the first to end at 3.
    np.testing.assert_allclose(retimed(steps, think, 2.0, 2), [3, 4, 6, 7, 2, 2])


def test_overtuning_by_hand():
    assert overtuning(np.array([0.5, 0.3, 0.4])) == (pytest.approx(0.1), pytest.approx(0.5))
    assert overtuning(np.array([0.5, 0.3])) == (0.0, 0.0)
    assert overtuning(np.array([0.3, 0.5])) == (pytest.approx(0.2), math.inf)
    assert overtuning(np.array([0.3, 0.3])) == (0.0, 0.0)


def test_generalisation_by_hand():
    """The test value is that of the incumbent, also where an earlier one had a better."""
    tests = {0: 0.6, 1: 0.35, 2: 0.1, 3: 0.45}
    losses = {("p", m, 0): [0.5, 0.3, 0.4, 0.2] for m in ("random", "tpe")}
    c = compared(losses, tests=lambda p, m, s, n: tests[n])
    row = generalisation(c).iloc[0]
    assert (row["loss"], row["test_loss"], row["first_test_loss"]) == (0.2, 0.45, 0.6)
    assert row["gap"] == pytest.approx(0.25)
    assert row["overtuning"] == pytest.approx(0.1)  # 0.35 was had; 0.1 was no incumbent's
    assert not row["worse_than_first"]
    assert c.cells()["test"].tolist() == [0.45, 0.45]
    none = generalisation(compared(losses))
    assert none["reason"].eq("the incumbents have no test value.").all()


def test_of_methods_that_are_level_each_is_a_winner():
    def agreed(tests):
        losses = {("p", m, 0): [0.5, 0.2] for m in ("random", "tpe")}
        return agreement(generalisation(compared(losses, tests=lambda p, m, s, n: tests[m])))["same_winner"][
            0
        ]

    assert agreed({"random": 0.4, "tpe": 0.3})
    losses = {("p", "random", 0): [0.2], ("p", "tpe", 0): [0.3]}
    other = compared(losses, tests=lambda p, m, s, n: 0.4 if m == "random" else 0.3)
    assert not agreement(generalisation(other))["same_winner"][0]


def test_importance_by_hand():
    # Of 40 draws in two bins the best 10 all lie in one: D = (1 - .5)^2 / .5 * 2 = 1, less 1/10 * (1 - 1/4).
    bins = np.repeat([0, 1], 20)
    found, p = divergence(bins, np.arange(40) < 10)
    assert found == pytest.approx(1 - 0.075)
    assert p < 0.001
    assert divergence(bins, np.arange(40) % 4 == 0) == (0.0, pytest.approx(1.0))
    assert divergence(np.zeros(9, dtype=int), np.arange(9) < 3) == (0.0, 1.0)


def test_the_parameter_that_decides_is_found():
    rng = np.random.default_rng(0)
    draws = {(s, n): rng.random(3) for s in range(5) for n in range(60)}
    losses = {
        ("p", "random", s): [float(draws[s, n][0] ** 2 + 0.1 * draws[s, n][1]) for n in range(60)]
        for s in range(5)
    }

    def config(p, m, s, n):
        return dict(zip("abc", draws[s, n].tolist(), strict=True))

    found = importance(compared(losses, configs=config)).set_index("parameter")
    assert found["importance"].sum() == pytest.approx(1)
    assert found["importance"].idxmax() == "a"
    assert found.at["a", "importance"] > 0.8
    assert found.at["c", "p"] > 0.001


def test_a_scale_does_not_matter_for_importance():
    rng = np.random.default_rng(1)
    x = rng.random(100)
    losses = {("p", "random", 0): ((x - 0.3) ** 2).tolist()}
    plain = importance(compared(losses, configs=lambda p, m, s, n: {"x": float(x[n])}))
    logs = importance(compared(losses, configs=lambda p, m, s, n: {"x": float(10.0 ** (9 * x[n]))}))
    assert plain["divergence"][0] == pytest.approx(logs["divergence"][0])
    assert "at least 50" in importance(compared({("p", "random", 0): [1.0, 2.0] * 9}))["reason"][0]


def test_incumbents_at_the_end_of_a_range_are_warned_of():
    runs = pd.DataFrame(
        {
            "problem": ["p"] * 4,
            "method": ["m"] * 4,
            "incumbent_config": ['{"C": 0.0101}', '{"C": 0.0100}', '{"C": 100.0}', '{"C": 1.0}'],
        }
    )
    space = {"problem": "p", "parameter": "C", "kind": "float", "log": True, "low": 0.01, "high": 100.0}
    found = boundaries(runs, pd.DataFrame([space])).set_index("side")
    assert found["share"].to_dict() == {"lower": 0.5, "upper": 0.25}
    assert found["warning"].to_dict() == {"lower": True, "upper": False}


def test_latex():
    c = compared(two(0.2), optimum=0.0)
    text = leaderboard_latex(leaderboard(c), "random", "a_b & 50 %", "5 trials")
    assert r"\textbf{bayes}" in text
    assert "after 5 trials, over 12 problems" in text
    assert "a\\_b \\& 50 \\%" in text
    assert text.count(r" \\") == 3
    assert text.count("{") == text.count("}")
    assert escape("<script>\\x{}") == r"<script>\textbackslash{}x\{\}"


def test_budgets_in_words():
    assert budget_text(30.0, "trials") == "30 trials"
    assert budget_text(1.0, "trials") == "1 trial"
    assert budget_text(2.5, "seconds") == "2.5 seconds"
    assert budget_text(10_000.0, "trials") == "10,000 trials"

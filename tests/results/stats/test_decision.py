"""One decision: what is recommended, what is undecided, and that nothing names another method."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.report.figures import verdict as figures
from runner.report.figures.palette import styles
from runner.report.figures.sheet import Sheet
from runner.results.stats.averages import Resampled, differences
from runner.results.stats.decision import CHEAPNESS, Decision, decide, price, seeds_needed
from runner.results.stats.decision_map import decision_map, spent
from runner.results.stats.intervals import shown
from runner.results.stats.leaderboard import leaderboard
from runner.results.stats.verdict import verdict
from tests.comparisons import compared, simulated
from tests.results.stats.test_intervals import blocks

ROPE = 0.01
NAMES = {"a": "bayes", "b": "grid", "c": "tpe", "d": "random"}


def decided(*values, names=NAMES, rope=ROPE):
    return decide(Resampled(blocks(*values)), rope, names)


def paired(*shifts, seeds=8, problems=3, noise=0.0, seed=0):
    """Regrets of methods that differ by constants, but for a noise of their own."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(problems):
        base = rng.uniform(0.3, 0.6, seeds)
        found.append(np.stack([base + shift + rng.normal(0, noise, seeds) for shift in shifts]))
    return found


# -- by hand ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "middle, low, high, seeds, word",
    [
        (0.0, -0.005, 0.005, 5, "equivalent"),
        (0.0, -0.005, 0.005, 4, "undecided"),
        (0.005, -0.02, 0.03, 9, "undecided"),
        (0.005, -0.02, 0.009, 9, "undecided"),  # it may be better by more than the ROPE
        (0.05, 0.02, 0.08, 3, "worse"),
        (0.05, 0.005, 0.08, 9, "worse"),
        (0.006, 0.004, 0.008, 9, "equivalent"),  # and not worse by more than the ROPE
        (0.006, 0.004, 0.008, 4, "worse"),
        (-0.05, -0.08, -0.02, 9, "better"),
        (0.02, -0.005, 0.005, 9, "undecided"),  # an interval that does not hold its middle
        (0.0, math.nan, math.nan, 9, "undecided"),
    ],
)
def test_what_an_interval_shows(middle, low, high, seeds, word):
    assert shown([middle], [low], [high], ROPE, seeds).tolist() == [word]
    assert shown([-middle], [-high], [-low], ROPE, seeds).tolist() == [
        {"better": "worse", "worse": "better"}.get(word, word)
    ]


def test_what_is_the_same_with_every_seed_needs_no_further_ones():
    assert shown([0.0], [0.0], [0.0], ROPE, 3, [True]).tolist() == ["equivalent"]


def test_a_cheaper_method_is_recommended_only_where_it_is_shown_to_be_equivalent():
    found = decided(*paired(0.0, 0.004))
    assert (found.leader, found.recommended, found.equivalent) == ("a", "b", ("b",))
    assert (found.mark("b"), found.mark("a")) == ("recommended", "")
    noisy = decided(*paired(0.0, 0.004, noise=0.1))
    assert noisy.recommended == noisy.leader
    assert noisy.undecided
    assert noisy.mark(noisy.leader) == "leads"
    worse = decided(*paired(0.0, 0.2, noise=0.01))
    assert (worse.leader, worse.recommended, worse.worse) == ("a", "a", ("b",))
    assert worse.mark("a") == "recommended"


def test_a_dearer_equivalent_is_not_recommended():
    found = decided(*paired(0.004, 0.0))
    assert (found.leader, found.recommended, found.equivalent) == ("b", "b", ("a",))


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_with_few_seeds_the_leader_is_named_and_never_the_cheapest(seeds):
    found = decided(*paired(0.0, 0.004, seeds=seeds, noise=0.002))
    assert found.leader == found.recommended
    assert not found.equivalent
    assert found.undecided or seeds > 2


def test_of_equal_averages_the_cheapest_leads_and_the_others_are_level():
    found = decided(*paired(0.0, 0.0, 0.0, 0.1))
    assert (found.leader, found.level, found.worse) == ("b", ("c", "a"), ("d",))
    assert found.recommended == "b"
    few = decided(*paired(0.0, 0.0, 0.0, 0.1, seeds=2))
    assert (few.lowest, few.undecided) == (("b", "c", "a"), ("c", "a", "d"))


def test_prices():
    assert [price(name, {}) for name in CHEAPNESS] == list(range(6))
    assert price("mine", {"mine": "hill-climb"}) == 6


def test_nothing_is_decided_where_no_block_is_complete():
    assert decide(Resampled(blocks(methods=("a", "b"))), ROPE, NAMES) is None


def test_seeds_needed_agree_with_what_is_decided():
    for noise in (0.001, 0.02, 0.1, 0.3):
        for shift in (0.0, 0.004, 0.05, 0.2):
            sample = Resampled(blocks(*paired(0.0, shift, noise=noise, problems=4)))
            found = decide(sample, ROPE, NAMES)
            row = seeds_needed(sample, found.leader, ROPE).iloc[0]
            assert (row["needed"] <= row["have"]) == (not found.undecided), (noise, shift, row)
            assert row["difference"] <= 0
            assert (row["have"], row["rule"]) == (8, 29)


def test_half_the_difference_needs_four_times_the_seeds():
    rng = np.random.default_rng(3)
    gap = rng.normal(0.0, 0.1, 20)
    gap -= gap.mean()
    wide, narrow = (
        seeds_needed(Resampled(blocks(np.stack([np.zeros(20), gap + shift]))), "a", ROPE).iloc[0]
        for shift in (0.04, 0.02)
    )
    assert narrow["needed"] == pytest.approx(4 * wide["needed"], rel=0.02)


# -- the same everywhere ----------------------------------------------------------------------------

METHODS = ("random", "grid", "exhaustive", "gradient", "tpe", "bayes")
VARIANTS = {"bayes-ucb": "bayes", "random-2": "random", "tpe-fast": "tpe", "hill-climb": "hill-climb"}


@st.composite
def studies(draw):
    """Losses of 2 to 6 methods on 1 to 6 problems with 2 to 10 seeds, plain and odd ones, as arguments."""
    labels = draw(st.permutations([*METHODS, *VARIANTS]))[: draw(st.integers(2, 6))]
    problems, seeds, trials = draw(st.integers(1, 6)), draw(st.integers(2, 10)), draw(st.integers(2, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    skew, digits = draw(st.sampled_from([0.3, 1.0, 4.0])), draw(st.sampled_from([1, 3, 15]))
    alike, apart = draw(st.booleans()), draw(st.sampled_from([0.0, 0.02, 0.3]))
    fail, missing = draw(st.sampled_from([0.0, 0.0, 0.3])), draw(st.sampled_from([0, 0, 1]))
    losses = {}
    for p in range(problems):
        for s in range(seeds):
            twins = np.round(rng.random(trials) ** skew, digits)
            for m, label in enumerate(labels):
                own = np.round(rng.random(trials) ** skew + apart * m, digits)
                found = twins if alike and m < 2 else own
                lost = rng.random(trials) < fail
                losses[f"p{p}", label, s] = [
                    None if bad else float(x) for x, bad in zip(found, lost, strict=True)
                ]
    for key in list(losses)[:missing]:
        del losses[key]
    optimum = draw(st.sampled_from([None, 0.0]))
    thinking = draw(st.sampled_from([0.0, 0.003, 0.7]))
    return losses, {
        "names": VARIANTS,
        "optimum": optimum,
        "suggest": lambda p, m, s, n: 0.0 if m == "random" else thinking,
        "settings": {label: {"variant": label} for label in labels},
    }


def says(sentence, decision):
    """Whether a verdict's sentence names what was decided, and nothing in its place."""
    if sentence.startswith("No verdict: "):
        return f"needed. {decision.leader}" in sentence
    _, _, said = sentence.partition(" use ")
    if not decision.undecided or decision.recommended != decision.leader:
        return said.startswith((f"{decision.recommended}:", f"{decision.recommended} ("))
    return not said and f" undecided between {decision.leader}" in sentence


@settings(max_examples=40)
@given(studies())
def test_sentence_table_map_and_titles_name_one_method(study):
    losses, keys = study
    c = compared(losses, **keys)
    if c.empty:
        assert not leaderboard(c)["recommended"].any()
        assert decision_map(c)["method"].isna().all()
        return
    sheet = Sheet(c, styles(c.methods, c.plan.reference))
    cells = decision_map(c)
    for budget in c.budgets():
        decision, row, board = c.decision(budget), verdict(c, budget), leaderboard(c, budget)
        if decision is None:
            assert not board["recommended"].any()
            continue
        check_decision(c, budget, decision, board)
        assert (row["leader"], row["recommended"]) == (decision.leader, decision.recommended)
        assert says(row["sentence"], decision), row["sentence"]
        assert board["method"][0] == decision.leader
        assert board.loc[board["recommended"], "method"].tolist() == [decision.recommended]
        here = cells[(cells["evaluations"] == budget) & (cells["seconds_per_evaluation"] == 1000)]
        assert here["method"].tolist() == [decision.recommended]
        assert here["leader"].tolist() == [decision.leader]
        assert here["sure"].tolist() == [not decision.undecided]
        if keys["suggest"](None, "tpe", 0, 0) == 0.0:
            every = cells[cells["evaluations"] == budget]
            assert every["method"].eq(decision.recommended).all()
    title = figures.leaderboard(sheet).title
    if c.decision() is not None:
        assert title.startswith(c.decision().leader)


def check_decision(c, budget, decision, board):
    """The rule itself, from the numbers that the tables show."""
    regrets = board.set_index("method")["regret"]
    assert regrets[decision.leader] == pytest.approx(regrets.min(), abs=1e-11)
    chosen = decision.recommended
    others = differences(c.resampled(budget), decision.leader, c.plan.rope).set_index("method")
    assert set(others.index) | {decision.leader} == set(c.methods)
    if chosen != decision.leader:
        assert others.at[chosen, "shown"] == "equivalent"
        assert price(chosen, c.method_names) < price(decision.leader, c.method_names)
        if others.at[chosen, "reason"] == "":
            assert others.at[chosen, "lower"] >= -c.plan.rope
            assert others.at[chosen, "upper"] <= c.plan.rope
    parts = (decision.equivalent, decision.undecided, decision.worse)
    assert sorted(m for part in parts for m in part) == sorted(others.index)
    row = board.set_index("method").loc[chosen]
    outside = chosen in others.index and others.at[chosen, "lower"] > c.plan.rope
    assert not (row["p_best"] == 0 and outside)


def test_the_same_data_with_less_seeds_show_less():
    """What fewer seeds leave undecided names the leader: no method overtakes by lack of data."""
    rng = np.random.default_rng(7)
    for _ in range(20):
        values = paired(
            0.0, float(rng.uniform(0, 0.02)), 0.2, seeds=12, noise=0.01, seed=int(rng.integers(99))
        )
        for n in (2, 3, 4, 5, 8, 12):
            some = [value[:, :n] for value in values]
            found = decided(*some)
            if n < 5:
                assert found.recommended == found.leader
            assert found.recommended != "c"


def test_a_bad_cheap_method_is_never_recommended_however_few_the_data():
    """The case of the issue: gradient 0.04 with P(best) 1, grid 0.14 and cheaper, five seeds."""
    rng = np.random.default_rng(1)
    values = []
    for _ in range(4):
        base = rng.uniform(0.0, 0.08, 5)
        values.append(np.stack([base + rng.uniform(0.02, 0.25, 5), base]))
    found = decide(Resampled(blocks(*values, methods=("grid", "gradient"))), ROPE, {})
    assert found.recommended == "gradient"


def test_a_decision_says_of_each_method_what_it_is():
    found = Decision("a", "b", equivalent=("b",), undecided=("c",), worse=("d",))
    assert [found.standing(m) for m in "abcd"] == ["leads", "equivalent", "undecided", "worse"]
    assert found.tied == ("b", "c")


def test_the_map_takes_thinking_from_the_evaluations():
    """Ten evaluations of 0.1 s: a method that thinks 0.1 s before each has had half of them."""
    losses = simulated(problems=3, seeds=5, trials=10)
    c = compared(losses, suggest=lambda p, m, s, n: 0.1 if m == "tpe" else 0.0, seconds=0.1)
    steps = spent(c.steps, c.trials["suggest_seconds"].to_numpy(), 0.1, "trials")
    of_tpe = steps[(steps["method"] == "tpe") & (steps["problem"] == "p0") & (steps["seed"] == 0)]
    assert of_tpe["trials"].tolist() == [2 * n for n in range(1, 11)]
    assert steps.loc[steps["method"] == "random", "trials"].max() == 10
    long = spent(c.steps, c.trials["suggest_seconds"].to_numpy(), 1000.0, "trials")
    assert long["trials"].tolist() == c.steps["trials"].tolist()

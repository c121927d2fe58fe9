"""What titles say of methods: ties are known, in every title that names one."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner._text import named
from runner.report.figures import anytime, cost, findings, pairs, plot, searching, svg, verdict
from runner.report.figures.palette import styles
from runner.report.figures.sheet import Sheet
from runner.results.stats.leaderboard import leaderboard
from runner.results.stats.pairs import beats
from runner.results.stats.per_problem import by_problem
from tests.comparisons import compared, simulated


def wide(**curves):
    """Curves at the budgets 1, 2, ..."""
    frame = pd.DataFrame(curves)
    frame.index = np.arange(1, len(frame) + 1)
    return frame


@pytest.mark.parametrize(
    "curves, title",
    [
        ({"bayes": [3, 2, 1], "tpe": [3, 2.5, 2]}, "bayes is lowest from 2 trials on, level with tpe before"),
        ({"bayes": [3, 2, 1], "tpe": [4, 4, 4]}, "bayes is lowest throughout, over trials"),
        ({"bayes": [3, 2, 1], "tpe": [2, 2, 2]}, "bayes is lowest from 3 trials on, level with tpe from 2"),
        ({"bayes": [3, 3, 1], "tpe": [2, 2, 2]}, "bayes is lowest from 3 trials on"),
        ({"bayes": [2, 1], "tpe": [2, 1], "random": [1, 2]},
         "bayes and tpe are level and lowest from 2 trials on"),
        ({"bayes": [2, 1], "tpe": [2, 1], "random": [3, 3]},
         "bayes and tpe are level and lowest throughout, over trials"),
        ({"bayes": [2, 1], "tpe": [2, 1]}, "All methods are level over trials"),
        ({"bayes": [2, 1], "tpe": [3, 1]}, "All methods are level from 2 trials on"),
        ({"bayes": [1.0], "tpe": [math.nan]}, "bayes is lowest throughout, over trials"),
        ({"a": [1, 1], "b": [1, 2], "c": [1, 3]}, "a is lowest from 2 trials on, level with b and c before"),
    ],
)  # fmt: skip
def test_who_is_lowest_since_when(curves, title):
    assert findings.lead(wide(**curves), "trials") == title


def test_sums_in_another_order_are_level():
    assert findings.lowest({"a": 0.1 + 0.2 + 0.3, "b": 0.3 + 0.2 + 0.1, "c": 0.7}) == ["a", "b"]
    assert findings.lowest({"a": math.nan}) == []
    assert named([f"m{i}" for i in range(6)]) == "m0, m1, m2, m3 and 2 more"


@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=3), min_size=1, max_size=8))
def test_a_title_names_all_that_are_lowest_at_the_end_and_nobody_else_as_such(rows):
    frame = pd.DataFrame(rows, columns=["a", "b", "c"], index=np.arange(1, len(rows) + 1))
    title = findings.lead(frame, "trials")
    least = [name for name in "abc" if rows[-1]["abc".index(name)] == min(rows[-1])]
    if len(least) == 3:
        assert title.startswith("All methods are level")
    else:
        assert title.startswith(f"{named(least)} {'is' if len(least) == 1 else 'are level and'} lowest")


# -- the figures ------------------------------------------------------------------------------------


def twins(trials=12, seeds=5, problems=2, apart=None):
    """bayes and tpe start alike, up to trial ``apart``; random is worse by a bit."""
    rng = np.random.default_rng(0)
    losses = {}
    for p in range(problems):
        for s in range(seeds):
            first = rng.uniform(0.4, 0.9, trials)
            later = first.copy()
            if apart is not None:
                later[apart:] = 0.01
            losses[f"p{p}", "random", s] = [float(x) for x in rng.uniform(0.5, 1.0, trials)]
            losses[f"p{p}", "tpe", s] = [float(x) for x in first]
            losses[f"p{p}", "bayes", s] = [float(x) for x in later]
    return compared(losses, optimum=0.0, suggest=0.01, settings={"tpe": {"k": 1}, "bayes": {"k": 2}})


def drawn(c):
    sheet = Sheet(c, styles(c.methods, c.plan.reference))
    found = [*anytime.all_axes(sheet), anytime.ranks(sheet), anytime.ecdf(sheet), verdict.leaderboard(sheet)]
    found += [verdict.decision_map(sheet), verdict.heat_map(sheet, by_problem(c)), pairs.pairwise(sheet)]
    found += [cost.overhead(sheet), *(figure for _, figure in anytime.problem_curves(sheet))]
    aim = searching.Aim("loss", True)
    found.append(searching.parameters(sheet, "p0", aim, c.parameters, "11_parameters_p0"))
    return {figure.name: figure.title for figure in found if figure is not None}


def test_identical_methods_are_never_told_apart():
    titles = drawn(twins())
    both = "tpe and bayes"
    assert titles["03_anytime_trials"].startswith(f"{both} are level and lowest")
    assert titles["05_rank"].startswith(f"{both} share the best average rank")
    assert titles["06_ecdf"].startswith(f"{both} reach half of the targets after")
    assert titles["02_leaderboard"].startswith(f"{both} share the lowest regret")
    assert titles["07_heatmap"] == f"{both} share the lowest mean regret on every problem"
    assert titles["curves_p0"].startswith(f"p0: {both} share the best median at 12 trials")
    assert re.fullmatch(r"P\(tpe beats bayes\) = .*; they are level in regret", titles["08_pairwise"])
    assert "by tpe and bayes" in titles["11_parameters_p0"]


def test_the_headline_knows_who_was_level_before():
    titles = drawn(twins(apart=8))
    assert titles["03_anytime_trials"] == "bayes is lowest from 9 trials on, level with tpe before"
    assert titles["02_leaderboard"].startswith("bayes has the lowest regret")


def test_equal_proposal_times_are_reported_for_all():
    assert drawn(twins())["09_overhead"] == "random, tpe and bayes take 10 ms per proposal"


def test_of_many_methods_some_are_drawn_with_a_note():
    methods = {"random": 1.0, **{f"m{i}": 1.0 + i / 20 for i in range(29)}}
    c = compared(simulated(problems=2, seeds=5, trials=8, methods=methods))
    sheet = Sheet(c, styles(c.methods, c.plan.reference))
    assert len(sheet.shown) in range(20, 23)
    board = leaderboard(c)
    assert {board["method"][0], "random", c.decision().recommended} <= set(sheet.shown)
    assert len(board) == 30
    figure = anytime.anytime(sheet, "trials")
    assert figure.table["method"].nunique() >= 30, "the table holds all"
    assert len(figure.legend) == len(sheet.shown)
    assert len(beats(c.blocks(), c.pairs())) == len(sheet.shown) * (len(sheet.shown) - 1)


# -- the timeline -----------------------------------------------------------------------------------


def test_the_timeline_is_of_the_run_that_kept_its_workers_busiest():
    trials = pd.DataFrame(
        {
            "run": ["idle"] * 3 + ["busy"] * 2 + ["one"],
            "started": [0.0, 50.0, 100.0, 0.0, 1.5, 0.0],
            "seconds": [1.0, 1.0, 1.0, 1.0, 1.0, 9.0],
            "worker": ["a"] * 6,
        }
    )
    shares = cost.busy_shares(trials)
    assert shares.to_dict() == pytest.approx({"busy": 2 / 2.5, "idle": 3 / 101})
    assert shares.index[0] == "busy"
    assert cost.busy_shares(trials[trials["run"] == "one"]).to_dict() == {"one": 1.0}
    workers = trials.assign(worker=list("abcabb"))
    assert cost.busy_shares(workers)["idle"] == pytest.approx(3 / 303)


def test_short_bars_can_be_seen():
    c = compared({("p", m, s): [0.5, 0.4] for m in ("random", "tpe") for s in range(2)}, seconds=1e-4)
    c.trials["started"] = [0.0, 100.0] * 4
    sheet = Sheet(c, styles(c.methods, c.plan.reference))
    figure = cost.timeline(sheet)
    assert "less than 1%" in figure.title
    text, _ = svg.draw(figure.panels[0], sheet.styles, "")
    widths = [float(w) for w in re.findall(r'<rect x="[^"]*" y="[^"]*" width="([^"]*)"', text)]
    assert len(widths) == 2
    assert min(widths) >= 1.5
    assert plot.render(figure, sheet.styles)[0]

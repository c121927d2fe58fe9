"""Penalties: recognised, no scale is made of them, and nothing overflows."""

import sys

import numpy as np
import pytest

from runner.results.frames import HUGE
from runner.results.ranking import quantile
from runner.results.stats import targets
from runner.results.stats.averages import regrets
from runner.results.stats.leaderboard import leaderboard
from runner.results.stats.offscale import ceilings
from runner.results.stats.regret import normalised
from runner.results.stats.verdict import verdict
from tests.comparisons import STATISTICS, compared, simulated

MOST = sys.float_info.max
PENALTIES = [MOST, 1e300, 1e150, 1e9, 1e6]


def penalised(penalty, share=0.6, seeds=6, problems=2, sign=1.0):
    """A study in which so many of the trials of all methods are penalties."""
    rng = np.random.default_rng(4)
    losses = simulated(problems=problems, seeds=seeds, trials=20, fail=0.0)
    return {
        key: [sign * penalty if rng.random() < share else loss for loss in some]
        for key, some in losses.items()
    }


@pytest.mark.parametrize("penalty", PENALTIES)
def test_penalties_are_recognised(penalty):
    c = compared(penalised(penalty))
    assert set(c.ceilings.values()) == {penalty}
    assert (c.instances["f_ref"] < 1).all()


@pytest.mark.parametrize("penalty", PENALTIES)
def test_no_scale_is_made_of_penalties(penalty):
    """With more penalties than not, regrets are what they would be if those trials had failed."""
    losses = penalised(penalty)
    failed = {key: [None if loss == penalty else loss for loss in some] for key, some in losses.items()}
    a, b = compared(losses), compared(failed)
    for name in ("f_opt", "f_ref", "n_random"):
        np.testing.assert_array_equal(a.instances[name], b.instances[name])
    np.testing.assert_allclose(regrets(a.resampled())["regret"], regrets(b.resampled())["regret"])
    np.testing.assert_allclose(
        targets.speedups(a, "trials")["speedup"], targets.speedups(b, "trials")["speedup"]
    )
    assert verdict(a)["recommended"] == verdict(b)["recommended"]


def test_penalties_of_several_sizes_and_none():
    some = {("p", "random", 0): [0.1, 0.2, 0.4, 1e6, 1e6, 1e6, 1e12, 1e12, 1e12, MOST]}
    assert ceilings(compared(some).trials) == {"p": 1e6}
    varied = {("p", "random", 0): [0.1, 0.2, 1e200, 2e200, 1e300]}
    assert ceilings(compared(varied).trials) == {"p": 1e200}
    assert ceilings(compared(simulated(problems=1, seeds=2, trials=9)).trials) == {"p0": np.inf}


@pytest.mark.parametrize(
    "losses",
    [
        [0.0, 1.0, 1.0, 1.0],  # two values: a loss of 0 and 1
        [1e6, 1e6, 1e6],  # nothing beside them
        [26.0, 1e-4, 1e-30],  # a descent: one config is the worst
        [0.1, 0.2, 0.3, 0.9, 0.9, 0.9],  # a plateau that is near
        [MOST, MOST],
        [-1e300, 0.0, 1.0],
    ],
)
def test_what_is_no_penalty(losses):
    assert ceilings(compared({("p", "random", 0): losses}).trials) == {"p": np.inf}


def test_equal_runs_of_one_config_are_no_penalty():
    """A method that does the same with every seed starts from the same bad config."""
    losses = {("p", "gradient", s): [78.0, 0.01, 1e-30] for s in range(5)}
    assert ceilings(compared(losses).trials) == {"p": np.inf}


@pytest.mark.parametrize("penalty", [MOST, 1e300])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("share", [0.3, 0.95, 1.0])
def test_every_statistic_has_an_answer(penalty, direction, share):
    c = compared(penalised(penalty, share, seeds=4), direction=direction, tests=0.5, suggest=0.01)
    for name in ("leaderboard", "verdicts", "robustness", "decision_map", "by_problem", "ranks", "anytime",
                 "generalisation_summary", "importance", "effort", "seeds_needed", "break_even"):  # fmt: skip
        frame = STATISTICS[name](c)
        assert len(frame), name
    board = leaderboard(c)
    assert board["regret"].dropna().between(0, 1).all()


def test_an_instance_of_penalties_only_is_as_bad_as_can_be():
    losses = {("p", m, s): [0.1 * s + 0.1, 0.5, 0.2 + 0.1 * s] for m in ("random", "tpe") for s in range(4)}
    losses["p", "tpe", 3] = [MOST] * 3
    c = compared(losses, optimum=0.0)
    cells = c.cells().set_index(["method", "seed"])
    assert cells.at[("tpe", 3), "regret"] == 1.0
    only = compared({("p", m, 0): [MOST, MOST] for m in ("random", "tpe")}, optimum=0.0)
    assert only.cells()["regret"].tolist() == [1.0, 1.0]


def test_the_largest_numbers_do_not_overflow():
    assert quantile(np.array([-MOST, MOST]), 0.5) == 0.0
    assert quantile(np.array([0.0, MOST]), 0.5) == MOST / 2
    assert quantile(np.array([MOST, np.inf]), 0.5) == np.inf
    found = normalised(np.array([MOST, -MOST, 0.0]), np.full(3, -MOST), np.full(3, 1e-300))
    np.testing.assert_allclose(found, [1.0, 0.0, 1.0])
    tiny = normalised(np.array([MOST, 1.0]), np.zeros(2), np.full(2, 1e-9))
    assert tiny.tolist() == [1.0, 1.0]
    assert np.inf > HUGE**2

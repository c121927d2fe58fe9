import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import MethodError
from runner.methods import Exhaustive
from runner.seeds import proposal_rng
from runner.space import Choice, Float, Int, Space
from runner.testing import SPACES, bowl, simulate
from runner.trial import DONE, Outcome, Status, Trial
from tests import strategies as some

SMALL = some.spaces(leaves=some.small_domains()).filter(lambda space: space.size() <= 300)


@given(SMALL, st.integers(0, 2**128 - 1), st.integers(1, 5))
@settings(max_examples=40)
def test_every_config_comes_once_at_any_parallelism(space, entropy, parallel):
    run = simulate(Exhaustive(), space, bowl(space), 1000, parallel, entropy)
    assert len(run) == space.size()
    assert {space.key(trial.config) for trial in run} == {space.key(config) for config in space}


def test_the_order_is_shuffled_by_the_seed_alone():
    space = Space({"n": Int(0, 99)})
    orders = [
        [t.config["n"] for t in simulate(Exhaustive(), space, bowl(space), 100, entropy=e)] for e in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])


def test_a_resolution_makes_points_of_what_is_continuous():
    space = Space({"x": Float(0.01, 100, log=True), "n": Int(0, 6), "c": Choice(["a", "b"])})
    run = simulate(Exhaustive(resolution=3), space, bowl(space), 1000)
    assert len(run) == 3 * 7 * 2
    assert sorted({trial.config["x"] for trial in run}) == pytest.approx([0.01, 1.0, 100.0])
    assert {trial.config["n"] for trial in run} == set(range(7))


def test_a_huge_space_costs_nothing():
    space = Space({f"n{i}": Int(0, 9) for i in range(400)})
    start = time.perf_counter()
    run = simulate(Exhaustive(), space, lambda config: 0.0, 50)
    assert time.perf_counter() - start < 5.0
    assert len({space.key(trial.config) for trial in run}) == 50


def test_it_says_what_the_budget_covers_and_what_was_covered():
    space = Space({"n": Int(1, 2000)})
    method = Exhaustive().prepare(space, 50)
    assert method.announce(space, 50) == "2,000 configs; the budget of 50 trials covers 2.5 % of them."
    assert (
        method.announce(space, None)
        == method.announce(space, 2000)
        == "2,000 configs; the budget covers all of them."
    )
    run = simulate(method, space, bowl(space), 50)
    outside = Trial(-1, {"n": 7_000}, Outcome(Status.COMPLETED, loss=0.0))
    assert method.conclude(space, [*run, outside, run[0]]) == "50 of 2,000 configs covered (2.5 %)."
    assert method.conclude(space, [Trial(i, {"n": i + 1}, run[0].outcome) for i in range(2000)]).endswith(
        "(all)."
    )


@pytest.mark.parametrize(
    "space, says",
    [
        (
            SPACES["floats"],
            "exhaustive: expected a finite space, got continuous parameters: x, rate. Set 'resolution: 5'",
        ),
        (SPACES["one"], "continuous parameters: x."),
        (
            Space({"n": Int(0, 1)}, forbid=[{"n": [0, 1]}]),
            "exhaustive: every config is forbidden. Forbid less.",
        ),
    ],
)
def test_what_it_cannot_walk_is_refused(space, says):
    with pytest.raises(MethodError) as caught:
        Exhaustive().prepare(space, 10)
    assert says in str(caught.value)


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(MethodError, match="resolution: expected 1 to 100,000 points, got 0"):
        Exhaustive(resolution=0)
    with pytest.raises(MethodError, match="expected a finite space"):
        Exhaustive().propose(SPACES["one"], [], [], 0, proposal_rng(0, 0))


def test_after_the_end_it_is_done_for_ever():
    space = SPACES["finite"]
    for number in (10, 11, 10**6):
        assert Exhaustive().propose(space, [], [], number, proposal_rng(0, number)) is DONE

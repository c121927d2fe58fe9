import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import MethodError
from runner.methods import Grid
from runner.methods.grid_search import fit_points
from runner.seeds import proposal_rng
from runner.space import Choice, Float, Int, Space
from runner.testing import SPACES, bowl, simulate
from tests import strategies as some


def columns(run):
    return {name: sorted({trial.config[name] for trial in run}) for name in run[0].config}


@given(some.spaces(forbid=False), st.integers(1, 400))
@settings(max_examples=60)
def test_the_grid_fits_the_budget_wherever_one_point_each_does(space, trials):
    numeric = [n for n, d in space.dimensions if not isinstance(d, Choice)]
    smallest = space.discretised(dict.fromkeys(numeric, 1)).size()
    size = Grid().prepare(space, trials).finite(space).size()
    assert size <= max(trials, smallest)
    # No parameter could have had a point more.
    points = fit_points(space, list(dict.fromkeys(numeric)), {}, trials)
    for name in points if size <= trials else ():
        more = space.discretised({**points, name: points[name] + 1}).size()
        assert more > trials or more == size


@given(some.spaces(leaves=some.small_domains(), forbid=False), st.integers(0, 2**64))
@settings(max_examples=30)
def test_with_budget_enough_every_config_of_a_finite_space_comes_once(space, entropy):
    size = int(space.size())
    run = simulate(Grid(), space, bowl(space), min(size, 500), entropy=entropy)
    assert len({space.key(trial.config) for trial in run}) == len(run)
    assert len(run) == size if size <= 500 else len(run) <= 500


def test_points_are_even_logarithmic_and_hold_both_ends():
    space = Space({"x": Float(0, 1), "rate": Float(1e-4, 1, log=True), "c": Choice(["a", "b"])})
    run = simulate(Grid(), space, bowl(space), 50)
    assert len(run) == 5 * 5 * 2
    assert columns(run)["x"] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert columns(run)["rate"] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


def test_points_can_be_given_for_all_or_by_name():
    space = Space({"x": Float(0, 1), "n": Int(0, 10), "k": Int(1, 3)})
    assert len(simulate(Grid(points=3), space, bowl(space), 1000)) == 27
    some_named = simulate(Grid(points={"x": 2}), space, bowl(space), 40)
    assert columns(some_named)["x"] == [0.0, 1.0]
    assert len(some_named) == 2 * 6 * 3
    assert len(simulate(Grid(points={"x": 2, "n": 11, "k": 9}), space, bowl(space), 1000)) == 66


def test_a_budget_in_seconds_gives_five_points_each():
    assert Grid().prepare(SPACES["eight"], None).finite(SPACES["eight"]).size() == 5**8


def test_a_branch_is_gridded_within_it():
    space = SPACES["conditional"]
    run = simulate(Grid(), space, bowl(space), 200)
    assert len(run) <= 200
    assert {trial.config["model"] for trial in run} == {"svm", "forest", "dummy"}
    svm = [trial for trial in run if trial.config.get("kernel") == "rbf"]
    assert len({trial.config["gamma"] for trial in svm}) > 1


def test_what_is_forbidden_takes_no_budget():
    space = Space({"x": Int(0, 9), "y": Int(0, 9)}, forbid=[{"x": list(range(5, 10))}])
    run = simulate(Grid(points=10), space, bowl(space), 60)
    assert len(run) == 50


def test_it_says_what_it_lays_over_the_space():
    space = Space({"x": Float(0, 1), "k": Int(1, 3)})
    assert Grid().prepare(space, 30).announce(space, 30) == "30 grid points (x x 10, k x 3)."
    few = Grid(points=4).prepare(space, 5).announce(space, 5)
    assert few == "12 grid points (x x 4, k x 3); the budget covers 5 of them."
    assert Grid().prepare(SPACES["point"], 5).announce(SPACES["point"], 5) == "1 grid points."


def test_large_budgets_are_laid_out_quickly():
    start = time.perf_counter()
    for space in (Space({"x": Float(0, 1)}), Space({"n": Int(1, 10**12, log=True)}), SPACES["eight"]):
        size = Grid().prepare(space, 20_000).finite(space).size()
        assert 10_000 < size <= 20_000
    assert time.perf_counter() - start < 10.0


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: Grid(points=0), "points: expected 1 to 100,000 points, got 0."),
        (lambda: Grid(points={"x": 0}), "points.x: expected 1 to 100,000 points, got 0."),
        (
            lambda: Grid(points={"y": 2}).prepare(SPACES["one"], 5),
            "points: 'y' is not a numeric parameter. Known are: x.",
        ),
        (
            lambda: Grid(points=1).prepare(Space({"n": Int(0, 2)}, [{"n": 1}]), 5),
            "grid: every config is forbidden",
        ),
        (
            lambda: Grid().propose(SPACES["one"], [], [], 0, proposal_rng(0, 0)),
            "grid: not prepared",
        ),
    ],
)
def test_what_does_not_fit_is_refused(build, says):
    with pytest.raises(MethodError) as caught:
        build()
    assert says in str(caught.value)


def test_settings_are_those_of_a_study_file_before_and_after_preparing():
    method = Grid(points={"x": 3})
    assert (
        method.settings()
        == method.prepare(SPACES["one"], math.prod([3, 3])).settings()
        == {"points": {"x": 3}}
    )

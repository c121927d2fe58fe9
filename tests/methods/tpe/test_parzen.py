import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.methods.encoded import cube_of
from runner.methods.tpe.parzen import Parzen, bandwidths
from runner.seeds import rng_for
from runner.space import Choice, Float, Int, Space
from runner.testing import SPACES

SQUARE = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})
FLAT = Space({"x": Float(0.0, 1.0), "c": Choice(["a", "b", "c"])})
TREE = Space({"m": Choice({"deep": {"z": Float(0.0, 1.0)}, "plain": {}}), "x": Float(0.0, 1.0)})


def rows(space, n, *names):
    rng = rng_for("rows", *names)
    return cube_of(space).snap(rng.random((n, space.d)))


@given(st.integers(0, 12), st.integers(0, 99))
def test_it_is_a_density(n, seed):
    """Its mean over the uniform law is 1."""
    cube = cube_of(FLAT)
    density = Parzen(cube, rows(FLAT, n, seed), rng_for("weights", seed).random(n) + 0.1)
    even = np.stack([(np.arange(3000) + 0.5) / 3000, (np.arange(3000) % 3 + 0.5) / 3], axis=1)
    assert np.mean(np.exp(density.log_density(even))) == pytest.approx(1.0, rel=0.01)


def test_without_rows_it_is_the_uniform_law():
    for kind in ("mixed", "conditional", "floats"):
        cube = cube_of(SPACES[kind])
        density = Parzen(cube, np.empty((0, SPACES[kind].d)))
        drawn = density.draw(rng_for("draws"), 50)
        assert density.log_density(cube.snap(drawn)) == pytest.approx(0.0)
        assert drawn.std() > 0.2


@pytest.mark.parametrize("joint", [False, True])
def test_draws_follow_the_density(joint):
    """The expected log density of draws is the larger one: by Gibbs' inequality, with 400 draws."""
    cube = cube_of(SQUARE)
    near = 0.6 + 0.1 * (rows(SQUARE, 8) - 0.5)
    density = Parzen(cube, near, joint=joint)
    drawn = density.draw(rng_for("draws"), 400)
    assert ((drawn >= 0) & (drawn <= 1)).all()
    inside = np.abs(drawn - 0.6).max(axis=1) < 0.35
    assert np.mean(inside) > 0.75
    values = density.log_density(drawn)
    assert values[inside].min() > values[~inside].max() - 1.0
    assert np.mean(values) > 0.5


def test_a_valley_is_followed():
    """Ahead of a line of rows it is denser than beside it, and more so with the covariance."""
    t = np.linspace(0.1, 0.6, 12)
    line = np.stack([t, t], axis=1)
    ahead, beside = np.array([[0.72, 0.72]]), np.array([[0.72, 0.48]])
    more = []
    for joint in (False, True):
        density = Parzen(cube_of(SQUARE), line, joint=joint)
        more.append(float(density.log_density(ahead)[0] - density.log_density(beside)[0]))
    assert more[1] > more[0] + 0.3


def test_rows_of_another_branch_say_nothing_of_this_ones_parameters():
    cube = cube_of(TREE)
    plain = cube.snap(np.array([[0.75, 0.5, 0.2], [0.75, 0.5, 0.3]]))
    density = Parzen(cube, plain)
    columns = {name: j for j, (name, _) in enumerate(TREE.dimensions)}
    asked = np.full((5, 3), 0.25)
    asked[:, columns["z"]] = np.linspace(0.1, 0.9, 5)
    assert np.ptp(density.log_density(cube.snap(asked))) < 1e-12


def test_a_weight_counts():
    cube = cube_of(SQUARE)
    two = np.array([[0.2, 0.2], [0.8, 0.8]])
    heavy = Parzen(cube, two, np.array([1.9, 0.1])).log_density(two)
    assert heavy[0] > heavy[1] + 0.4


class TestBandwidths:
    def test_are_the_greater_gap_to_a_neighbour_and_inside_bounds(self):
        u = np.array([[0.5], [0.1], [0.2], [0.201]])
        h = bandwidths(u, np.ones((4, 1), bool), np.array([True]))[:, 0]
        assert h == pytest.approx([0.299, 1 / 6, 1 / 6, 0.299])

    def test_one_row_alone_has_all_of_the_greater_side(self):
        assert bandwidths(np.array([[0.3]]), np.ones((1, 1), bool), np.array([True]))[0, 0] == pytest.approx(
            0.7
        )

    def test_many_rows_have_a_hundredth_at_least(self):
        u = np.linspace(0.0, 1.0, 400)[:, None]
        assert bandwidths(u, np.ones((400, 1), bool), np.array([True])).min() == pytest.approx(0.01)

    def test_inactive_rows_do_not_count(self):
        u = np.array([[0.1], [0.5], [0.9]])
        h = bandwidths(u, np.array([[True], [False], [True]]), np.array([True]))[:, 0]
        assert h == pytest.approx([0.8, 1.0, 0.8])


def test_levels_are_rows_like_others():
    space = Space({"n": Int(1, 5), "p": Float(0.0, 1.0, step=0.25)})
    density = Parzen(cube_of(space), rows(space, 6))
    assert np.isfinite(density.log_density(rows(space, 20, "more"))).all()

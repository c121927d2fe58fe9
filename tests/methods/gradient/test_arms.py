import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.methods.gradient.arms import Arm, arm_count, arm_key, arms, slope
from runner.space import Space
from runner.space.domains import Choice, Float, Int
from runner.testing import SPACES
from tests.strategies import finite_domains, spaces


def products(space):
    """The distinct assignments of categories among many random configs."""
    rng = np.random.default_rng(0)
    return {arm_key(space.params, space.sample(rng)) for _ in range(600)}


class TestArms:
    @pytest.mark.parametrize("kind", ["floats", "choices", "mixed", "conditional", "forbidden", "finite"])
    def test_they_are_the_assignments_that_occur(self, kind):
        space = SPACES[kind]
        assert {arm.key for arm in arms(space, 32, 0)} == products(space)

    @pytest.mark.parametrize("kind", SPACES)
    def test_an_arm_is_the_arm_of_its_configs(self, kind):
        space = SPACES[kind]
        rng = np.random.default_rng(1)
        for arm in arms(space, 32, 0):
            config = arm.config(rng.random(arm.d))
            again = Arm.of(space, config)
            assert space.active(config)[arm.columns].all()
            assert again.key == arm.key == arm_key(space.params, config)
            assert np.array_equal(again.columns, arm.columns)

    def test_of_too_many_some_are_drawn(self):
        space = Space({f"c{i}": Choice(["a", "b", "c"]) for i in range(40)} | {"x": Float(0, 1)})
        assert arm_count(space) == 3**40
        drawn = arms(space, 32, 7)
        assert len({arm.key for arm in drawn}) == 32
        assert [arm.key for arm in drawn] == [arm.key for arm in arms(space, 32, 7)]
        assert {arm.key for arm in drawn} != {arm.key for arm in arms(space, 32, 8)}

    @given(spaces())
    def test_rows_of_any_space(self, space):
        config = space.sample(np.random.default_rng(0))
        arm = Arm.of(space, config)
        back = arm.config(arm.row(config))
        assert arm_key(space.params, back) == arm.key
        assert arm.row(back) == pytest.approx(arm.row(config), abs=1e-9)
        for name, domain in arm.numeric:
            assert domain.levels is None or back[name] == config[name]


class TestShifted:
    @given(finite_domains().filter(lambda d: not isinstance(d, Choice)), st.floats(0, 1), st.floats(0, 0.3))
    def test_it_moves_a_level_at_least_the_way_that_was_asked(self, domain, u, h):
        space = Space({"x": domain})
        (arm,) = arms(space, 1, 0)
        z = arm.row({"x": domain.decode(u)})
        here = arm.config(z)["x"]
        for sign in (-1, 1):
            moved = arm.shifted(z, 0, sign, h)
            end = domain.decode(0.0 if sign < 0 else 1.0)
            if moved is None:
                assert here == end
            else:
                assert sign * (arm.config(moved)["x"] - here) > 0

    def test_a_continuum_moves_by_h_and_never_past_its_end(self):
        (arm,) = arms(Space({"x": Float(0, 1)}), 1, 0)
        assert arm.shifted(np.array([0.5]), 0, 1, 0.1) == pytest.approx(0.6)
        assert arm.shifted(np.array([0.95]), 0, 1, 0.1) is None
        assert arm.shifted(np.array([0.95]), 0, -1, 0.1) == pytest.approx(0.85)


DOMAINS = [Float(-3, 7), Float(1e-4, 1e3, log=True), Float(0, 10, step=0.5), Int(0, 10**6, step=2)]


@pytest.mark.parametrize("domain", [*DOMAINS, Int(1, 10**6, log=True)])
def test_the_slope_is_that_of_finite_differences(domain):
    """Of decode; over a wide stencil where the domain has levels, which round it."""
    h = 1e-6 if domain.levels is None else 0.05
    tolerance = 1e-6 if domain.levels is None else 0.06
    for u in (0.3, 0.5, 0.8):
        rise = domain.decode(u + h) - domain.decode(u - h)
        bend = math.sinh(k) / k if domain.log and (k := h * math.log(domain.high / domain.low)) else 1.0
        assert slope(domain, domain.decode(u)) == pytest.approx(rise / (2 * h) / bend, rel=tolerance)


def test_gradients_come_in_the_encoded_coordinate():
    space = Space({"c": Choice(["a", "b"]), "x": Float(1e-3, 1e3, log=True), "y": Float(-2, 3)})
    config = {"c": "b", "x": 10.0, "y": 1.0}
    arm = Arm.of(space, config)
    assert arm.gradient(config, {"x": 2.0, "y": -1.0}) == pytest.approx([20 * math.log(1e6), -5.0])
    assert np.array_equal(np.isnan(arm.gradient(config, {"y": 0.0})), [True, False])
    assert np.isnan(arm.gradient(config, None)).all()


def test_arms_of_a_product_are_its_product():
    space = Space({"a": Choice([1, 1.0, True]), "b": Choice(["x", "y"]), "z": Float(0, 1)})
    keys = [arm.key for arm in arms(space, 32, 0)]
    assert keys == [(("a", i), ("b", j)) for i, j in itertools.product(range(3), range(2))]

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runner.errors import SpaceError
from runner.space.domains import Choice, Float, Int, same
from runner.space.spread import Points
from tests import strategies as some

NUMERIC = st.one_of(
    some.plain_floats(), some.log_floats(), some.stepped_floats(), some.ints(), some.log_ints()
)
FLOATS = st.floats(-1e9, 1e9, allow_subnormal=False)


@given(NUMERIC, st.integers(1, 300))
def test_points_are_distinct_rising_values_of_the_domain(domain, count):
    points = Points(domain, count)
    values = [points.level(i) for i in range(points.levels)]
    assert len(values) == min(count, domain.most_points)
    assert all(a < b for a, b in itertools.pairwise(values))
    assert all(same(domain.canonical(value), value) for value in values)
    assert points.describe() == {"choice": values}


@given(NUMERIC, st.integers(1, 100_000), st.data())
def test_a_point_is_found_again_wherever_it_is(domain, count, data):
    points = Points(domain, count)
    i = data.draw(st.integers(0, points.levels - 1))
    value = points.level(i)
    assert points.index(value) == i
    assert same(points.canonical(value), value)
    assert same(points.decode(points.encode(value)), value)
    assert (points.decode(0.0), points.decode(1.0)) == (points.level(0), points.level(points.levels - 1))


@given(FLOATS, st.integers(1, 20), st.integers(2, 100_000))
def test_points_of_a_narrow_range_are_still_distinct(low, width, count):
    high = low + width * 1e-12 * max(abs(low), 1.0)
    assume(high - low >= 1e-12 * max(abs(low), abs(high)))
    points = Points(Float(low, high), count)
    near = range(min(points.levels, 200))
    values = [points.level(i) for i in near]
    assert all(a < b for a, b in itertools.pairwise(values))


@pytest.mark.parametrize("value", [1, 0.3, 2.0, -1.0, True, "0.5", None])
def test_what_is_no_point_is_refused(value):
    with pytest.raises(SpaceError, match=r"expected one of the 3 points from 0.0 to 1.0, got"):
        Points(Float(0, 1), 3).index(value)


def test_a_domain_with_few_values_has_them_all():
    assert Points(Int(1, 3), 99).describe() == {"choice": [1, 2, 3]}
    assert Points(Float(0, 1, step=0.5), 99) == Points(Float(0, 1, step=0.5), 99)
    assert not isinstance(Points(Int(1, 3), 2), Choice)

"""The model of one driver: fitted to made-up figures it gives their costs back; no timing is judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import scale
from benchmarks.measure import ARMS

COSTS = st.tuples(st.floats(1e-3, 2e-2), st.floats(1e-6, 1e-4), st.floats(1e-5, 1e-3))


def point(costs, lanes, seconds):
    """As if the driver had used exactly what the model says."""
    a, b, c = costs
    n = scale.together(seconds)
    bundles = lanes / (n * seconds)
    main = bundles * (a + b * lanes + c * n)
    rates = {"bundles": bundles, "trials": bundles * n, "main": main, "process": main, "servers": 0.0}
    return {"lanes": lanes, "trial": seconds, "rates": rates, "load": 1.0, "first": 0.0, "up": 2.0}


@given(COSTS)
def test_the_costs_are_found_again(costs):
    points = [point(costs, lanes, seconds) for lanes in (1, 8, 64) for seconds in (0.01, 0.1, 2.0)]
    assert scale.fit(points) == pytest.approx(costs, rel=1e-3)


@given(COSTS, st.integers(1, 1000), st.floats(0.001, 1000.0))
def test_more_lanes_and_shorter_trials_are_never_busier(costs, lanes, seconds):
    share = scale.busy(costs, lanes, seconds)
    assert 0 < share < 1
    assert scale.busy(costs, lanes + 1, seconds) <= share
    if seconds > 1:
        assert scale.busy(costs, lanes, 2 * seconds) >= share


@given(COSTS, st.sampled_from(scale.LENGTHS))
def test_the_largest_cluster_is_the_largest(costs, seconds):
    most = scale.most_lanes(costs, seconds)
    assert most == 0 or scale.busy(costs, most, seconds) >= scale.SHARE
    assert scale.busy(costs, most + 1, seconds) < scale.SHARE


def test_short_trials_travel_together_and_long_ones_alone():
    assert [scale.together(seconds) for seconds in (1e-6, 0.1, 0.4, 0.6, 60.0)] == [1000, 8, 2, 1, 1]


def test_the_table_says_what_was_not_measured():
    costs = (0.005, 0.0001, 0.0002)
    points = [
        point(costs, 8, 1.0) | {"utilisation_up": 0.97},
        point(costs, 64, 1.0) | {"up": None, "rates": {}},
    ]
    text = scale.table(costs, points, "python -m benchmarks.scale")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(("| 8 |", "| 64 |"))]
    assert rows[0][:2] == ["| 8", "1 s"]
    assert "0.97" in rows[0]
    assert rows[1].count("not measured") == 6
    assert rows[1][-1] == "not all |"
    assert "scale" in ARMS

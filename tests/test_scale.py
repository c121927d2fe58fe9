"""The model of one driver: fitted to made-up figures it gives their costs back; no timing is judged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import scale
from benchmarks.measure import ARMS
from benchmarks.scaling import windows

COSTS = st.tuples(st.floats(1e-3, 2e-2), st.floats(1e-6, 1e-4), st.floats(1e-5, 1e-3))


def point(costs, workers, seconds):
    """As if the driver had used exactly what the model says."""
    a, b, c = costs
    n = scale.together(seconds)
    batches = workers / (n * seconds)
    main = batches * (a + b * workers + c * n)
    rates = {"batches": batches, "trials": batches * n, "main": main, "process": main, "servers": 0.0}
    return rates | {"workers": workers, "trial": seconds, "busy": 0.95, "watched": 4.0}


@given(COSTS)
def test_the_costs_are_found_again(costs):
    points = [point(costs, workers, seconds) for workers in (1, 8, 64) for seconds in (0.01, 0.1, 2.0)]
    assert scale.fit(points) == pytest.approx(costs, rel=1e-3)


@given(COSTS, st.integers(1, 1000), st.floats(0.001, 1000.0))
def test_more_workers_and_shorter_trials_are_never_busier(costs, workers, seconds):
    share = scale.busy(costs, workers, seconds)
    assert 0 < share < 1
    assert scale.busy(costs, workers + 1, seconds) <= share
    if seconds > 1:
        assert scale.busy(costs, workers, 2 * seconds) >= share


@given(COSTS, st.sampled_from(scale.LENGTHS))
def test_the_largest_cluster_is_the_largest(costs, seconds):
    most = scale.most_workers(costs, seconds)
    assert most == 0 or scale.busy(costs, most, seconds) >= scale.SHARE
    assert scale.busy(costs, most + 1, seconds) < scale.SHARE


def test_short_trials_travel_together_and_long_ones_alone():
    assert [scale.together(seconds) for seconds in (1e-6, 0.1, 0.4, 0.6, 60.0)] == [1000, 8, 2, 1, 1]


def test_windows_tell_what_workers_were_there_and_what_they_did():
    # Two workers: one from 0 on, one from 4 on; each evaluates for 3 of every 4 seconds.
    spans = np.array(
        [(t, t + 3, worker) for worker in (1, 2) for t in range(4 * (worker - 1), 16, 4)], dtype=float
    )
    seen = [(t, 0.5 * t, 0.7 * t, 0.1 * t, 2 * t, 6 * t) for t in range(20)]
    found = windows(seen, spans, until=16.0, width=4.0)
    assert [window["workers"] for window in found] == [1.0, 2.0, 2.0, 2.0]
    assert {window["busy"] for window in found} == {0.75}
    assert {(window["main"], window["batches"], window["trials"]) for window in found} == {(0.5, 2.0, 6.0)}
    (alone, both) = scale.gather([{"trial": 3.0, "windows": found}])
    assert (alone["workers"], alone["windows"], both["workers"], both["windows"]) == (1.0, 1, 2.0, 3)


def test_the_table_has_a_row_for_each_point():
    costs = (0.005, 0.0001, 0.0002)
    points = [point(costs, workers, 1.0) for workers in (8, 64)]
    text = scale.table(costs, points, [3.2], "python -m benchmarks.scale")
    assert text.count("\n| 1 s |") == 3  # and the largest cluster for it
    assert "a = 5 ms per batch, b = 0.1 ms per batch and worker, c = 0.2 ms per trial" in text
    assert "scale" in ARMS

"""How much travels together."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.batching import LONG_SECONDS, LONGEST_SECONDS, MOST_JOBS, TARGET_SECONDS, Load, Pace

SECONDS = st.none() | st.floats(0, 3)


def filled(costs, most=MOST_JOBS, waited=0.0):
    queue = deque(enumerate(costs))
    load = Load(queue, lambda item: item[1], most)
    return load, load.draw(waited), queue


@given(st.lists(SECONDS, max_size=30), st.integers(1, 12))
def test_a_load_is_a_head_of_its_queue_and_holds_a_second_at_the_most(costs, most):
    load, goes, queue = filled(costs, most)
    assert [*load.items, *queue] == list(enumerate(costs))
    taken = [cost for _, cost in load.items]
    assert len(taken) <= most
    if len(taken) > 1:
        assert all(cost is not None and cost <= LONG_SECONDS for cost in taken)
        assert sum(taken) <= LONGEST_SECONDS
    if not goes:
        assert not queue, "it waits for more only where there is no more"
    load.put_back()
    assert list(queue) == list(enumerate(costs))


def test_what_nobody_knows_and_what_is_long_goes_alone():
    assert len(filled([None, 0.1])[0].items) == 1
    assert len(filled([10.0, 0.1])[0].items) == 1
    assert len(filled([0.1, 10.0, 0.1])[0].items) == 1
    assert len(filled([0.6, 0.1])[0].items) == 1


def test_half_a_second_to_a_second_is_aimed_at():
    for cost in (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45):
        work = sum(seconds for _, seconds in filled([cost] * 2000)[0].items)
        assert 0.5 <= work <= LONGEST_SECONDS
    assert len(filled([0.0] * 2000)[0].items) == MOST_JOBS


def test_waiting_counts_like_work():
    load, goes, _ = filled([0.01] * 3, waited=TARGET_SECONDS)
    assert (len(load.items), goes) == (1, True)
    load, goes, _ = filled([0.01] * 3)
    assert (len(load.items), goes) == (3, False)
    assert load.draw(TARGET_SECONDS)


def test_each_run_has_a_pace_of_its_own():
    pace = Pace([0, 0, 1])
    assert pace.expected(0) is None
    pace.learn(0, 2.0)
    assert pace.expected(0) == pace.expected(1) == 2.0, "its problem's, where it has none"
    assert pace.expected(2) is None
    for _ in range(40):
        pace.learn(1, 0.1)
    assert 0.0999 < pace.expected(1) < 0.11
    assert pace.expected(0) == 2.0

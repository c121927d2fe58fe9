from hypothesis import given, settings
from hypothesis import strategies as st

from runner.engine.runs.run_set import RunSet
from runner.trial import DONE, WAIT, Pending
from tests.engine.runs.test_run import PARALLEL, Chaotic, ended, make, oldest, play, table

# -- many runs -----------------------------------------------------------------------------------


def test_the_run_furthest_behind_is_asked_first():
    runs = RunSet([make(trials=4, parallel=4), make(trials=8, parallel=8), make(trials=2, parallel=2)])
    order = []
    while isinstance(answer := runs.ask(), tuple):
        order.append(answer)
        shares = [run.progress for run in runs.runs]
        assert max(shares) - min(shares) <= 0.5 + 1e-12
    assert [sum(index == i for index, _ in order) for i in range(3)] == [4, 8, 2]
    assert answer is WAIT
    assert runs.slots == 0
    for index, pending in order:
        runs.tell(index, ended(pending))
    assert runs.ask() is DONE
    assert sorted(runs.take_finished()) == [0, 1, 2]
    assert runs.take_finished() == []


@given(data=st.data())
@settings(max_examples=40)
def test_workers_are_busy_while_any_run_can_propose_and_tables_stay_the_same(data):
    shapes = data.draw(
        st.lists(st.tuples(st.sampled_from(PARALLEL), st.integers(0, 3)), min_size=1, max_size=4)
    )
    workers = data.draw(st.integers(1, 6))

    def fresh():
        return [make(Chaotic(waits), 6, parallel) for parallel, waits in shapes]

    expected = [table(play(run, oldest)) for run in fresh()]
    runs, flying, finished = RunSet(fresh()), [], []
    while True:
        while len(flying) < workers and isinstance(answer := runs.ask(), tuple):
            flying.append(answer)
        if not flying:
            break
        if len(flying) < workers:
            assert answer is WAIT
            assert all(not isinstance(run.ask(), Pending) for run in runs.runs)
        index, pending = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
        runs.tell(index, ended(pending))
        finished += runs.take_finished()
    assert runs.ask() is DONE
    assert [table(run) for run in runs.runs] == expected
    assert sorted(finished + runs.take_finished()) == list(range(len(shapes)))


def test_runs_that_had_ended_before_are_reported_once():
    history = list(play(make(trials=4), oldest).ended.values())
    runs = RunSet([make(trials=4, history=history), make(trials=2)])
    seen = []
    while (answer := runs.ask()) is not DONE:
        runs.tell(answer[0], ended(answer[1]))
        seen.append(answer[0])
    assert seen == [1, 1]
    assert sorted(runs.take_finished()) == [0, 1]

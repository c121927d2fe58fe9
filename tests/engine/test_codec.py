"""What travels to a worker comes back as it was."""

import json

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.codec import (
    pack_report,
    pack_request,
    pack_tasks,
    pack_trial,
    unpack_report,
    unpack_tasks,
    unpack_trial,
)
from runner.engine.messages import ProposalRequest, Reply, Report, Task
from runner.trial import DONE, WAIT, Pending
from tests.studies import OUTCOMES, SCALARS, TEXT, TRIALS

CONFIGS = st.dictionaries(TEXT, SCALARS, max_size=3)
REPLIES = st.builds(
    Reply, CONFIGS | st.sampled_from([WAIT, DONE]), st.floats(0, 10), TEXT, st.none() | OUTCOMES
)


@given(st.lists(OUTCOMES, max_size=4), st.lists(REPLIES, max_size=3))
def test_a_report_survives_its_way_through_tune(outcomes, replies):
    report = Report(tuple(outcomes), (0.5,) * len(outcomes), 1.5, "worker", tuple(replies))
    text = pack_report(report)
    assert repr(unpack_report(text)) == repr(report)  # NaN equals itself in print only
    json.loads(text)


def test_tasks_survive_their_way_through_tune():
    tasks = [
        Task(0, 3, {"x": 0.1 + 0.2, "n": 1, "b": True, "s": "é\n", "none": None}),
        Task(1, 2**32 - 1, {}, [[1.0, 0.5], []]),
    ]
    text = pack_tasks(tasks)
    assert len(text.split("\n")) == 2
    again = unpack_tasks(text)
    assert again == tasks
    assert [type(v) for v in again[0].config.values()] == [float, int, bool, str, type(None)]


@given(TRIALS)
def test_a_trial_survives_in_one_line(trial):
    line = pack_trial(trial)
    assert "\n" not in line
    assert repr(unpack_trial(line)) == repr(trial)


@given(st.lists(TRIALS, max_size=3), st.lists(CONFIGS, max_size=3))
def test_a_request_has_a_line_for_each_trial(trials, configs):
    pending = [Pending(i, config, 0.5, 1) for i, config in enumerate(configs)]
    lines = pack_request(
        1, 2, ProposalRequest(9, trials, pending, 2**127), [pack_trial(t) for t in trials]
    ).split("\n")
    assert json.loads(lines[0]) == [1, 2, 9, 2**127, len(trials), len(pending), None]
    assert len(lines) == 1 + len(trials) + len(pending)

"""What travels to a lane comes back as it was."""

import json

from hypothesis import given
from hypothesis import strategies as st

from runner.bundles import Report, Task, pack, unpack_report, unpack_tasks
from tests.studies import OUTCOMES


@given(st.lists(OUTCOMES, max_size=4))
def test_a_report_survives_its_way_through_tune(outcomes):
    report = Report(tuple(outcomes), (0.5,) * len(outcomes), 1.5, "lane")
    assert repr(unpack_report(pack(report))) == repr(report)  # NaN equals itself in print only
    json.loads(pack(report))


def test_tasks_survive_their_way_through_tune():
    tasks = [Task(0, 3, {"x": 0.1 + 0.2, "n": 1, "b": True, "s": "é", "none": None})]
    (again,) = unpack_tasks(pack(tasks))
    assert again == tasks[0]
    assert [type(v) for v in again.config.values()] == [float, int, bool, str, type(None)]

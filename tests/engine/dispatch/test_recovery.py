"""What becomes of the jobs of a worker that is lost."""

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.dispatch.recovery import attribute
from runner.engine.messages import Job, Rescued
from runner.study.file import TrialSettings
from runner.trial import Outcome, Pending, Status

LIMITS = TrialSettings(timeout=5.0, retries=2)
DONE = Outcome(Status.COMPLETED, loss=1.0, value=1.0)


def jobs(count, **more):
    return [Job(0, Pending(number, {"x": number}), 0.0, **more) for number in range(count)]


def rescued(count, cause="", seconds=None):
    return Rescued((DONE,) * count, (0.0,) * count, "worker", cause, "", seconds)


@st.composite
def losses(draw):
    batch = jobs(draw(st.integers(1, 5)))
    left = draw(st.none() | st.builds(rescued, st.integers(0, len(batch)), st.sampled_from(["", "timeout"])))
    return batch, draw(st.sampled_from(["crash", "timeout", "node"])), left


@given(losses())
def test_every_job_has_one_fate(loss):
    batch, cause, left = loss
    found = attribute(batch, cause, 3.0, left, LIMITS)
    kept = len(left.outcomes) if left is not None and found.use_rescued else 0
    fates = [*batch[:kept], *found.first, *found.alone, *([found.ended[0]] if found.ended else [])]
    assert sorted(job.pending.number for job in fates) == [job.pending.number for job in batch]


@given(losses())
def test_what_may_not_have_begun_bears_no_mark(loss):
    batch, cause, left = loss
    found = attribute(batch, cause, 3.0, left, LIMITS)
    marked = [job for job in (*found.first, *found.alone) if job.earlier]
    if left is not None and found.use_rescued:
        assert len(marked) <= 1
    if cause == "node":
        assert not found.ended
        assert {job.earlier for job in marked} == {("its node was lost.",)}


def test_one_that_was_alone_is_tried_again_and_then_has_crashed():
    (job,) = jobs(1)
    for crash in (1, 2):
        (job,) = attribute([job], "crash", 3.0, None, LIMITS).alone
        assert job.crashes == crash
    ended, outcome = attribute([job], "crash", 3.0, None, LIMITS).ended
    assert ended is job
    assert outcome.status is Status.CRASHED
    assert outcome.error == "the worker process died 3 times during this trial."


def test_one_that_outlasts_its_limit_is_known_by_what_its_worker_has_left():
    batch = jobs(3)
    found = attribute(batch, "crash", 9.0, rescued(1, "timeout", seconds=5.2), LIMITS)
    assert found.ended[0] is batch[1]
    assert found.ended[1].status is Status.TIMEOUT
    assert found.ended[1].seconds == 5.2
    assert found.first == batch[2:]


def test_the_loss_of_node_after_node_is_a_crash_in_the_end():
    lost = ("its node was lost.",) * 10
    (job,) = attribute(jobs(1, earlier=lost), "node", 3.0, None, LIMITS).alone
    assert job.crashes == 1

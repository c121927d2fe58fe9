"""Who evaluates a config of a block, who waits, and who finds it."""

from runner.engine.cache import OutcomeCache, key_of
from runner.engine.messages import Job
from runner.trial import Origin, Outcome, Pending, Status, Trial

DONE = Outcome(Status.COMPLETED, loss=1.0)
STOPPED = Outcome(Status.STOPPED, loss=1.0)


def job(run):
    return Job(run, Pending(0, {}), 0.0)


def test_the_first_has_it_evaluated_and_the_others_wait():
    shared, key = OutcomeCache(), key_of(0, {"x": 1})
    assert shared.claim(key, job(0))
    assert not shared.claim(key, job(1))
    assert not shared.claim(key, job(2))
    assert shared.claim(key_of(1, {"x": 1}), job(3)), "another block"
    assert shared.find(key) is None
    assert shared.settle(key, DONE) == [job(1), job(2)]
    assert shared.find(key) is DONE


def test_what_was_stopped_early_is_nobody_elses():
    shared, key = OutcomeCache(), key_of(0, {"x": 1})
    shared.claim(key, job(0))
    shared.claim(key, job(1))
    assert shared.settle(key, STOPPED) == [job(1)]
    assert shared.find(key) is None
    assert shared.claim(key, job(1)), "the next one may evaluate it"


def test_configs_are_told_apart_by_type_and_not_by_order():
    keys = {key_of(0, {"x": value}) for value in (1, 1.0, True, "1", None, "None", -0.0, 0.0)}
    assert len(keys) == 8
    assert key_of(0, {"a": 1, "b": 2}) == key_of(0, {"b": 2, "a": 1})


def test_an_earlier_session_is_remembered():
    shared = OutcomeCache()
    shared.remember(
        3,
        [
            Trial(0, {"x": 1}, DONE),
            Trial(1, {"x": 1}, Outcome(Status.COMPLETED, loss=9.0), Origin.CACHED),
            Trial(2, {"x": 2}, STOPPED),
        ],
    )
    assert shared.find(key_of(3, {"x": 1})) is DONE
    assert shared.find(key_of(3, {"x": 2})) is None
    assert shared.find(key_of(0, {"x": 1})) is None

import copy
import dataclasses
import pickle

import pytest

from runner.trial import DONE, WAIT, Answer, Origin, Outcome, Pending, Status, Trial


@pytest.mark.parametrize("status", Status)
def test_each_status_says_what_it_means(status):
    assert status.sentence
    assert len({other.sentence for other in Status}) == len(Status)
    assert str(status) == status.value == status.name


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("loss", [None, 1.5])
def test_only_a_completed_trial_with_a_loss_may_be_the_incumbent(status, loss):
    trial = Trial(0, {"x": 1}, Outcome(status, loss=loss, gradient={"x": 2.0}))
    assert trial.valid == (status is Status.COMPLETED and loss is not None)
    assert (trial.status, trial.loss, trial.gradient) == (status, loss, {"x": 2.0})


def test_answers_keep_their_identity_on_every_way():
    for answer in (WAIT, DONE):
        assert pickle.loads(pickle.dumps(answer)) is copy.deepcopy(answer) is answer
    assert WAIT is not DONE
    assert set(Answer) == {WAIT, DONE}


def test_records_are_frozen_and_compare_by_value():
    trial = Trial(3, {"x": 1}, Outcome(Status.COMPLETED, loss=0.5))
    assert pickle.loads(pickle.dumps(trial)) == trial
    assert trial.origin is Origin.EVALUATED
    assert trial != Pending(3, {"x": 1})
    for record, name in ((trial, "number"), (trial.outcome, "loss"), (Pending(0, {}), "config")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, 1)
        with pytest.raises((TypeError, AttributeError)):
            record.__dict__  # noqa: B018

"""Trials and their JSON, which has one codec for messages, journals, states and checkpoints."""

import copy
import dataclasses
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.journal.schema import from_row, to_row
from runner.trial import (
    DONE,
    WAIT,
    Answer,
    Origin,
    Outcome,
    Pending,
    Status,
    Trial,
    outcome_from_json,
    outcome_to_json,
    pending_from_json,
    pending_to_json,
    trial_from_json,
    trial_to_json,
)
from tests.studies import OUTCOMES, SCALARS, TEXT, TRIALS

PENDING = st.builds(
    Pending,
    st.integers(0, 99),
    st.dictionaries(TEXT, SCALARS, max_size=3),
    st.floats(0, 9),
    st.integers(0, 99),
)


def by_position(record):
    to_json = {Outcome: outcome_to_json, Trial: trial_to_json, Pending: pending_to_json}
    return to_json[type(record)](record)


@given(OUTCOMES | TRIALS | PENDING)
@pytest.mark.parametrize("form", [by_position, dataclasses.asdict])
def test_json_gives_back_an_equal_object_of_the_same_types(form, record):
    from_json = {Outcome: outcome_from_json, Trial: trial_from_json, Pending: pending_from_json}
    again = from_json[type(record)](json.loads(json.dumps(form(record))))
    assert repr(again) == repr(record)  # also tuples as tuples; NaN equals itself in print only


@given(TRIALS)
def test_a_row_of_the_journal_gives_back_an_equal_trial(trial):
    assert repr(from_row(to_row(trial))) == repr(trial)


def test_json_of_earlier_versions_may_lack_what_has_a_default():
    assert outcome_from_json({"status": "COMPLETED", "loss": 0.5}) == Outcome(Status.COMPLETED, 0.5)
    assert pending_from_json({"number": 3, "config": {}}) == Pending(3, {})
    data = {"number": 3, "config": {"x": 1}, "outcome": {"status": "FAILED", "folds": [1.0]}}
    assert trial_from_json(data) == Trial(3, {"x": 1}, Outcome(Status.FAILED, folds=(1.0,)))


@pytest.mark.parametrize("status", Status)
def test_each_status_says_what_it_means(status):
    assert status.meaning
    assert len({other.meaning for other in Status}) == len(Status)
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

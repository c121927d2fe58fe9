"""Rows of Optuna's tables, many at once.

Optuna's own way to add a trial takes some twenty statements and a commit for each: minutes for a study of
thousands. Its table models are not a public interface; a test compares the rows with those that its own
way writes.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Numbered = tuple[int, Any]
"""The number of a trial in its run, and Optuna's ``FrozenTrial`` of it."""

_NUMBER = "number"
"""The attribute that keeps a trial's number in its run, if Optuna gives it another."""


def find_study(session: Any, name: str) -> int | None:
    """Look up the key of a study; None if there is none of that name."""
    from optuna.storages._rdb import models

    found: int | None = (
        session.query(models.StudyModel.study_id).filter(models.StudyModel.study_name == name).scalar()
    )
    return found


def make_study(session: Any, name: str, direction: str, attributes: Mapping[str, Any]) -> int:
    """Add a study, and return its key."""
    from optuna.storages._rdb import models
    from optuna.study import StudyDirection

    way = models.StudyDirectionModel(objective=0, direction=StudyDirection[direction.upper()])
    study = models.StudyModel(study_name=name, directions=[way])
    session.add(study)
    session.flush()
    key: int = study.study_id
    rows = [
        {"study_id": key, "key": name, "value_json": json.dumps(value)} for name, value in attributes.items()
    ]
    _insert(session, models.StudyUserAttributeModel, rows)
    return key


def existing_numbers(session: Any, study: int) -> list[int]:
    """List the numbers that a study's trials have in their run, in Optuna's order."""
    from optuna.storages._rdb import models

    trial, attribute = models.TrialModel, models.TrialUserAttributeModel
    own = {
        key: int(json.loads(value))
        for key, value in session.query(attribute.trial_id, attribute.value_json)
        .join(trial, trial.trial_id == attribute.trial_id)
        .filter(trial.study_id == study, attribute.key == _NUMBER)
    }
    there = session.query(trial.trial_id, trial.number).filter(trial.study_id == study).order_by(trial.number)
    return [own.get(key, number) for key, number in there]


def add_trials(session: Any, study: int, first: int, trials: Sequence[Numbered]) -> None:
    """Add trials; Optuna numbers them from ``first``."""
    from optuna.storages._rdb import models

    made = [
        models.TrialModel(
            study_id=study,
            number=position,
            state=trial.state,
            datetime_start=trial.datetime_start,
            datetime_complete=trial.datetime_complete,
        )
        for position, (_, trial) in enumerate(trials, first)
    ]
    session.add_all(made)
    session.flush()
    values, params, attributes, steps = [], [], [], []
    for row, (number, trial) in zip(made, trials, strict=True):
        key = {"trial_id": row.trial_id}
        if trial.value is not None:
            value, kind = models.TrialValueModel.value_to_stored_repr(trial.value)
            values.append({**key, "objective": 0, "value": value, "value_type": kind})
        params += [{**key, **param} for param in _params(trial)]
        about = trial.user_attrs if row.number == number else {**trial.user_attrs, _NUMBER: number}
        attributes += [{**key, "key": name, "value_json": json.dumps(value)} for name, value in about.items()]
        for step, loss in trial.intermediate_values.items():
            value, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(loss)
            steps.append({**key, "step": step, "intermediate_value": value, "intermediate_value_type": kind})
    _insert(session, models.TrialValueModel, values)
    _insert(session, models.TrialParamModel, params)
    _insert(session, models.TrialUserAttributeModel, attributes)
    _insert(session, models.TrialIntermediateValueModel, steps)
    session.expunge_all()


def _params(trial: Any) -> Iterable[dict[str, Any]]:
    from optuna.distributions import distribution_to_json

    for name, value in trial.params.items():
        distribution = trial.distributions[name]
        yield {
            "param_name": name,
            "param_value": distribution.to_internal_repr(value),
            "distribution_json": distribution_to_json(distribution),
        }


def _insert(session: Any, model: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    import sqlalchemy

    if rows:
        session.execute(sqlalchemy.insert(model), rows)

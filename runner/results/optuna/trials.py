"""Conversion of a study's trials to Optuna's."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.errors import ResultsError
from runner.journal.reader import Record, RunRecord
from runner.space import Choice, Domain, Float, Int, Space
from runner.space.formats.json import space_from_json
from runner.trial import Status, Trial

_STATES: Final = {Status.COMPLETED: "COMPLETE", Status.STOPPED: "PRUNED"}


def trials_of(record: Record, run: RunRecord) -> Iterator[tuple[int, Any]]:
    """Yield the ended trials of a run: the number, and Optuna's ``FrozenTrial``."""
    identity = json.loads(run.identity)
    params = list(identity["space"].items())
    space = space_from_json({"params": params, "forbid": identity["forbid"]})
    names = names_of(space)
    started = datetime.datetime.fromisoformat(record.created)
    for trial in record.history(run.id):
        yield trial.number, _trial(trial, run, space, names, started)


def names_of(space: Space) -> list[tuple[str, Any]]:
    """Name each dimension of a space, with its distribution: Optuna keeps one kind of them per name.

    If branches give a parameter domains of several kinds, those after the first are numbered.
    """
    from optuna.distributions import distribution_to_json

    taken = {name: {name} for name in space.names}  # a numbered name must not be another parameter's name
    kinds: dict[str, Any] = {}
    found = []
    for name, domain in space.dimensions:
        distribution = distribution_of(domain)
        kind: tuple[Any, ...] = (type(distribution), getattr(distribution, "log", None))
        if isinstance(domain, Choice):
            kind = (distribution_to_json(distribution),)
        tried, number = name, 1
        while kinds.setdefault(tried, (name, kind)) != (name, kind) or (number > 1 and tried in taken):
            number += 1
            tried = f"{name} ({number})"
        found.append((tried, distribution))
    return found


def _trial(
    trial: Trial,
    run: RunRecord,
    space: Space,
    names: list[tuple[str, Any]],
    started: datetime.datetime,
) -> Any:
    from optuna.trial import TrialState, create_trial

    state = TrialState[_STATES.get(trial.status, "FAIL")]
    sign = -1.0 if run.direction == "maximize" else 1.0
    params: dict[str, Any] = {}
    distributions: dict[str, Any] = {}
    dimensions = zip(space.dimensions, names, space.active(trial.config), strict=True)
    for (name, _), (key, distribution), active in dimensions:
        if active:
            params[key], distributions[key] = trial.config[name], distribution
    outcome = trial.outcome
    made = create_trial(
        state=state,
        value=outcome.value if state is TrialState.COMPLETE else None,
        params=params,
        distributions=distributions,
        intermediate_values={i: sign * loss for i, loss in enumerate(outcome.steps) if loss == loss},
        user_attrs=_attributes(trial),
    )
    begun = started + datetime.timedelta(seconds=trial.started)
    made.datetime_start = begun.astimezone().replace(tzinfo=None)
    made.datetime_complete = made.datetime_start + datetime.timedelta(seconds=outcome.seconds)
    return made


def _attributes(trial: Trial) -> Mapping[str, Any]:
    outcome = trial.outcome
    found = {"test": outcome.test, "error": outcome.error or None, "worker": trial.worker or None}
    found |= {f"metric {name}": value for name, value in outcome.metrics.items()}
    return {key: value for key, value in found.items() if value is not None}


def distribution_of(domain: Domain) -> Any:
    """Convert a domain to Optuna's, which has no steps on a logarithmic scale."""
    from optuna import distributions

    if isinstance(domain, Choice):
        return distributions.CategoricalDistribution(domain.options)
    if isinstance(domain, Float):
        step = None if domain.log else domain.step
        return distributions.FloatDistribution(domain.low, domain.high, log=domain.log, step=step)
    if isinstance(domain, Int):
        stride = 1 if domain.log else domain.step or 1
        return distributions.IntDistribution(domain.low, domain.high, log=domain.log, step=stride)
    raise ResultsError(f"{domain!r} has no counterpart in Optuna.")

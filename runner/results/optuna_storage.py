"""The runs of a study as Optuna studies, for its dashboard and whatever else reads an Optuna storage."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.convert.json_form import space_from_json
from runner.errors import ResultsError
from runner.record import Record, RunRecord
from runner.space import Choice, Domain, Float, Int, Space
from runner.trial import Status, Trial

_DASHBOARD = "optuna.db"


def write_optuna(record: Record, to: str | Path | None) -> str:
    """Put every run into an Optuna storage as a study of its own, named STUDY/PROBLEM/METHOD/SEED.

    Trials that are there already, from an earlier export, stay; new ones are added.

    Parameters
    ----------
    record : Record
    to : str or Path, optional
        A storage URL, ``sqlite:///x.db``; or a folder or a file for SQLite. Default: ``optuna.db`` in
        the study directory.

    Returns
    -------
    str
        The URL.

    Raises
    ------
    ResultsError
        Where Optuna is not installed, or the storage cannot be written.
    """
    try:
        import optuna
    except ImportError:
        raise ResultsError(
            "optuna cannot be imported.", where="--format optuna", hint="pip install 'fivefold[optuna]'."
        ) from None
    url = _url(to, record.folder)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = optuna.storages.RDBStorage(url)
        for run in record.runs:
            study = optuna.create_study(
                storage=storage,
                study_name=f"{record.name}/{run.id}",
                direction=run.direction,
                load_if_exists=True,
            )
            if not study.trials:
                told = {"method": run.method, "settings": run.settings, "metric": run.metric}
                for key, value in told.items():
                    study.set_user_attr(key, value)
            kept = len(study.trials)
            space, names = _space(run), _Names()
            started = datetime.datetime.fromisoformat(record.created)
            trials = [_trial(trial, run, space, names, started) for trial in record.history(run.id)]
            study.add_trials(trials[kept:])
    except ResultsError:
        raise
    except Exception as error:  # SQLAlchemy's own, Optuna's own
        raise ResultsError(f"it cannot be written: {error}.", where=url) from None
    finally:
        optuna.logging.set_verbosity(verbosity)
    return url


def _url(to: str | Path | None, folder: Path) -> str:
    if isinstance(to, str) and "://" in to:
        return to
    path = folder if to is None else Path(to)
    path = path / _DASHBOARD if path.is_dir() or not path.suffix else path
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path.resolve()}"


def _space(run: RunRecord) -> Space:
    told = json.loads(run.identity)
    return space_from_json({"params": list(told["space"].items()), "forbid": told["forbid"]})


class _Names:
    """One name for each parameter and kind of domain: Optuna keeps one kind per name."""

    def __init__(self) -> None:
        self._kinds: dict[str, Any] = {}

    def name(self, name: str, distribution: Any) -> str:
        """The parameter's own name; numbered where branches give it domains of different kinds."""
        kind = (type(distribution), getattr(distribution, "choices", None))
        tried, number = name, 1
        while self._kinds.setdefault(tried, kind) != kind:
            number += 1
            tried = f"{name} ({number})"
        return tried


def _trial(trial: Trial, run: RunRecord, space: Space, names: _Names, started: datetime.datetime) -> Any:
    import optuna

    states = {Status.COMPLETED: "COMPLETE", Status.STOPPED: "PRUNED"}
    state = optuna.trial.TrialState[states.get(trial.status, "FAIL")]
    sign = -1.0 if run.direction == "maximize" else 1.0
    params: dict[str, Any] = {}
    distributions: dict[str, Any] = {}
    for (name, domain), active in zip(space.dimensions, space.active(trial.config), strict=True):
        if not active:
            continue
        distribution = distribution_of(domain)
        key = names.name(name, distribution)
        params[key], distributions[key] = trial.config[name], distribution
    outcome = trial.outcome
    made = optuna.trial.create_trial(
        state=state,
        value=outcome.value if state is optuna.trial.TrialState.COMPLETE else None,
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
    """A domain as Optuna has it; it knows no steps on a logarithmic scale, and leaves them out."""
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

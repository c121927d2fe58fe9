"""MLflow: an experiment per study, a run per run, a step per trial.

A resumed study continues its MLflow runs: they are found by their tags, and trials that are there already
are not sent again.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its dependencies
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

from runner.integrations.trackers.tracker import Ended, Incumbents, Tracker, figures_of
from runner.study.study import Study
from runner.trial import Trial

_TAG = "fivefold.run"
_INCUMBENT = "incumbent"
_MOST_AT_ONCE = 1_000  # metrics in one call; MLflow's limit
_MOST_CHARACTERS = 500  # of a parameter; the limit of older MLflow stores


class MlflowTracker(Tracker):
    """Tracker that writes to an MLflow store.

    Parameters
    ----------
    uri : str
        URI of the store: ``sqlite:///mlflow.db``, ``http://host:5000``; or the path of a SQLite file.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri if ":" in uri else f"sqlite:///{Path(uri).resolve()}"
        self._ids: list[str] = []
        self._there: list[set[int]] = []
        self._incumbents = Incumbents()

    def begin(self, study: Study, history: list[list[Trial]]) -> None:
        """See `Tracker`."""
        with _silent():
            self._study = study
            self._client = client = MlflowClient(tracking_uri=self._uri)
            found = client.get_experiment_by_name(study.name)
            experiment = found.experiment_id if found else client.create_experiment(study.name)
            known = {run.data.tags.get(_TAG): run for run in _all_runs(client, experiment)}
            for spec in study.runs:
                run = known.get(spec.id) or client.create_run(
                    experiment,
                    run_name=spec.id,
                    tags={
                        _TAG: spec.id,
                        "study": study.name,
                        "problem": spec.problem.name,
                        "method": spec.label,
                        "seed": str(spec.seed),
                    },
                )
                self._ids.append(run.info.run_id)
                steps = client.get_metric_history(run.info.run_id, "seconds") if spec.id in known else []
                self._there.append({metric.step for metric in steps})
                if spec.id not in known:
                    self._params(len(self._ids) - 1, {"method": spec.method.name, **spec.method.settings()})
            for index, trials in enumerate(history):
                self.trials(index, trials)

    def trials(self, index: int, ended: list[Trial]) -> None:
        """See `Tracker`."""
        now = int(time.time() * 1000)
        metrics = []
        for trial in ended:
            best = self._incumbents.after(index, trial)
            if trial.number in self._there[index]:
                continue
            self._there[index].add(trial.number)
            figures = figures_of(self._study.runs[index], trial)
            if best is not None:
                figures[_INCUMBENT] = best
            metrics += [Metric(_word(name), value, now, trial.number) for name, value in figures.items()]
        with _silent():
            for start in range(0, len(metrics), _MOST_AT_ONCE):
                self._client.log_batch(self._ids[index], metrics=metrics[start : start + _MOST_AT_ONCE])

    def finished(self, index: int, ended: Ended) -> None:
        """See `Tracker`."""
        with _silent():
            run_id, metric = self._ids[index], self._study.runs[index].problem.metric
            tags = [RunTag("end_reason", ended.reason)]
            if ended.best is not None and ended.best.outcome.value is not None:
                tags.append(RunTag("best_trial", str(ended.best.number)))
                tags += [
                    RunTag(f"best.{_word(name)}", json.dumps(value))
                    for name, value in ended.best.config.items()
                ]
                self._client.log_metric(run_id, f"best_{_word(metric)}", ended.best.outcome.value)
            self._client.log_batch(run_id, tags=tags)
            self._client.set_terminated(run_id)

    def _params(self, index: int, values: dict[str, Any]) -> None:
        params = [Param(_word(name), str(value)[:_MOST_CHARACTERS]) for name, value in values.items()]
        self._client.log_batch(self._ids[index], params=params)


def _all_runs(client: MlflowClient, experiment: str) -> list[Any]:
    found: list[Any] = []
    page = None
    while True:
        runs = client.search_runs([experiment], max_results=1000, page_token=page)
        found += runs
        page = runs.token
        if not page:
            return found


def _word(name: str) -> str:
    """Replace the characters of a name that MLflow refuses."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in name)


def _silent() -> warnings.catch_warnings[None]:
    """Suppress warnings of MLflow's dependencies."""
    return warnings.catch_warnings(action="ignore")

"""Trainables of Ray Tune programs as objectives, whose reports are their answers.

Tune is not started. A function gets a session of its own while it runs, which collects ``tune.report``; a
class is stepped until it or a stopping rule says that it is done. Reported checkpoints stay where they are,
and none is ever loaded. Results may be nested: their keys are joined by "/", as in Tune.
"""

from __future__ import annotations

import inspect
import shutil
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.engine.ray.internals import tune_session
from runner.errors import ProblemError, clip
from runner.space.formats import flat_dict

_MOST_CHARACTERS = 300  # of a list of metrics in a message


@dataclass
class _Session:
    """Session behind ``tune.report``, ``tune.get_checkpoint`` and ``tune.get_context``; holds the reports."""

    reports: list[Mapping[str, Any]] = field(default_factory=list)
    loaded_checkpoint: None = None
    world_rank: None = None
    experiment_name: str = "optimize"
    trial_name: str = "trial"
    trial_id: str = "trial"
    trial_resources: None = None

    @property
    def trial_dir(self) -> str:
        return str(Path.cwd())

    def report(self, metrics: Mapping[str, Any], checkpoint: object = None) -> None:
        del checkpoint
        self.reports.append(dict(metrics))

    def add(self, part: Any, metric: str) -> None:
        """Treat a returned or yielded value as a report."""
        if part is not None:
            self.report(part if isinstance(part, Mapping) else {metric: part})


def in_session(
    function: Callable[..., Any],
    config: Mapping[str, Any],
    options: Mapping[str, Any],
    metric: str,
    collect: bool,
) -> Any:
    """Call a function that may report to Tune instead of answering.

    Parameters
    ----------
    config, options : mapping
        Its arguments.
    metric : str
        Metric to return; its last value counts, as in Tune.
    collect : bool
        Yielded values are reports, too, as in Tune; else they are steps.

    Returns
    -------
    object
        The last report that holds the metric, or the answer if nothing was reported.

    Raises
    ------
    ProblemError
        If there are reports, and none has the metric.
    """
    session = _Session()
    with tune_session(session):
        answer = function(config, **options)
        if inspect.isgenerator(answer):
            if not collect:
                return _stepwise(answer, session, metric)
            for part in answer:
                session.add(part, metric)
            answer = None
    if not session.reports:
        return answer
    session.add(answer, metric)
    return last_with(session.reports, metric)


def _stepwise(steps: Generator[Any, Any, Any], session: _Session, metric: str) -> Iterator[Any]:
    """Yield the steps of a generator, and at the end the last report."""
    try:
        while True:
            with tune_session(session):
                step = next(steps, _ENDED)
            if step is _ENDED:
                break
            yield step
        if session.reports:
            yield last_with(session.reports, metric)
    finally:
        steps.close()


_ENDED: Any = object()


@dataclass(frozen=True)
class TrainableObjective:
    """An objective that runs a trainable class to its end.

    Parameters
    ----------
    trainable : class
        A class that ``tune.Tuner`` takes.
    metric : str
        Metric to return; its last value counts, as in Tune.
    stop : mapping of str to float
        The trainable is stopped once any of these results has reached its value, as with Tune's ``stop``;
        keys of nested results are joined by "/".
    """

    trainable: Callable[..., Any]
    metric: str
    stop: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run the trainable, and return the last result that holds the metric.

        Raises
        ------
        ProblemError
            If it never reported the metric.
        """
        trainable = self.trainable(config=dict(config))
        results: list[Mapping[str, Any]] = []
        try:
            while not results or not self._ends(results[-1], len(results) == 1):
                results.append(trainable.train())
        finally:
            trainable.stop()
            # Tune would keep this folder with its results; here nobody needs it.
            shutil.rmtree(trainable.logdir, ignore_errors=True)
        return last_with(results, self.metric)

    def _ends(self, result: Mapping[str, Any], first: bool) -> bool:
        flat = flat_dict(result)
        missing = [name for name in self.stop if name not in flat]
        if missing and first:
            warnings.warn(
                f"stop: the result has no '{missing[0]}', only {_names([flat])}.",
                stacklevel=2,
            )
        reached = (name in flat and flat[name] >= value for name, value in self.stop.items())
        return bool(flat.get("done")) or any(reached)


def last_with(reports: list[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    """Return the last report that holds a metric; raise ProblemError if none does."""
    for report in reversed(reports):
        if metric in report or metric in flat_dict(report):
            return dict(report)
    raise ProblemError(
        f"the trainable never reported '{metric}', only {_names(reports)}.",
        hint="Pass the name of a reported metric as metric=.",
    )


def _names(reports: list[Mapping[str, Any]]) -> str:
    names = {
        name for report in reports for name in flat_dict(report) if not name.startswith(("_", "config/"))
    }
    return clip(str(sorted(names)), _MOST_CHARACTERS)

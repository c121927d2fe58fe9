"""A trainable of a Ray Tune program as an objective: what it reports is what it answers.

No Tune is started. A function gets a session of its own for as long as it runs, in which
``tune.report`` collects; of a class steps are taken until it says that it is done, or a stopping
rule does. Checkpoints that are reported are left where they are, and none is ever loaded. Results
may be nested: their keys are joined by "/", as Tune joins them.
"""

from __future__ import annotations

import inspect
import shutil
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray import tune
from ray.train._internal import session as ray_session

from runner.errors import ProblemError, clip
from runner.space.formats import flat_dict

_MOST_CHARACTERS = 300


def is_trainable_class(given: object) -> bool:
    """Whether it is a class of Tune's class interface."""
    return isinstance(given, type) and issubclass(given, tune.Trainable)


@dataclass
class _Session:
    """What ``tune.report``, ``tune.get_checkpoint`` and ``tune.get_context`` ask; holds the reports."""

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
        """Count what a function returned or yielded as a report."""
        if part is not None:
            self.report(part if isinstance(part, Mapping) else {metric: part})

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Be the session of this process; whatever was it before is it afterwards."""
        before = ray_session._session
        ray_session._session = self
        try:
            yield
        finally:
            ray_session._session = before


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
    function : callable
    config, options : mapping
        What it is called with.
    metric : str
        Which of what it reports is wanted; its last value counts, as in Tune.
    collect : bool
        Whether what it yields are reports, too, as in Tune; else they are steps.

    Returns
    -------
    object
        The last report that holds the metric, or the answer where nothing was reported.

    Raises
    ------
    ProblemError
        Where reports came, and none had the metric.
    """
    session = _Session()
    with session.opened():
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
    """What it yields; and what it reported beside that, at the end."""
    try:
        while True:
            with session.opened():
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
        As ``tune.Tuner`` takes it.
    metric : str
        Which of what it reports is wanted; its last value counts, as in Tune.
    stop : mapping of str to float
        It is stopped once any of these results has reached its value, as Tune's ``stop`` does; by
        the keys of nested results joined by "/".
    """

    trainable: Callable[..., Any]
    metric: str
    stop: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """The last result that holds the metric.

        Raises
        ------
        ProblemError
            Where it never reported the metric.
        """
        trainable = self.trainable(config=dict(config))
        results: list[Mapping[str, Any]] = []
        try:
            while not results or not self._ends(results[-1], len(results) == 1):
                results.append(trainable.train())
        finally:
            trainable.stop()
            # Tune would keep it with its results; here it is nobody's.
            shutil.rmtree(trainable.logdir, ignore_errors=True)
        return last_with(results, self.metric)

    def _ends(self, result: Mapping[str, Any], first: bool) -> bool:
        flat = flat_dict(result)
        missing = [name for name in self.stop if name not in flat]
        if missing and first:
            warnings.warn(
                f"The result has no '{missing[0]}', which 'stop' names; it has {_names([flat])}.",
                stacklevel=2,
            )
        reached = (name in flat and flat[name] >= value for name, value in self.stop.items())
        return bool(flat.get("done")) or any(reached)


def last_with(reports: list[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    """The last report that holds a metric; ProblemError where none does."""
    for report in reversed(reports):
        if metric in report or metric in flat_dict(report):
            return dict(report)
    raise ProblemError(
        f"the trainable never reported '{metric}', only {_names(reports)}.", hint="Give its name as metric=."
    )


def _names(reports: list[Mapping[str, Any]]) -> str:
    found = {
        name for report in reports for name in flat_dict(report) if not name.startswith(("_", "config/"))
    }
    return clip(str(sorted(found)), _MOST_CHARACTERS)

"""A trainable of a Ray Tune program as an objective: what it reports is what it answers.

No Tune is started. A function gets a session of its own for as long as it runs, in which
``tune.report`` collects; of a class steps are taken until it says that it is done, or a stopping
rule does. Checkpoints that are reported are left where they are, and none is ever loaded.
"""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ray import tune
from ray.train._internal import session as ray_session

from runner.errors import ProblemError


def is_trainable_class(given: object) -> bool:
    """Whether it is a class of Tune's class interface."""
    return isinstance(given, type) and issubclass(given, tune.Trainable)


@dataclass
class _Session:
    """What ``tune.report`` and ``tune.get_checkpoint`` ask; holds what was reported."""

    reports: list[Mapping[str, Any]] = field(default_factory=list)
    loaded_checkpoint: None = None
    world_rank: None = None

    def report(self, metrics: Mapping[str, Any], checkpoint: object = None) -> None:
        del checkpoint
        self.reports.append(dict(metrics))


@contextmanager
def _session() -> Iterator[_Session]:
    """A session of this thread's process; whatever was one before is one afterwards."""
    before, own = ray_session._session, _Session()
    ray_session._session = own
    try:
        yield own
    finally:
        ray_session._session = before


@dataclass(frozen=True)
class TrainableObjective:
    """An objective that runs a trainable to its end.

    Parameters
    ----------
    trainable : callable or class
        As ``tune.Tuner`` takes it.
    metric : str
        Which of what it reports is wanted; its last value counts, as in Tune.
    stop : mapping of str to float
        A class is stopped once any of these results has reached its value, as Tune's ``stop`` does.
    """

    trainable: Callable[..., Any]
    metric: str
    stop: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """The last report that holds the metric.

        Raises
        ------
        ProblemError
            Where it never reported the metric.
        """
        stepwise = is_trainable_class(self.trainable)
        reports = self._of_class(dict(config)) if stepwise else self._of_function(dict(config))
        for report in reversed(reports):
            if self.metric in report:
                return dict(report)
        known = sorted({name for report in reports for name in report if not name.startswith("_")})
        raise ProblemError(
            f"the trainable never reported '{self.metric}', only {known}.", hint="Give its name as metric=."
        )

    def _of_function(self, config: dict[str, Any]) -> list[Mapping[str, Any]]:
        with _session() as session:
            answer = self.trainable(config)
            for part in answer if inspect.isgenerator(answer) else [answer]:
                if isinstance(part, Mapping):
                    session.report(part)
                elif part is not None:
                    session.report({self.metric: part})
            return session.reports

    def _of_class(self, config: dict[str, Any]) -> list[Mapping[str, Any]]:
        trainable = self.trainable(config=config)
        reports: list[Mapping[str, Any]] = []
        try:
            while not reports or not self._ends(reports[-1]):
                reports.append(trainable.train())
        finally:
            trainable.stop()
            # Tune would keep it with its results; here it is nobody's.
            shutil.rmtree(trainable.logdir, ignore_errors=True)
        return reports

    def _ends(self, result: Mapping[str, Any]) -> bool:
        reached = (name in result and result[name] >= value for name, value in self.stop.items())
        return bool(result.get("done")) or any(reached)

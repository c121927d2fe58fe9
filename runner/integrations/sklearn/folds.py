"""Fits and scores of candidates on folds: in this process, in joblib's workers, or on Ray.

Work that will take less than `SMALL_SECONDS` stays in this process: joblib's workers would take longer
to start and to import scikit-learn. More goes to joblib's workers, as in scikit-learn itself, or
to Ray where it runs in this process already. The scores are the same wherever they are made.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import product
from typing import Any

from joblib import effective_n_jobs
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.model_selection._validation import _fit_and_score
from sklearn.utils.parallel import Parallel, delayed

SMALL_SECONDS = 3.0
"""Less work stays in this process despite ``n_jobs``: joblib's workers take about as long to start."""
# Share of all rounds of fits that may be spent in this process to measure one fit: small, since the
# workers are idle meanwhile. Chosen, not measured.
_MOST_SHARE = 0.25

Fold = dict[str, Any]
"""scikit-learn's result of one fit: scores, seconds, and the error where there was one."""


@dataclass(frozen=True)
class Fit:
    """Data and options shared by all fits of a search.

    Attributes
    ----------
    estimator : estimator
        Cloned for each fit.
    options : mapping
        Further arguments of scikit-learn's ``_fit_and_score``: scorer, fit and score parameters,
        ``error_score``, ``return_train_score``, ``verbose``.
    """

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    options: Mapping[str, Any]

    def arguments(self, job: Job) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of ``_fit_and_score`` for one fit."""
        train, test = self.splits[job.split]
        place = {
            "split_progress": (job.split, len(self.splits)),
            "candidate_progress": (job.candidate, job.candidates),
        }
        options = {"train": train, "test": test, "parameters": job.parameters, **place, **self.options}
        return (clone(self.estimator), self.X, self.y), options

    def __call__(self, job: Job) -> Fold:
        """Fit and score in this process."""
        data, options = self.arguments(job)
        fold: Fold = _fit_and_score(*data, **options)
        return fold

    def lost(self, job: Job, reason: str) -> Fold:
        """Return the fold of a fit whose worker died; RuntimeError where errors are to be raised."""
        score = self.options["error_score"]
        if score == "raise":
            raise RuntimeError(f"the worker that fitted {job.parameters} died: {reason}")
        names = getattr(self.options["scorer"], "_scorers", None)  # several metrics
        scores = score if names is None else dict.fromkeys(names, score)
        fold = {
            "fit_error": f"the worker died: {reason}",
            "test_scores": scores,
            "n_test_samples": len(self.splits[job.split][1]),
            "fit_time": 0.0,
            "score_time": 0.0,
        }
        return fold | ({"train_scores": scores} if self.options["return_train_score"] else {})


@dataclass(frozen=True)
class Job:
    """One fit: a candidate on one fold."""

    parameters: dict[str, Any]
    split: int
    candidate: int
    candidates: int


class Folds:
    """Evaluator of candidates; a context manager that keeps its workers between calls.

    Parameters
    ----------
    n_jobs : int or None
        As in scikit-learn.
    pre_dispatch : int or str
        As in scikit-learn, for joblib's workers.
    planned : int
        Largest number of fits.
    """

    def __init__(self, fit: Fit, n_jobs: int | None, pre_dispatch: int | str, planned: int) -> None:
        self._fit, self._planned, self._done, self._spent = fit, planned, 0, 0.0
        workers = effective_n_jobs(n_jobs)
        self._tasks = _ray_tasks(fit, n_jobs, workers) if workers > 1 else None
        self._parallel = Parallel(n_jobs=n_jobs, pre_dispatch=pre_dispatch)
        self._opened: AbstractContextManager[Any] | None = None
        # Measuring a fit here must not cost much where each takes minutes.
        self._alone = workers == 1
        self._may_be_small = bool(workers <= _MOST_SHARE * planned)

    def __enter__(self) -> Folds:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._opened is not None:
            self._opened.__exit__(*error)

    def evaluate(self, candidates: Sequence[dict[str, Any]], first: int, of: int) -> list[Fold]:
        """Fit and score each candidate on each fold.

        Parameters
        ----------
        first, of : int
            Number of the first candidate, and of all candidates; for scikit-learn's output.

        Returns
        -------
        list of dict
            By candidate, then by fold.
        """
        jobs = [
            Job(parameters, split, first + i, of)
            for (i, parameters), split in product(enumerate(candidates), range(len(self._fit.splits)))
        ]
        here = list(self._while_small(iter(jobs)))
        return here + self._elsewhere(jobs[len(here) :])

    def _while_small(self, jobs: Iterator[Job]) -> Iterator[Fold]:
        """Fit in this process while little work seems to be left."""
        while self._alone or (self._may_be_small and self._seems_small()):
            job = next(jobs, None)
            if job is None:
                return
            began = time.perf_counter()
            yield self._fit(job)
            self._spent += time.perf_counter() - began
            self._done += 1

    def _seems_small(self) -> bool:
        if not self._done:
            return True
        left = self._spent / self._done * (self._planned - self._done)
        self._may_be_small = left < SMALL_SECONDS
        return left < SMALL_SECONDS

    def _elsewhere(self, jobs: Sequence[Job]) -> list[Fold]:
        if not jobs:
            return []
        if self._tasks is not None:
            folds: list[Fold] = self._tasks.map(jobs)
            return folds
        if self._opened is None:
            self._opened = self._parallel
            self._opened.__enter__()
        calls = (self._fit.arguments(job) for job in jobs)
        return list(self._parallel(delayed(_fit_and_score)(*data, **options) for data, options in calls))


def _ray_tasks(fit: Fit, n_jobs: int | None, workers: int) -> Any:
    """Return Ray's workers where Ray is running in this process."""
    ray = sys.modules.get("ray")
    if ray is None or not hasattr(ray, "is_initialized") or not ray.is_initialized():
        return None
    from runner.engine.ray.tasks import Tasks, cluster_cpus, on_ray

    if not on_ray():
        return None
    most = cluster_cpus() if n_jobs is not None and n_jobs < 0 else workers
    return Tasks(_configured, (fit, get_config()), most, fit.lost)


def _configured(shared: tuple[Fit, dict[str, Any]], job: Job) -> Fold:
    fit, config = shared
    with config_context(**config):
        return fit(job)

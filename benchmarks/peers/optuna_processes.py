"""Optuna with a process per worker and its file journal, as its documentation recommends.

The sampler draws at random, Optuna's cheapest. The clocks are kept in memory and not as user
attributes, which would cost the journal two more lines per trial.
"""

from __future__ import annotations

import itertools
import multiprocessing
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks import clock
from benchmarks.objectives import Timed, span

_NAME = "benchmark"


def measure(scratch, *, work, seconds, trials, workers):
    """Run the trials of one study, shared by the workers."""
    path = str(Path(scratch, "journal.log"))
    optuna.create_study(storage=_storage(path), study_name=_NAME)
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        shares = [
            (path, work, seconds, len(range(worker, trials, workers)), worker) for worker in range(workers)
        ]
        spans = list(itertools.chain.from_iterable(pool.starmap(_share, shares, chunksize=1)))
    return clock.stop() | clock.read(spans, workers)


def _storage(path):
    return JournalStorage(JournalFileBackend(path))


def _share(path, work, seconds, trials, seed):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    objective, spans = Timed(work, seconds), []

    def evaluate(trial):
        answer = objective({"x": trial.suggest_float("x", 0.0, 1.0)})
        spans.append(span(answer))
        return answer["loss"]

    sampler = optuna.samplers.RandomSampler(seed=seed)
    study = optuna.load_study(study_name=_NAME, storage=_storage(path), sampler=sampler)
    study.optimize(evaluate, n_trials=trials)
    return spans

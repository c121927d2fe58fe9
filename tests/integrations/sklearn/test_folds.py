"""Where fits are made: here, in joblib's workers, on Ray; none of it changes a score."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.datasets import make_classification
from sklearn.exceptions import FitFailedWarning

from runner import Float, SearchCV
from runner.integrations.sklearn import folds
from runner.integrations.sklearn.folds import Folds
from tests.integrations.sklearn.estimators import Dummy

X, Y = make_classification(60, 4, random_state=0)


def where(estimator, X, y):
    return {"score": estimator.score(X, y), "pid": os.getpid(), "thread": threading.get_ident()}


def places(kind, estimator=None, levels=(0.0, 1.0, 2.0, 3.0), **more):
    """The processes, or threads, in which the candidates were scored, and the scores."""
    search = SearchCV(
        estimator or Dummy(),
        {"level": list(levels)},
        method="grid",
        cv=2,
        scoring=where,
        refit="score",
        **more,
    )
    found = search.fit(X, Y).cv_results_
    return [found[f"split{i}_test_{kind}"].tolist() for i in (0, 1)], found["mean_test_score"].tolist()


class Refusing:
    def __init__(self, **more):
        pass

    def __enter__(self):
        raise AssertionError("workers were started")


def test_little_work_stays_here_whatever_the_number_of_jobs(monkeypatch):
    monkeypatch.setattr(folds, "Parallel", Refusing)
    found, _ = places("pid", n_jobs=2)
    assert {pid for column in found for pid in column} == {os.getpid()}
    learning = SearchCV(Dummy(), {"level": Float(0, 3)}, method="tpe", n_trials=12, cv=2, n_jobs=2)
    assert len(learning.fit(X, Y).cv_results_["params"]) == 12


def test_much_work_goes_to_workers_after_one_fit(monkeypatch):
    monkeypatch.setattr(folds, "SMALL_SECONDS", 0.0)
    with parallel_config("threading", n_jobs=2):
        found, scores = places("thread")
    first, *others = (place for pair in zip(*found, strict=True) for place in pair)
    assert first == threading.get_ident()
    assert threading.get_ident() not in others
    assert scores == places("thread")[1]


@pytest.mark.parametrize("candidates, tried", [(3, False), (4, True)])
def test_few_fits_are_not_tried_here(monkeypatch, candidates, tried):
    """One more round than needed would be much of the whole, where a fit takes minutes."""
    monkeypatch.setattr(folds, "_ray_tasks", lambda *_: None)  # an earlier test may have left Ray running
    made = Folds(_Fit(), 2, "2*n_jobs", planned=2 * candidates)
    assert made._may_be_small == tried


class _Fit:
    splits = ((0, 1), (1, 0))


def test_the_estimate_is_of_what_is_left(monkeypatch):
    monkeypatch.setattr(folds, "_ray_tasks", lambda *_: None)
    clock = iter(np.arange(0.0, 100.0, 0.5))
    monkeypatch.setattr(folds.time, "perf_counter", lambda: float(next(clock)))

    class Fit(_Fit):
        def __call__(self, job):
            return {}

    made = Folds(Fit(), 2, "2*n_jobs", planned=8)
    sent = []
    monkeypatch.setattr(made, "_elsewhere", lambda jobs: sent.extend(jobs) or [{}] * len(jobs))
    made.evaluate([{}] * 4, 0, 4)
    assert len(sent) == 7  # seven fits of half a second each are too many
    made._planned, made._may_be_small = 6, True
    sent.clear()
    made.evaluate([{}] * 2, 4, 6)
    assert not sent  # four or fewer are not


def test_ray_is_not_loaded():
    code = (
        "import sys, numpy as np; from sklearn.linear_model import Ridge; from runner import SearchCV\n"
        "SearchCV(Ridge(), {'alpha': [1.0, 2.0]}, method='random', cv=2).fit(np.eye(8), np.arange(8.0))\n"
        "assert 'ray' not in sys.modules"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=120)


# -- on Ray ------------------------------------------------------------------------------------------


@pytest.mark.ray
def test_where_ray_runs_it_is_used(ray_workers, monkeypatch):
    monkeypatch.setattr(folds, "SMALL_SECONDS", 0.0)
    found, scores = places("pid", n_jobs=2)
    first, *others = (pid for pair in zip(*found, strict=True) for pid in pair)
    assert first == os.getpid()
    assert os.getpid() not in others
    assert scores == places("pid")[1]
    alone, _ = places("pid", n_jobs=None)
    assert {pid for column in alone for pid in column} == {os.getpid()}


@pytest.mark.ray
def test_a_worker_that_dies_on_ray_is_a_row(ray_workers, monkeypatch):
    monkeypatch.setattr(folds, "SMALL_SECONDS", 0.0)
    search = SearchCV(Dummy(die=(3.0,)), {"level": [0.0, 1.0, 2.0, 3.0]}, method="grid", cv=2, n_jobs=2)
    with (
        pytest.warns(FitFailedWarning, match="the worker died"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        found = search.fit(X, Y)
    assert np.isnan(found.cv_results_["mean_test_score"]).tolist() == [False, False, False, True]
    with pytest.raises(ValueError, match="told to fail"):
        SearchCV(
            Dummy(fail=(3.0,)),
            {"level": [0.0, 1.0, 2.0, 3.0]},
            method="grid",
            cv=2,
            n_jobs=2,
            error_score="raise",
        ).fit(X, Y)

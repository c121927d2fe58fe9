"""The built-in spaces: each is one of its estimator, holds its defaults, and can be fitted."""

import warnings

import numpy as np
import pytest

from runner.errors import ProblemError
from runner.problems.estimators.catalogue import CATALOGUE, entry_of, start_of
from runner.problems.estimators.data.data import Data
from runner.problems.estimators.problem import EstimatorProblem
from runner.seeds import rng_for
from runner.space.formats import parse_space

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
CLASSES = Data("classes", X.copy(), (X[:, 0] + X[:, 1] > 0).astype(int), tuple("abcd"), "classification")
NUMBERS = Data("numbers", X.copy(), X[:, 0] + X[:, 1] + 0.1 * X[:, 2], tuple("abcd"), "regression")
FEW_TREES = {"n_estimators": 5}
HEAVY = ("n_estimators", "max_iter")


def problem_of(entry):
    data = CLASSES if "Classifier" in entry.name or entry.name in CLASSIFIERS else NUMBERS
    params = dict(entry.params)
    if "n_estimators" not in entry.space and "Forest" in entry.name + "Forest" * ("Trees" in entry.name):
        params |= FEW_TREES
    return EstimatorProblem(entry.path, data, parse_space(entry.space), cv=2, test=0.0, params=params)


CLASSIFIERS = {
    "LogisticRegression",
    "LinearSVC",
    "SVC",
    "BernoulliNB",
    "GaussianNB",
    "LinearDiscriminantAnalysis",
    "QuadraticDiscriminantAnalysis",
}


@pytest.mark.parametrize("path", CATALOGUE)
def test_the_space_is_one_of_the_estimator_and_starts_from_its_defaults(path):
    entry = CATALOGUE[path]
    problem = problem_of(entry)
    assert entry.source
    start = problem.space.canonical(start_of(entry, 4))
    for name, value in problem._model.get_params().items():
        if name in start and name not in entry.start:
            assert start[name] == value
    assert problem.default is None or problem.default == start
    config = problem.space.sample(rng_for("catalogue", path))
    cheap = {name: min(value, 8) if name in HEAVY else value for name, value in start.items()}
    for tried in (cheap, {**config, **{k: v for k, v in cheap.items() if k in HEAVY and k in config}}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = problem._fit(problem.table, tried, 0, np.arange(60))
        assert np.isfinite(fitted.score(X, problem.table.y))


def test_there_are_about_twenty_and_they_are_found_by_either_name():
    assert len(CATALOGUE) >= 20
    assert entry_of("SVC") is entry_of("sklearn.svm.SVC")
    assert start_of(entry_of("SVC"), 20)["gamma"] == pytest.approx(0.05)
    with pytest.raises(ProblemError, match=r"for 'a\.RandomForrestRegresor'\. Did you mean 'RandomForestRe"):
        entry_of("a.RandomForrestRegresor")

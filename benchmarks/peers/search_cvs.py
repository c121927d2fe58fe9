"""`SearchCV` and its peers: scikit-learn's, scikit-optimize's and Optuna's searches as estimators."""

from __future__ import annotations

import time
import warnings

import numpy as np
from sklearn import datasets
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from runner import Choice, Float, Int, SearchCV

_KERNEL = {"svc__C": Float(1e-3, 1e3, log=True), "svc__gamma": Float(1e-5, 1e1, log=True)}
PROBLEMS = {
    "breast_cancer, SVC": ("breast_cancer", make_pipeline(StandardScaler(), SVC()), _KERNEL),
    "wine, k neighbours": (
        "wine",
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        {
            "kneighborsclassifier__n_neighbors": Int(1, 40),
            "kneighborsclassifier__p": Float(1.0, 4.0),
            "kneighborsclassifier__weights": Choice(["uniform", "distance"]),
        },
    ),
    "iris, tree": (
        "iris",
        DecisionTreeClassifier(random_state=0),
        {
            "max_depth": Int(1, 15),
            "min_samples_split": Float(0.01, 0.99),
            "min_samples_leaf": Float(0.01, 0.49),
            "criterion": Choice(["gini", "entropy"]),
        },
    ),
    "diabetes, SVR": (
        "diabetes",
        make_pipeline(StandardScaler(), SVR()),
        {
            "svr__C": Float(1e-1, 1e4, log=True),
            "svr__gamma": Float(1e-5, 1e1, log=True),
            "svr__epsilon": Float(1e-2, 1e2, log=True),
        },
    ),
    "digits (600 rows), SVC": (
        "digits",
        make_pipeline(StandardScaler(), SVC()),
        _KERNEL | {"svc__kernel": Choice(["rbf", "poly"])},
    ),
}
"""A data set, an estimator and a space each."""
_ROWS = {"digits": 600}
_FOLDS = 3

GRID = {"C": np.logspace(-2, 3, 10).tolist(), "gamma": np.logspace(-5, 0, 6).tolist()}
"""60 candidates for an SVC on digits."""


def table(_scratch, side, kind, jobs=2, rows=None, candidates=60):
    """A grid, or draws from one: the seconds of a fit, and its best score."""
    X, y = (part[:rows] for part in datasets.load_digits(return_X_y=True))
    shared = {"n_jobs": jobs, "cv": 5}
    if side == "SearchCV":
        more = {} if kind == "grid" else {"n_trials": candidates, "random_state": 0}
        search = SearchCV(SVC(), GRID, method=kind, **more, **shared)
    elif kind == "grid":
        search = GridSearchCV(SVC(), GRID, **shared)
    else:
        search = RandomizedSearchCV(SVC(), GRID, n_iter=candidates, random_state=0, **shared)
    seconds = _seconds(search, X, y)
    found = len(search.cv_results_["params"])
    return {"seconds": seconds, "score": search.best_score_, "candidates": found, "finished": time.time()}


def searches(_scratch, side, problem, seeds, trials):
    """Searches that learn: the best cross-validated score and the seconds of each seed; one job."""
    name, estimator, space = PROBLEMS[problem]
    X, y = (part[: _ROWS.get(name)] for part in getattr(datasets, f"load_{name}")(return_X_y=True))
    kind = KFold if name == "diabetes" else StratifiedKFold
    scores, seconds, cpu = [], [], []
    for seed in range(seeds):
        cv = kind(_FOLDS, shuffle=True, random_state=seed)
        search = SIDES[side](estimator, space, trials, {"cv": cv, "random_state": seed})
        before = time.process_time()
        with threadpool_limits(1):
            seconds.append(_seconds(search, X, y))
        cpu.append(time.process_time() - before)
        scores.append(float(search.best_score_))
    return {"scores": scores, "each": seconds, "cpu": cpu, "seconds": sum(seconds), "finished": time.time()}


def _seconds(search, X, y):
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, y)
    return time.perf_counter() - began


def _ours(method):
    def make(estimator, space, trials, shared):
        return SearchCV(estimator, space, method=method, n_trials=trials, **shared)

    return make


def _scikit_optimize(estimator, space, trials, shared):
    from skopt import BayesSearchCV
    from skopt.space import Categorical, Integer, Real

    def dimension(domain):
        if isinstance(domain, Choice):
            return Categorical(domain.options)
        kind = Real if isinstance(domain, Float) else Integer
        return kind(domain.low, domain.high, prior="log-uniform" if domain.log else "uniform")

    spaces = {name: dimension(domain) for name, domain in space.items()}
    return BayesSearchCV(estimator, spaces, n_iter=trials, **shared)


def _optuna(estimator, space, trials, shared):
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna_integration.sklearn import OptunaSearchCV

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def distribution(domain):
        if isinstance(domain, Choice):
            return CategoricalDistribution(domain.options)
        kind = FloatDistribution if isinstance(domain, Float) else IntDistribution
        return kind(domain.low, domain.high, log=domain.log)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is experimental
        return OptunaSearchCV(
            estimator, {name: distribution(d) for name, d in space.items()}, n_trials=trials, **shared
        )


SIDES = {
    "bayes": _ours("bayes"),
    "tpe": _ours("tpe"),
    "BayesSearchCV": _scikit_optimize,
    "OptunaSearchCV": _optuna,
}

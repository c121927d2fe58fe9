"""Tuning problems of scikit-learn in the manner of bayesmark: a model, a data set, a metric.

The loss is the mean over two folds. Ranges are wide, and metrics have plateaus and failures of
their own, as a user's have. Evaluations are kept in a file per problem, so that a benchmark that is
run again evaluates only what is new.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np

from runner.space import Float, Int, Space

FOLDS = 2
_CACHE = Path(os.environ.get("FIVEFOLD_BENCH_CACHE", Path(tempfile.gettempdir()) / "fivefold-bench"))

_TREE = {
    "max_depth": Int(1, 15),
    "min_samples_split": Float(0.01, 0.99),
    "min_samples_leaf": Float(0.01, 0.49),
    "min_weight_fraction_leaf": Float(0.0, 0.49),
    "max_features": Float(0.05, 1.0),
    "min_impurity_decrease": Float(0.0, 0.5),
}
_NETWORK = {
    "hidden_layer_sizes": Int(10, 100),
    "alpha": Float(1e-5, 1e1, log=True),
    "batch_size": Int(10, 100),
    "learning_rate_init": Float(1e-5, 1e-1, log=True),
    "tol": Float(1e-5, 1e-1, log=True),
}
SPACES = {
    "kNN": {"n_neighbors": Int(1, 25), "p": Float(1.0, 4.0)},
    "SVM": {
        "C": Float(1e-3, 1e3, log=True),
        "gamma": Float(1e-5, 1e1, log=True),
        "tol": Float(1e-5, 1e-1, log=True),
    },
    "DT": _TREE,
    "RF": _TREE,
    "MLP-adam": _NETWORK | {"beta_1": Float(0.5, 0.99), "beta_2": Float(0.9, 0.9999)},
    "MLP-sgd": _NETWORK | {"momentum": Float(0.0, 0.99), "power_t": Float(0.1, 0.9)},
    "ada": {"n_estimators": Int(2, 20), "learning_rate": Float(1e-4, 1e1, log=True)},
    "lasso": {"strength": Float(1e-4, 1e4, log=True), "tol": Float(1e-6, 1e-1, log=True)},
    "linear": {"strength": Float(1e-6, 1e6, log=True), "tol": Float(1e-6, 1e-1, log=True)},
}
PROBLEMS = (
    "kNN wine nll",
    "kNN diabetes mse",
    "SVM iris acc",
    "SVM wine acc",
    "SVM diabetes mae",
    "DT wine nll",
    "DT breast_cancer acc",
    "DT diabetes mse",
    "RF wine nll",
    "MLP-adam wine nll",
    "MLP-sgd iris nll",
    "ada iris nll",
    "lasso diabetes mse",
    "linear wine nll",
)


class Problem:
    """One of `PROBLEMS` with the folds of a seed.

    Parameters
    ----------
    name : str
    seed : int
        Of the folds and of the models.
    """

    def __init__(self, name, seed):
        self.model, data, self.metric = name.split()
        self.space = Space(SPACES[self.model])
        self._seed = seed
        self._X, self._y = _data(data)
        self._path = _CACHE / f"{name.replace(' ', '_')}_{seed}.json"
        self._known = json.loads(self._path.read_text()) if self._path.exists() else {}

    def __call__(self, config):
        key = json.dumps(config, sort_keys=True)
        if key not in self._known:
            self._known[key] = self._evaluated(config)
        return self._known[key]

    def keep(self):
        """Write what has been evaluated to the disk."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(self._known))
        beside.replace(self._path)

    def _evaluated(self, config):
        from sklearn.model_selection import KFold, StratifiedKFold

        classes = self.metric in ("acc", "nll")
        folds = (StratifiedKFold if classes else KFold)(FOLDS, shuffle=True, random_state=self._seed)
        with warnings.catch_warnings(), contextlib.suppress(ValueError, FloatingPointError):
            warnings.simplefilter("ignore")
            return float(np.mean([self._fold(config, *ends) for ends in folds.split(self._X, self._y)]))
        return None

    def _fold(self, config, train, test):
        from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error

        X, y = self._X, self._y
        # Standardised by the training part; targets of a regression too, as bayesmark has them.
        mean, std = X[train].mean(axis=0), X[train].std(axis=0) + 1e-12
        A, B = (X[train] - mean) / std, (X[test] - mean) / std
        model = _model(self.model, config, self._seed, self.metric).fit(A, y[train])
        if self.metric == "nll":
            return log_loss(y[test], model.predict_proba(B), labels=np.unique(y))
        answers = model.predict(B)
        if self.metric == "acc":
            return -float(np.mean(answers == y[test]))
        return (mean_squared_error if self.metric == "mse" else mean_absolute_error)(y[test], answers)


@lru_cache
def _data(name):
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if name == "diabetes":
        y = (y - y.mean()) / y.std()
    return X, y


def _model(name, config, seed, metric):
    from sklearn import ensemble, linear_model, neighbors, neural_network, svm, tree

    regression = metric in ("mse", "mae")
    if name == "kNN":
        kind = neighbors.KNeighborsRegressor if regression else neighbors.KNeighborsClassifier
        return kind(**config)
    if name == "SVM":
        return svm.SVR(**config) if regression else svm.SVC(**config, random_state=seed)
    if name == "DT":
        kind = tree.DecisionTreeRegressor if regression else tree.DecisionTreeClassifier
        return kind(**config, random_state=seed)
    if name == "RF":
        kind = ensemble.RandomForestRegressor if regression else ensemble.RandomForestClassifier
        return kind(**config, n_estimators=10, random_state=seed)
    if name.startswith("MLP"):
        kind = neural_network.MLPRegressor if regression else neural_network.MLPClassifier
        more = {"learning_rate": "invscaling"} if name == "MLP-sgd" else {}
        return kind(**config, **more, solver=name[4:], max_iter=30, random_state=seed)
    if name == "ada":
        return ensemble.AdaBoostClassifier(**config, random_state=seed)
    strength, tol = config["strength"], config["tol"]
    if name == "lasso":
        return linear_model.Lasso(alpha=strength, tol=tol, random_state=seed)
    return linear_model.LogisticRegression(C=1 / strength, tol=tol, max_iter=200, random_state=seed)

"""Entries of the catalogue: the search space of each estimator in the form of a study file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

AUTO_SKLEARN = "auto-sklearn (Feurer et al., NeurIPS 2015)"
HYPEROPT_SKLEARN = "hyperopt-sklearn (Komer, Bergstra and Eliasmith, 2014)"
IMPORTANCE = "van Rijn and Hutter, Hyperparameter importance across datasets (KDD 2018)"
TUNABILITY = "Probst, Boulesteix and Bischl, Tunability (JMLR 20, 2019)"
SVM_GUIDE = "Hsu, Chang and Lin, A practical guide to support vector classification (2003)"


@dataclass(frozen=True)
class Entry:
    """An estimator and its search space.

    Attributes
    ----------
    path : str
        Path of the class.
    space : mapping
        As in a study file.
    source : str
        Origin of the ranges, with any changes.
    params : mapping
        Fixed parameters.
    start : mapping
        Replacements for defaults of the estimator outside of the space; a word of
        `runner.problems.estimators.catalogue.lookup.start_of` if it depends on the number of features.
    """

    path: str
    space: Mapping[str, Any]
    source: str
    params: Mapping[str, Any] = field(default_factory=dict)
    start: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The class's own name."""
        return self.path.rpartition(".")[2]


def _log(low: float, high: float) -> dict[str, Any]:
    return {"float": [low, high], "log": True}


def _log_int(low: int, high: int) -> dict[str, Any]:
    return {"int": [low, high], "log": True}


_LEAVES = {"min_samples_split": {"int": [2, 20]}, "min_samples_leaf": {"int": [1, 20]}}
_SHARE = {"max_features": {"float": [0.1, 0.9]}}
_BOOSTING = {
    "learning_rate": _log(0.01, 1.0),
    "max_iter": _log_int(32, 512),
    "max_leaf_nodes": _log_int(3, 2047),
    "min_samples_leaf": _log_int(1, 200),
    "l2_regularization": _log(1e-10, 1.0),
}
_BOOSTING_START = {"l2_regularization": 1e-10}
_BOOSTING_SOURCE = f"{AUTO_SKLEARN}; the number of trees is searched instead of early stopping"
_GRADIENT = {
    "learning_rate": _log(0.01, 1.0),
    "n_estimators": _log_int(10, 500),
    "max_depth": {"int": [2, 5]},
    "min_samples_leaf": _log_int(1, 50),
    "subsample": {"float": [0.1, 1.0]},
}
_GRADIENT_SOURCE = f"{HYPEROPT_SKLEARN}, at most half its trees; subsample: {TUNABILITY}, of xgboost"
_NEIGHBORS = {"n_neighbors": _log_int(1, 100), "weights": ["uniform", "distance"], "p": [1, 2]}
_PERCEPTRON = {
    "hidden_layer_sizes": _log_int(16, 264),
    "activation": ["tanh", "relu"],
    "alpha": _log(1e-5, 1.0),
    "learning_rate_init": _log(1e-4, 0.5),
}
_PERCEPTRON_SOURCE = f"{AUTO_SKLEARN}; one hidden layer"
_PERCEPTRON_START = {"hidden_layer_sizes": 100}
_SVM_SOURCE = f"{SVM_GUIDE}; kernels: {IMPORTANCE}"
_DEPTH_SOURCE = f"{AUTO_SKLEARN}; depth: {TUNABILITY}"

_CLASSIFIERS = (
    Entry(
        "sklearn.ensemble.HistGradientBoostingClassifier",
        _BOOSTING,
        _BOOSTING_SOURCE,
        start=_BOOSTING_START,
    ),
    Entry(
        "sklearn.ensemble.RandomForestClassifier",
        {"criterion": ["gini", "entropy"], **_SHARE, **_LEAVES, "bootstrap": [True, False]},
        IMPORTANCE,
        start={"max_features": "root"},
    ),
    Entry(
        "sklearn.ensemble.ExtraTreesClassifier",
        {"criterion": ["gini", "entropy"], **_SHARE, **_LEAVES, "bootstrap": [True, False]},
        f"{AUTO_SKLEARN}; max_features: {IMPORTANCE}",
        start={"max_features": "root"},
    ),
    Entry("sklearn.ensemble.GradientBoostingClassifier", _GRADIENT, _GRADIENT_SOURCE),
    Entry(
        "sklearn.ensemble.AdaBoostClassifier",
        {"n_estimators": {"int": [50, 500]}, "learning_rate": _log(0.01, 2.0)},
        IMPORTANCE,
    ),
    Entry(
        "sklearn.tree.DecisionTreeClassifier",
        {"criterion": ["gini", "entropy"], "max_depth": {"int": [1, 30]}, **_LEAVES},
        _DEPTH_SOURCE,
        start={"max_depth": 30},
    ),
    Entry(
        "sklearn.linear_model.LogisticRegression",
        {"C": _log(2**-10, 2**10), "class_weight": [None, "balanced"]},
        f"{TUNABILITY}: the range of glmnet's lambda, as 1 / C",
        params={"max_iter": 1000},
    ),
    Entry(
        "sklearn.linear_model.RidgeClassifier",
        {"alpha": _log(1e-5, 10.0), "class_weight": [None, "balanced"]},
        f"{AUTO_SKLEARN}, of ridge regression",
    ),
    Entry(
        "sklearn.linear_model.SGDClassifier",
        {
            "loss": ["hinge", "log_loss", "modified_huber", "squared_hinge"],
            "penalty": {"choice": {"l2": {}, "l1": {}, "elasticnet": {"l1_ratio": _log(1e-9, 1.0)}}},
            "alpha": _log(1e-7, 0.1),
            "average": [False, True],
        },
        AUTO_SKLEARN,
    ),
    Entry(
        "sklearn.svm.LinearSVC",
        {"C": _log(2**-5, 2**15), "class_weight": [None, "balanced"]},
        AUTO_SKLEARN,
        params={"dual": "auto"},
    ),
    Entry(
        "sklearn.svm.SVC",
        {
            "C": _log(2**-5, 2**15),
            "gamma": _log(2**-15, 2**3),
            "kernel": {"choice": {"rbf": {}, "sigmoid": {"coef0": {"float": [-1.0, 1.0]}}}},
        },
        _SVM_SOURCE,
        start={"gamma": "inverse"},
    ),
    Entry("sklearn.neighbors.KNeighborsClassifier", _NEIGHBORS, AUTO_SKLEARN),
    Entry("sklearn.neural_network.MLPClassifier", _PERCEPTRON, _PERCEPTRON_SOURCE, start=_PERCEPTRON_START),
    Entry(
        "sklearn.naive_bayes.BernoulliNB",
        {"alpha": _log(0.01, 100.0), "fit_prior": [True, False]},
        AUTO_SKLEARN,
    ),
    Entry(
        "sklearn.naive_bayes.GaussianNB",
        {"var_smoothing": _log(1e-12, 1.0)},
        "ours: from a thousandth of scikit-learn's default to the features' own variance",
    ),
    Entry(
        "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
        {"shrinkage": {"float": [0.0, 1.0]}},
        f"{AUTO_SKLEARN}; always with shrinkage",
        params={"solver": "lsqr"},
        start={"shrinkage": 0.0},
    ),
    Entry(
        "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis",
        {"reg_param": {"float": [0.0, 1.0]}},
        AUTO_SKLEARN,
    ),
)

_REGRESSORS = (
    Entry(
        "sklearn.ensemble.HistGradientBoostingRegressor", _BOOSTING, _BOOSTING_SOURCE, start=_BOOSTING_START
    ),
    Entry(
        "sklearn.ensemble.RandomForestRegressor",
        {**_SHARE, **_LEAVES, "bootstrap": [True, False]},
        f"{IMPORTANCE}, of its classifier",
        start={"max_features": 0.9},
    ),
    Entry(
        "sklearn.ensemble.ExtraTreesRegressor",
        {**_SHARE, **_LEAVES, "bootstrap": [True, False]},
        f"{AUTO_SKLEARN}; max_features: {IMPORTANCE}, of its classifier",
        start={"max_features": 0.9},
    ),
    Entry("sklearn.ensemble.GradientBoostingRegressor", _GRADIENT, _GRADIENT_SOURCE),
    Entry(
        "sklearn.tree.DecisionTreeRegressor",
        {"max_depth": {"int": [1, 30]}, **_LEAVES},
        _DEPTH_SOURCE,
        start={"max_depth": 30},
    ),
    Entry("sklearn.linear_model.Ridge", {"alpha": _log(1e-5, 10.0)}, AUTO_SKLEARN),
    Entry(
        "sklearn.linear_model.Lasso",
        {"alpha": _log(1e-6, 10.0)},
        f"{HYPEROPT_SKLEARN}; the upper end raised from 0.1, so that the default lies in it",
    ),
    Entry(
        "sklearn.linear_model.ElasticNet",
        {"alpha": _log(1e-6, 10.0), "l1_ratio": {"float": [0.01, 1.0]}},
        f"{HYPEROPT_SKLEARN}; the upper end raised from 0.1, so that the default lies in it",
    ),
    Entry(
        "sklearn.svm.SVR",
        {"C": _log(2**-5, 2**15), "gamma": _log(2**-15, 2**3), "epsilon": _log(0.001, 1.0)},
        f"{AUTO_SKLEARN}; the target is not scaled here",
        start={"gamma": "inverse"},
    ),
    Entry("sklearn.neighbors.KNeighborsRegressor", _NEIGHBORS, f"{AUTO_SKLEARN}, of its classifier"),
    Entry("sklearn.neural_network.MLPRegressor", _PERCEPTRON, _PERCEPTRON_SOURCE, start=_PERCEPTRON_START),
)

CATALOGUE: Final = MappingProxyType({entry.path: entry for entry in (*_CLASSIFIERS, *_REGRESSORS)})
"""Entries by the path of the class."""

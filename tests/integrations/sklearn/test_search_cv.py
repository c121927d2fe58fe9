"""What scikit-learn promises of its own searches, for `SearchCV`; the two are compared where both can."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hyperopt import hp
from joblib import parallel_config
from ray import tune
from scipy import sparse, stats
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    cross_val_score,
)
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError

from runner import Choice, Float, Int, SearchCV, Space
from runner.errors import FivefoldError, MethodError, SpaceError
from runner.integrations.sklearn import folds
from tests.integrations.sklearn.estimators import CALLS, Counting, Dummy

X, Y = make_classification(60, 4, random_state=0)
GRID = {"alpha": [0.1, 1.0, 10.0]}
ALPHA = {"alpha": Float(0.01, 100.0, log=True)}
LEVELS = {"level": [0.0, 1.0, 2.0, 3.0]}
LEARNING = ["bayes", "tpe"]


def ridge(space=ALPHA, **more):
    return SearchCV(
        RidgeClassifier(), space, **{"method": "random", "n_trials": 3, "cv": 2, "random_state": 0} | more
    )


def dummy(space=LEVELS, estimator=None, **more):
    return SearchCV(estimator or Dummy(), space, **{"method": "grid", "cv": 2, "random_state": 0} | more)


# -- the same as scikit-learn's own ----------------------------------------------------------------


def assert_same_results(ours, theirs, but=("time",)):
    assert list(ours) == list(theirs)
    for key, column in theirs.items():
        if any(word in key for word in but):
            assert ours[key].shape == column.shape
            assert (ours[key] >= 0).all()
        elif isinstance(column, np.ma.MaskedArray):
            assert isinstance(ours[key], np.ma.MaskedArray)
            assert ours[key].dtype == column.dtype
            assert (ours[key].mask == column.mask).all()
            assert (ours[key] == column).all()
        elif key != "params":
            assert ours[key].dtype == column.dtype
            np.testing.assert_array_equal(ours[key], column)
        else:
            assert ours[key] == column


@pytest.mark.parametrize("scoring", [None, ["accuracy", "recall"]])
def test_a_grid_gives_the_table_of_grid_search(scoring):
    shared = {"scoring": scoring, "refit": "recall" if scoring else True, "return_train_score": True, "cv": 2}
    grids = [{"kernel": ["linear"], "C": [1, 10]}, {"kernel": ["rbf"], "gamma": [0.1, "scale"]}]
    theirs = GridSearchCV(SVC(), grids, **shared).fit(X, Y)
    ours = SearchCV(SVC(), grids, method="grid", **shared).fit(X, Y)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    for name in ("best_score_", "best_params_", "best_index_", "n_splits_", "multimetric_"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.score(X, Y) == theirs.score(X, Y)
    assert ours.refit_time_ > 0
    assert type(ours.scorer_) is type(theirs.scorer_)


@pytest.mark.parametrize(
    "space",
    [
        {"C": stats.expon(scale=10), "kernel": ["linear", "rbf"]},
        {"C": [1, 2, 3], "gamma": [0.1, 0.2]},
        [{"kernel": ["linear"]}, {"C": stats.uniform(1, 5)}],
    ],
)
def test_random_gives_the_table_of_randomized_search(space):
    theirs = RandomizedSearchCV(SVC(), space, n_iter=4, cv=2, random_state=7).fit(X, Y)
    ours = SearchCV(SVC(), space, method="random", n_trials=4, cv=2, random_state=7).fit(X, Y)
    assert_same_results(ours.cv_results_, theirs.cv_results_)


def test_a_search_that_learns_has_the_same_columns_and_types():
    grids = [{"kernel": ["linear"], "C": [1, 10]}, {"kernel": ["rbf"], "gamma": [0.1, "scale"]}]
    theirs = GridSearchCV(SVC(), grids, cv=2).fit(X, Y).cv_results_
    ours = SearchCV(SVC(), grids, method="tpe", n_trials=30, cv=2, random_state=1).fit(X, Y).cv_results_
    assert len(ours["params"]) == 4  # each of them once, whatever was proposed
    assert set(ours) == set(theirs)
    assert {key: column.dtype for key, column in ours.items() if key != "params"} == {
        key: column.dtype for key, column in theirs.items() if key != "params"
    }
    assert sorted(map(repr, map(sorted, map(dict.items, ours["params"])))) == sorted(
        repr(sorted(params.items())) for params in theirs["params"]
    )
    assert (ours["param_gamma"].mask == np.array(["gamma" not in p for p in ours["params"]])).all()


# -- every method ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["random", "grid", "bayes", "tpe", "gradient", {"exhaustive": {"resolution": 9}}]
)
def test_every_method_searches(method):
    found = SearchCV(Ridge(), ALPHA, method=method, n_trials=9, cv=2, random_state=0).fit(X, Y)
    assert len(found.cv_results_["params"]) == 9
    best = np.argmax(found.cv_results_["mean_test_score"])
    assert (found.best_index_, found.best_params_) == (best, found.cv_results_["params"][best])
    assert found.best_estimator_.alpha == found.best_params_["alpha"]
    assert 0.01 <= found.best_params_["alpha"] <= 100


@pytest.mark.parametrize("method", LEARNING)
def test_a_method_that_learns_comes_near_the_best(method):
    found = dummy({"level": Float(-5.0, 5.0)}, method=method, n_trials=25, refit=False).fit(X, Y)
    assert found.best_score_ > -0.05  # 25 draws reach this by chance with probability 0.68 at most
    assert found.best_params_["level"] == pytest.approx(2.0, abs=0.25)


@pytest.mark.parametrize("method", ["random", *LEARNING])
def test_one_state_gives_one_search_with_any_number_of_jobs(method, monkeypatch):
    monkeypatch.setattr(folds, "SMALL_SECONDS", 0.0)

    def table(state, jobs=1):
        with parallel_config("threading", n_jobs=jobs):
            return ridge(method=method, n_trials=7, random_state=state, refit=False).fit(X, Y).cv_results_

    first, again, other = table(3), table(3, 2), table(4)
    assert first["params"] == again["params"]
    assert (first["mean_test_score"] == again["mean_test_score"]).all()
    assert first["params"] != other["params"]
    assert table(np.random.RandomState(3))["params"] == table(np.random.RandomState(3))["params"]


def test_candidates_in_flight_are_a_choice_of_their_own():
    one, three = (dummy({"level": Float(-5.0, 5.0)}, method="bayes", n_trials=9, parallel=n) for n in (1, 3))
    assert one.fit(X, Y).cv_results_["params"] != three.fit(X, Y).cv_results_["params"]
    assert len(three.cv_results_["params"]) == 9


@pytest.mark.parametrize(
    "space, method, n_trials, count",
    [
        (LEVELS, "grid", None, 4),
        (LEVELS, "exhaustive", None, 4),
        (LEVELS, "exhaustive", 3, 3),
        (LEVELS, "random", None, 4),
        (LEVELS, "bayes", None, 4),
        ({"level": Float(0, 1)}, "random", None, 50),
        ({"level": Float(0, 1)}, "grid", None, 50),
        ({"level": [float(i) for i in range(20)]}, "grid", 5, 5),
    ],
)
def test_how_many_candidates_there_are(space, method, n_trials, count):
    found = dummy(space, method=method, n_trials=n_trials, refit=False, cv=KFold(2)).fit(X, Y)
    assert len(found.cv_results_["params"]) == count


def test_a_thinned_grid_keeps_both_ends_of_a_scale():
    found = dummy({"level": [float(i) for i in range(20)]}, n_trials=5).fit(X, Y)
    levels = [params["level"] for params in found.cv_results_["params"]]
    assert (min(levels), max(levels)) == (0.0, 19.0)


# -- spaces ------------------------------------------------------------------------------------------


def test_objects_are_choices():
    """A step of a pipeline replaced, None, tuples, arrays: each arrives as the user has it."""
    scalers, shapes = [StandardScaler(), MinMaxScaler(), None, "passthrough"], [(3,), (3, 4), [5]]
    found = dummy({"fail": shapes, "level": [1.0]}, method="tpe", n_trials=12).fit(X, Y)
    assert {repr(p["fail"]) for p in found.cv_results_["params"]} == set(map(repr, shapes))
    pipe = Pipeline([("scale", StandardScaler()), ("model", RidgeClassifier())])
    space = {"scale": scalers, "model__alpha": Float(0.1, 10.0)}
    found = SearchCV(pipe, space, method="tpe", n_trials=14, cv=2, random_state=0).fit(X, Y)
    assert {type(p["scale"]) for p in found.cv_results_["params"]} == {
        StandardScaler, MinMaxScaler, type(None), str
    }  # fmt: skip
    assert all(not hasattr(scaler, "n_features_in_") for scaler in scalers)
    assert type(found.best_estimator_.named_steps["scale"]) is type(found.best_params_["scale"])


def test_estimators_with_spaces_of_their_own():
    pipe = Pipeline([("model", SVC())])
    space = [
        {"model": [SVC()], "model__C": Float(0.1, 10.0, log=True)},
        {"model": [RidgeClassifier(), KNeighborsClassifier()]},
    ]
    found = SearchCV(pipe, space, method="tpe", n_trials=14, cv=2, random_state=2).fit(X, Y)
    kinds = {type(params["model"]): set(params) for params in found.cv_results_["params"]}
    assert kinds[SVC] == {"model", "model__C"}
    assert kinds[RidgeClassifier] == kinds[KNeighborsClassifier] == {"model"}


def test_any_distribution_of_scipy_is_searched_by_its_quantiles():
    space = {"level": stats.norm(2.0, 1.0), "mark": stats.poisson(1.0)}
    found = dummy(space, method="bayes", n_trials=12).fit(X, Y).cv_results_["params"]
    assert {type(params["mark"]) for params in found} == {int}
    assert min(params["mark"] for params in found) >= 0
    assert all(-3 < params["level"] < 7 for params in found)


@pytest.mark.parametrize(
    "space",
    [
        Space(ALPHA),
        ALPHA,
        {"alpha": {"float": [0.1, 1.0]}},
        {"alpha": stats.loguniform(0.1, 1)},
        {"alpha": hp.loguniform("a", -2, 2)},
        {"alpha": tune.uniform(0.1, 1)},
    ],
)
def test_spaces_in_other_forms(space):
    assert 0.01 <= ridge(space, method="bayes").fit(X, Y).best_params_["alpha"] <= 100


def test_conditional_choices_of_our_own():
    space = {"kernel": Choice({"linear": {}, "rbf": {"gamma": Float(0.01, 1.0)}}), "C": [1, 2]}
    found = SearchCV(SVC(), space, method="random", n_trials=10, cv=2, random_state=0).fit(X, Y)
    for params in found.cv_results_["params"]:
        assert ("gamma" in params) == (params["kernel"] == "rbf")
        assert params["C"] in (1, 2)


# -- data ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.coo_array, list, pd.DataFrame, np.asfortranarray])
def test_data_in_every_form(form):
    given = form(X.tolist()) if form is list else form(X)
    target = Y.tolist() if form is list else pd.Series(Y) if form is pd.DataFrame else Y
    found, plain = ridge(method="bayes").fit(given, target), ridge(method="bayes").fit(X, Y)
    assert found.best_score_ == pytest.approx(plain.best_score_)
    assert found.predict(given).tolist() == plain.predict(X).tolist()
    assert found.n_features_in_ == 4


def test_names_of_features():
    frame = pd.DataFrame(X, columns=list("abcd"))
    assert ridge().fit(frame, Y).feature_names_in_.tolist() == list("abcd")
    assert not hasattr(ridge().fit(X, Y), "feature_names_in_")


def test_without_a_target():
    found = SearchCV(KernelDensity(), {"bandwidth": Float(0.1, 3.0)}, n_trials=4, cv=2, random_state=0).fit(X)
    assert found.best_score_ == found.cv_results_["mean_test_score"].max()
    assert found.score_samples(X).shape == (60,)
    assert SearchCV(KMeans(n_init=1, random_state=0), {"n_clusters": Int(2, 5)}, n_trials=3, cv=2).fit(
        X
    ).predict(X).shape == (60,)


def test_precomputed_kernels():
    kernel = rbf_kernel(X)
    found = SearchCV(SVC(kernel="precomputed"), {"C": Float(0.1, 10.0)}, n_trials=4, cv=2, random_state=0)
    found.fit(kernel, Y)
    assert get_tags(found).input_tags.pairwise
    assert found.n_features_in_ == 60
    assert found.predict(kernel).shape == (60,)
    plain = SearchCV(SVC(kernel="rbf", gamma=0.25), {"C": Float(0.1, 10.0)}, n_trials=4, cv=2, random_state=0)
    assert (plain.fit(X, Y).cv_results_["mean_test_score"] == found.cv_results_["mean_test_score"]).all()
    with pytest.raises(ValueError, match="should be a square"):
        found.fit(X, Y)


def test_several_targets_and_tables_of_three_dimensions():
    found = SearchCV(Ridge(), ALPHA, method="random", n_trials=2, cv=2).fit(X, np.c_[Y, 1 - Y])
    assert found.predict(X).shape == (60, 2)
    flat = Pipeline([("flat", FunctionTransformer(lambda rows: rows.reshape(len(rows), -1))), ("m", Ridge())])
    cube = X.reshape(60, 2, 2)
    assert SearchCV(flat, {"m__alpha": [1.0, 2.0]}, n_trials=2, cv=2).fit(cube, Y).predict(cube).shape == (
        60,
    )


# -- splits, groups, weights -----------------------------------------------------------------------


def test_all_candidates_meet_the_same_folds():
    splitter = Counting()
    found = dummy(cv=splitter, method="bayes", n_trials=4).fit(X, Y)
    assert splitter.calls == 1
    assert found.n_splits_ == 1
    shuffled = ridge({"alpha": [1.0, 1.0 + 1e-12, 1.0 + 2e-12]}, method="bayes", cv=ShuffleSplit(3)).fit(X, Y)
    assert len(set(shuffled.cv_results_["mean_test_score"])) == 1


def test_folds_may_be_an_iterator():
    cuts = KFold(3).split(X, Y)
    found = ridge(method="bayes", cv=cuts).fit(X, Y)
    assert found.n_splits_ == 3
    plain = ridge(method="bayes", cv=KFold(3)).fit(X, Y)
    assert (found.cv_results_["mean_test_score"] == plain.cv_results_["mean_test_score"]).all()


def test_a_splitter_that_contradicts_itself_is_refused():
    class Wrong(KFold):
        def get_n_splits(self, *args, **more):
            return 4

    with pytest.raises(ValueError, match=r"expected 4 splits \(cv.get_n_splits\), got 2"):
        ridge(cv=Wrong(2)).fit(X, Y)


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_groups_go_to_the_splitter(method):
    groups = np.repeat(np.arange(6), 10)
    found = ridge(method=method, cv=GroupKFold(3)).fit(X, Y, groups=groups)
    expected = cross_val_score(
        RidgeClassifier(**found.best_params_), X, Y, groups=groups, cv=GroupKFold(3)
    ).mean()
    assert found.best_score_ == pytest.approx(expected)
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        ridge(method=method, cv=GroupKFold(3)).fit(X, Y)


def test_weights_are_split_with_the_data_and_reach_fit_and_score():
    CALLS.clear()
    weights = np.arange(60.0)
    dummy(cv=KFold(3), method="bayes", n_trials=2).fit(X, Y, sample_weight=weights)
    fits = [call for call in CALLS if "rows" in call]
    assert [len(call["weight"]) for call in fits] == [40] * 6 + [60]
    assert np.array_equal(fits[0]["weight"], weights[20:])
    assert (fits[-1]["weight"] == weights).all()
    scored = ridge(method="bayes", scoring="accuracy").fit(
        X, Y, sample_weight=np.r_[np.ones(30), np.zeros(30)]
    )
    plain = ridge(method="bayes", scoring="accuracy").fit(X, Y)
    assert scored.best_score_ != plain.best_score_


def test_further_fit_parameters_are_split_too():
    dummy(estimator=Dummy(need=("spam",))).fit(X, Y, spam=np.ones(60))
    with pytest.raises(ValueError, match="All the 8 fits failed"):
        dummy(estimator=Dummy(need=("spam",))).fit(X, Y, spam=None)


def test_metadata_are_routed():
    groups, weights = np.repeat(np.arange(6), 10), np.r_[np.ones(30), np.zeros(30)]
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        model = RidgeClassifier().set_fit_request(sample_weight=False)
        found = SearchCV(model, ALPHA, method="bayes", n_trials=3, cv=GroupKFold(3), scoring=scorer)
        found.fit(X, Y, groups=groups, sample_weight=weights)
        half = np.mean(found.predict(X[:30]) == Y[:30])
        assert found.score(X, Y, sample_weight=weights) == pytest.approx(half)
        routing = found.get_metadata_routing()
        assert {"groups", "sample_weight"} <= routing.consumes("fit", ["groups", "sample_weight"])
        with pytest.raises(TypeError, match="got unexpected argument"):
            found.fit(X, Y, groups=groups, sample_weight=weights, spam=weights)


# -- metrics ---------------------------------------------------------------------------------------


def both(estimator, X, y):
    right = np.mean(estimator.predict(X) == y)
    return {"right": right, "wrong": 1 - right}


@pytest.mark.parametrize("method", ["random", "bayes"])
@pytest.mark.parametrize("scoring", [["accuracy", "recall"], {"accuracy": "accuracy", "recall": "recall"}])
def test_several_metrics(method, scoring):
    found = ridge(method=method, scoring=scoring, refit="recall").fit(X, Y)
    assert found.multimetric_
    assert found.best_score_ == found.cv_results_["mean_test_recall"][found.best_index_]
    assert found.best_score_ == found.cv_results_["mean_test_recall"].max()
    assert set(found.scorer_) == {"accuracy", "recall"}
    unrefitted = ridge(method=method, scoring=scoring, refit=False).fit(X, Y)
    assert not hasattr(unrefitted, "best_index_")
    with pytest.raises(ValueError, match="For multi-metric scoring, the parameter refit must be set"):
        ridge(method=method, scoring=scoring, refit=True).fit(X, Y)


def test_the_metric_that_refit_names_is_searched():
    """A search for the worst must end elsewhere than one for the best."""
    space = {"alpha": Float(1e-3, 1e6, log=True)}
    right, wrong = (
        ridge(space, method="bayes", n_trials=12, scoring=both, refit=name).fit(X, Y)
        for name in ("right", "wrong")
    )
    assert right.best_score_ > 1 - wrong.best_score_
    assert right.score(X, Y) == both(right, X, Y)["right"]
    params = [found.cv_results_["params"] for found in (right, wrong)]
    assert params[0] != params[1]


def test_refit_may_be_a_function():
    worst = lambda results: int(np.argmin(results["mean_test_score"]))  # noqa: E731
    found = dummy(refit=worst).fit(X, Y)
    assert found.best_params_ == {"level": 0.0}
    assert not hasattr(found, "best_score_")
    assert found.predict(X).shape == (60,)
    with pytest.raises(TypeError, match="best_index_ returned is not an integer"):
        dummy(refit=lambda results: 0.5).fit(X, Y)
    with pytest.raises(IndexError, match="out of range"):
        dummy(refit=lambda results: 9).fit(X, Y)


def test_without_refit_nothing_is_predicted():
    found = dummy(refit=False).fit(X, Y)
    assert (found.best_params_, found.best_score_) == ({"level": 2.0}, 0.0)
    assert not hasattr(found, "best_estimator_")
    assert not hasattr(found, "predict")
    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        found.predict(X)


# -- failures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["grid", "bayes", "tpe", "random"])
def test_a_candidate_that_fails_is_a_row(method):
    """Also where a candidate is evaluated alone, and all its folds fail."""
    with pytest.warns() as caught:
        found = dummy(estimator=Dummy(fail=(1.0, 2.0)), method=method, n_trials=20).fit(X, Y)
    levels = [params["level"] for params in found.cv_results_["params"]]
    scores = dict(zip(levels, found.cv_results_["mean_test_score"], strict=True))
    assert np.isnan([scores[1.0], scores[2.0]]).all()
    assert found.best_params_ == {"level": 3.0}
    assert set(found.cv_results_["rank_test_score"]) == {1, 2, 3}
    assert sum(issubclass(one.category, FitFailedWarning) for one in caught) == 1
    assert "4 fits failed out of a total of 8" in str(caught[0].message)


def test_error_score_stands_in_the_table():
    with pytest.warns(FitFailedWarning):
        found = dummy(estimator=Dummy(fail=(1.0,)), error_score=-7.5, method="bayes").fit(X, Y)
    row = [params["level"] for params in found.cv_results_["params"]].index(1.0)
    assert found.cv_results_["mean_test_score"][row] == -7.5


@pytest.mark.parametrize("method", ["grid", "bayes"])
def test_errors_may_be_raised(method):
    with pytest.raises(ValueError, match=r"level 1.0 was told to fail"):
        dummy(estimator=Dummy(fail=(1.0,)), error_score="raise", method=method).fit(X, Y)


@pytest.mark.parametrize("method", ["grid", "bayes"])
def test_where_every_fit_fails_there_is_an_error(method):
    with pytest.raises(ValueError, match="All the 8 fits failed"):
        dummy(estimator=Dummy(fail=(0.0, 1.0, 2.0, 3.0)), method=method).fit(X, Y)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@pytest.mark.filterwarnings("ignore:invalid value encountered in subtract")
@pytest.mark.parametrize("method", ["grid", "bayes", "tpe", "random"])
@pytest.mark.parametrize("bad", [-np.inf, np.inf, np.nan])
@pytest.mark.parametrize("folds", ["one", "all"])
def test_a_score_that_is_not_finite_is_never_the_best(method, bad, folds):
    """scikit-learn ranks +inf first; it is a failure for the method, and so it is in the table."""

    def scoring(estimator, X, y):
        calls.append(estimator.level)
        spoilt = estimator.level in (1.0, 3.0) and (folds == "all" or calls.count(estimator.level) == 1)
        return bad if spoilt else estimator.level

    calls = []
    found = dummy(method=method, n_trials=20, scoring=scoring, refit=False).fit(X, Y)
    ranks = dict(zip(found.cv_results_["param_level"], found.cv_results_["rank_test_score"], strict=True))
    assert (found.best_params_, found.best_score_) == ({"level": 2.0}, 2.0)
    assert (ranks[2.0], ranks[0.0], ranks[1.0], ranks[3.0]) == (1, 2, 3, 3)


def test_a_failure_under_several_metrics_has_a_score_for_each():
    with pytest.warns():
        found = dummy(
            estimator=Dummy(fail=(1.0,)), scoring=both, refit="right", method="bayes", return_train_score=True
        ).fit(X, Y)
    assert np.isnan(found.cv_results_["mean_test_wrong"]).sum() == 1
    assert np.isnan(found.cv_results_["mean_train_right"]).sum() == 1


@pytest.mark.parametrize(
    "make, error, says",
    [
        (lambda: ridge(method="baes"), MethodError, "unknown method 'baes'. Did you mean 'bayes'?"),
        (
            lambda: ridge(method={"bayes": {}, "tpe": {}}),
            MethodError,
            "{name: {setting: value}}, got {'bayes': {}, 'tpe': {}}",
        ),
        (lambda: ridge(method={"tpe": {"flavor": 1}}), MethodError, "method 'tpe' has no setting 'flavor'"),
        (lambda: ridge(method="exhaustive", n_trials=None), MethodError, "alpha"),
        (lambda: ridge(3), SpaceError, "expected a mapping of parameters, got 3"),
        (lambda: ridge({}, method="bayes"), SpaceError, "expected at least one parameter"),
        (
            lambda: ridge({"alpha": []}, method="bayes"),
            SpaceError,
            "space.alpha: expected at least one option",
        ),
        (lambda: ridge({"alpha": (0, 1)}, method="bayes"), SpaceError, "a range or two options"),
        (lambda: ridge({"alpha": np.ones((2, 2))}, method="bayes"), SpaceError, "got 2 dimensions"),
        (
            lambda: ridge([{"alpha": [1]}, {3: [1]}], method="bayes"),
            SpaceError,
            "space[1]: expected strings as parameter names, got 3",
        ),
        (lambda: ridge([{"alpha": [1]}, 3], method="bayes"), SpaceError, "got"),
        (lambda: ridge(n_trials=0), InvalidParameterError, "n_trials"),
        (lambda: ridge(parallel=0), InvalidParameterError, "parallel"),
        (lambda: ridge(method=3), InvalidParameterError, "method"),
        (lambda: ridge({"beta": [1.0]}), ValueError, "Invalid parameter 'beta'"),
    ],
)
def test_wrong_calls_are_answered(make, error, says):
    with pytest.raises(error) as caught:
        make().fit(X, Y)
    assert says in str(caught.value)


class Draws:
    def rvs(self, random_state=None):
        return 1.0


def test_what_can_only_be_drawn_from_is_for_random():
    assert len(ridge({"alpha": Draws()}).fit(X, Y).cv_results_["params"]) == 3
    with pytest.raises(FivefoldError, match="got a Draws"):
        ridge({"alpha": Draws()}, method="tpe").fit(X, Y)


# -- an estimator among estimators -----------------------------------------------------------------


def test_what_the_estimator_can_the_search_can():
    plain = SearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, method="bayes", cv=2)
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert hasattr(plain, name)
    assert not hasattr(plain, "transform")
    assert not hasattr(plain, "classes_")
    assert not hasattr(plain, "n_features_in_")
    with pytest.raises(NotFittedError):
        plain.predict(X)
    fitted = plain.fit(X, Y)
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert np.array_equal(getattr(fitted, name)(X), getattr(fitted.best_estimator_, name)(X))
    assert fitted.classes_.tolist() == [0, 1]
    assert is_classifier(fitted)
    assert is_regressor(SearchCV(Ridge(), ALPHA))
    assert not hasattr(SearchCV(SVC(), {"C": [1.0]}), "predict_proba")
    # Of full rank, unlike X: where no variance is left, the likelihood is rounding errors or infinite.
    independent = np.random.default_rng(0).normal(size=(60, 4))
    turned = SearchCV(PCA(), {"n_components": [1, 2]}, method="bayes", cv=2).fit(independent)
    assert turned.inverse_transform(turned.transform(independent)).shape == independent.shape


def test_copies_and_pickles():
    search = ridge(
        method={"tpe": {"flavour": "hyperopt"}}, space={"alpha": [0.1, 1.0], "fit_intercept": [True]}
    )
    twin = clone(search)
    assert twin.get_params()["space"] == search.space
    assert twin.set_params(n_trials=2, estimator__tol=0.5).estimator.tol == 0.5
    assert search.estimator.tol != 0.5
    fitted = ridge(method="bayes").fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    assert again.predict(X).tolist() == fitted.predict(X).tolist()
    assert again.cv_results_["params"] == fitted.cv_results_["params"]
    assert not hasattr(clone(fitted), "best_params_")


def test_it_is_shown_as_estimators_are():
    assert "SearchCV(" in repr(ridge())
    html = ridge().fit(X, Y)._repr_html_()
    assert "RidgeClassifier" in html
    assert "best_estimator_" in html
    assert "Float(low=0.01" in html


def test_a_search_within_a_search_and_within_a_pipeline():
    scores = cross_val_score(ridge(method="bayes"), X, Y, cv=3)
    assert scores.shape == (3,)
    outer = GridSearchCV(ridge(method="tpe"), {"n_trials": [2, 3], "estimator__fit_intercept": [True]}, cv=2)
    assert outer.fit(X, Y).best_params_["n_trials"] in (2, 3)
    piped = Pipeline([("scale", StandardScaler()), ("search", ridge(method="bayes"))]).fit(X, Y)
    assert piped.score(X, Y) > 0.5


def test_a_second_fit_starts_anew():
    search = ridge(method="bayes")
    first = search.fit(X, Y).cv_results_["params"]
    assert search.fit(X, Y).cv_results_["params"] == first
    assert search.space is ALPHA


def test_the_data_are_left_alone_and_warnings_arrive():
    given, target = X.copy(), Y.copy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SearchCV(LogisticRegression(max_iter=1), {"C": Float(0.1, 1)}, n_trials=2, cv=2).fit(given, target)
    assert any("converge" in str(one.message) for one in caught)
    assert np.array_equal(given, X)
    assert np.array_equal(target, Y)


def test_progress_is_printed_when_asked(capsys):
    ridge(method="bayes", verbose=1).fit(X, Y)
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == [f"candidate {i} of 3" for i in (1, 2, 3)]
    ridge(method="bayes", verbose=2).fit(X, Y)
    assert capsys.readouterr().out.count("[CV] END") == 6
    ridge().fit(X, Y)
    assert capsys.readouterr().out == ""


def test_callbacks_are_refused():
    with pytest.raises(NotImplementedError, match="callbacks are not supported"):
        ridge().set_callbacks(object())
    assert ridge().set_callbacks().fit(X, Y).best_score_ > 0

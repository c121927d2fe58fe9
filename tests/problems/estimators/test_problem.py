import pickle
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from runner.errors import FivefoldError
from runner.problems import EstimatorProblem, evaluate, load_problem
from runner.problems.estimators import problem as estimators
from runner.problems.estimators.data.data import BUILT_IN, Data, load_data
from runner.problems.estimators.folds import balanced_sample, split, stages
from runner.seeds import rng_for, seed_for
from runner.testing import ProblemContract

SVC_IRIS = {
    "estimator": "sklearn.svm.SVC",
    "data": "iris",
    "space": {"C": {"float": [0.01, 100], "log": True}, "kernel": ["linear", "rbf"]},
}
MLP = {
    "estimator": "sklearn.neural_network.MLPClassifier",
    "data": "wine",
    "cv": 3,
    "params": {"max_iter": 3},
    "space": {"hidden_layer_sizes": {"int": [2, 60]}, "alpha": {"float": [0, 1]}},
}
TREE = {
    "estimator": "sklearn.tree.DecisionTreeRegressor",
    "data": "diabetes",
    "scoring": "neg_mean_absolute_error",
    "space": {"max_depth": {"int": [1, 9]}, "max_features": {"float": [0.1, 1.0]}},
}


def inline(given=SVC_IRIS, **changes):
    merged = {key: value for key, value in (given | changes).items() if value is not None}
    return load_problem(merged, merged.pop("folder", "."))


def last(problem, config, seed):
    *_, answer = problem.evaluate(config, seed)
    return answer


class TestClassifier(ProblemContract):
    problem = inline()
    samples = 5


class TestRegressor(ProblemContract):
    problem = inline(TREE)
    samples = 5


class TestNetwork(ProblemContract):
    problem = inline(MLP)
    samples = 3


class TestShares(ProblemContract):
    problem = inline(fidelity={"data": [0.3, 1.0]})
    samples = 3


def test_the_value_is_scikit_learns_cross_validation():
    problem, seed = inline(), 17
    data = load_data("iris")
    _, (rest, held) = split(data, True, 5, 0.2, seed)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SVC()),
        {"svc__C": [0.1, 10.0], "svc__kernel": ["linear", "rbf"]},
        cv=StratifiedKFold(5, shuffle=True, random_state=seed_for(seed, "split")),
    ).fit(data.X[rest], data.y[rest])
    for params, mean in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        config = {key.removeprefix("svc__"): value for key, value in params.items()}
        outcome = evaluate(problem, config, seed)
        assert outcome.value == pytest.approx(mean, rel=1e-12)
        assert outcome.loss == -outcome.value
        assert outcome.folds == pytest.approx([-score for score in last(problem, config, seed)["folds"]])
    best = {key.removeprefix("svc__"): value for key, value in search.best_params_.items()}
    assert problem.test_score(best, seed) == pytest.approx(search.score(data.X[held], data.y[held]))


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("test", [0.0, 0.2, 0.5])
def test_the_parts_are_a_partition_with_the_classes_in_proportion(name, test):
    data = load_data(name)
    n = len(data.y)
    for seed in range(3):
        folds, (rest, held) = split(data, data.task == "classification", 4, test, seed)
        assert sorted([*rest, *held]) == list(range(n))
        assert len(held) == int(np.ceil(test * n))
        assert sorted(np.concatenate([left_out for _, left_out in folds])) == sorted(rest)
        for train, left_out in folds:
            assert sorted([*train, *left_out]) == sorted(rest)
        if data.task == "classification":
            shares = np.bincount(data.y) / n
            for rows in (rest, *(part for fold in folds for part in fold)):
                assert np.bincount(data.y[rows]) / len(rows) == pytest.approx(shares, abs=2 / len(rows))


def test_seeds_are_other_folds_and_configs_share_them():
    data = load_data("digits")
    (first, _), (second, _) = (split(data, True, 5, 0.2, seed) for seed in (1, 2))
    assert not np.array_equal(first[0][1], second[0][1])
    assert split(data, True, 5, 0.2, 1)[0] is first


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_model_seed_is_of_the_block_and_user_seeds_stay():
    config = {"hidden_layer_sizes": 20, "alpha": 0.1}
    free, fixed = inline(MLP), inline(MLP, params={"max_iter": 3, "random_state": 5})
    data = load_data("wine")
    rows = np.arange(100)

    def weights(problem, seed):
        return problem._fit(data, config, seed, rows)[-1].coefs_[0]

    assert np.array_equal(weights(free, 1), weights(free, 1))
    assert not np.array_equal(weights(free, 1), weights(free, 2))
    assert np.array_equal(weights(fixed, 1), weights(fixed, 2))


def test_every_part_of_a_composed_estimator_is_seeded():
    pipeline = make_pipeline(DecisionTreeClassifier(max_features=0.3))
    problem = EstimatorProblem(pipeline, "wine", {"decisiontreeclassifier__max_depth": {"int": [1, 9]}})
    config = {"decisiontreeclassifier__max_depth": 5}
    assert evaluate(problem, config, 3).folds == evaluate(problem, config, 3).folds
    fitted = problem._fit(load_data("wine"), config, 3, np.arange(150))
    assert fitted[-1][-1].random_state == seed_for(3, "model", "decisiontreeclassifier")


def test_warnings_are_counted_and_neither_shown_nor_raised(capfd):
    config = {"hidden_layer_sizes": 5, "alpha": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = evaluate(inline(MLP), config, 0)
        inline(MLP).test_score(config, 0)
        inline(MLP).check()
    assert outcome.metrics == {"warnings": 3.0}  # no fit of the three converges in 3 steps
    assert capfd.readouterr() == ("", "")


FRESH = """
import pickle, sys
from threadpoolctl import threadpool_limits
from runner.problems.evaluation import evaluate
problem = pickle.load(sys.stdin.buffer)
threadpool_limits(int(sys.argv[1]))
print(evaluate(problem, {"hidden_layer_sizes": 50, "alpha": 0.1}, 9).folds)
"""


def test_values_do_not_depend_on_threads_or_on_what_is_imported():
    problem = inline(MLP, data="digits")
    config = {"hidden_layer_sizes": 50, "alpha": 0.1}
    found = {evaluate(problem, config, 9).folds}
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            found.add(evaluate(problem, config, 9).folds)
    # A fresh process, where scikit-learn is loaded only when the problem arrives.
    root = Path(__file__).parents[3]
    told = subprocess.run(
        [sys.executable, "-c", FRESH, "4"],
        input=pickle.dumps(problem),
        capture_output=True,
        cwd=root,
        check=True,
    )
    assert {str(folds) for folds in found} == {told.stdout.decode().strip()}


def test_a_failing_config_is_a_failed_trial():
    problem = inline(space={"C": {"float": [-1, 1]}})
    problem.check()
    outcome = evaluate(problem, {"C": -0.5}, 0)
    assert outcome.status == "FAILED"
    assert "The 'C' parameter of SVC must be a float in the range (0.0, inf]" in outcome.error


def test_names_defaults_and_scoring():
    problem = inline()
    assert (problem.name, problem.metric, problem.direction) == ("SVC-iris", "accuracy", "maximize")
    assert problem.default == {"C": 1.0, "kernel": "rbf"}
    assert inline(TREE, scoring=None).metric == "r2"
    assert inline(name="mine").name == "mine"
    assert inline(space={"C": {"float": [2, 3]}}).default is None
    conditional = {"kernel": {"choice": {"linear": {}, "rbf": {"shrinking": [True, False]}}}}
    assert inline(space=conditional).default == {"kernel": "rbf", "shrinking": True}
    assert inline(estimator=SVC(C=3.0)).default == {"C": 3.0, "kernel": "rbf"}
    assert inline(forbid=[{"kernel": "linear"}]).space.size() == float("inf")


@pytest.mark.parametrize("bad", [-np.inf, np.inf, np.nan])
@pytest.mark.parametrize("stops", [None, lambda step, loss: False])
def test_a_score_that_is_not_finite_is_an_invalid_trial(monkeypatch, bad, stops):
    scores = iter([0.9, bad, 0.9, 0.9, 0.9])
    monkeypatch.setattr(EstimatorProblem, "_score", lambda *_: next(scores))
    outcome = evaluate(inline(), {"C": 1.0, "kernel": "rbf"}, 0, stops=stops)
    assert (outcome.status, outcome.loss) == ("INVALID", None)
    assert "expected a finite number" in outcome.error


# -- step by step ---------------------------------------------------------------------------------

SHARES = {"data": [0.1, 0.3, 1.0]}


def never(step, loss):
    return False


@pytest.mark.parametrize("given", [SVC_IRIS, TREE, MLP], ids=["svc", "tree", "mlp"])
def test_fold_by_fold_the_metric_is_the_mean_of_the_scores_so_far(given):
    problem = inline(given)
    config = problem.space.sample(rng_for("fold by fold"))
    answers = list(problem.evaluate(config, 5))
    assert len(answers) == problem.steps == problem.cv
    scores, counted = answers[-1]["folds"], 0
    for k, answer in enumerate(answers, 1):
        assert answer == {
            problem.metric: float(np.mean(scores[:k])),
            "folds": scores[:k],
            "warnings": answer["warnings"],
        }
        assert answer["warnings"] >= counted
        counted = answer["warnings"]
        assert problem.share(k) == k / problem.cv
    whole = evaluate(problem, config, 5)
    assert (whole.value, whole.share, whole.metrics) == (float(np.mean(scores)), 1.0, {"warnings": counted})
    assert whole.steps == tuple(-answer[problem.metric] for answer in answers)
    assert whole.folds == tuple(-score for score in scores)


def test_a_hopeless_config_is_stopped_after_two_folds():
    problem = inline()
    config = {"C": 1.0, "kernel": "rbf"}
    whole = evaluate(problem, config, 5)
    stopped = evaluate(problem, config, 5, stops=lambda step, loss: step == 2)
    assert (stopped.status, stopped.share, stopped.folds) == ("STOPPED", 0.4, whole.folds[:2])
    assert stopped.steps == whole.steps[:2]
    assert stopped.seconds < whole.seconds * 2


def test_warnings_have_their_filters_back_between_the_folds():
    before = list(warnings.filters)
    for _ in inline(MLP).evaluate({"hidden_layer_sizes": 5, "alpha": 0.0}, 0):
        assert warnings.filters == before


@pytest.mark.parametrize("given", [SVC_IRIS, TREE, MLP], ids=["svc", "tree", "mlp"])
def test_a_share_of_one_is_the_full_cross_validation(given):
    by_fold, by_share = inline(given), inline(given, fidelity=SHARES)
    config = by_fold.space.sample(rng_for("shares"))
    whole = evaluate(by_fold, config, 5)
    outcome = evaluate(by_share, config, 5, stops=never)
    assert (outcome.value, outcome.folds, outcome.metrics) == (whole.value, whole.folds, whole.metrics)
    assert (len(outcome.steps), outcome.share) == (3, pytest.approx(1.4))
    assert [by_share.share(k) for k in (1, 2, 3)] == pytest.approx([0.1, 0.4, 1.4])
    assert evaluate(by_share, config, 5, stops=lambda *_: True).share == 0.1


def test_without_a_scheduler_the_small_shares_are_not_fitted(monkeypatch):
    problem = inline(fidelity=SHARES)
    fitted = []
    monkeypatch.setattr(
        EstimatorProblem, "_score", lambda self, d, c, s, train, held: fitted.append(len(train)) or 0.5
    )
    outcome = evaluate(problem, {"C": 1.0, "kernel": "rbf"}, 3)
    assert (outcome.share, outcome.steps, outcome.value) == (1.0, (), 0.5)
    assert fitted == [96] * 5
    fitted.clear()
    evaluate(problem, {"C": 1.0, "kernel": "rbf"}, 3, stops=lambda step, loss: step == 2)
    assert fitted == [10] * 5 + [29] * 5


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_shares_of_a_fold_are_nested_in_proportion_and_seeded(name):
    data = load_data(name)
    stratify, shares = data.task == "classification", (0.1, 0.33, 1.0)
    folds, _ = split(data, stratify, 4, 0.2, 7)
    found = stages(data, stratify, 4, 0.2, 7, shares)
    for number, (train, held) in enumerate(folds):
        before = set()
        for share, stage in zip(shares, found, strict=True):
            rows, kept = stage[number]
            assert kept is held
            assert len(rows) == len(set(rows)) == int(np.ceil(share * len(train)))
            assert before <= set(rows) <= set(train)
            before = set(rows)
            places = [int(np.flatnonzero(train == row)[0]) for row in rows]
            assert places == sorted(places)  # a fit may depend on the order of its rows
            if stratify:
                whole, part = np.bincount(data.y[train]), np.bincount(data.y[rows])
                assert np.abs(part - whole * len(rows) / len(train)).max() <= 1 + len(whole) / 2
                assert (part > 0).all()
        assert np.array_equal(found[-1][number][0], train)
    other = stages(data, stratify, 4, 0.2, 8, shares)
    assert not np.array_equal(other[0][0][0], found[0][0][0])
    assert not np.array_equal(found[0][0][0], found[0][1][0])


def test_the_fidelity_travels_with_the_problem():
    problem = pickle.loads(pickle.dumps(inline(fidelity=SHARES)))
    assert (problem.steps, problem.fidelity, problem.share(2)) == (3, {"data": (0.1, 0.3, 1.0)}, 0.4)


# -- the rest -------------------------------------------------------------------------------------


def test_scaling_can_be_left_to_the_estimator():
    config = {"C": 1.0, "kernel": "rbf"}
    scaled, raw = inline(data="wine"), inline(data="wine", scale=False)
    assert evaluate(scaled, config, 0).value > evaluate(raw, config, 0).value + 0.1


def test_without_a_test_part_there_is_no_test_score():
    with pytest.raises(FivefoldError, match="no rows were held out"):
        inline(test=0.0).test_score({"C": 1.0, "kernel": "rbf"}, 0)


def test_a_check_tries_few_rows_of_every_class():
    rng = rng_for("few")
    y = rng.permutation(np.repeat([0, 1, 2], [5000, 10, 300]))
    rows = balanced_sample(np.flatnonzero(rng.random(len(y)) < 0.9), y)
    counts = np.bincount(y[rows])
    assert len(rows) == len(set(rows)) == 500
    assert counts[1] == np.bincount(y)[1] or counts[1] >= 5
    assert abs(int(counts[0]) - int(counts[2])) <= 1


def test_a_data_object_will_do():
    data = Data("own", np.eye(30), np.arange(30) % 2, tuple("x" * 30), "classification")
    problem = EstimatorProblem(SVC, data, {"C": {"float": [0.1, 1]}}, cv=3, test=0.0)
    problem.check()
    assert problem.name == "SVC-own"


def numbers(y, n=40):
    return "age,y\n" + "".join(f"{i},{y(i)}\n" for i in range(n))


FILES = {
    "binary.csv": numbers(lambda i: i % 2),
    "rare.csv": numbers(lambda i: "yes" if i < 3 else "no"),
    "one.csv": numbers(lambda i: "no"),
    "real.csv": numbers(lambda i: 0.37 * i),
    "text.csv": "age,city,y\n" + "".join(f"{i},{'ab'[i % 2]},{i % 2}\n" for i in range(40)),
}


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"estimatr": 1}, "estimatr: unknown key. Did you mean 'estimator'?"),
        ({"space": None}, "the key 'space' is missing. Give at least one parameter, such as C:"),
        ({"data": None}, "the key 'data' is missing. Name a built-in data set, or a CSV"),
        ({"space": {}}, "space: expected at least one parameter, got none."),
        ({"space": {"C": {"float": [2, 1]}}}, "space.C: expected low < high, got low=2.0 and high=1.0"),
        (
            {"space": {"C": {"float": [0, 1], "log": True}}},
            "space.C: expected low > 0 with log: true, got low=0.0",
        ),
        (
            {"estimator": "sklearn.svm.SVCC"},
            "estimator: 'sklearn.svm' has no 'SVCC'. Did you mean 'sklearn.s",
        ),
        ({"estimator": "sklearn.smv.SVC"}, "estimator: 'sklearn.smv' cannot be imported: No module named"),
        (
            {"estimator": "SVC"},
            "estimator: expected the path of a class, got 'SVC'. Did you mean 'sklearn.svm.SVC'?",
        ),
        (
            {"estimator": "xgboots.XGB"},
            "'xgboots' cannot be imported: No module named 'xgboots'. Install it,",
        ),
        ({"estimator": "sklearn.svm.l1_min_c"}, "expected a class, got 'sklearn.svm.l1_min_c', a function"),
        ({"estimator": 3}, "estimator: 3 is not a scikit-learn estimator: it lacks fit"),
        ({"estimator": "sklearn.preprocessing.StandardScaler"}, "is neither a classifier nor a regressor"),
        ({"estimator": "sklearn.ensemble.VotingClassifier"}, "params: VotingClassifier cannot be made: "),
        ({"space": {"CC": {"float": [1, 2]}}}, "space.CC: SVC has no parameter 'CC'. Did you mean 'C'?"),
        ({"params": {"kernell": "rbf"}}, "params.kernell: SVC has no parameter 'kernell'. Did you mean"),
        ({"params": {"C": 3}}, "C: in both the space and params. Keep one of them."),
        ({"params": [3]}, "params: expected a mapping, got [3]."),
        ({"cv": 1}, "cv: expected an integer of at least 2 folds, got 1."),
        ({"cv": "five"}, "cv: expected an integer of at least 2 folds, got 'five'."),
        ({"test": 1.0}, "test: expected a share of the rows, at least 0 and less than 1, got 1.0."),
        ({"scale": "yes"}, "scale: expected true or false, got 'yes'."),
        ({"fidelity": "fold"}, "fidelity: expected 'folds' or {data: [shares]}, got 'fold'. Did you"),
        (
            {"fidelity": "data"},
            "fidelity: expected 'folds' or {data: [shares]}, got 'data'. Write shares",
        ),
        (
            {"fidelity": {"rows": [1.0]}},
            "fidelity: expected 'folds' or {data: [shares]}, got {'rows': [1.0]}.",
        ),
        ({"fidelity": {"data": 0.5}}, "fidelity.data: expected a list of numbers, got 0.5. Write shares"),
        ({"fidelity": {"data": []}}, "fidelity.data: expected a list of numbers, got []."),
        ({"fidelity": {"data": [0.1, True]}}, "fidelity.data: expected a list of numbers, got [0.1, True]."),
        ({"fidelity": {"data": [0.0, 1.0]}}, "expected shares that grow from above 0 to 1, got [0.0, 1.0]."),
        (
            {"fidelity": {"data": [0.5, 0.2, 1]}},
            "expected shares that grow from above 0 to 1, got [0.5, 0.2, 1].",
        ),
        ({"fidelity": {"data": [0.1, 0.5]}}, "expected shares that grow from above 0 to 1, got [0.1, 0.5]."),
        (
            {"fidelity": {"data": [0.1, float("nan"), 1.0]}},
            "expected shares that grow from above 0 to 1",
        ),
        ({"scoring": "acuracy"}, "scoring: scikit-learn has no scorer 'acuracy'. Did you mean 'accuracy'?"),
        ({"scoring": ["accuracy"]}, "scoring: expected the name of a scorer, got ['accuracy']."),
        ({"scoring": "r2"}, "scoring: 'r2' is for regressors, and the estimator is one of classifiers"),
        (
            {"estimator": "sklearn.svm.SVR", "data": "diabetes", "scoring": "accuracy", "space": {"C": [1]}},
            "scoring: 'accuracy' is for classifiers, and the estimator is one of regressors",
        ),
        # From here on only `check` can tell.
        (
            {"scoring": "neg_log_loss", "params": {"probability": False}},
            "scoring: 'neg_log_loss' needs predict_proba, which SVC does not have with these params. Use",
        ),
        (
            {"scoring": "f1"},
            "scoring: 'f1' does not fit SVC and these data: ValueError: Target is multiclass",
        ),
        ({"space": {"kernel": ["rbff"]}}, "space: SVC with {'kernel': 'rbff'} could not be fitted: Invalid"),
        ({"data": "z.csv", "target": "y"}, "z.csv: there is no such file. The folder"),
        (
            {"data": "binary.csv", "target": "price"},
            "there is no column 'price'; the columns are 'age', 'y'.",
        ),
        (
            {"data": "text.csv", "target": "y"},
            "text.csv: This column cannot be used: 'city' (text). Write prepare",
        ),
        (
            {"fidelity": {"data": [0.01, 1.0]}},
            "fidelity.data: 0.01 of a fold's 96 training rows are 1, too few for all 3 classes of 'iris'.",
        ),
        (
            {"cv": 60},
            "cv: expected at least 60 rows outside the test part for 60 folds, got 40 of class '0' of 'iris'",
        ),
        ({"data": "rare.csv", "target": "y"}, "for 5 folds, got 2 of class 'yes' of 'rare'"),
        ({"data": "one.csv", "target": "y"}, "target: expected at least two classes in 'one', got one."),
        ({"test": 0.01}, "test: 0.01 of 150 rows cannot hold all 3 classes. Raise it, or set it to 0."),
        (
            {"data": "real.csv", "target": "y"},
            "estimator: SVC is a classifier, and the target of 'real' holds",
        ),
        (
            {"estimator": "sklearn.svm.SVR", "data": "rare.csv", "target": "y"},
            "estimator: SVR is a regressor, and the target of 'rare' has the classes no, yes. Use a",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_key(tmp_path, changes, says):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(FivefoldError) as caught:
        inline(**changes, folder=tmp_path).check()
    assert says in str(caught.value)


def test_a_fit_that_takes_long_is_not_wrong(monkeypatch):
    monkeypatch.setattr(estimators, "_MOST_SECONDS", 0.2)
    monkeypatch.setattr(EstimatorProblem, "_fit", lambda *arguments: time.sleep(30))
    start = time.monotonic()
    inline().check()
    assert time.monotonic() - start < 10

"""Scores of predictors that ignore the features, against scikit-learn's own and by hand."""

import numpy as np
import pytest
from sklearn.metrics import get_scorer_names

from runner import optimize
from runner.problems import EstimatorProblem
from runner.problems.estimators.baselines import Balance, balanced_scorer, positive_class, scorer_warning
from runner.problems.estimators.data.data import Data, load_data

FOREST = "sklearn.tree.DecisionTreeClassifier"
DEPTH = {"max_depth": {"int": [1, 3]}}


def data_of(*counts, classes=True, x=None):
    y = np.repeat(np.arange(len(counts)), counts)
    names = tuple("abcdefghijkl"[: len(counts)]) if classes else ()
    X = np.zeros((len(y), 1)) if x is None else x
    return Data("made", X, y, ("x",), "classification", names)


def test_the_best_constant_is_scored_on_the_folds_of_the_trials():
    problem = EstimatorProblem(FOREST, data_of(60, 40), DEPTH, test=0.25)
    found = problem.constant(3)
    assert (found.answer, found.value, found.test) == ("always answering 'a'", pytest.approx(0.6), 0.6)
    *_, last = problem.evaluate({"max_depth": 2}, 3)  # of a constant feature
    assert found.folds == tuple(last["folds"])
    assert problem.baseline(3) == found.value
    assert EstimatorProblem(FOREST, data_of(60, 40), DEPTH, test=0.0).constant(3).test is None


@pytest.mark.parametrize(
    "scoring, answer, value",
    [
        ("f1", "always answering 'b'", 2 * 0.4 / 1.4),
        ("recall", "always answering 'b'", 1.0),
        ("balanced_accuracy", "always answering 'a'", 0.5),
        ("roc_auc", "always answering 'a'", 0.5),
        ("neg_log_loss", "answering every row with the shares of the classes", -0.6730),
        ("matthews_corrcoef", "always answering 'a'", 0.0),
    ],
)
def test_the_best_constant_depends_on_the_scorer(scoring, answer, value):
    found = EstimatorProblem(FOREST, data_of(60, 40), DEPTH, scoring=scoring, test=0.25).constant(0)
    assert (found.answer, found.value) == (answer, pytest.approx(value, abs=1e-3))


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error"])
def test_of_quantities_it_is_the_mean_or_the_median(scoring):
    rng = np.random.default_rng(0)
    data = Data("made", np.zeros((999, 1)), rng.exponential(size=999), ("x",), "regression")
    found = EstimatorProblem(
        "sklearn.linear_model.Ridge", data, {"alpha": {"float": [1, 2]}}, scoring=scoring
    ).constant(0)
    assert found.answer == f"always answering the {'mean' if scoring == 'r2' else 'median'}"


@pytest.mark.parametrize(
    "counts, uneven, scorer",
    [
        ((50, 50), False, None),
        ((79, 21), False, None),
        ((81, 19), True, "roc_auc"),
        ((40, 40, 20), False, None),
        ((60, 33, 7), True, "balanced_accuracy"),
        ((10,) * 10, False, None),
        ((20,) * 9 + (3,), True, "balanced_accuracy"),
    ],
)
@pytest.mark.parametrize("classes", [False, True])
def test_a_rare_class_is_noticed_and_equal_ones_are_not_rare(counts, uneven, scorer, classes):
    data = data_of(*counts, classes=classes)
    assert Balance.of(data).uneven == uneven
    assert bool(scorer_warning(data, "accuracy")) == uneven
    assert not scorer_warning(data, "balanced_accuracy")
    assert balanced_scorer(data, EstimatorProblem(FOREST, data, DEPTH)._model) == scorer
    assert balanced_scorer(data, object()) in (None, "balanced_accuracy")


def test_the_positive_class_is_the_one_that_scikit_learn_counts():
    text, numbers = data_of(60, 40), data_of(60, 40, classes=False)
    other = Data("made", numbers.X, numbers.y + 1, ("x",), "classification")
    assert [positive_class(text, name) for name in ("f1", "average_precision", "roc_auc")] == ["b"] * 3
    assert [positive_class(numbers, name) for name in ("f1", "roc_auc")] == ["1", "1"]
    assert [positive_class(other, name) for name in ("f1", "roc_auc")] == ["1", "2"]
    for name in ("accuracy", "f1_macro", "balanced_accuracy", "neg_log_loss", "r2"):
        assert positive_class(text, name) is None
    assert positive_class(data_of(9, 9, 9), "f1") is None
    for name in get_scorer_names():
        positive_class(text, name)


def test_a_search_in_python_says_what_a_constant_has(tmp_path):
    rows = "".join(
        f"{i % 7};{'no' if i % 10 else 'yes'};{i / 3:.2f}".replace(".", ",") + "\n" for i in range(100)
    )
    (tmp_path / "t.csv").write_text("a;y;b\n" + rows)
    problem = EstimatorProblem(FOREST, "t.csv", DEPTH, target="y", folder=tmp_path)
    with pytest.warns(UserWarning, match="Read as numbers|barely reflects") as warned:
        found = optimize(problem, trials=2, method="random")
    assert [str(one.message) for one in warned] == [*problem.notes]
    assert problem.notes == (
        "Read as numbers: 'b' (33,00 is 33).",
        "'yes' is 10.0% of the rows, and accuracy barely reflects it: always answering 'no' has 0.9. Use"
        " roc_auc, average_precision or balanced_accuracy as scoring.",
    )
    assert found.constant_value == pytest.approx(0.9)
    assert optimize(lambda c: c["x"], {"x": [1, 2]}, "random", 2).constant_value is None
    assert load_data("t.csv", "y", tmp_path).notes == problem.notes[:1]

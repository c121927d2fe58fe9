"""The fits are those of scikit-learn, and of closed forms where there are any."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from runner.errors import ProblemError
from runner.problems import PROBLEMS, evaluate, load_problem
from runner.problems.hypergradients.elastic_net import Gram, SparseLinear
from runner.problems.hypergradients.implicit import Schedule
from runner.problems.hypergradients.multinomial import MultinomialPenalty
from runner.problems.hypergradients.orthant import minimise
from runner.problems.hypergradients.parts import CLASSES, FEATURES, parts, read
from runner.seeds import rng_for

SEED = 7


def folds_by(model, part, loss):
    return loss(model.fit(part.X, part.y), part.X_val, part.y_val)


def squares(model, X, y):
    return float(np.mean((model.predict(X) - y) ** 2))


def test_ridge_and_kernel_ridge_and_elastic_net_are_those_of_scikit_learn():
    cases = {
        "ridge": ({"penalty": 3.0}, Ridge(3.0)),
        "kernel_ridge": ({"gamma": 0.05, "penalty": 0.4}, KernelRidge(alpha=0.4, kernel="rbf", gamma=0.05)),
        "elastic_net": ({"alpha": 0.05, "l1_ratio": 0.6}, ElasticNet(0.05, l1_ratio=0.6, tol=1e-8)),
        "lasso": ({"alpha": 0.05}, ElasticNet(0.05, l1_ratio=1.0, tol=1e-8)),
    }
    for name, (config, model) in cases.items():
        outcome = evaluate(PROBLEMS[name](), config, SEED)
        *folds, whole = parts("diabetes", 5, SEED)
        assert outcome.folds == pytest.approx([folds_by(model, part, squares) for part in folds], rel=1e-5)
        assert outcome.test == pytest.approx(folds_by(model, whole, squares), rel=1e-5)


def test_equal_scales_and_penalties_are_one():
    one = evaluate(PROBLEMS["kernel_ridge"](), {"gamma": 0.05, "penalty": 0.4}, SEED)
    ard = PROBLEMS["kernel_ridge_ard"]()
    many = evaluate(ard, dict.fromkeys(ard.space.names, 0.05) | {"penalty": 0.4}, SEED)
    assert many.loss == pytest.approx(one.loss, rel=1e-12)
    scales = [slope for name, slope in many.gradient.items() if name != "penalty"]
    assert sum(scales) == pytest.approx(one.gradient["gamma"], rel=1e-8)
    lasso = evaluate(PROBLEMS["lasso"](), {"alpha": 0.02}, SEED)
    features = PROBLEMS["lasso_features"]()
    each = evaluate(features, dict.fromkeys(features.space.names, 0.02), SEED)
    assert each.loss == pytest.approx(lasso.loss, rel=1e-9)
    assert sum(each.gradient.values()) == pytest.approx(lasso.gradient["alpha"], rel=1e-6)


def test_the_hinge_is_that_of_scikit_learn():
    problem = PROBLEMS["hinge_features"]()
    outcome = evaluate(problem, dict.fromkeys(problem.space.names, 2.0), SEED)

    def log_loss(model, X, y):
        margin = model.decision_function(X)
        return float(np.mean(np.logaddexp(0, margin) - y * margin))

    model = LinearSVC(
        C=0.5, loss="squared_hinge", dual=False, intercept_scaling=1e4, tol=1e-9, max_iter=20_000
    )
    found = [folds_by(model, part, log_loss) for part in parts("breast_cancer", 5, SEED)[:-1]]
    assert outcome.folds == pytest.approx(found, rel=1e-3)


@pytest.mark.parametrize("kind, ratio", [("l1", 1.0), ("l2", 0.0), ("elasticnet", 0.5)])
def test_the_penalty_of_the_digits_is_that_of_scikit_learn(kind, ratio):
    config = {"penalty": kind, "C": 0.05} | ({"l1_ratio": ratio} if kind == "elasticnet" else {})
    outcome = evaluate(PROBLEMS["penalty_digits"](), config, SEED)
    model = LogisticRegression(C=0.05, l1_ratio=ratio, solver="saga", tol=1e-5, max_iter=3000)
    part = parts("coarse_digits", 3, SEED, False)[0]

    def log_loss(model, X, y):
        return -float(np.mean(model.predict_log_proba(X)[np.arange(len(y)), y.astype(int)]))

    assert outcome.folds[0] == pytest.approx(folds_by(model, part, log_loss), rel=1e-3)


def test_the_marginal_likelihood_is_that_of_scikit_learn():
    problem = PROBLEMS["gp_likelihood"]()
    config = problem.default | {"length_3": 1.7, "signal": 1.3, "noise": 0.6}
    outcome = evaluate(problem, config, SEED)
    part = parts("diabetes", 5, SEED)[-1]
    lengths = [config[f"length_{i}"] for i in range(10)]
    kernel = ConstantKernel(1.3**2) * RBF(lengths) + WhiteKernel(0.6**2)
    model = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(part.X, part.y)
    assert outcome.loss == pytest.approx(-model.log_marginal_likelihood() / len(part.y), rel=1e-9)
    mean, std = model.predict(part.X_val, return_std=True)
    density = 0.5 * np.log(2 * np.pi * std**2) + 0.5 * ((part.y_val - mean) / std) ** 2
    assert outcome.test == pytest.approx(density.mean(), rel=1e-6)


def test_the_lasso_of_an_orthogonal_design_is_a_soft_threshold():
    rng = rng_for("orthogonal")
    X = np.sqrt(50) * np.linalg.qr(rng.standard_normal((50, 8)))[0]
    y = rng.standard_normal(50)
    pull, b = X.T @ y / 50, rng.uniform(0.0, 0.2, 8)
    w = minimise(Gram(X, y, np.zeros(8)), b).w
    assert w == pytest.approx(np.sign(pull) * np.maximum(np.abs(pull) - b, 0.0), abs=1e-9)
    assert 0 < (w == 0.0).sum() < 8


def test_the_sizes_of_the_data_are_what_is_read():
    for name, count in FEATURES.items():
        data = read(name)
        assert data.X.shape[1] == len(data.feature_names) == count
        assert len(np.unique(data.y)) == CLASSES.get(name, len(np.unique(data.y)))


def test_what_a_problem_needs_is_imported_when_it_is_asked_for():
    code = (
        "import sys, runner.problems as p; assert 'scipy' not in sys.modules; "
        "[make() for make in list(p.PROBLEMS.values())]; assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_where_no_weight_is_left_the_loss_is_flat():
    outcome = evaluate(PROBLEMS["lasso_features"](), {f"alpha_{i}": 0.5 for i in range(10)}, SEED)
    assert list(outcome.gradient.values()).count(0.0) >= 8


def test_a_schedule_gives_the_same_optimum_for_less_work():
    exact = MultinomialPenalty("exact", grouping="classes")
    loose = MultinomialPenalty("loose", grouping="classes", schedule=Schedule(first=1e-3, rate=0.3))
    assert (exact.noisy, loose.noisy) == (False, True)
    work, spent = 0, 0
    for C in np.geomspace(1.0, 0.5, 20):
        config = dict.fromkeys(exact.space.names, float(C))
        ends = evaluate(exact, config, SEED), evaluate(loose, config, SEED)
        work, spent = (
            total + end.metrics["inner_work"] for total, end in zip((work, spent), ends, strict=True)
        )
    assert ends[1].loss == pytest.approx(ends[0].loss, rel=1e-6)
    assert ends[1].gradient == pytest.approx(ends[0].gradient, rel=1e-4)
    assert spent < 0.6 * work
    assert len(pickle.dumps(loose)) < 10_000  # what was fitted stays here


def test_wrong_labels_get_a_positive_slope():
    """More weight on a flipped label raises the loss, by the mean over the rows."""
    problem = PROBLEMS["data_weights"]()
    gradient = np.array(list(evaluate(problem, problem.default, SEED).gradient.values()))
    wrong = rng_for(SEED, "turned").random(100) < 0.2
    assert gradient[wrong].mean() > 0.0 > gradient[~wrong].mean()


def test_the_network_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "autograd", None)
    monkeypatch.setattr("runner.problems.hypergradients.unrolled.find_spec", lambda name: None)
    outcome = evaluate(load_problem("network_unrolled"), {"rate": 0.1, "momentum": 0.5, "decay": 1e-3}, 0)
    assert "pip install 'fivefold[autograd]'" in outcome.error


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: SparseLinear("x", "ridge"), "kind: expected .*, got 'ridge'"),
        (lambda: MultinomialPenalty("x", grouping="rows"), "grouping: expected .*, got 'rows'"),
        (lambda: MultinomialPenalty("x", "wines"), "data: expected .*, got 'wines'. Did you mean 'wine'"),
    ],
)
def test_what_does_not_exist_is_refused(make, says):
    with pytest.raises(ProblemError, match=says):
        make()

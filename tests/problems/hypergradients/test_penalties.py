import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

from runner.errors import ProblemError
from runner.problems import PROBLEMS, evaluate
from runner.problems.hypergradients.losses import LOGISTIC as LOG_LOSS
from runner.problems.hypergradients.newton import fit_linear
from runner.problems.hypergradients.penalties import L2Penalty
from runner.problems.hypergradients.quadratic import Quadratic
from runner.seeds import rng_for, seed_for

LOGISTIC = ["logistic_l2", "logistic_l2_groups", "logistic_l2_features"]


@pytest.mark.parametrize("name", LOGISTIC)
def test_the_gradient_equals_central_differences_to_seven_digits(name):
    problem = PROBLEMS[name]()
    rng = rng_for("differences", name)
    for _ in range(3):
        config, seed = problem.space.sample(rng), int(rng.integers(2**32))
        gradient = evaluate(problem, config, seed).gradient
        assert set(gradient) == set(problem.space.names)
        along = {key: float(rng.standard_normal()) for key in gradient}  # in the logarithm
        slope = sum(along[key] * config[key] * gradient[key] for key in gradient)
        step = 1e-4
        up, down = (
            evaluate(problem, {k: v * np.exp(sign * step * along[k]) for k, v in config.items()}, seed).loss
            for sign in (1, -1)
        )
        assert (up - down) / (2 * step) == pytest.approx(slope, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
def test_the_global_penalty_is_one_over_c_of_scikit_learn(penalty):
    seed = 11
    outcome = evaluate(PROBLEMS["logistic_l2"](), {"penalty": penalty}, seed)
    X, t = load_breast_cancer(return_X_y=True)
    rest, test = train_test_split(
        np.arange(len(t)), test_size=0.2, stratify=t, random_state=seed_for(seed, "test")
    )
    cut = StratifiedKFold(5, shuffle=True, random_state=seed_for(seed, "split"))
    parts = [(rest[a], rest[b]) for a, b in cut.split(X[rest], t[rest])]

    def judged(train, held):
        scaler = StandardScaler().fit(X[train])
        model = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000, solver="newton-cholesky")
        model.fit(scaler.transform(X[train]), t[train])
        margin = model.decision_function(scaler.transform(X[held]))
        # Not scikit-learn's log_loss, which clips what is nearly certain and wrong.
        return float(np.mean(np.logaddexp(0, margin) - t[held] * margin))

    assert outcome.folds == pytest.approx([judged(*part) for part in parts], rel=1e-6)
    assert outcome.loss == pytest.approx(np.mean(outcome.folds), rel=1e-12)
    assert outcome.test == pytest.approx(judged(rest, test), rel=1e-6)


def test_equal_penalties_are_one_penalty():
    one = evaluate(PROBLEMS["logistic_l2"](), {"penalty": 0.3}, 5)
    for name in LOGISTIC[1:]:
        many = PROBLEMS[name]()
        other = evaluate(many, dict.fromkeys(many.space.names, 0.3), 5)
        assert (other.loss, other.test, other.folds) == (one.loss, one.test, one.folds)
        assert sum(other.gradient.values()) == pytest.approx(one.gradient["penalty"], rel=1e-9)


def test_seeds_are_other_splits():
    problem = PROBLEMS["logistic_l2"]()
    assert len({evaluate(problem, {"penalty": 1.0}, seed).loss for seed in range(5)}) == 5


def test_extreme_penalties_have_a_value():
    problem = PROBLEMS["logistic_l2_features"]()
    for penalty in (1e-5, 1e3):
        outcome = evaluate(problem, dict.fromkeys(problem.space.names, penalty), 0)
        assert not outcome.error


def test_a_fit_that_is_not_accurate_enough_is_refused(monkeypatch):
    monkeypatch.setattr("runner.problems.hypergradients.newton._MOST_NEWTON_STEPS", 2)
    X = rng_for("short").standard_normal((1, 20, 3))
    with pytest.raises(ProblemError, match=r"expected a slope of at most .* after Newton's method, got "):
        fit_linear(X, (X[..., 0] > 0).astype(float), np.ones((1, 20)), np.full(3, 1e-3), LOG_LOSS)


def test_the_fit_is_a_stationary_point_whatever_the_scale():
    rng = rng_for("fit")
    X = rng.standard_normal((3, 40, 4)) * np.array([1.0, 100.0, 0.01, 5.0])
    t = (rng.random((3, 40)) < 0.5).astype(float)
    P = np.ones((3, 40))
    P[:, 35:] = 0.0
    penalty = np.array([1e-6, 1.0, 1e3, 0.1])
    w, H, _ = fit_linear(X, t, P, penalty, LOG_LOSS)
    p = 1 / (1 + np.exp(-(X @ w[..., None])[..., 0]))
    slope = np.einsum("fnp,fn->fp", X, P * (p - t)) + penalty * w
    start = np.einsum("fnp,fn->fp", X, P * (0.5 - t))
    assert abs(slope).max() <= 1e-9 * abs(start).max()
    assert (np.linalg.eigvalsh(H) > 0).all()


def test_the_quadratic_is_the_formula_of_its_docstring():
    problem = Quadratic("quadratic6", 6, condition=50)
    (best,) = problem.minimisers
    outcome = evaluate(problem, best, 0)
    assert outcome.loss == pytest.approx(1.0, abs=1e-14)
    assert list(outcome.gradient.values()) == pytest.approx([0.0] * 6, abs=1e-12)
    rng = rng_for("quadratic")
    eigenvalues = np.linalg.eigvalsh(problem._S.T @ problem._S)
    assert eigenvalues.max() / eigenvalues.min() == pytest.approx(50, rel=1e-9)
    for _ in range(10):
        x = problem.space.sample(rng)
        away = np.subtract(list(x.values()), list(best.values()))
        expected = 1 + 0.5 * float(away @ problem._S.T @ problem._S @ away)
        slope = problem._S.T @ problem._S @ away
        outcome = evaluate(problem, x, 0)
        assert outcome.loss == pytest.approx(expected, rel=1e-10)
        assert list(outcome.gradient.values()) == pytest.approx(slope.tolist(), rel=1e-7, abs=1e-10)


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: Quadratic("x", 0), "got d=0"),
        (lambda: Quadratic("x", 2, condition=0.5), "condition=0.5"),
        (lambda: L2Penalty("x", grouping="rows"), "grouping: expected .*, got 'rows'"),
    ],
)
def test_what_does_not_fit_is_refused(make, says):
    with pytest.raises(ProblemError, match=says):
        make()

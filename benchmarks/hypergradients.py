"""The figures of docs/gradient.md: python -m benchmarks.hypergradients

One global penalty against a path method, validation against test, inner work under schedules.
"""

import statistics
import time

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LassoCV

from runner.methods import make_method
from runner.problems import evaluate, load_problem
from runner.problems.hypergradients.implicit import Schedule
from runner.problems.hypergradients.multinomial import MultinomialPenalty
from runner.problems.hypergradients.parts import parts
from runner.testing import simulate

SCHEDULES = {
    "exact": None,
    "exponential": Schedule(),
    "cubic": Schedule("cubic"),
    "constant": Schedule("constant", first=1e-2),
}


def searched(problem, seed, trials):
    """The trials of a run of `gradient`."""
    method = make_method("gradient")
    return simulate(method, problem.space, lambda c: evaluate(problem, c, seed), trials, entropy=seed)


def path(seed=0, trials=10):
    """Count the trials of the lasso problem that take as long as a path of 100 penalties, both in 5 folds."""
    problem, part = load_problem("lasso"), parts("diabetes", 5, seed)[-1]
    whole = _seconds(lambda: LassoCV(alphas=100, cv=5).fit(part.X, part.y))
    return whole / _seconds(lambda: searched(problem, seed, trials)) * trials


def _seconds(call, times=5):
    """CPU seconds, the least of several, after one that reads the data."""
    call()
    found = []
    for _ in range(times):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def over_fitting(name, seeds=5, trials=60):
    """Medians: validation and test loss at the default, and at the best trial."""
    rows = []
    for seed in range(seeds):
        problem = load_problem(name)
        default = evaluate(problem, problem.default, seed)
        best = min((t for t in searched(problem, seed, trials) if t.valid), key=lambda t: t.loss)
        rows.append((default.loss, default.test, best.loss, best.outcome.test))
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def work(data, grouping, schedule, evaluations=30):
    """(loss, inner work) of each evaluation of SciPy's L-BFGS-B in the logarithms of the penalties."""
    problem = MultinomialPenalty("m", data, grouping, folds=3, each=data == "wine", schedule=schedule)
    names, course = problem.space.names, []
    ends = np.log([1e-4, 1e3])

    def loss(x):
        config = {name: float(np.exp(v)) for name, v in zip(names, np.clip(x, *ends), strict=True)}
        outcome = evaluate(problem, config, 0)
        course.append((outcome.loss, outcome.metrics["inner_work"]))
        return outcome.loss, np.array([outcome.gradient[name] * config[name] for name in names])

    bounds, options = [tuple(ends)] * len(names), {"maxfun": evaluations}
    minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return course


def main():
    print(f"a lasso path of 100 penalties lasts as long as {path():.1f} trials")
    for name in ("ridge_features", "logistic_l2_features"):
        before, test, after, test_after = over_fitting(name)
        print(f"{name}: validation {before:.4f} -> {after:.4f}, test {test:.4f} -> {test_after:.4f}")
    for data, grouping in (("wine", "classes"), ("coarse_digits", "classes"), ("coarse_digits", "features")):
        courses = {label: work(data, grouping, schedule) for label, schedule in SCHEDULES.items()}
        goal = 1.001 * min(loss for loss, _ in courses["exact"])
        for label, course in courses.items():
            done = [i for i, (loss, _) in enumerate(course) if loss <= goal]
            spent = sum(step for _, step in course[: done[0] + 1]) if done else float("nan")
            print(f"{data} {grouping}, {label}: inner work to 0.1 %: {spent:.0f}")


if __name__ == "__main__":
    main()

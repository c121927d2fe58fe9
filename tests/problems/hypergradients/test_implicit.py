import numpy as np
import pytest

from runner import implicit_hypergradient
from runner.errors import ProblemError
from runner.problems.hypergradients.implicit import Schedule
from runner.seeds import rng_for

rng = rng_for("implicit")
ROOT = rng.standard_normal((12, 12))
H = ROOT @ ROOT.T + np.eye(12)
B, C, D = rng.standard_normal(12), rng.standard_normal((4, 12)), rng.standard_normal(4)
TRUTH = D - C @ np.linalg.solve(H, B)


def product(v):
    return H @ v


@pytest.mark.parametrize(
    "hessian, cross", [(H, C), (product, C), (H, lambda q: C @ q), (product, lambda q: C @ q)]
)
def test_matrices_and_products_give_the_same_gradient(hessian, cross):
    found = implicit_hypergradient(hessian, B, cross, D)
    assert found.gradient == pytest.approx(TRUTH, rel=1e-8)
    assert found.exact
    assert np.linalg.norm(H @ found.q - B) <= 1e-10 * np.linalg.norm(B)


def test_a_start_at_the_solution_and_a_diagonal_save_products():
    cold = implicit_hypergradient(product, B, C)
    warm = implicit_hypergradient(product, B, C, start=cold.q)
    assert warm.products <= 2 < cold.products
    scaled = np.geomspace(1, 1e6, 12)

    def steep(v):
        return scaled * (H @ (scaled * v))

    plain = implicit_hypergradient(steep, B, C, tolerance=1e-6, most=500)
    better = implicit_hypergradient(steep, B, C, tolerance=1e-6, most=500, diagonal=scaled**2 * np.diag(H))
    assert better.exact
    assert better.products < plain.products


def test_a_truncated_or_damped_gradient_says_so():
    short = implicit_hypergradient(product, B, C, most=2)
    assert not short.exact
    assert short.residual > 1e-10
    damped = implicit_hypergradient(H, B, C, damping=0.1)
    assert not damped.exact
    assert damped.gradient == pytest.approx(-C @ np.linalg.solve(H + 0.1 * np.eye(12), B))


def test_no_outer_slope_is_no_gradient():
    found = implicit_hypergradient(product, np.zeros(12), C, D)
    assert found.gradient.tolist() == D.tolist()
    assert found.exact


@pytest.mark.parametrize(
    "arguments, says",
    [
        ((-H, B, C), "not finite and positive definite"),
        ((H[:3, :3], B, C), r"expected a Hessian of shape \(12, 12\), got \(3, 3\)"),
        ((H, B[None], C), r"outer_gradient: expected a vector, got an array of shape \(1, 12\)"),
        ((H, np.full(12, np.nan), C), "finite numbers"),
        ((lambda v: np.roll(v, 1), B, C), "expected a residual of at most 1e-10, got "),
        ((lambda v: np.tile([1.0, -1.0], 6) * v, np.ones(12), C), "1e-10, got nan after"),
    ],
)
def test_what_cannot_be_solved_is_refused(arguments, says):
    with pytest.raises(ProblemError, match=says):
        implicit_hypergradient(*arguments)


@pytest.mark.parametrize("kind", ["exponential", "quadratic", "cubic"])
def test_tolerances_fall_to_the_floor(kind):
    schedule = Schedule(kind, first=1e-2, floor=1e-6)
    found = [schedule.tolerance(k) for k in range(2000)]
    assert found[0] == 1e-2
    assert found[-1] == 1e-6 or kind == "quadratic"
    assert sorted(found, reverse=True) == found
    assert Schedule("constant", first=1e-2).tolerance(99) == 1e-2


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: Schedule("linear"), "schedule.kind: expected .*, got 'linear'"),
        (lambda: Schedule(first=0.0), "schedule.first: expected .*, got 0.0"),
        (lambda: Schedule(rate=1.0), "schedule.rate: expected .*, got 1.0"),
    ],
)
def test_a_schedule_that_does_not_fall_is_refused(make, says):
    with pytest.raises(ProblemError, match=says):
        make()

import numpy as np
import pytest

from runner.errors import ProblemError
from runner.problems import problem
from runner.problems.answers import judge
from runner.search.results import outcome_of
from runner.space import Choice, Float, Int, Space

SPACE = Space({"x": Float(1e-3, 1e3, log=True), "n": Int(0, 9), "c": Choice(["a", "b"])})
CONFIG = {"x": 4.0, "n": 3, "c": "a"}


def made(direction):
    return problem(space=dict(SPACE.params), direction=direction)(lambda config: 0.0)


@pytest.mark.parametrize("direction, sign", [("minimize", 1.0), ("maximize", -1.0)])
@pytest.mark.parametrize("by", ["problem", "Tune"])
def test_a_gradient_by_logarithms_is_one_by_values_in_both_directions(direction, sign, by):
    """d f / d x = (d f / d log x) / x; what is given by values counts."""
    answer = {"loss": 2.0, "gradient_log": {"x": 8.0, "n": 6.0}, "gradient": {"n": 5.0}}
    if by == "problem":
        outcome = judge(made(direction), answer, CONFIG)
    else:
        mode = "min" if direction == "minimize" else "max"
        outcome = outcome_of(SPACE, "loss", mode, CONFIG, answer, error=False)
    assert outcome.loss == sign * 2.0
    assert outcome.gradient == {"x": sign * 2.0, "n": sign * 5.0}
    assert "gradient_log" not in outcome.metrics


@pytest.mark.parametrize("given", [False, np.False_, 0, 0.0])
def test_a_truncated_gradient_is_marked(given):
    answer = {"loss": 2.0, "gradient": {"x": 1.0}, "gradient_exact": given}
    assert judge(made("minimize"), answer, CONFIG).metrics == {"gradient_exact": 0.0}
    assert outcome_of(SPACE, "loss", "min", CONFIG, answer, error=False).metrics == {"gradient_exact": 0.0}


@pytest.mark.parametrize("given", [True, None, 1.0])
def test_an_exact_one_is_not(given):
    answer = {"loss": 2.0, "gradient": {"x": 1.0}, "gradient_exact": given}
    assert judge(made("minimize"), answer, CONFIG).metrics == {}


@pytest.mark.parametrize(
    "gradient, message",
    [
        ({"c": 1.0}, "'c', whose value 'a' has no logarithm"),
        ({"n": 1.0}, "'n', whose value 0 has no logarithm"),
        ({"y": 1.0}, "names 'y', which is no parameter"),
        ({"x": "much"}, "of 'x' is 'much'; a number was expected"),
        ([1.0], "a mapping of parameters"),
    ],
)
def test_what_is_no_gradient_by_logarithms_is_refused(gradient, message):
    with pytest.raises(ProblemError, match=message):
        judge(made("minimize"), {"loss": 1.0, "gradient_log": gradient}, CONFIG | {"n": 0})

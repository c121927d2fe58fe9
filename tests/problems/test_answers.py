import math
import warnings
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from runner.errors import ProblemError
from runner.problems import problem
from runner.problems.answers import judge
from runner.problems.evaluation import evaluate
from runner.search.outcomes import outcome_of
from runner.space import Choice, Float, Int, Space
from runner.trial import Status

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
        ({"y": 1.0}, "names 'y', which is not a parameter"),
        ({"x": "much"}, "of 'x': expected a number, got 'much'"),
        ([1.0], "a mapping of parameters"),
    ],
)
def test_what_is_no_gradient_by_logarithms_is_refused(gradient, message):
    with pytest.raises(ProblemError, match=message):
        judge(made("minimize"), {"loss": 1.0, "gradient_log": gradient}, CONFIG | {"n": 0})


# -- what is a number --------------------------------------------------------------------------------


class Tensor:
    """A tensor like those of PyTorch and JAX, which converts to a number if it has one element."""

    def __init__(self, *values):
        self.values, self.shape = values, (len(values),)

    def item(self):
        if len(self.values) != 1:
            raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")
        return self.values[0]


class OnlyFloat:
    def __float__(self):
        return 2.0


class Raising:
    def __float__(self):
        raise RuntimeError("not today")


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # NumPy discourages it; objectives may return it all the same
    MATRIX = np.matrix([[2]])
NUMBERS = [
    2,
    2.0,
    np.float16(2),
    np.float32(2),
    np.int8(2),
    np.uint64(2),
    np.longdouble(2),
    np.array(2.0),
    np.array([2]),
    np.array([[2.0]]),
    np.ma.array([2.0]),
    MATRIX,
    Decimal(2),
    Fraction(4, 2),
    pd.Series([2.0]),
    Tensor(2.0),
    OnlyFloat(),
    np.array(2, dtype=object),
    IntEnum("Kind", {"TWO": 2}).TWO,
]
MISSING = [
    np.ma.masked,
    np.ma.array(1.0, mask=True),
    np.ma.array([1.0, 2.0], mask=[True, False]),
    pd.NA,
    math.nan,
]
NO_NUMBERS = [
    None,
    True,
    np.True_,
    np.array(True),
    "2",
    b"2",
    np.str_("2"),
    2j,
    np.complex128(2),
    np.array(2j),
    [2.0],
    (2,),
    {},
    np.datetime64("2020-01-01"),
    np.timedelta64(2, "s"),
    np.array(2, dtype="m8[ns]"),
    pd.Timestamp(0),
    pd.NaT,
    pd.Timedelta(2),
    datetime.now(),
    np.ones(2),
    pd.Series([1.0, 2.0]),
    sparse.csr_matrix([[2.0]]),
    Tensor(1.0, 2.0),
    Tensor(True),
    Raising(),
    object(),
    lambda: 2.0,
]
INFINITE = [math.inf, np.float16(np.inf), 10**400, -(10**400), Decimal("Infinity"), np.array(-np.inf)]


def by_tune(value):
    return outcome_of(SPACE, "loss", "min", CONFIG, {"loss": value}, error=False)


def by_problem(value):
    return judge(made("minimize"), value if not isinstance(value, dict) else {"loss": value})


def in_a_dict(value):
    return judge(made("minimize"), {"loss": value})


each_reader = pytest.mark.parametrize("read", [by_problem, in_a_dict, by_tune])


@each_reader
@pytest.mark.parametrize("value", NUMBERS, ids=lambda value: type(value).__name__)
def test_what_float_takes_is_a_number(read, value):
    outcome = read(value)
    assert (outcome.status, outcome.loss) == (Status.COMPLETED, 2.0)
    assert type(outcome.loss) is float


@each_reader
@pytest.mark.parametrize("value", [*MISSING, *NO_NUMBERS, *INFINITE], ids=lambda value: type(value).__name__)
def test_what_is_missing_infinite_or_no_number_is_invalid(read, value):
    outcome = read(value)
    assert (outcome.status, outcome.loss) == (Status.INVALID, None)
    assert "metric 'loss': expected a finite number, got " in outcome.error


@pytest.mark.parametrize(
    "value, says",
    [
        (np.ma.masked, "masked"),
        (pd.NA, "<NA>"),
        (np.timedelta64(2, "s"), "timedelta64(2,'s')"),
        (2j, "a complex"),
        ("2", "'2'"),
        (np.float32("nan"), "float32(nan)"),
        (object(), "a object"),
    ],
)
def test_the_message_shows_what_came(value, says):
    assert says in in_a_dict(value).error


@pytest.mark.parametrize("value", MISSING, ids=lambda value: type(value).__name__)
def test_what_is_missing_beside_the_metric_is_nan(value):
    answer = {
        "loss": 1.0,
        "test": value,
        "folds": [1.0, value],
        "gradient": {"x": value, "n": 2.0},
        "other": value,
    }
    outcome = judge(made("minimize"), answer, CONFIG)
    assert (outcome.loss, outcome.gradient) == (1.0, {"n": 2.0})
    assert [math.isnan(x) for x in (outcome.test, *outcome.folds, outcome.metrics["other"])] == [
        True, False, True, True
    ]  # fmt: skip


@pytest.mark.parametrize("value", NO_NUMBERS[1:], ids=lambda value: type(value).__name__)
def test_what_is_no_number_beside_the_metric_is_refused_or_left_out(value):
    assert judge(made("minimize"), {"loss": 1.0, "other": value}).metrics == {}
    for key in ("test", "folds", "gradient"):
        given = {"test": value, "folds": [1.0, value], "gradient": {"n": value}}[key]
        if isinstance(value, dict) and key == "gradient":  # as part of a path
            continue
        with pytest.raises(ProblemError, match=r"expected a (list of )?number"):
            judge(made("minimize"), {"loss": 1.0, key: given}, CONFIG)


def test_a_masked_step_has_no_loss():
    def steps(config):
        yield 3.0
        yield np.ma.masked
        yield {"loss": np.ma.array(2.0, mask=config["x"] > 1)}

    staged = problem(space=dict(SPACE.params), steps=3)(steps)
    good, bad = (evaluate(staged, CONFIG | {"x": x}, seed=0) for x in (0.5, 4.0))
    assert (good.status, good.loss, bad.status, bad.loss) == (Status.COMPLETED, 2.0, Status.INVALID, None)
    assert [math.isnan(x) for x in good.steps] == [False, True, False]


# -- nested answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer", [{"eval": {"loss": 2.0, "deep": {1: 3}}}, {"eval/loss": 2.0, "eval": {"deep/1": 3}}]
)
def test_what_is_nested_is_known_by_its_path(answer):
    nested = problem(space=dict(SPACE.params), metric="eval/loss")(lambda config: answer)
    outcome = judge(nested, answer | {"gradient": {"x": 1.0}, "name": {"text": "no"}}, CONFIG)
    assert (outcome.value, outcome.metrics, outcome.gradient) == (2.0, {"eval/deep/1": 3.0}, {"x": 1.0})


def test_a_nested_metric_that_is_not_there_is_named():
    nested = problem(space=dict(SPACE.params), metric="eval/loss")(lambda config: 0.0)
    outcome = judge(nested, {"eval": {"accuracy": 2.0}, "n": 1})
    assert outcome.status is Status.INVALID
    assert "the answer has no 'eval/loss', only ['eval/accuracy', 'n']" in outcome.error
    assert judge(nested, 2.0).loss == 2.0


def test_a_gradient_may_be_nested_as_the_space_is():
    space = {"o/x": Float(0, 1), "y": Float(0, 1)}
    outcome = judge(
        problem(space=space)(lambda config: 0.0), {"loss": 1.0, "gradient": {"o": {"x": 2.0}, "y": 3.0}}
    )
    assert outcome.gradient == {"o/x": 2.0, "y": 3.0}

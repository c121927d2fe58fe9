import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ProblemError
from runner.problems.base import problem
from runner.problems.evaluation import evaluate
from runner.space import Float
from runner.trial import Status

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


def asked(function, **options):
    return evaluate(
        problem({"x": Float(0, 1), "y": Float(0, 1)}, **options)(function), {"x": 0.5, "y": 0.5}, 7
    )


def raises(error):
    def function(config):
        raise error

    return function


class Unreadable(Exception):
    def __str__(self):
        raise ValueError("no text")


@given(NUMBERS, NUMBERS, st.lists(NUMBERS, max_size=3), NUMBERS)
def test_to_maximise_is_to_minimise_the_negative(value, slope, folds, test):
    answer = {"loss": value, "gradient": {"x": slope}, "folds": folds, "test": test, "other": 3}
    negative = {
        "loss": -value,
        "gradient": {"x": -slope},
        "folds": [-fold for fold in folds],
        "test": -test,
        "other": 3,
    }
    low = asked(lambda config: answer)
    high = asked(lambda config: negative, direction="maximize")
    assert (low.loss, low.gradient, low.folds, low.metrics) == (
        high.loss,
        high.gradient,
        high.folds,
        high.metrics,
    )
    assert (low.loss, low.value, high.value) == (value, value, -value)
    assert (low.test, high.test) == (test, -test)


@pytest.mark.parametrize(
    "answer, status, says",
    [
        (1, "COMPLETED", ""),
        (np.float32(0.5), "COMPLETED", ""),
        (np.array([0.5]), "COMPLETED", ""),
        ({"error": 0.5}, "COMPLETED", ""),
        ({"loss": 0.5}, "COMPLETED", ""),
        (iter([{"loss": 3}, {"loss": 2}]), "COMPLETED", ""),
        (iter([]), "INVALID", "is None"),
        (math.nan, "INVALID", "is nan"),
        (-math.inf, "INVALID", "is -inf"),
        (10**400, "INVALID", "a finite number was expected"),
        (None, "INVALID", "is None"),
        (True, "INVALID", "is True"),
        ("0.5", "INVALID", "is '0.5'"),
        ([0.5], "INVALID", "is a list"),
        (np.array([1.0, 2.0]), "INVALID", "is a ndarray"),
        ({"losses": 1}, "INVALID", "has no 'error', only ['losses']"),
        ({"loss": 1, "gradient": 3}, "FAILED", "the gradient is 3"),
        ({"loss": 1, "gradient": {"z": 3}}, "FAILED", "names 'z'"),
        ({"loss": 1, "folds": 5}, "FAILED", "'folds' is 5; a list of numbers was expected."),
        ({"loss": 1, "folds": "12"}, "FAILED", "a list of numbers was expected."),
        ({"loss": 1, "folds": [0.1, "a"]}, "FAILED", "a list of numbers was expected."),
        ({"loss": 1, "folds": [0.1] * 1001}, "FAILED", "holds 1,001 numbers; at most 1,000 are kept."),
        ({"loss": 1, "test": "good"}, "FAILED", "'test' is 'good'; a number was expected."),
        ({"loss": 1, "gradient": {"x": "a"}}, "FAILED", "the gradient of 'x' is 'a'; a number was expected."),
        ({"loss": 1, "huge": 10**400}, "COMPLETED", ""),
    ],
)
def test_any_answer_is_an_outcome(answer, status, says):
    outcome = asked(lambda config: answer, metric="error")
    assert outcome.status == status
    assert says in outcome.error
    assert (outcome.loss is not None) == (status == "COMPLETED") == (not outcome.error)


@pytest.mark.parametrize(
    "error, says",
    [
        (ValueError("bad C"), "ValueError: bad C"),
        (SystemExit(3), "SystemExit: 3"),
        (ProblemError("no data.", where="csv"), "csv: no data."),
        (Unreadable(), "Unreadable: its message cannot be read"),
        (MemoryError(), "MemoryError: "),
    ],
)
def test_whatever_is_raised_is_a_failure(error, says):
    outcome = asked(raises(error))
    assert (outcome.status, outcome.loss, outcome.error) == (Status.FAILED, None, says)


def test_an_interrupt_is_the_users_and_passes():
    with pytest.raises(KeyboardInterrupt):
        asked(raises(KeyboardInterrupt()))


def test_the_objective_gets_a_copy_and_a_seed_if_it_takes_one():
    def function(config, seed):
        config["x"] = seed
        return config["x"]

    config = {"x": 0.5, "y": 0.5}
    made = problem({"x": Float(0, 1), "y": Float(0, 1)})(function)
    assert evaluate(made, config, 7).loss == 7.0
    assert config == {"x": 0.5, "y": 0.5}


def test_too_slow_is_a_timeout_and_long_messages_are_cut():
    assert (
        evaluate(problem({"x": Float(0, 1)})(lambda c: 1.0), {"x": 0.5}, 0, timeout=0.0).status
        is Status.TIMEOUT
    )
    assert len(asked(raises(ValueError("x" * 10**6))).error) == 2000

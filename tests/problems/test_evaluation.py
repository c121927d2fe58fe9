import json
import math
import os
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from runner.errors import ProblemError, raised_at
from runner.problems.base import MOST_STEPS, Problem, problem
from runner.problems.evaluation import cut, evaluate
from runner.space import Float, Space
from runner.trial import Outcome, Status

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
        (iter([]), "INVALID", "got None"),
        (math.nan, "INVALID", "got nan"),
        (-math.inf, "INVALID", "got -inf"),
        (10**400, "INVALID", "expected a finite number"),
        (None, "INVALID", "got None"),
        (True, "INVALID", "got True"),
        ("0.5", "INVALID", "got '0.5'"),
        ([0.5], "INVALID", "got a list"),
        (np.array([1.0, 2.0]), "INVALID", "got a ndarray"),
        ({"losses": 1}, "INVALID", "has no 'error', only ['losses']"),
        (
            {"loss": 1, "gradient": 3},
            "FAILED",
            "expected a mapping of parameters to numbers, got 3",
        ),
        ({"loss": 1, "gradient": {"z": 3}}, "FAILED", "names 'z'"),
        ({"loss": 1, "folds": 5}, "FAILED", "'folds': expected a list of numbers, got 5."),
        ({"loss": 1, "folds": "12"}, "FAILED", "expected a list of numbers, got"),
        ({"loss": 1, "folds": [0.1, "a"]}, "FAILED", "expected a list of numbers, got"),
        ({"loss": 1, "folds": [0.1] * 1001}, "FAILED", "expected at most 1,000 numbers, got 1,001."),
        ({"loss": 1, "test": "good"}, "FAILED", "'test': expected a number, got 'good'."),
        ({"loss": 1, "gradient": {"x": "a"}}, "FAILED", "'gradient' of 'x': expected a number, got 'a'."),
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
    assert (outcome.status, outcome.loss) == (Status.FAILED, None)
    place = "" if isinstance(error, ProblemError) else r" \(test_evaluation\.py, line \d+, in \w+\)"
    assert re.fullmatch(re.escape(says) + place, outcome.error)


def test_the_place_is_the_last_line_of_the_users_own_code():
    def objective(config):
        return json.loads("{")  # raises within Python's own library

    line = objective.__code__.co_firstlineno + 1
    assert asked(objective).error.endswith(f"(test_evaluation.py, line {line}, in objective)")
    assert raised_at(ValueError("never raised")) == ""
    assert len(asked(raises(ValueError("x" * 10**6))).error) == 2000


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


def test_a_read_only_array_gets_a_hint():
    shared = np.zeros(3)
    shared.flags.writeable = False

    def writes(config):
        shared[0] = 1.0

    error = asked(writes).error
    assert "read-only. Large arrays are shared between workers: copy one before you" in error
    assert "shared between workers" not in asked(raises(OSError("read-only"))).error


# -- what surrounds it ----------------------------------------------------------------------------


def test_folder_and_environment_come_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEPT", "\xe9 before")
    monkeypatch.delenv("NEW", raising=False)
    before = dict(os.environ)

    def messy(config):
        os.environ["NEW"] = "here"
        os.environ["KEPT"] = "after"
        del os.environ["PATH"]
        os.chdir("/")
        return 1.0

    assert asked(messy).status is Status.COMPLETED
    assert dict(os.environ) == before
    told = subprocess.run("echo $NEW$KEPT", shell=True, capture_output=True, check=True)
    assert told.stdout.decode() == "\xe9 before\n"  # what the system hands on, too
    assert os.getcwd() == str(tmp_path)  # noqa: PTH109

    def removed(config):
        os.makedirs("gone")  # noqa: PTH103
        os.chdir("gone")
        os.rmdir("../gone")  # noqa: PTH106
        return 1.0

    assert asked(removed).status is Status.COMPLETED
    assert os.getcwd() == str(tmp_path)  # noqa: PTH109


def limits():
    return {info["filepath"]: info["num_threads"] for info in threadpool_info()}


@pytest.mark.parametrize("outside", [1, 2])
@pytest.mark.parametrize("changed", [False, True])
def test_threads_are_held_and_come_back(outside, changed):
    import scipy.linalg  # noqa: F401  (brings its own library)

    seen = []

    def function(config):
        seen.append(limits())
        if changed:
            threadpool_limits(2 if outside == 1 else 1)
        raise ValueError("leaves")

    with threadpool_limits(outside):
        before = limits()
        for threads in (1, 2, 1):
            evaluate(problem({"x": Float(0, 1)})(function), {"x": 0.5}, 0, threads=threads)
            assert set(seen.pop().values()) == {threads}
            assert limits() == before
    assert before


# -- step by step ---------------------------------------------------------------------------------

LOSSES = st.lists(NUMBERS, min_size=1, max_size=6)


def stepwise(function, steps, **options):
    return problem({"x": Float(0, 1)}, steps=steps, **options)(function)


def yielding(losses, **options):
    def function(config):
        yield from losses

    return stepwise(function, len(losses), **options)


def run(made, stops=None, **options):
    return evaluate(made, {"x": 0.5}, 0, stops=stops, **options)


def after(step):
    return lambda k, loss: k == step


def plain(outcome):
    """Without times."""
    assert len(outcome.step_seconds) == len(outcome.steps)
    assert list(outcome.step_seconds) == sorted(outcome.step_seconds)
    return replace(outcome, seconds=0.0, step_seconds=())


@given(LOSSES, st.sampled_from(["minimize", "maximize"]))
def test_every_step_is_kept_and_the_last_one_counts(values, direction):
    sign = 1 if direction == "minimize" else -1
    asked_of = []
    outcome = run(yielding(values, direction=direction), lambda *step: asked_of.append(step))
    assert (outcome.status, outcome.value, outcome.share) == ("COMPLETED", values[-1], 1.0)
    assert outcome.steps == tuple(sign * value for value in values)
    assert asked_of == list(enumerate(outcome.steps, 1))[:-1]  # never of the last one
    assert plain(outcome) == plain(run(yielding(values, direction=direction)))


def any_end(values, end):
    """Yields the values, and then fails, says nothing more, or says what is no number."""

    def function(config):
        yield from ({"loss": value, "gradient": {"x": 1.0}, "test": 1.0} for value in values)
        if end == "raise":
            raise RuntimeError("on its way")
        if end == "nan":
            yield math.nan
        if end == "malformed":
            yield {"loss": 1.0, "gradient": 3}

    return function


@given(
    st.lists(NUMBERS, max_size=5),
    st.sampled_from(["", "raise", "nan", "malformed"]),
    st.integers(1, 7),
    st.integers(0, 6),
    st.sampled_from(["minimize", "maximize"]),
)
def test_a_known_outcome_is_cut_to_what_an_evaluation_would_have_said(values, end, steps, stop, direction):
    made = stepwise(any_end(values, end), steps, direction=direction)
    evaluated = run(made, after(stop))
    for known in (run(made), run(made, after(9))):
        found = cut(made, known, after(stop))
        if known.status == found.status:
            assert found is known
        assert replace(plain(found), error="") == replace(plain(evaluated), error="")
        if found.status is Status.STOPPED:
            assert found.error == evaluated.error
            assert found.seconds == known.step_seconds[stop - 1]
            assert 0 < found.share == made.share(stop) < 1
            assert (found.test, found.gradient, found.metrics) == (None, None, {})


def test_a_stopped_generator_is_closed_where_it_stands():
    seen = []

    def function(config):
        try:
            for step in range(5):
                seen.append(step)
                yield {"loss": float(step), "folds": [float(step)] * step}
        finally:
            seen.append(os.environ.get("STEPWISE"))
            raise ValueError("unwilling")

    made = stepwise(function, 5, direction="maximize")
    outcome = run(made, after(3))
    assert seen == [0, 1, 2, None]
    assert (outcome.status, outcome.loss, outcome.value) == ("STOPPED", -2.0, 2.0)
    assert (outcome.steps, outcome.share) == ((0.0, -1.0, -2.0), 0.6)
    assert outcome.error == "stopped early by the scheduler after step 3 of 5."


def test_folds_are_kept_where_the_loss_of_the_step_is_their_mean():
    def by_fold(config):
        scores = [3.0, 1.0, 5.0]
        for k in (1, 2, 3):
            yield {"loss": sum(scores[:k]) / k, "folds": scores[:k]}

    def by_share(config):
        for k in (1, 2, 3):
            yield {"loss": 2.0 - k, "folds": [1.0 - k, 2.0 - k, 3.0 - k]}

    for function, folds in ((by_fold, (3.0, 1.0)), (by_share, ())):
        made = stepwise(function, 3)
        assert run(made, after(2)).folds == cut(made, run(made), after(2)).folds == folds


@pytest.mark.parametrize("values", [[math.nan, 1.0, 2.0], [1.0, None, 2.0], [{"los": 1}, 2.0, 3.0]])
def test_a_step_without_a_number_ends_a_trial_that_could_be_stopped(values):
    made, bad = yielding(values), [isinstance(v, float) and v == v for v in values].index(False) + 1
    free, staged = run(made), run(made, after(9))
    assert (free.status, free.share, len(free.steps)) == ("COMPLETED", 1.0, 3)
    assert math.isnan(free.steps[bad - 1])
    assert (staged.status, staged.loss, len(staged.steps)) == ("INVALID", None, bad)
    assert staged.share == bad / 3
    assert staged.error.startswith(f"step {bad}: ")


@pytest.mark.parametrize("done, share", [(0, 0.25), (1, 0.5), (3, 1.0), (4, 1.0)])
@pytest.mark.parametrize("stops", [None, after(9)])
def test_a_step_that_raises_was_begun_and_is_spent(done, share, stops):
    def function(config):
        yield from map(float, range(done))
        raise RuntimeError("on its way")

    outcome = run(stepwise(function, 4), stops)
    assert (outcome.status, outcome.share) == ("FAILED", share)
    assert outcome.steps == tuple(map(float, range(done)))


def test_an_answer_at_once_is_a_full_evaluation_and_none_is_a_step():
    assert run(stepwise(lambda config: 1.0, 4), after(1)).share == 1.0
    assert run(stepwise(lambda config: math.nan, 4), after(1)).share == 1.0
    assert run(stepwise(lambda config: iter([]), 4), after(1)).share == 0.25
    assert run(stepwise(raises(ValueError()), 4), after(1)).share == 0.25
    assert run(stepwise(raises(ValueError()), 4)).share == 1.0
    late = run(yielding([1.0, 2.0]), after(1), timeout=0.0)
    assert (late.status, late.share, late.steps) == ("TIMEOUT", 1.0, ())


def test_only_so_many_steps_are_kept():
    outcome = run(stepwise(lambda config: iter([*range(MOST_STEPS + 5)]), 1))
    assert outcome.loss == MOST_STEPS + 4
    assert outcome.steps == tuple(range(MOST_STEPS))


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "3", MOST_STEPS + 1])
def test_steps_are_a_whole_number(steps):
    with pytest.raises(ProblemError, match=r"expected an integer from 1 to 10,000, got .*\. Give the number"):
        stepwise(lambda config: 1.0, steps)


class Remembers(Problem):
    """Knows what it has been asked before."""

    name, space, steps = "remembers", Space({"x": Float(0, 1)}), 2
    whole = Outcome(
        Status.COMPLETED, loss=2.0, value=2.0, seconds=9.0, steps=(1.0, 2.0), step_seconds=(4.0, 9.0)
    )

    def recall(self, config, seed):
        if config["x"] > 0.9:
            raise KeyError("lost")
        return self.whole if config["x"] > 0.4 else None

    def evaluate(self, config, seed):
        return 0.0


def test_what_is_recalled_is_not_evaluated():
    made = Remembers()
    assert evaluate(made, {"x": 0.5}, 0, timeout=1.0) is made.whole
    stopped = evaluate(made, {"x": 0.5}, 0, stops=after(1))
    assert (stopped.status, stopped.loss, stopped.seconds, stopped.share) == ("STOPPED", 1.0, 4.0, 0.5)
    assert evaluate(made, {"x": 0.1}, 0).loss == 0.0
    assert evaluate(made, {"x": 0.95}, 0).error.startswith("KeyError: 'lost' (")


def test_a_problem_is_told_that_nothing_will_stop_it():
    class Dear(Remembers):
        def recall(self, config, seed):
            return None

        def evaluate(self, config, seed):
            yield from (1.0, 2.0)

        def evaluate_fully(self, config, seed):
            return 2.0

    assert evaluate(Dear(), {"x": 0.5}, 0).steps == ()
    assert evaluate(Dear(), {"x": 0.5}, 0, stops=after(9)).steps == (1.0, 2.0)

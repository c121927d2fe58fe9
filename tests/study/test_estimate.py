import io
import time

import pytest

from runner.cli.console import Terminal
from runner.cli.tables import print_estimate
from runner.study import estimate as module
from runner.study.estimate import estimate
from tests.studies import HILL, MODELS, study


def test_trials_are_counted_and_timed():
    hill, models = estimate(study(seeds=3, budget={"trials": 7}))
    assert (hill.problem, models.problem) == (HILL, MODELS)
    assert hill.runs == models.runs == 6
    assert hill.trials == 42
    assert hill.total == pytest.approx(42 * hill.seconds)
    assert hill.seconds >= 0


def test_without_a_budget_of_trials_nobody_knows():
    (hill,) = estimate(study(problems=[HILL], budget={"seconds": 5}))
    assert hill.trials is None
    assert hill.total is None


def test_what_fails_is_told_once(monkeypatch):
    def fail(config, seed):
        raise RuntimeError("always")

    monkeypatch.setattr(HILL, "evaluate", fail)
    (hill,) = estimate(study(problems=[HILL]))
    (failure,) = hill.failures
    assert failure.startswith("RuntimeError: always (test_estimate.py, line ")


def test_an_evaluation_that_takes_long_is_cut_off(monkeypatch):
    def sleep(config, seed):
        time.sleep(30)

    monkeypatch.setattr(module, "_MOST_SECONDS", 0.2)
    monkeypatch.setattr(HILL, "evaluate", sleep)
    start = time.monotonic()
    made = study(problems=[HILL], seeds=1, budget={"trials": 5})
    (hill,) = estimate(made)
    assert time.monotonic() - start < 10
    assert (hill.seconds, hill.cut_off, hill.failures) == (0.2, True, ())
    file = io.StringIO()
    print_estimate(Terminal(file=file, width=200), made, [hill])
    assert "over 0.2 s" in file.getvalue()
    assert "more than" in file.getvalue()

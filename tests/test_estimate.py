import pytest

from runner.estimate import estimate
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

"""Results: frames with explicit types, incumbents and standings that hold for failures too."""

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from runner.errors import JournalError, ResultsError
from runner.results import Results
from runner.results.failures import nothing_found
from runner.results.frames import _ABSENT, typed
from runner.results.ranking import quantile
from runner.study.identity.plan import open_journal
from runner.trial import Outcome, Status, Trial
from tests.studies import HILL, MODELS, TRIALS, made, play, study

LOSSES = st.none() | st.floats(-1e6, 1e6)


def write(folder, runs, given=None, failed=()):
    """A study directory of trials made by hand: {run id: losses, or trials}."""
    given = given or study()
    with open_journal(folder, given) as journal:
        for run_id, trials in runs.items():
            made_trials = [t if isinstance(t, Trial) else made(i, t) for i, t in enumerate(trials)]
            journal.record([(run_id, trial) for trial in made_trials])
        for run_id in failed:
            journal.end_run(run_id, "the method raised", True, "")
    return Results.open(folder)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("played")
    play(folder, study(budget={"trials": 12}))
    return Results.open(folder)


# -- frames -----------------------------------------------------------------------------------------


def test_one_row_per_trial_with_types(played):
    trials = played.trials
    assert len(trials) == 2 * 2 * 2 * 12
    first = ["study", "run", "method", "problem", "seed", "number", "status", "loss", "value", "test"]
    assert list(trials.columns[:12]) == [*first, "origin", "config"]
    kinds = {name: str(kind) for name, kind in trials.dtypes.items()}
    assert kinds["config/x"] == "float64"
    assert kinds["config/depth"] == "Int64"
    assert kinds["config/prune"] == "boolean"
    assert kinds["config/penalty"] == "string"
    assert kinds["metrics/leaves"] == "float64"
    assert (kinds["seed"], kinds["number"], kinds["attempts"]) == ("int64", "int64", "int64")
    assert {kinds[name] for name in ("loss", "value", "test", "seconds", "started")} == {"float64"}
    assert {kinds[name] for name in ("run", "status", "config", "folds", "gradient", "error")} == {"string"}
    for row in trials.to_dict("records"):
        config = json.loads(row["config"])
        for name in ("x", "depth", "prune", "C", "model"):
            column = row[f"config/{name}"]
            assert column == config[name] if name in config else pd.isna(column)
        penalty = row["config/penalty"]
        assert penalty == str(config["penalty"]) if "penalty" in config else pd.isna(penalty)
    failed = trials[trials["status"] != "COMPLETED"]
    assert failed[["loss", "value"]].isna().all(axis=None)
    assert (failed["error"] != "").all()
    assert set(failed["status"]) == {"FAILED", "INVALID"}
    linear = trials[(trials["config/model"] == "linear").fillna(False)]
    assert all(json.loads(folds)[1] == 0.0 for folds in linear["folds"])
    assert trials.loc[trials["config/model"] == "tree", "folds"].isna().all()
    hill = trials[trials["problem"] == "hill"]
    assert (hill["value"].dropna() == -hill["loss"].dropna()).all()


def test_one_row_per_run(played):
    runs = played.runs
    assert (played.problems, played.methods) == (["hill", "models"], ["random", "sobol"])
    assert list(runs["method"][:4]) == ["random", "sobol", "random", "sobol"]
    assert set(runs["method_name"]) == {"random"}
    assert (runs["trials"] == 12).all()
    assert (runs["budget_trials"] == 12).all()
    assert runs["budget_seconds"].isna().all()
    assert (runs["end_reason"] == "the budget of trials is spent").all()
    assert list(runs["optimum"].dropna().unique()) == [2.0]
    for row in runs.to_dict("records"):
        trials = played.trials[played.trials["run"] == row["run"]]
        best = trials.loc[trials["loss"].idxmin()]
        assert row["incumbent_loss"] == best["loss"] == trials["loss"].min()
        assert row["incumbent_value"] == (-best["loss"] if row["problem"] == "hill" else best["loss"])
        assert (row["incumbent_number"], row["incumbent_config"]) == (best["number"], best["config"])
        assert row["failures"] == (trials["status"] != "COMPLETED").sum()
        assert row["evaluation_seconds"] == pytest.approx(trials["seconds"].sum())
        assert row["proposal_seconds"] == pytest.approx(trials["suggest_seconds"].sum())
    assert json.loads(runs["settings"][1]) == {"sequence": "sobol"}


@pytest.mark.parametrize(
    "values, dtype, expected",
    [
        ([1, 2, _ABSENT], "Int64", [1, 2, None]),
        ([1, None, 3], "Int64", [1, None, 3]),
        ([1, 2.5], "float64", [1.0, 2.5]),
        ([1.0, math.inf, _ABSENT], "float64", [1.0, math.inf, None]),
        ([True, _ABSENT, None, False], "boolean", [True, None, None, False]),
        (["a", None, _ABSENT], "string", ["a", "None", None]),
        ([1, "1", True, 1.0], "string", ["1", "1", "True", "1.0"]),
        ([True, 1], "string", ["True", "1"]),
        ([10**20, 1], "string", [str(10**20), "1"]),
        ([None, _ABSENT], "string", ["None", None]),
        (["\ud800"], "string", ["\\ud800"]),
        ([], "string", []),
    ],
)
def test_columns_have_the_narrowest_type(values, dtype, expected):
    series = pd.Series(typed(values))
    assert str(series.dtype) == dtype
    assert [None if pd.isna(value) else value for value in series] == expected


def test_parameters_of_one_name_and_several_types(tmp_path):
    def of(config):
        return Trial(0, config, Outcome(Status.COMPLETED, loss=1.0, value=1.0))

    configs = {"hill/random/0": {"z": 1.5, "y": 1}, "hill/random/1": {"z": "a"}, "hill/sobol/0": {"y": 2.5}}
    trials = write(tmp_path, {run: [of(config)] for run, config in configs.items()}).trials
    assert list(trials["config/z"].fillna("-")) == ["1.5", "-", "a"]
    assert list(trials["config/y"])[:2] == [1.0, 2.5]


def test_missing_and_infinite_numbers(tmp_path):
    odd = Outcome(
        Status.COMPLETED, loss=1.0, value=1.0, test=math.nan, metrics={"a": math.inf, "b": math.nan}
    )
    results = write(tmp_path, {"hill/random/0": [Trial(0, {}, odd), made(1, 2.0, metrics={"b": -math.inf})]})
    trials = results.trials
    np.testing.assert_array_equal(trials["metrics/a"], [math.inf, math.nan])
    np.testing.assert_array_equal(trials["metrics/b"], [math.nan, -math.inf])
    assert trials["test"].isna().all()
    assert results.best()[0]["test"] is None


# -- incumbents -------------------------------------------------------------------------------------


@given(losses=st.lists(st.lists(LOSSES, max_size=8), min_size=2, max_size=2))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_incumbents_are_running_minima(tmp_path_factory, losses):
    ids = ["hill/random/0", "models/sobol/1"]
    results = write(tmp_path_factory.mktemp("study"), dict(zip(ids, losses, strict=True)))
    frame = results.incumbents()
    assert len(frame) == sum(map(len, losses))
    for run_id, of_run in zip(ids, losses, strict=True):
        found = frame[frame["run"] == run_id]
        for n in range(len(of_run)):
            seen = [loss for loss in of_run[: n + 1] if loss is not None]
            row = found.iloc[n]
            assert row["number"] == n
            if not seen:
                assert math.isnan(row["loss"])
                assert math.isnan(row["value"])
                assert math.isnan(row["regret"])
                continue
            assert row["loss"] == min(seen)
            if run_id.startswith("hill"):
                assert row["value"] == -min(seen)
                assert row["regret"] == min(seen) + 2.0
            else:
                assert row["value"] == min(seen)
                assert math.isnan(row["regret"])


def test_seconds_add_up_and_gaps_are_no_matter(tmp_path):
    trials = [
        Trial(n, {}, Outcome(Status.COMPLETED, n, n, seconds=2.0), suggest_seconds=0.5) for n in (0, 2, 5)
    ]
    frame = write(tmp_path, {"models/random/0": trials, "models/random/1": trials}).incumbents()
    assert list(frame["number"]) == [0, 2, 5] * 2
    assert list(frame["seconds"]) == [2.5, 5.0, 7.5] * 2


def test_only_completed_trials_are_incumbents(tmp_path):
    stopped = Trial(0, {}, Outcome(Status.STOPPED, loss=0.0, value=0.0))
    results = write(tmp_path, {"models/random/0": [stopped, made(1, 5.0), made(2, 5.0)]})
    (best,) = results.best()
    assert (best["value"], best["number"]) == (5.0, 1)
    assert results.runs["failures"].sum() == 0  # stopped is not failed


# -- the leaderboard --------------------------------------------------------------------------------


@given(
    losses=st.lists(st.floats(-1e6, 1e6) | st.just(math.inf), min_size=1, max_size=9),
    q=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
)
def test_quantiles_hold_for_infinite_losses(losses, q):
    found = quantile(np.array(losses), q)
    assert not math.isnan(found)
    if math.isfinite(max(losses)):
        assert found == pytest.approx(np.quantile(losses, q), rel=1e-9, abs=1e-9)
    capped = quantile(np.minimum(losses, 1e300), q)
    assert (found == math.inf) == (capped > 1e100)


def test_the_best_median_comes_first(tmp_path):
    given = study(methods=["random", "tpe", "gradient"], seeds=3)
    runs = {f"hill/random/{s}": [-1.0, None, loss] for s, loss in enumerate([-1.5, None, -1.9])}
    runs |= {f"hill/tpe/{s}": [None, loss] for s, loss in enumerate([-2.0, None, None])}
    runs |= {f"models/random/{s}": [3.0] for s in range(3)} | {
        f"models/gradient/{s}": [3.0] for s in range(3)
    }
    results = write(tmp_path, runs, given)
    board = results.leaderboard()
    columns = ["problem", "rank", "method", "value", "lower", "upper", "loss", "runs", "valid_runs"]
    assert list(board.columns) == [
        *columns,
        "trials",
        "failures",
        "evaluation_seconds",
        "proposal_seconds",
    ]
    assert board[columns].values.tolist() == [
        ["hill", 1, "random", 1.5, 1.25, 1.7, -1.5, 3, 3],
        ["hill", 2, "gradient", -math.inf, -math.inf, -math.inf, math.inf, 3, 0],
        ["hill", 2, "tpe", -math.inf, -math.inf, -math.inf, math.inf, 3, 1],
        ["models", 1, "gradient", 3.0, 3.0, 3.0, 3.0, 3, 3],
        ["models", 1, "random", 3.0, 3.0, 3.0, 3.0, 3, 3],
        ["models", 3, "tpe", math.inf, math.inf, math.inf, math.inf, 3, 0],
    ]
    assert list(board["trials"]) == [9, 0, 6, 3, 3, 0]
    assert list(board["failures"]) == [4, 0, 5, 0, 0, 0]
    first = results.leaderboard(trials=1)
    assert list(first["value"][:2]) == [1.0, -math.inf]
    assert list(first["trials"]) == [3, 0, 3, 3, 3, 0]
    assert not results.ok
    with pytest.raises(ResultsError, match="expected a positive integer, got 0"):
        results.leaderboard(trials=0)


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_leaderboard_agrees_with_the_incumbents(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    given = study(seeds=3)
    runs = {
        spec.id: [None if rng.random() < 0.2 else float(x) for x in rng.integers(-9, 9, rng.integers(1, 7))]
        for spec in given.runs
    }
    results = write(tmp_path_factory.mktemp("study"), runs, given)
    for n in (1, 3, 10):
        frame = results.incumbents()
        last = frame[frame["number"] < n].groupby(["problem", "method", "seed"])["loss"].last()
        for row in results.leaderboard(n).to_dict("records"):
            losses = last[row["problem"], row["method"]].fillna(math.inf)
            assert row["loss"] == np.median(losses)
            assert row["valid_runs"] == np.isfinite(losses).sum()


# -- the best, and whether all is well --------------------------------------------------------------


def test_the_best_trial_of_each_problem(tmp_path):
    tested = made(1, -1.9, test=1.7)
    runs = {"hill/sobol/1": [0.0, tested], "hill/random/0": [None, 5.0, -1.9], "models/random/0": [None]}
    results = write(tmp_path, runs)
    (best,) = results.best()
    assert best["config"] == {"x": 1.0}
    assert (best["method"], best["seed"], best["number"], best["test"]) == ("sobol", 1, 1, 1.7)
    assert results.best("models") == []
    assert results.best("hill") == [best]
    with pytest.raises(ResultsError, match="Did you mean 'hill'"):
        results.best("hil")


def test_ok_means_a_valid_trial_in_every_run_and_no_failed_method(tmp_path, played):
    assert played.ok
    every = {spec.id: [None, 1.0] for spec in study().runs}
    assert write(tmp_path / "good", every).ok
    assert not write(tmp_path / "failed", every, failed=["hill/random/0"]).ok
    assert not write(tmp_path / "invalid", every | {"hill/random/0": [None]}).ok
    assert not write(tmp_path / "missing", {"hill/random/0": [1.0]}).ok


def test_a_study_without_a_trial(tmp_path):
    results = write(tmp_path, {})
    assert len(results.trials) == 0
    assert str(results.trials["loss"].dtype) == "float64"
    assert str(results.trials["status"].dtype) == "string"
    assert len(results.runs) == 8
    assert (results.runs["trials"] == 0).all()
    assert results.runs["incumbent_config"].isna().all()
    assert (results.runs["end_reason"] == "").all()
    assert len(results.incumbents()) == 0
    assert len(results.leaderboard()) == 4
    assert results.best() == []
    assert not results.ok
    assert "8 runs, 0 trials" in repr(results)
    for form in ("parquet", "csv", "json"):
        assert all(path.is_file() for path in results.export(tmp_path / "out", form))
    assert json.loads((tmp_path / "out" / "trials.json").read_text()) == []


# -- files ------------------------------------------------------------------------------------------


@given(trials=st.lists(TRIALS, max_size=4, unique_by=lambda trial: trial.number))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parquet_keeps_everything(tmp_path_factory, trials):
    folder = tmp_path_factory.mktemp("study")
    results = write(folder, {"hill/random/0": sorted(trials, key=lambda trial: trial.number)})
    for path, frame in zip(results.export(), (results.trials, results.runs), strict=True):
        assert path.parent == folder
        assert_frame_equal(pd.read_parquet(path), frame)


def test_csv_and_json_keep_floats_to_the_last_bit(tmp_path, played):
    for path in played.export(tmp_path, "csv"):
        assert path.name in ("trials.csv", "runs.csv")
    with (tmp_path / "trials.csv").open(newline="") as file:
        losses = [float(row["loss"] or "nan") for row in csv.DictReader(file)]
    np.testing.assert_array_equal(losses, played.trials["loss"])
    played.export(tmp_path, "json")
    records = json.loads((tmp_path / "trials.json").read_text())
    assert [record["loss"] for record in records] == [
        None if math.isnan(loss) else loss for loss in played.trials["loss"]
    ]
    assert records[0]["config/depth"] is None
    assert all(type(record["seed"]) is int for record in records)


def test_json_is_strict(tmp_path):
    results = write(tmp_path, {"hill/random/0": [made(0, 1.0, metrics={"a": math.inf}, test=math.nan)]})
    results.export(format="json")

    def refuse(word):
        raise AssertionError(word)

    (record,) = json.loads((tmp_path / "trials.json").read_text(), parse_constant=refuse)
    assert record["metrics/a"] is None


def test_wrong_exports_are_said(tmp_path, played):
    with pytest.raises(ResultsError, match="Did you mean 'parquet'"):
        played.export(tmp_path, "parket")
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match="cannot be written"):
        played.export(tmp_path / "file")


def test_a_failed_export_leaves_the_old_file(tmp_path, played, monkeypatch):
    (path, _) = played.export(tmp_path, "csv")
    before = path.read_bytes()

    def full(path, *args, **keys):
        path.write_bytes(before[: len(before) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ResultsError, match="No space left on device"):
        played.export(tmp_path, "csv")
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["runs.csv", "trials.csv"]


# -- opening ----------------------------------------------------------------------------------------


def test_opening_what_is_no_study(tmp_path):
    write(tmp_path / "digits", {})
    with pytest.raises(ResultsError, match="Did you mean 'digits'"):
        Results.open(tmp_path / "digit")
    (tmp_path / "digits" / "study.db").write_text("no database, no database")
    with pytest.raises(JournalError):
        Results.open(str(tmp_path / "digits"))


def test_a_live_study_can_be_opened(tmp_path):
    with open_journal(tmp_path, study(problems=[HILL, MODELS])) as journal:
        journal.record([("hill/random/0", made(0, 1.0))])
        assert len(Results.open(tmp_path).trials) == 1
        journal.record([("hill/random/0", made(1, 0.5))])
        assert Results.open(tmp_path).best()[0]["loss"] == 0.5


def test_it_works_without_ray():
    code = "import sys; sys.modules['ray'] = None; from runner.results import Results"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "trials, says",
    [
        ([], "there was no trial: the run has not started."),
        (
            [Outcome(Status.STOPPED, loss=1.0, value=1.0)] * 2,
            "none of 2 trials completed: each was stopped early by the scheduler. Let the",
        ),
        (
            [Outcome(Status.STOPPED, loss=1.0, value=1.0), Outcome(Status.CRASHED)],
            'none of 2 trials was valid. Trial 1 (CRASHED), with {"x":1.0}: the worker process died during',
        ),
        (
            [Outcome(Status.FAILED, error="KeyError: 'y'"), Outcome(Status.TIMEOUT, error="late")],
            "Trial 0 (FAILED), with {\"x\":1.0}: KeyError: 'y'",
        ),
    ],
)
def test_without_a_valid_trial_the_error_names_the_first_failure(tmp_path, trials, says):
    given = study(problems=[HILL], methods=["random"], seeds=1)
    rows = [Trial(i, {"x": 1.0}, outcome) for i, outcome in enumerate(trials)]
    results = write(tmp_path / "s", {given.runs[0].id: rows}, given)
    error = nothing_found(results)
    assert says in str(error)
    assert error.exit_code == 1
    assert_frame_equal(error.trials, results.trials)

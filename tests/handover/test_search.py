"""One search from a data file to a saved pipeline, as a new user would run it."""

import importlib
import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from typer.testing import CliRunner

from runner.catalogue import CATALOGUE
from runner.cli import app
from runner.errors import FivefoldError
from runner.handover.snippet import expression_of
from runner.problems.data import load_data
from runner.problems.estimators import EstimatorProblem
from runner.results import Results
from runner.study import Study

COMMAND = CliRunner()


@pytest.fixture
def churn(tmp_path, monkeypatch):
    """A table with everything that real ones have: text, booleans, gaps, a label called None."""
    rng, n = np.random.default_rng(0), 200
    plan = rng.choice(["basic", "plus", "pro"], n)
    age = rng.integers(18, 80, n).astype(float)
    city = rng.choice(["Rome", "Oslo", "None"], n).astype(object)
    promo = rng.random(n) < 0.3
    score = (plan == "basic") + age / 40 + promo - 2.2 + rng.normal(size=n) * 0.4
    age[rng.random(n) < 0.1] = np.nan
    city[rng.random(n) < 0.05] = None
    table = pd.DataFrame({"plan": plan, "age": age, "city": city, "promo": promo, "paid": score * 10 + 50})
    table["churned"] = np.where(score > 0, "yes", "no")
    table.to_csv(tmp_path / "churn.csv", index=False, sep=";")
    table.to_parquet(tmp_path / "churn.parquet")
    monkeypatch.chdir(tmp_path)
    return table


def optimize(*options):
    done = COMMAND.invoke(app, ["optimize", "--data", "churn.csv", *options], catch_exceptions=True)
    if isinstance(done.exception, FivefoldError):
        raise done.exception
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.output


@pytest.mark.parametrize(
    "estimator, target, more",
    [
        ("LogisticRegression", "churned", ["--drop", "paid"]),
        ("Ridge", "paid", ["--drop", "churned"]),
        ("DecisionTreeClassifier", "churned", ["--drop", "paid,city", "--scoring", "f1"]),
    ],
)
def test_the_saved_pipeline_is_the_one_that_was_scored(estimator, target, more, churn, tmp_path, capsys):
    said = optimize("--target", target, "--estimator", estimator, "--method", "tpe", "--trials", "4", *more)
    folder = tmp_path / f"results/{estimator}-churn"
    (best,) = Results.open(folder).best()
    (problem,), (spec,) = (study := Study.load(folder / "study.yaml")).problems, study.runs
    score = problem.test_score(best["config"], spec.problem_seed)
    assert best["test"] == pytest.approx(score, abs=1e-12)
    assert f"that no trial saw: {score:.4g}" in said
    assert ("regression" if target == "paid" else "classification") in said
    capsys.readouterr()
    runpy.run_path(str(folder / "pipeline.py"), run_name="__main__")
    assert float(capsys.readouterr().out.split()[1]) == pytest.approx(score, abs=1e-12)
    assert "runner" not in (folder / "pipeline.py").read_text()
    trusted = skops.io.get_untrusted_types(file=folder / "pipeline.skops")
    pipeline = skops.io.load(folder / "pipeline.skops", trusted=trusted)
    news = churn.drop(columns=target).head(5).assign(plan="never seen", age=np.nan)
    assert len(pipeline.predict(news)) == 5
    if target == "churned" and "f1" not in more:
        assert set(pipeline.predict(churn)) == {"yes", "no"}
    start = Results.open(folder).trials["config"].iloc[0]
    assert study.initial[problem.name].first[0] == json.loads(start)


def test_the_same_command_goes_on_and_joblib_is_saved_with_a_warning(churn, tmp_path):
    options = ["--target", "churned", "--estimator", "GaussianNB", "--save", "joblib", "--method", "random"]
    optimize(*options, "--trials", "3")
    said = optimize(*options, "--trials", "5")
    assert len(Results.open(tmp_path / "results/GaussianNB-churn").trials) == 5
    assert "run code on the machine that loads it" in said
    assert (tmp_path / "results/GaussianNB-churn/pipeline.joblib").exists()


@pytest.mark.parametrize("kind", ["link", "hard link"])
@pytest.mark.parametrize("form", ["skops", "joblib"])
def test_nothing_is_saved_through_a_link(churn, tmp_path, kind, form):
    folder, precious = tmp_path / "results/GaussianNB-churn", tmp_path / "precious"
    options = ["--target", "churned", "--estimator", "GaussianNB", "--method", "random", "--save", form]
    optimize(*options, "--trials", "1")
    precious.write_text("precious")
    for name in ("pipeline.py", f"pipeline.{form}"):
        (folder / name).unlink()
        make = Path.symlink_to if kind == "link" else Path.hardlink_to
        make(folder / name, precious)
    optimize(*options, "--trials", "1")
    assert precious.read_text() == "precious"
    assert (folder / f"pipeline.{form}").stat().st_size > 100


def test_a_space_of_ones_own_and_a_built_in_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text("C: {float: [0.1, 10], log: true}\n")
    options = ["--data", "iris", "--estimator", "SVC", "--space", "space.yaml", "--trials", "2"]
    done = COMMAND.invoke(app, ["optimize", *options, "--method", "random", "--save", "none"])
    assert done.exit_code == 0, done.output
    assert "load_iris" in (tmp_path / "results/SVC-iris/pipeline.py").read_text()
    assert '"C"' in Results.open(tmp_path / "results/SVC-iris").trials["config"].iloc[0]


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"since": pd.Timestamp("2020-01-01")}, "'since' holds dates or times, .* --drop since"),
        ({"name": [f"Mr {i}" for i in range(200)]}, "'name' has 200 different texts in 200 rows"),
        ({"age": np.nan}, "'age' is empty"),
        ({"paid": np.inf}, "'paid' has infinite values"),
        ({"churned": None}, "the target 'churned'|has one class|is empty"),
    ],
)
def test_columns_of_which_nothing_can_be_learnt_are_named(change, sentence, churn, tmp_path):
    churn.assign(**change).to_csv("churn.csv", index=False)
    with pytest.raises(FivefoldError, match=sentence):
        optimize("--target", "churned", "--trials", "2", "--method", "random", "--estimator", "GaussianNB")


def test_csv_and_parquet_are_typed_alike(churn, tmp_path):
    one, other = (load_data(f"churn.{kind}", "churned", tmp_path, True) for kind in ("csv", "parquet"))
    assert (
        one.labels == other.labels == (("basic", "plus", "pro"), None, ("None", "Oslo", "Rome"), None, None)
    )
    np.testing.assert_array_equal(one.X, other.X)
    with pytest.raises(FivefoldError, match="'plan', 'city' hold text or dates"):
        load_data("churn.csv", "churned", tmp_path)
    with pytest.raises(FivefoldError, match=r"drop: 'plam' is no column\. Did you mean 'plan'"):
        load_data("churn.csv", "churned", tmp_path, True, ["plam"])


def test_what_is_filled_in_is_learnt_from_the_training_part_alone(churn, tmp_path):
    """A value of a row that is held out must not move the score of the others' median."""
    space = {"C": {"float": [0.1, 10.0]}}
    table = load_data("churn.csv", "churned", tmp_path, True)
    problem = EstimatorProblem("sklearn.svm.SVC", table, space, prepare=True)
    rows = np.arange(100)
    filler = problem._fit(table, {"C": 1.0}, 0, rows)[0].named_transformers_["numbers"][0]
    assert filler.statistics_[0] == np.nanmedian(table.X[:100, 1])


@pytest.mark.parametrize("path", CATALOGUE)
def test_an_estimator_as_python_is_the_same_estimator(path):
    module, _, name = path.rpartition(".")
    made = getattr(importlib.import_module(module), name)(**CATALOGUE[path].params)
    imports = set()
    text = expression_of(made, imports)
    names = {}
    exec("\n".join(imports), names)
    assert eval(text, names).get_params() == made.get_params()

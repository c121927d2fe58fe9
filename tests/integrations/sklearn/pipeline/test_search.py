"""One search from a data file to a saved pipeline, as a new user would run it."""

import importlib
import json
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from typer.testing import CliRunner

from runner.cli.main import app
from runner.errors import FivefoldError
from runner.integrations.sklearn.pipeline.snippet import expression_of
from runner.problems.estimators.catalogue import CATALOGUE
from runner.problems.estimators.data.data import load_data
from runner.problems.estimators.problem import EstimatorProblem
from runner.results import Results
from runner.study.study import Study

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
    assert re.search(rf"held-out rows of \d+: {re.escape(f'{score:.4g}')}", said)
    assert ("regression" if target == "paid" else "classification") in said
    capsys.readouterr()
    runpy.run_path(str(folder / "pipeline.py"), run_name="__main__")
    assert float(capsys.readouterr().out.split()[1]) == pytest.approx(score, abs=1e-12)
    assert "runner" not in (folder / "pipeline.py").read_text()
    alone = (
        "import sys, runpy; sys.modules['runner'] = None; runpy.run_path('pipeline.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", alone], cwd=folder, capture_output=True, text=True, check=True
    )
    assert float(done.stdout.split()[1]) == pytest.approx(score, abs=1e-12)
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
        (
            {"name": [f"Mr {i}" for i in range(200)], "age": np.nan, "paid": np.inf, "a,b": "1.5 €"},
            r"These 3 columns cannot be used: 'age' \(no value\), 'paid' \(infinite values\), 'name' \(200"
            r" different strings in 200 rows, such as 'Mr 0'\)\. Leave them out: .* Without them: "
            r".*optimize --data churn\.csv --estimator GaussianNB --target churned --method random --trials "
            r"2 --drop age,paid,name$",
        ),
        ({"churned": None}, "The target 'churned' cannot be predicted: no value"),
        ({"churned": pd.Timestamp("2020-01-01")}, "The target 'churned' holds dates"),
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
    with pytest.raises(FivefoldError, match=r"'plan' \(text\), 'age' \(missing values\), 'city' \(text\)"):
        load_data("churn.csv", "churned", tmp_path)
    with pytest.raises(FivefoldError, match=r"drop: there is no column 'plam'\. Did you mean 'plan'"):
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


# -- what a result is worth -----------------------------------------------------------------------


def scores(said):
    """The scores by what has them: of the search, the defaults, the constant; and on the held-out rows."""
    cross = re.search(r"in cross-validation: (\S+) by trial \d+(?:, the defaults)? \((.*)\)\.", said)
    test = re.search(r"held-out rows of \d+: (\S+) \((.*)\)\.", said)
    return [
        {"best": float(found[1])}
        | {k: float(v) for k, v in (part.rsplit(": ", 1) for part in found[2].split("; "))}
        for found in (cross, test)
    ]


def rare(folder, signal, n=600, share=0.06):
    """Two classes, one of them rare, which x separates as far as the signal goes."""
    rng = np.random.default_rng(5)
    y = rng.random(n) < share
    x = rng.normal(size=n) + signal * y
    pd.DataFrame({"x": x, "z": rng.normal(size=n), "churned": np.where(y, "yes", "no")}).to_csv(
        "churn.csv", index=False
    )
    return y.mean()


SMALL = ["--target", "churned", "--method", "random", "--trials", "3", "--save", "none"]


def test_a_rare_class_is_noticed_and_seen_by_the_scorer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    share = rare(tmp_path, 2.0)
    said = optimize(*SMALL, "--estimator", "LogisticRegression")
    assert (
        f"Scored by roc_auc, because only {share:.1%} of the rows have 'yes': always predicting 'no' would"
        in said
    )
    assert f"an accuracy of {1 - share:.4g} (change it with --scoring" in said
    assert "The positive class is 'yes'." in said
    assert re.search(
        r"Of the \d+ of these rows with 'yes' it finds \d+, with \d+ false positives|predicts 'no'", said
    )
    for found in scores(said):
        assert found["always answering 'no'"] == 0.5
        assert found["best"] > 0.8


def test_a_blind_scorer_that_was_asked_for_is_warned_of_and_the_result_is_not_celebrated(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    share = rare(tmp_path, 0.0)
    said = optimize(*SMALL, "--estimator", "LogisticRegression", "--scoring", "accuracy")
    assert (
        f"'yes' is {share:.1%} of the rows, and accuracy barely reflects it: always answering 'no' has"
        in said
    )
    assert "no better than always answering 'no'" in said
    assert re.search(r"It predicts 'no' for all \d+ of these rows\. Its predict_proba ranks them", said)
    cross, test = scores(said)
    assert cross["best"] == cross["always answering 'no'"] == pytest.approx(1 - share, abs=0.01)
    assert test["best"] == test["always answering 'no'"]


def test_a_score_of_the_common_class_is_warned_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    share = rare(tmp_path, 1.0, share=0.95)
    said = optimize(*SMALL, "--estimator", "GaussianNB", "--scoring", "f1")
    assert "The positive class is 'yes'." in said
    assert f"f1 is that of 'yes', {share:.0%} of the rows, and barely reflects 'no'. Use roc_auc" in said


def test_a_rare_class_among_several(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = rng.choice(["a", "b", "c"], 400, p=[0.6, 0.33, 0.07])
    pd.DataFrame({"x": rng.normal(size=400) + (y == "c"), "churned": y}).to_csv("churn.csv", index=False)
    said = optimize(*SMALL, "--estimator", "GaussianNB")
    assert re.search(r"Scored by balanced_accuracy, because only \S+% of the rows have 'c'", said)
    assert scores(said)[0]["always answering 'a'"] == pytest.approx(1 / 3, abs=1e-3)


def test_even_classes_and_quantities_have_the_usual_scorers(churn):
    said = optimize("--target", "churned", "--estimator", "GaussianNB", "--method", "random", "--trials", "2")
    assert "Scored by accuracy (default for classifiers" in said
    said = optimize(
        "--target", "paid", "--estimator", "Ridge", "--method", "random", "--trials", "2", "--drop", "churned"
    )
    (constant,) = (
        value for key, value in scores(said)[0].items() if key.startswith("always answering the me")
    )
    assert -0.2 < constant <= 0.0


def test_a_search_that_gains_nothing_over_the_defaults_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 2))
    pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "churned": X[:, 0]}).to_csv("churn.csv", index=False)
    (tmp_path / "space.yaml").write_text("alpha: {float: [1.0, 1000.0], log: true}\n")
    said = optimize(*SMALL, "--estimator", "Ridge", "--space", "space.yaml")
    assert "by trial 0, the defaults (always answering the" in said
    assert "No config was better than the estimator's defaults." in said


def test_the_command_that_goes_on_goes_on(churn, tmp_path):
    churn.assign(name=[f"Mr {i}" for i in range(200)], empty="").to_csv("churn.csv", index=False)
    options = [
        "--target",
        "churned",
        "--estimator",
        "GaussianNB",
        "--method",
        "random",
        "--trials",
        "2",
        "--drop",
    ]
    with pytest.raises(FivefoldError) as error:
        optimize(*options, "city")
    again = shlex.split(str(error.value).partition("Without them: ")[2])
    assert again[-2:] == ["--drop", "city,name,empty"]
    assert "Best accuracy" in optimize(*again[again.index("--data") + 2 :])


# -- new data -------------------------------------------------------------------------------------


def test_a_saved_pipeline_reads_new_data_typed_otherwise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    n = 80
    plan, size = rng.choice(["1", "2", "G"], n), rng.normal(size=n)
    days = pd.date_range("2020-01-01", periods=n)
    table = pd.DataFrame(
        {
            "plan": plan,
            "calls": [str(c) if c else "unknown" for c in rng.integers(0, 9, n)],
            "price": [f"{100 * x:,.2f} €".translate(str.maketrans(",.", ".,")) for x in size],
            "since": days.strftime("%d.%m.%Y"),
            "promo": rng.choice(["true", "false"], n),
            "churned": np.where(size + (plan == "1") > 0.5, "yes", "no"),
        }
    )
    table.to_csv("churn.csv", index=False, sep=";")
    optimize(
        "--target", "churned", "--estimator", "DecisionTreeClassifier", "--method", "random", "--trials", "2"
    )
    path = tmp_path / "results/DecisionTreeClassifier-churn/pipeline.skops"
    pipeline = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    expected = pipeline.predict(table)
    assert set(expected) == {"yes", "no"}
    typed = pd.read_csv("churn.csv", sep=";", dtype={"plan": "category"})[table.columns[::-1]].assign(more=1)
    numbers = typed.assign(
        price=(100 * size).round(2),
        since=days,
        calls=pd.to_numeric(table["calls"], errors="coerce").astype("Int64"),
        promo=table["promo"] == "true",
    )
    for news in (typed, numbers, numbers.convert_dtypes(), table.astype("string")):
        assert (pipeline.predict(news) == expected).all()
    digits = table[table["plan"] != "G"]
    assert (pipeline.predict(digits.astype({"plan": int})) == expected[table["plan"] != "G"]).all()
    with pytest.raises(
        ValueError, match=r"column 'price', row 0: expected a number such as 1234,5 €, got '5\.25'"
    ):
        pipeline.predict(table.head(1).assign(price="5.25"))
    with pytest.raises(ValueError, match=r"expected the columns .*; \['calls'\] missing"):
        pipeline.predict(table.drop(columns="calls"))

"""Tables for spreadsheets: no text of a study becomes a formula, and numbers stay numbers."""

import csv
import io
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.cli.verdict import export_leaderboard
from runner.problems.base import FunctionProblem
from runner.problems.estimators.data.data import load_data
from runner.report import write_report
from runner.results import Results
from runner.results.spreadsheet import neutral, to_csv
from runner.results.stats import Comparison
from runner.space import Choice, Float, Space
from tests.studies import play, study

SIGNS = "=+-@＝＋－＠"
RISKY = st.text(alphabet="=+-@＝;'\t\r\n ,\"\\|a1{[", min_size=1, max_size=12)


def pieces(cell):
    """What a program may take for cells of their own: quotes within a line are not known to all."""
    return re.split("[;\t\r\n]", cell)


def is_formula(cell):
    """Whether it begins with a sign, and is no number."""
    try:
        float(cell)
    except ValueError:
        return cell[:1] in set(SIGNS + "\t\r")
    return False


@given(RISKY)
@example("=cmd|' /C calc'!A0")
@example("@SUM(1+1)*cmd|' /C calc'!A0")
@example("a;=1+1")
@example("a\n-1+1")
@example("''=1+1")
@example(" =1+1")
@example("\t=1+1")
@example("\r5")
@example("=")
def test_no_text_is_a_formula(text):
    safe = neutral(text)
    assert not is_formula(safe.strip())
    assert not any(map(is_formula, pieces(safe)))
    made = to_csv(pd.DataFrame({text: [text, "x"], "n": [-1.5, math.inf]}))
    rows = list(csv.reader(io.StringIO(made, newline="")))
    assert rows == [[safe, "n"], [safe, "-1.5"], ["x", "inf"]]


@given(st.text(alphabet="=+-@;'ab 1", max_size=12))
def test_what_is_safe_stays_and_what_is_not_gets_apostrophes_alone(text):
    found = neutral(text)
    assert found.replace("'", "") == text.replace("'", "")
    if not set(text) & set(SIGNS):
        assert found == text


@given(st.floats() | st.integers() | st.floats().map(repr))
def test_numbers_stay_numbers(value):
    assert neutral(str(value)) == str(value)


LEAVES = st.text(alphabet="=+-@;\t\n'a", max_size=6) | st.floats(allow_nan=False)


@given(st.recursive(LEAVES, st.lists, max_leaves=4))
def test_json_says_the_same(value):
    for whole in ([value], {"p": value}):
        safe = neutral(json.dumps(whole))
        assert json.loads(safe) == whole
        assert not any(map(is_formula, pieces(safe)))


@pytest.mark.parametrize("text", ["a-b", "a=b", "a; b", "-1", "+2.5e-3", "-inf", "<=", "", "'a"])
def test_what_is_no_formula_stays(text):
    assert neutral(text) == text


EVIL = "=HYPERLINK(A1)"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A study whose names, values and errors are formulas."""

    def objective(config):
        if config["x"] < -3:
            raise RuntimeError(f"{EVIL};{EVIL}\n{EVIL}")
        return {"loss": config["x"] ** 2, EVIL: config["x"]}

    space = Space({"x": Float(-5.0, 5.0), EVIL: Choice([EVIL, "a;" + EVIL, "-1", "plain"])})
    problem = FunctionProblem(objective, space, EVIL)
    folder = tmp_path_factory.mktemp("evil") / "study"
    methods = ["random", {"name": "@SUM(A1)", "method": "random", "sequence": "sobol"}]
    play(folder, study(name="+evil()", problems=[problem], methods=methods, seeds=3, budget={"trials": 12}))
    return Results.open(folder)


def test_no_cell_of_any_table_is_a_formula(results, tmp_path):
    paths = results.export(tmp_path, "csv")
    paths += export_leaderboard(Comparison.of(results), tmp_path, "csv")
    write_report(results, tmp_path)
    paths += (tmp_path / "tables").glob("*.csv")
    assert len(paths) > 10
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if is_formula(cell) or any(map(is_formula, pieces(cell)))], path


def test_what_is_exported_is_read_back(results, tmp_path):
    (path, _) = results.export(tmp_path, "csv")
    back = pd.read_csv(path, keep_default_na=False, na_values=[""])
    for name, kind in results.trials.dtypes.items():
        if pd.api.types.is_numeric_dtype(kind):
            column = name if name in back else f"'{name}"
            expected = results.trials[name].to_numpy(float, na_value=np.nan)
            assert np.array_equal(back[column].to_numpy(float), expected, equal_nan=True), name
    assert list(map(json.loads, back["config"])) == list(map(json.loads, results.trials["config"]))
    assert set(back["method"]) == {"random", "'@SUM(A1)"}
    features = {"seconds", "suggest_seconds", "started"}
    data = load_data(str(path), "seconds", drop=[name for name in back if name not in features])
    assert set(data.feature_names) == features - {"seconds"}


def test_other_formats_have_texts_as_they_are(results, tmp_path):
    (parquet, _), (plain, _) = (results.export(tmp_path, form) for form in ("parquet", "json"))
    assert set(pd.read_parquet(parquet)["problem"]) == {EVIL}
    assert {row["problem"] for row in json.loads(plain.read_text())} == {EVIL}

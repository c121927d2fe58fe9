import datetime
import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from sklearn import datasets

from runner.errors import ProblemError
from runner.problems.estimators.data.data import BUILT_IN, load_data

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def csv(folder, text, name="table.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return name


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_data_are_scikit_learns(name):
    data = load_data(name)
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    assert np.array_equal(data.X, X)
    assert np.array_equal(data.y, y)
    assert data.X.dtype == np.float64
    assert data.task == ("regression" if name == "diabetes" else "classification")
    assert len(data.feature_names) == X.shape[1]
    assert load_data(name) is data


def test_data_cannot_be_changed_by_who_uses_them():
    data = load_data("iris")
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        data.y[0] = 1


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_file_has_its_columns_in_order(tmp_path, separator):
    rows = ["b,y,a", "1,0,2.5", "3,1,-4e2", "5,1,0"]
    name = csv(tmp_path, "\n".join(rows).replace(",", separator))
    data = load_data(name, "y", tmp_path)
    assert data.feature_names == ("b", "a")
    assert data.X.tolist() == [[1.0, 2.5], [3.0, -400.0], [5.0, 0.0]]
    assert data.y.tolist() == [0, 1, 1]
    assert (data.name, data.task, data.classes) == ("table", "classification", ())


@given(rows=st.lists(st.tuples(FINITE, FINITE, FINITE), min_size=1, max_size=10))
def test_csv_and_parquet_hold_the_same_numbers(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("same")
    csv(folder, "a,b,y\n" + "".join(f"{a!r},{b!r},{y!r}\n" for a, b, y in rows))
    columns = [list(column) for column in zip(*rows, strict=True)]
    parquet.write_table(pa.table(dict(zip("aby", columns, strict=True))), folder / "table.parquet")
    for file in ("table.csv", "table.parquet"):
        data = load_data(file, "y", folder)
        assert np.array_equal(data.X, np.transpose(columns[:2]))
        assert np.array_equal(data.y, columns[2])


@pytest.mark.parametrize(
    "values, y, classes, task",
    [
        ("no yes no", [0, 1, 0], ("no", "yes"), "classification"),
        ("true false true", [1, 0, 1], ("False", "True"), "classification"),
        ("3 1 2", [3, 1, 2], (), "classification"),
        ("1.0 2.0 2.0", [1, 2, 2], (), "classification"),
        ("1.5 2.0 2.0", [1.5, 2, 2], (), "regression"),
    ],
)
def test_what_a_target_means(tmp_path, values, y, classes, task):
    rows = "".join(f"{i},{value}\n" for i, value in enumerate(values.split()))
    data = load_data(csv(tmp_path, "x,y\n" + rows), "y", tmp_path)
    assert (data.y.tolist(), data.classes, data.task) == (y, classes, task)


def test_many_integers_are_quantities(tmp_path):
    rows = "".join(f"{i},{i}\n" for i in range(51))
    assert load_data(csv(tmp_path, "x,y\n" + rows), "y", tmp_path).task == "regression"


def test_a_changed_file_is_read_again(tmp_path):
    name = csv(tmp_path, "x,y\n1,0\n2,1\n")
    first = load_data(name, "y", tmp_path)
    assert load_data(name, "y", tmp_path) is first
    csv(tmp_path, "x,y\n7,0\n8,1\n")
    os.utime(tmp_path / name, ns=(1, 1))
    assert load_data(name, "y", tmp_path).X.tolist() == [[7.0], [8.0]]


def test_parquet_kinds_and_pandas_row_labels(tmp_path):
    table = pa.table(
        {
            "flag": [True, False],
            "small": pa.array([1, 2], pa.int8()),
            "money": pa.array([1, 2], pa.decimal128(5, 2)),
            "y": ["a", "b"],
            "__index_level_0__": [10, 11],
        }
    )
    folder = tmp_path / "year=2020"  # no column of that name may appear
    folder.mkdir()
    parquet.write_table(table, folder / "t.parquet")
    data = load_data("year=2020/t.parquet", "y", tmp_path)
    assert data.feature_names == ("flag", "small", "money")
    assert data.X.tolist() == [[1.0, 1.0, 1.0], [0.0, 2.0, 2.0]]


@pytest.mark.parametrize(
    "text, target, says",
    [
        (
            "age,y\n1,0\n",
            "price",
            "there is no column 'price'; the columns are 'age', 'y'. Name the target: --t",
        ),
        ("age,label\n1,0\n", "labels", "there is no column 'labels'; .* Did you mean 'label'?"),
        ("age,city,y\n1,Rome,0\n", "y", r"This column cannot be used: 'city' \(text\)\. Write prepare: true"),
        (
            "when,city,age,id,y\n2020-01-01,Rome,,0123,0\n2020-01-02,Oslo,4,1123,0\n",
            "y",
            r"These 4 columns cannot be used: 'when' \(dates\), 'city' \(text\), 'age' \(missing values\), "
            r"'id' \(text; '0123' begins with a zero, .*\)\..* drop: \[when, city, age, id\]",
        ),
        ("a,b,y\n1,2,0\n,3,1\n", "y", r"This column cannot be used: 'a' \(missing values\)"),
        ("a,b,y\n1,inf,0\n,3,1\n", "y", r"These 2 .*: 'a' \(missing values\), 'b' \(infinite values\)"),
        ("a,y\n1,inf\n2,5\n", "y", "The target 'y' cannot be predicted: infinite values"),
        ("a,y\n1,\n2,\n", "y", "The target 'y' cannot be predicted: no value"),
        ("a,a,y\n1,2,0\n", "y", "duplicate column name 'a'"),
        ("y\n1\n", "y", "there is no column besides the target 'y'"),
        ("a,y\n", "y", "the table has no rows"),
        ("", "y", "cannot be read: Empty CSV file."),
        ("a,y\n1,2,3\n", "y", "cannot be read: .*Expected 2 columns, got 3"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_its_columns(tmp_path, text, target, says):
    with pytest.raises(ProblemError, match=rf"table\.csv: {says}"):
        load_data(csv(tmp_path, text), target, tmp_path)


@pytest.mark.parametrize(
    "data, target, says",
    [
        ("irish", None, "data: there is no data set 'irish'. Did you mean 'iris'"),
        ("iris", "y", "target: the data set 'iris' has a target of its own. Leave it out."),
        ("table.csv", None, "target: expected the column of table.csv to predict; .* are 'x', 'y'. Name"),
        (
            "flat.parquet",
            None,
            "target: expected the column of flat.parquet .* columns are 'when', 'y'. Name",
        ),
        ("nowhere.csv", None, "target: expected the column of nowhere.csv to predict. Name"),
        ("table.csv", ["y"], r"target: expected a column's name, got \['y'\]"),
        (3, None, "data: expected a name or a path, got 3"),
        ("tabel.csv", "y", r"tabel\.csv: there is no such file. Did you mean 'table.csv'\?"),
        ("x.parquet", "y", r"x\.parquet: there is no such file. The folder '.*' holds table.csv"),
        ("no/x.csv", "y", r"x\.csv: there is no such file. There is no folder '.*no' either"),
        ("bad.parquet", "y", r"bad\.parquet: cannot be read: "),
        ("dates.parquet", "y", r"dates\.parquet: This column cannot be used: 'when' \(dates\)"),
    ],
)
def test_a_source_that_does_not_fit_is_refused(tmp_path, data, target, says):
    csv(tmp_path, "x,y\n1,0\n")
    if data == "bad.parquet":
        (tmp_path / data).write_bytes(b"PAR0")
    if str(data) in ("dates.parquet", "flat.parquet"):
        table = pa.table({"when": [datetime.date(2020, 1, 1)], "y": [1]})
        parquet.write_table(table, tmp_path / data)
    with pytest.raises(ProblemError, match=says):
        load_data(data, target, tmp_path)

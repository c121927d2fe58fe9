"""Columns of whole files: local numbers, dates, missing values and codes are read and noted, or refused."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from runner.errors import ProblemError
from runner.problems.columns import Columns
from runner.problems.estimators.data.data import load_data
from runner.problems.estimators.data.fitness import ColumnsRefused
from runner.problems.estimators.data.tables import read_table, style_of


def load(folder, text, target="y", prepare=True, encoding="utf-8", **options):
    path = folder / "table.csv"
    path.write_bytes(text.encode(encoding))
    return load_data("table.csv", target, folder, prepare, **options)


def rows(*columns, separator=";"):
    """CSV text of columns (name, value, value, ...); commas in values are quoted where they must be."""
    lines = zip(*columns, strict=True)
    return "\n".join(separator.join(f'"{v}"' if separator in v else v for v in line) for line in lines) + "\n"


def column(name, *values, n=3):
    return (name, *(list(map(str, values)) * n)[: n * len(values)])


# -- local numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, numbers, note",
    [
        (["0,25", "-1,5"], [0.25, -1.5], "'x' (0,25 is 0.25)"),
        (["1.234,5", "2"], [1234.5, 2], "'x' (1.234,5 is 1234.5)"),
        (["1 234,5", "2"], [1234.5, 2], "is 1234.5)"),
        (["1\u00a0234", "2"], [1234, 2], "is 1234)"),
        (["1’234", "2"], [1234, 2], "is 1234)"),
        (["1'234.5", "2"], [1234.5, 2], "is 1234.5)"),
        (["12,5 %", "3 %"], [12.5, 3], "'x' (12,5 % is 12.5)"),
        (["$1,234.50", "$3"], [1234.5, 3], "'x' ($1,234.50 is 1234.5)"),
        (["1.000,50 €", "(3,25 €)"], [1000.5, -3.25], "is 1000.5)"),
        (["(3.25)", "4"], [-3.25, 4], "'x' ((3.25) is -3.25)"),
        (["5-", "4"], [-5, 4], "'x' (5- is -5)"),
        (["12.5 kg", "3 kg"], [12.5, 3], "'x' (12.5 kg is 12.5)"),
        (["+5", "5."], [5, 5], None),
        (["1e3", ".5"], [1000, 0.5], None),
        (["true", "FALSE"], [1, 0], None),
    ],
)
@pytest.mark.parametrize("prepare", [False, True])
def test_local_numbers_are_numbers_and_said(tmp_path, values, numbers, note, prepare):
    data = load(tmp_path, rows(column("x", *values), column("y", "0", "1")), prepare=prepare)
    assert data.X[:2, 0].tolist() == numbers
    assert data.labels == ((None,) if prepare else None)
    if note is None:
        assert data.notes == ()
    else:
        (said,) = data.notes
        assert said.startswith("Read as numbers: 'x' (")
        assert note in said


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@given(data=st.data())
def test_each_column_has_its_own_way_of_writing(tmp_path_factory, separator, data):
    numbers = st.lists(st.integers(-(10**6), 10**6), min_size=4, max_size=4)
    point, comma = data.draw(numbers), data.draw(numbers)
    text = rows(
        ("a", *(f"{x / 100:.2f}" for x in point)),
        ("b", *(f"{x / 100:,.2f}".translate(str.maketrans(",.", ".,")) for x in comma)),
        ("y", "0", "1", "0", "1"),
        separator=separator,
    )
    found = load(tmp_path_factory.mktemp("own"), text)
    np.testing.assert_allclose(found.X, np.transpose([point, comma]) / 100)


COMMA, POINT = column("x", "1,234", "5,678"), column("x", "1.234", "5.678")
WITH_POINTS, WITH_COMMAS = column("a", "0.5", "1.5"), column("b", "0,5", "1,5")


@pytest.mark.parametrize(
    "x, others, separator, first",
    [
        (COMMA, [WITH_POINTS], ",", 1234.0),
        (COMMA, [WITH_COMMAS], ";", 1.234),
        (POINT, [WITH_POINTS], ";", 1.234),
        (POINT, [WITH_COMMAS], ";", 1234.0),
        (POINT, [], ",", 1.234),  # as programs write numbers
        (COMMA, [], ",", None),
        (COMMA, [], ";", None),
        (POINT, [], ";", None),
        (COMMA, [WITH_POINTS, WITH_COMMAS], ";", None),
        (column("x", "1,234", "567"), [], ",", 1234.0),  # shorter numbers have no mark
        (column("x", "1.234", "567"), [], ";", 1234.0),
        (column("x", "1,234", "567"), [], ";", None),  # a spreadsheet writes decimals so, too
        (column("x", "1.234", "567"), [], ",", None),
    ],
)
def test_what_a_column_leaves_open_the_others_decide_or_the_user(tmp_path, x, others, separator, first):
    text = rows(x, column("y", "0", "1"), *others, separator=separator)
    for decimal in ".,":
        grouped = (decimal == ".") == ("," in x[1])
        assert load(tmp_path, text, decimal=decimal).X[0, 0] == (1234.0 if grouped else 1.234)
    if first is not None:
        assert load(tmp_path, text).X[0, 0] == first
        return
    with pytest.raises(
        ColumnsRefused, match=r"'x' \('[15][.,].{3}' may be ([15].{3} or [15]\..{3}|[15]\..{3} or [15].{3})\)"
    ) as error:
        load(tmp_path, text)
    assert "Set the decimal mark (decimal: '.' or decimal: ','; --decimal)." in str(error.value)


@pytest.mark.parametrize("values", [["1.5", "2,5"], ["1,234.5", "1.234,5"]])
def test_two_ways_in_one_column_are_refused(tmp_path, values):
    with pytest.raises(ColumnsRefused, match=r"'x' \(its numbers have different formats"):
        load(tmp_path, rows(column("x", *values), column("y", "0", "1"), separator=";"))


def test_codes_stay_text_and_it_is_said(tmp_path):
    data = load(tmp_path, rows(column("zip", "01234", "10115"), column("y", "0", "1")))
    assert data.labels == (("01234", "10115"),)
    assert data.notes == (
        "'zip' is read as 2 categories: '01234' begins with a zero, which a number would lose.",
    )
    frame = parquet_of(tmp_path, zip=["01234", "10115"] * 3, y=[0, 1] * 3)
    assert frame.labels == data.labels


def parquet_of(folder, **columns):
    parquet.write_table(pa.table(columns), folder / "table.parquet")
    return load_data("table.parquet", "y", folder, True)


def test_a_few_words_among_numbers_are_gaps_and_others_are_said(tmp_path):
    calls = ["3", "5", "unknown", "-", "n/a", "7"]
    floor = ["1", "2", "3", "4", "5", "G"]
    data = load(tmp_path, rows(("calls", *calls), ("floor", *floor), column("y", "0", "1")))
    np.testing.assert_array_equal(data.X[:, 0], [3, 5, np.nan, np.nan, np.nan, 7])
    assert data.labels == (None, tuple(floor))
    assert data.notes == (
        "'floor' is read as 6 categories: most of its values are numbers, but not 'G'.",
        "Read as missing values: 'calls' (2 values: '-' and 'unknown').",
    )


def test_words_alone_are_categories(tmp_path):
    data = load(tmp_path, rows(column("x", "yes", "unknown"), column("z", "-", "?"), column("y", "0", "1")))
    assert data.labels == (("unknown", "yes"), ("-", "?"))


# -- dates ----------------------------------------------------------------------------------------


def test_dates_become_their_parts_and_are_said(tmp_path):
    when = column("when", "31.12.2020", "05.01.2021", "")
    data = load(tmp_path, rows(when, column("y", "0", "1", "0")))
    assert data.feature_names == ("when_year", "when_month", "when_weekday", "when_days")
    np.testing.assert_array_equal(data.X[:3], [[2020, 12, 3, 0], [2021, 1, 1, 5], [np.nan] * 4])
    assert data.notes == (
        "Dates are read as year, month, weekday and days since the first: 'when' (from 2020-12-31 on). "
        "To leave them out: drop: [when] (--drop when).",
    )
    typed = [datetime.datetime(2020, 12, 31, 6), datetime.datetime(2021, 1, 5), None]
    found = parquet_of(tmp_path, when=typed * 2, y=[0, 1] * 3)
    assert found.feature_names[-1] == "when_hour"
    assert found.X[0].tolist() == [2020, 12, 3, 0, 6]


def test_dates_that_can_be_read_in_two_ways_are_refused(tmp_path):
    with pytest.raises(ColumnsRefused, match=r"'03/04/2020' may be 2020-04-03 or 2020-03-04; write it like"):
        load(tmp_path, rows(column("when", "03/04/2020", "05/04/2020"), column("y", "0", "1")))


def test_what_is_neither_number_nor_category_is_refused(tmp_path):
    with pytest.raises(ColumnsRefused, match=r"'at' \(time values, which are neither numbers nor categories"):
        parquet_of(tmp_path, at=[datetime.time(3)] * 4, y=[0, 1] * 2)


# -- the target -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, y, task",
    [
        ([f"{x},5" for x in range(60)], [x + 0.5 for x in range(60)], "regression"),
        ([f"{x} %" for x in range(60)], list(range(60)), "regression"),
        ([f"{x + 1000:,}" for x in range(60)], list(range(1000, 1060)), "regression"),
        (["1,5", "2,5"] * 30, [1.5, 2.5] * 30, "regression"),
        (["€ 1,00", "€ 2,00"] * 30, [1, 2] * 30, "classification"),
        ([str(x) for x in range(40)], list(range(40)), "regression"),  # not forty classes of one row each
    ],
)
def test_a_target_of_local_numbers_is_a_quantity(tmp_path, values, y, task):
    text = rows(("x", *map(str, range(len(values)))), ("y", *values), ("z", *["0.5"] * len(values)))
    data = load(tmp_path, text)
    assert (data.y.tolist(), data.task, data.classes) == (y, task, ())


@pytest.mark.parametrize(
    "values, says",
    [
        (
            [f"{x}.5 {'kg' if x % 2 else 'lb'}" for x in range(40)],
            "'y' holds 40 different strings in 40 rows, such as '0.5 lb'; its numbers have different units",
        ),
        (
            [f"name {x}" for x in range(40)],
            r"40 different strings .* quantities must be numbers of one format",
        ),
        ([f"2020-01-{x:02}" for x in range(1, 31)], "'y' holds dates. Predict a number made of it"),
        ([str(x % 25) for x in range(99)] + ["about 7"], "most of its values are numbers, but not 'about 7'"),
        ([f"0{x}" for x in range(1000, 1040)], "begins with a zero"),
        (["1,234", "5,678"] * 20, "'y' cannot be predicted: '5,678' may be 5678 or 5.678.* --decimal"),
    ],
)
def test_a_target_that_is_nearly_continuous_text_is_refused(tmp_path, values, says):
    text = rows(("x", *map(str, range(len(values)))), ("y", *values))
    with pytest.raises(ColumnsRefused, match=says) as error:
        load(tmp_path, text)
    assert error.value.of_target


def test_rows_without_a_target_are_left_out_and_counted(tmp_path):
    for values, kept in ((["a", "", "b", "NA"], ["a", "b"]), (["1,5", "", "2,5", "unknown"], [1.5, 2.5])):
        data = load(tmp_path, rows(("x", "1", "2", "3", "4"), ("y", *values)))
        assert data.X[:, 0].tolist() == [1, 3]
        assert [data.classes[i] for i in data.y] == kept if data.classes else data.y.tolist() == kept
        assert data.notes[-1] == "2 of 4 rows have no value of 'y' and are left out."


def test_names_are_quoted_where_they_must_be(tmp_path):
    text = rows(("a,b", *[""] * 3), ("c: d", *[""] * 3), ("x", "1", "2", "3"), ("y", "0", "1", "0"))
    with pytest.raises(ColumnsRefused) as error:
        load(tmp_path, text)
    assert """drop: ["a,b", "c: d"] (--drop '"a,b",c: d').""" in str(error.value)


def test_all_that_does_not_fit_is_said_at_once(tmp_path):
    n = 30
    text = rows(
        ("id", *(f"C{i}" for i in range(n))),
        ("none", *[""] * n),
        ("ok", *map(str, range(n))),
        ("odd", *["1.5", "2,5"] * (n // 2)),
        ("y", *(f"t{i}" for i in range(n))),
    )
    with pytest.raises(ColumnsRefused) as error:
        load(tmp_path, text)
    assert (error.value.columns, error.value.of_target) == (("id", "none", "odd"), True)
    for part in (
        "The target 'y' holds 30",
        "'id' (30 different strings",
        "'none' (no value)",
        "'odd' (its numbers",
    ):
        assert part in str(error.value)
    with pytest.raises(ProblemError, match=r"drop: there are no columns 'idd', 'nine'\. Did you mean 'id'\?"):
        load(tmp_path, text, drop=["idd", "nine"])


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding, note",
    [("utf-8", False), ("utf-8-sig", False), ("utf-16", False), ("cp1252", True), ("latin-1", True)],
)
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_the_encodings_of_spreadsheets(tmp_path, encoding, note, line):
    text = 'größe;art;y\n1,5;"weiß\nund rot";ja\n2,5;"""blau""; grün";nein\n'.replace("\n", line)
    data = load(tmp_path, text, encoding=encoding)
    assert data.feature_names == ("größe", "art")
    assert data.labels[1] == ('"blau"; grün', f"weiß{line}und rot")
    assert data.X[:, 0].tolist() == [1.5, 2.5]
    assert any("Windows-1252" in said for said in data.notes) == note


@pytest.mark.parametrize(
    "text, separator",
    [
        ("a,b\n1,2\n", ","),
        ("price, net;qty\n1,5;2\n3,5;4\n", ";"),
        ('"a;b",c\n"1;2",3\n', ","),
        ("name,tags\nx,a;b\ny,c;d\n", ","),
        ("a\tb\n1,5\t2,5\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('"a\nb";"c,d,e"\n1;2\n', ";"),
        ("a\n1\n", ","),
    ],
)
def test_the_separator_parts_all_rows_alike(tmp_path, text, separator):
    (tmp_path / "t.csv").write_text(text)
    assert style_of(tmp_path / "t.csv").separator == separator


def test_a_table_of_texts_is_typed_as_a_file_is(tmp_path):
    """Parquet may hold numbers, codes and categories as texts, as CSV does."""
    columns = {
        "price": ["0,25", "1,5", "2,5", None],
        "plan": pa.array(["a", "b", "a", None]).dictionary_encode(),
        "size": ["1", "2", "3", "4"],
        "y": ["0", "1", "0", "1"],
    }
    data = parquet_of(tmp_path, **columns)
    assert data.labels == (None, ("a", "b"), None)
    np.testing.assert_array_equal(data.X[:, 0], [0.25, 1.5, 2.5, np.nan])
    assert data.y.tolist() == [0, 1, 0, 1]


def test_a_large_column_of_plain_numbers_is_not_walked_through(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "runner.problems.estimators.data.kinds.numbers_in", lambda strings: pytest.fail("walked")
    )
    frame = pd.DataFrame({"x": np.arange(1000) / 7, "n": np.arange(1000), "y": [0, 1] * 500})
    frame.to_csv(tmp_path / "t.csv", index=False)
    x, n, _ = read_table(tmp_path / "t.csv")
    assert (x.values.dtype, x.points, n.values.dtype, n.points) == (np.float64, True, np.int64, False)
    np.testing.assert_array_equal(load_data("t.csv", "y", tmp_path, True).X, frame[["x", "n"]])


# -- new data -------------------------------------------------------------------------------------

READER = Columns(
    ["age", "price", "plan", "code", "when"],
    numbers={"price": (",", ".", "€")},
    labels={"plan": ["basic", "plus"], "code": ["01", "02"]},
    dates={"when": ("%d.%m.%Y", "2020-01-01", False)},
)
SEEN = [30.0, 1234.5, 1.0, 0.0, 2020.0, 1.0, 3.0, 1.0]


@pytest.mark.parametrize(
    "row",
    [
        {"age": "30", "price": "1.234,5 €", "plan": "plus", "code": "01", "when": "02.01.2020"},
        {"age": 30, "price": 1234.5, "plan": "plus", "code": 1, "when": datetime.date(2020, 1, 2)},
        {
            "when": pd.Timestamp("2020-01-02"),
            "code": 1.0,
            "plan": "plus",
            "price": "1234,5",
            "age": 30.0,
            "more": 1,
        },
        {"age": "30.0", "price": "1.234,50", "plan": " plus ", "code": "01", "when": "2020-01-02"},
    ],
)
def test_new_data_of_any_type_and_order_are_read_alike(row):
    frame = pd.DataFrame([row])
    assert READER.transform(frame).tolist() == [SEEN]
    assert READER.transform({name: [value] for name, value in row.items()}).tolist() == [SEEN]
    categories = frame.astype(dict.fromkeys(("plan", "code"), "category"))
    assert READER.transform(categories).tolist() == [SEEN]
    assert READER.get_feature_names_out().tolist() == [
        "age", "price", "plan", "code", "when_year", "when_month", "when_weekday", "when_days"
    ]  # fmt: skip


def test_every_column_that_differs_is_named():
    frame = pd.DataFrame({"age": ["old"], "price": ["1.5"], "plan": [3], "code": ["01"], "when": ["soon"]})
    with pytest.raises(ValueError) as error:
        READER.transform(frame)
    for part in ("'age', row 0: expected a number such as 1234.5, got 'old'", "'price'", "'plan'", "'when'"):
        assert part in str(error.value)
    assert "'code'" not in str(error.value)
    with pytest.raises(ValueError, match=r"expected the columns .*; \['age', 'when'\] missing"):
        READER.transform(frame.drop(columns=["age", "when"]))
    with pytest.raises(
        ValueError, match=r"a table with named columns, such as a pandas\.DataFrame, got a ndarray"
    ):
        READER.transform(frame.to_numpy())
    with pytest.raises(ValueError, match="column 'age', row 1: expected a finite number, got inf"):
        Columns(["age"]).transform(pd.DataFrame({"age": [1.0, np.inf]}))


def test_what_is_missing_or_new_is_nan():
    frame = pd.DataFrame({"age": [None], "price": ["-"], "plan": ["new"], "code": [pd.NA], "when": [""]})
    assert np.isnan(READER.transform(frame)).all()

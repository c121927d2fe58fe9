"""Values as people write them: each is read back as what was written, or not at all."""

import datetime
import decimal
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.problems.estimators.data.spelling import Dates, Numbers, Odd, dates_in, is_code, numbers_in
from runner.problems.estimators.data.values import (
    MISSING,
    PLAIN,
    UNKNOWN,
    codes_of,
    date_of,
    numbers_of,
    parts_of,
    strings_of,
)
from runner.problems.estimators.data.values import number_of as read

MARKS = [(".", ""), (".", ","), (".", " "), (".", "'"), (",", ""), (",", "."), (",", " "), (",", "\u00a0")]
MARKS += [(",", "\u202f"), (".", "’")]
UNITS = ["", "%", " %", "€", " €", " EUR", " kg", "$", "EUR ", "R$ "]
QUANTITIES = st.decimals(-(10**9), 10**9, places=2)


def written(number, marks, unit="", negative="-"):
    """A decimal number as a person writes it."""
    mark, between = marks
    whole, _, fraction = f"{abs(number):,.2f}".partition(".")
    text = whole.replace(",", between) + mark + fraction
    text = unit + text if unit.startswith(("$", "EUR ", "R$")) else text + unit
    if number >= 0:
        return text
    return {"-": f"-{text}", "−": f"−{text}", "()": f"({text})", "late": f"{text}-"}[negative]


# -- numbers --------------------------------------------------------------------------------------


@given(
    st.lists(QUANTITIES, min_size=1, max_size=20),
    st.sampled_from(MARKS),
    st.sampled_from(UNITS),
    st.sampled_from(["-", "−", "()", "late"]),
)
def test_what_was_written_is_read_back(numbers, marks, unit, negative):
    texts = [written(number, marks, unit, negative) for number in numbers]
    found = numbers_in(set(texts))
    assert isinstance(found, Numbers)
    assert found.other is None  # two digits behind the mark leave nothing open
    assert found.decimal == marks[0]
    assert numbers_of(np.array(texts, dtype=object), found.form) == pytest.approx([*map(float, numbers)])


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=20), st.sampled_from(",. '"))
def test_integers_with_groups_are_read_back_or_left_open(numbers, between):
    texts = [f"{number:,}".replace(",", between) for number in numbers]
    found = numbers_in(set(texts))
    readings = [found.form, found.other] if found.other else [found.form]
    assert any(numbers_of(texts, way).tolist() == numbers for way in readings)
    if between in " '" or all(abs(number) < 1000 for number in numbers):
        assert found.other is None
    if any(abs(number) >= 10**6 for number in numbers):
        assert found.other is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_is_plain(number):
    assert read(repr(number)) == number


@pytest.mark.parametrize(
    "text",
    ["", "abc", "A12", "1.2.3", "1,2,3", "1 2", "--5", "(-5)", "5-6", "12:30", "1/2", "0x1f", "1_000", ")5("],
)
def test_what_is_no_number_is_none(text):
    assert read(text) is None
    assert read(text, (",", ".", "")) is None


@pytest.mark.parametrize(
    "texts, decimal, other",
    [
        (["1,234", "5,678"], "", True),
        (["1.234", "5.678"], "", True),
        (["1,234", "2,5"], ",", False),
        (["1.234", "0.234"], ".", False),
        (["0,123", "1,234"], ",", False),
        (["1234,567"], ",", False),
        (["1,234,567", "1,234"], ".", False),
        (["12,34,567"], ".", False),  # as it is written in India
        (["5", "6"], "", False),
    ],
)
def test_the_values_of_a_column_decide_or_leave_it_open(texts, decimal, other):
    found = numbers_in(texts)
    assert (found.decimal, found.other is not None) == (decimal, other)


@pytest.mark.parametrize(
    "texts, why, refused",
    [
        (["1.5", "2,5"], "have different formats: '1.5', '2,5'", True),
        (["1,234.5", "1.234,5"], "have different formats", True),
        (["5 €", "4 $"], "different units: '4 $', '5 €'", False),
        (["0.5", "50%"], "different units", False),
        (["1", "2", "3", "G"], "most of its values are numbers, but not 'G'", False),
    ],
)
def test_what_cannot_be_one_way_of_writing_says_so(texts, why, refused):
    found = numbers_in(texts)
    assert isinstance(found, Odd)
    assert why in found.reason
    assert found.refused == refused


def test_a_zero_needs_no_unit_and_codes_begin_with_a_zero():
    assert numbers_in(["0", "5 €"]).form == (".", "", "€")
    assert [is_code(text) for text in ("01234", "007", "0", "0.5", "0,5", "10")] == [True, True, *[False] * 4]


def test_values_of_any_type_are_numbers():
    values = [1, True, np.float32(2.5), decimal.Decimal("0.5"), "3", " 4 ", None, np.nan, pd.NA, pd.NaT]
    values += ["unknown", "N/A", "-", "TRUE"]
    found = numbers_of(pd.Series(values, dtype=object))
    assert found[:6].tolist() == [1.0, 1.0, 2.5, 0.5, 3.0, 4.0]
    assert np.isnan(found[6:-1]).all()
    assert found[-1] == 1.0
    for series in (
        pd.Series([1, None], dtype="Int64"),
        pd.Series(["1", None], dtype="string"),
        [1.0, math.nan],
    ):
        assert numbers_of(series)[0] == 1.0
    assert numbers_of(pd.Series([3, 1], dtype="category")).tolist() == [3.0, 1.0]


@pytest.mark.parametrize(
    "values, way, says",
    [
        (["1", "abc"], PLAIN, r"column 'a', row 1: expected a number such as 1234\.5, got 'abc'"),
        (["1.5"], (",", ".", "€"), r"expected a number such as 1\.234,5 €, got '1\.5'"),
        (["1,234"], PLAIN, "got '1,234'"),  # there was no mark between thousands in training
        (["5 $"], (".", "", "€"), r"got '5 \$'"),
        ([datetime.date(2020, 1, 1)], PLAIN, r"got datetime\.date"),
        ([[1], [2]], PLAIN, "expected one column, got 2 dimensions"),
    ],
)
def test_what_is_written_otherwise_is_named(values, way, says):
    with pytest.raises(ValueError, match=says):
        numbers_of(np.array(values, dtype=object), way, "a")


def test_the_words_are_in_the_form_in_which_they_are_looked_up():
    assert all(word == word.lower().strip() for word in UNKNOWN)
    assert all(word == word.strip() for word in MISSING)


# -- categories -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, labels, codes",
    [
        (["b", " a ", None, "new", ""], ["a", "b"], [1, 0, None, None, None]),
        ([2, 1.0, np.int64(10), 7], ["1", "10", "2"], [2, 0, 1, None]),
        (
            [1, 2, 1234],
            ["01", "02", "01234"],
            [0, 1, 2],
        ),  # the zeros are lost where they are typed as numbers
        ([True, False, None], ["False", "True"], [1, 0, None]),
        ([True, False], ["0", "1"], [1, 0]),
        (pd.Categorical(["a", "b", None]), ["a", "b"], [0, 1, None]),
        (pd.Series(["a", pd.NA], dtype="string"), ["a"], [0, None]),
    ],
)
def test_categories_of_any_type_are_found_again(values, labels, codes):
    expected = [np.nan if code is None else float(code) for code in codes]
    np.testing.assert_array_equal(codes_of(values, labels), expected)


@pytest.mark.parametrize("values, got", [([3, 4], "3"), ([True, False], "True"), ([2.5], "2.5")])
def test_values_of_another_kind_than_the_categories_are_named(values, got):
    with pytest.raises(ValueError, match=rf"column 'plan': expected categories such as 'a', 'b', got {got}"):
        codes_of(values, ["a", "b"], "plan")


def test_a_column_of_integers_with_gaps_has_their_texts():
    assert strings_of(np.array([1.0, 2.5, np.nan], dtype=object)).tolist() == ["1", "2.5", None]


# -- dates ----------------------------------------------------------------------------------------

STYLES = [
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%Y/%m/%d",
    "%d.%m.%Y %H:%M",
    "%d.%m.%y",
]


@pytest.mark.parametrize("style", STYLES)
@given(days=st.lists(st.dates(datetime.date(1990, 1, 1), datetime.date(2040, 1, 1)), min_size=1, max_size=9))
def test_dates_are_read_back_or_refused(style, days):
    texts = [day.strftime(style) for day in days]
    found = dates_in(texts)
    if isinstance(found, Odd):
        assert found.refused
        assert all(day.day <= 12 or style.endswith("y") for day in days)
        return
    assert isinstance(found, Dates)
    assert [date_of(text, found.style).date() for text in texts] == days
    assert found.first.date() == min(days)


@pytest.mark.parametrize(
    "texts", [["a1", "b2"], ["12:30"], ["2020"], ["1.5"], ["99/99/2020"], ["2020-13-01"]]
)
def test_what_is_no_date_is_none(texts):
    assert dates_in(texts) is None


@pytest.mark.parametrize(
    "values",
    [
        ["2020-01-05", "2020-02-01", None],
        [datetime.date(2020, 1, 5), datetime.date(2020, 2, 1), pd.NaT],
        pd.to_datetime(["2020-01-05", "2020-02-01", None]),
        pd.Series(pd.to_datetime(["2020-01-05", "2020-02-01", None], utc=True)),
        ["05.01.2020", "2020-02-01T00:00:00Z", "unknown"],
    ],
)
def test_dates_of_any_type_become_their_parts(values):
    found = parts_of(values, ("%d.%m.%Y", "2020-01-05", False), "when")
    assert found[:2].tolist() == [[2020, 1, 6, 0], [2020, 2, 5, 27]]
    assert np.isnan(found[2]).all()


def test_hours_count_where_they_were_there_in_training():
    assert parts_of(["2020-01-05 06:00"], ("iso", "2020-01-05", True)).tolist() == [[2020, 1, 6, 0.25, 6]]
    with pytest.raises(ValueError, match="column 'when', row 0: expected a date such as 2020-01-31, got 5"):
        parts_of([5], ("iso", "2020-01-05", False), "when")

import math
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from runner.study.yaml import dump, load_text

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | TEXT
    | st.text("0123456789+-._:eExob~ny", max_size=6)
)
KEYS = TEXT | st.integers() | st.booleans() | st.none()
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(TREES)
@example(["1e3", "08", "0o7", "010", "1_0", "1:30", "yes", "null", "~", "", "<<", "=", "2020-01-01", "0x1F"])
@example([1e3, 1e20, 1e-7, math.inf, -math.inf])
@example(["\x85", "a\nb", " a ", "\u2028", "a\x1b[0m", "\ufeff", "a: b", "# c", "- d"])
@example({1: "a", "1": "b", "1.0": "c", "true": "d"})
def test_what_is_written_is_read_again_with_its_types(tree):
    again = load_text(dump(tree), "s.yaml")
    assert again == tree
    assert repr(again) == repr(tree)


@given(TEXT)
@example("1e3")
@example("010")
def test_a_string_is_one_to_readers_of_yaml_1_1_too(text):
    assert yaml.safe_load(dump([text])) == [text]


class Colour(StrEnum):
    red = "red"


@pytest.mark.parametrize(
    "given, read",
    [
        (np.int64(3), 3),
        (np.float64(0.1), 0.1),
        (np.bool_(True), True),
        (np.str_("1e3"), "1e3"),
        (Colour.red, "red"),
        (Path("a/b"), "a/b"),
        ((1, (2,)), [1, [2]]),
        ({(1, 2): 3}, {"(1, 2)": 3}),
    ],
)
def test_other_types_are_written_as_what_they_are(given, read):
    again = load_text(dump({"x": given}), "s.yaml")["x"]
    assert (type(again), again) == (type(read), read)


def test_shared_parts_are_written_out():
    part = [1]
    assert "&" not in dump([part, part])

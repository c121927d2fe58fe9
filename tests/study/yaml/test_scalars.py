import math
import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from runner.study.yaml.scalars import MOST_DIGITS, ScalarError, resolve

NUMERIC = st.text("0123456789+-._:eExob", min_size=1, max_size=8)


def old(text):
    """What PyYAML, which follows YAML 1.1, takes a plain scalar for."""
    try:
        return yaml.safe_load(f"[{text}]")[0]
    except (yaml.YAMLError, ValueError):
        return text


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-3", 1e-3),
        ("1e3", 1000.0),
        ("1E5", 1e5),
        ("-2.5e+3", -2500.0),
        ("+.5", 0.5),
        (".5", 0.5),
        ("3.", 3.0),
        ("7", 7),
        ("+1", 1),
        ("-0", 0),
        ("02", 2),
        ("08", 8),
        ("0x10", 16),
        ("0o17", 15),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("0e999", 0.0),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("nUll", "nUll"),
        ("2020-01-01", "2020-01-01"),
        ("01:30", "01:30"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("<<", "<<"),
        (".", "."),
        ("0b2", "0b2"),
        ("e5", "e5"),
        ("inf", "inf"),
        ("١٢", "١٢"),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text, value):
    found = resolve(text)
    assert (type(found), found) == (type(value), value)


def test_nan_is_a_number():
    assert all(math.isnan(resolve(text)) for text in (".nan", ".NaN", ".NAN"))


@pytest.mark.parametrize(
    "text, says",
    [
        ("010", "'010' is 8 in YAML 1.1 and 10 in YAML 1.2. Write 8 or 10, or '010' in quotes."),
        ("-010", "'-010' is -8 in YAML 1.1 and -10 in YAML 1.2."),
        ("1:30", "'1:30' is 90 in YAML 1.1 and a string in YAML 1.2. Write 90, or '1:30' in quotes."),
        ("1:30.5", "'1:30.5' is 90.5 in YAML 1.1"),
        ("12:30:45", "'12:30:45' is 45045 in"),
        ("1_000", "'1_000' is 1000 in"),
        ("1_000.5", "'1_000.5' is 1000.5 in"),
        ("0_7", "'0_7' is 7 in"),
        ("0b101", "'0b101' is 5 in"),
        ("-0x1F", "'-0x1F' is -31 in"),
        ("0x_1f", "'0x_1f' is 31 in"),
        ("1e999", "1e999 is too large for a number in double precision."),
        ("-1e-999", "-1e-999 is too small for a number"),
        ("1" * 400, "expected an integer of at most 308 digits, got one of 400."),
    ],
)
def test_what_programs_read_otherwise_is_refused(text, says):
    with pytest.raises(ScalarError, match=re.escape(says)):
        resolve(text)


@given(NUMERIC)
@example("0x_")
@example("1_")
def test_a_scalar_that_both_versions_read_as_numbers_is_one_number(text):
    try:
        value = resolve(text)
    except ScalarError:
        return
    before = old(text)
    if isinstance(before, int | float) and not isinstance(before, bool):
        assert value == before or (value != value and before != before)
    # YAML 1.1 takes some numbers of YAML 1.2 for strings (1e3, 08, 0o7), but no number for another.


@given(st.integers() | st.floats(allow_nan=False))
def test_what_python_writes_is_read_again(value):
    found = resolve(repr(value) if "inf" not in repr(value) else repr(value).replace("inf", ".inf"))
    assert (type(found), found) == (type(value), value)


def test_the_longest_integer_has_a_float_beside_it():
    assert math.isfinite(float(resolve("9" * MOST_DIGITS)))

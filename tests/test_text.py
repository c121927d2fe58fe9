"""Names, numbers of things and durations in sentences."""

import pytest

from runner._text import counted, duration, first_of, listed, named


@pytest.mark.parametrize(
    "names, text", [([], ""), (["a"], "a"), (["a", "b"], "a and b"), ({"a": 1, "b": 2, "c": 3}, "a, b and c")]
)
def test_all_names_are_listed(names, text):
    assert listed(names) == text


@pytest.mark.parametrize("most, text", [(1, "a and 2 more"), (2, "a, b and 1 more"), (3, "a, b, c")])
def test_the_first_names_and_how_many_more(most, text):
    assert first_of(["a", "b", "c"], most) == text


@pytest.mark.parametrize(
    "seconds, text",
    [(0.0, "0 ms"), (0.00031, "0.31 ms"), (0.0121, "12.1 ms"), (0.05, "50 ms"), (0.74, "0.74 s"),
     (3.14, "3.1 s"), (9.96, "9.96 s"), (61, "61 s"), (119.9, "120 s"), (150, "2.5 min"), (600, "10 min"),
     (7300, "2 h"), (9000, "2.5 h"), (1e6, "11.6 days"), (4e8, "4,630 days"), (float("inf"), "∞"),
     (float("nan"), "–")],
)  # fmt: skip
def test_a_duration_has_the_unit_that_suits_it(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("n, text", [(0, "0 trials"), (1, "1 trial"), (2, "2 trials")])
def test_things_are_counted(n, text):
    assert counted(n, "trial") == text


def test_a_few_names_are_all_named():
    assert named(["a", "b", "c"]) == "a, b and c"
    assert named(list("abcdef")) == "a, b, c, d and 2 more"
    assert named([]) == ""

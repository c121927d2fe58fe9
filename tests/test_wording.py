"""Names in sentences."""

import pytest

from runner.wording import first_of, listed


@pytest.mark.parametrize(
    "names, text", [([], ""), (["a"], "a"), (["a", "b"], "a and b"), ({"a": 1, "b": 2, "c": 3}, "a, b and c")]
)
def test_all_names_are_listed(names, text):
    assert listed(names) == text


@pytest.mark.parametrize("most, text", [(1, "a and 2 more"), (2, "a, b and 1 more"), (3, "a, b, c")])
def test_the_first_names_and_how_many_more(most, text):
    assert first_of(["a", "b", "c"], most) == text

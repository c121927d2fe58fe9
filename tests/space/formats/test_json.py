"""A space that goes through JSON comes back as it was."""

import json

import pytest

from runner.space import Choice, Float, Space
from runner.space.formats.json import space_from_json, space_to_json
from runner.testing import SPACES

TYPED = Space({"a": Choice({1: {"x": Float(0, 1)}, 2.0: {}, None: {}, "1": {}, False: {"y": Float(1, 2)}})})


@pytest.mark.parametrize("space", [*SPACES.values(), TYPED], ids=[*SPACES, "typed"])
def test_a_space_comes_back(space):
    text = json.dumps(space_to_json(space))
    back = space_from_json(json.loads(text))
    assert back == space
    assert repr(back) == repr(space)  # with the options' types
    assert json.dumps(space_to_json(back)) == text

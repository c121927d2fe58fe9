import pytest
import yaml
from hypothesis import given

from runner.errors import SpaceError
from runner.space import Space
from runner.space.domains import Choice, Float, Int
from runner.space.formats import parse_domain, parse_space, to_space
from tests.strategies import domains, spaces


@given(domains())
def test_a_domain_is_what_its_description_says(domain):
    assert parse_domain(domain.describe(), "x") == domain


@given(spaces(forbid=False))
def test_a_space_survives_yaml(space):
    described = {name: domain.describe() for name, domain in space.params}
    again = parse_space(yaml.safe_load(yaml.safe_dump(described, sort_keys=False)))
    assert again.params == space.params


@pytest.mark.parametrize(
    "given, domain",
    [
        ({"float": [0, 1]}, Float(0.0, 1.0)),
        ({"float": [1e-3, 1], "log": True}, Float(1e-3, 1.0, log=True)),
        ({"float": [0, 1], "step": 0.25}, Float(0.0, 1.0, step=0.25)),
        ({"int": [1, 9]}, Int(1, 9)),
        ({"int": (1, 9), "step": 2}, Int(1, 9, step=2)),
        (["a", 1, None], Choice(["a", 1, None])),
        ({"choice": ["a", 1]}, Choice(["a", 1])),
        ({"choice": {"a": {"x": [1]}, "b": None}}, Choice({"a": {"x": Choice([1])}, "b": {}})),
        (Int(1, 2), Int(1, 2)),
    ],
)
def test_every_form_is_read(given, domain):
    assert parse_domain(given, "x") == domain


def test_a_space_may_be_restricted_further():
    space = Space({"a": Choice([1, 2, 3]), "b": Choice([1, 2])}, [{"a": 1, "b": 1}])
    assert parse_space(space) is space
    assert parse_space(space, [{"a": 2}]).size() == 3
    assert to_space({"a": [1, 2]}).params == parse_space({"a": [1, 2]}).params


@pytest.mark.parametrize(
    "given, says",
    [
        ([1], "space: expected a mapping of parameters, got [1]. Write {float: [low, high]}"),
        ({}, "space: expected at least one parameter, got none."),
        ({"x": 3}, "space.x: expected a range of values, got 3. Write {float:"),
        (
            {"x": {"flaot": [0, 1]}},
            "space.x: expected one of the keys float, int and choice, got ['flaot']. Did you mean 'float'?",
        ),
        (
            {"x": {"float": [0, 1], "int": [0, 1]}},
            "space.x: expected one of the keys float, int and choice, got ['float', 'int'].",
        ),
        ({"x": {"float": [0, 1], "lgo": True}}, "space.x.lgo: unknown key. Did you mean 'log'?"),
        ({"x": {"choice": [1], "log": True}}, "space.x.log: unknown key."),
        ({"x": {"float": [1]}}, "space.x: expected two bounds, float: [low, high], got [1]."),
        ({"x": {"float": "01"}}, "space.x: expected two bounds, float: [low, high], got '01'."),
        ({"x": {"float": ["a", 1]}}, "space.x: expected a number as low, got 'a'."),
        ({"x": {"float": [2, 1]}}, "space.x: expected low < high, got low=2.0 and high=1.0."),
        (
            {"x": {"float": [0, 1], "log": True}},
            "space.x: expected low > 0 with log: true, got low=0.0.",
        ),
        ({"x": {"int": [0, 9], "log": True}}, "Raise low (for example to 1), or drop log."),
        ({"x": {"float": [0, 1], "log": "yes"}}, "space.x: expected true or false for log, got 'yes'."),
        ({"x": {"int": [0, 1.5]}}, "space.x: expected an integer as high, got 1.5."),
        ({"x": []}, "space.x: expected at least one option, got none."),
        ({"x": [[1, 2]]}, "or null as options, got [1, 2], a list."),
        ({"x": {"choice": {"a": 3}}}, "space.x.a: expected a mapping, the parameters of option 'a', got 3."),
        (
            {"x": {"choice": {"a": {"y": {"choice": {"b": {"z": {"int": [2, 1]}}}}}}}},
            "space.x.a.y.b.z: expected low < high, got low=2 and high=1.",
        ),
    ],
)
def test_what_is_no_space_is_refused_with_its_place(given, says):
    with pytest.raises(SpaceError) as caught:
        parse_space(given)
    assert says in str(caught.value)

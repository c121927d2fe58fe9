"""Configs as Ray nests them, and what of a param_space is searched."""

import pytest
from ray import tune

from runner.convert.raytune import flat_config, from_ray_tune, nested_config, searched_part
from runner.errors import SpaceError
from runner.seeds import rng_for
from runner.space import Float, Space
from runner.testing import SPACES

PARAM_SPACE = {
    "opt": {"lr": tune.loguniform(1e-4, 1e-1), "inner": {"m": tune.uniform(0, 1)}},
    "model": tune.choice([{"kind": "svm", "C": tune.uniform(1, 2)}, {"kind": "tree"}]),
    "maybe": tune.choice([None, {"a": tune.uniform(0, 1)}]),
    "dicts": tune.choice(
        [
            {},
            {"a": tune.uniform(0, 1)},
            {"a": tune.uniform(0, 1), "b": tune.choice([{"u": tune.randint(0, 9)}, {}])},
        ]
    ),
    "grid": tune.grid_search([1, 2]),
}
RAY = from_ray_tune(PARAM_SPACE)
CLASH = Space({"a/b": Float(0, 1), "a": Float(0, 1)})


@pytest.mark.parametrize("space", [RAY, CLASH, *SPACES.values()], ids=["ray", "clash", *SPACES])
def test_flat_is_the_inverse_of_nested(space):
    rng = rng_for("nested")
    for _ in range(100):
        config = space.sample(rng)
        assert space.canonical(flat_config(space, nested_config(space, config))) == config


def test_nested_configs_look_as_ray_would_draw_them():
    rng = rng_for("nested")
    drawn = [nested_config(RAY, RAY.sample(rng)) for _ in range(200)]
    assert all(set(config) == set(PARAM_SPACE) for config in drawn)
    assert all(set(config["opt"]["inner"]) == {"m"} for config in drawn)
    assert {frozenset(config["model"]) for config in drawn} == {frozenset({"kind", "C"}), frozenset({"kind"})}
    assert {type(config["maybe"]) for config in drawn} == {dict, type(None)}
    assert {tuple(config["dicts"]) for config in drawn} == {(), ("a",), ("a", "b")}
    assert any(config["dicts"].get("b") == {} for config in drawn)


def test_only_the_domains_of_a_param_space_are_searched():
    rest = {"epochs": 10, "layers": [1, 2], "data": object(), "opt2": {"name": "sgd"}}
    mixed = {**PARAM_SPACE, **rest, "opt": {**PARAM_SPACE["opt"], "beta": 0.9}}
    assert searched_part(mixed) == PARAM_SPACE
    assert searched_part(rest) == {}


def test_a_list_of_domains_is_refused():
    with pytest.raises(SpaceError, match=r"param_space\.a\.b: a list holds a domain\. Use a dict"):
        searched_part({"a": {"b": [tune.uniform(0, 1)]}})


def test_an_object_among_the_options_is_refused_in_plain_words():
    with pytest.raises(SpaceError, match="a: an option is an object"):
        from_ray_tune({"a": tune.choice([("__ref_ph", "0a1b"), 2])})

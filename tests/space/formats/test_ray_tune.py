"""ray.tune's domains; nothing here starts Ray."""

import json
import random
from collections import OrderedDict
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest
from hyperopt import hp
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.sample import Float as TuneFloat
from scipy import stats

from runner.errors import SpaceError
from runner.seeds import rng_for
from runner.space import Space
from runner.space.domains import Choice, Float, Int
from runner.space.formats import from_ray_tune, to_space, to_view
from runner.space.formats.json import part_from_json, part_to_json
from runner.space.formats.ray_tune import NestedView, SearchedView, flat_dict, searched_view
from runner.testing import SPACES


class Own(TuneFloat):
    """A user's own subclass of a domain."""


class Pair(NamedTuple):
    first: object
    second: object


@pytest.mark.parametrize(
    "given, domain",
    [
        (tune.uniform(-1, 2), Float(-1.0, 2.0)),
        (tune.loguniform(1e-4, 1e-1), Float(1e-4, 1e-1, log=True)),
        (tune.quniform(0, 1, 0.25), Float(0.0, 1.0, step=0.25)),
        (tune.randint(1, 10), Int(1, 9)),
        (tune.lograndint(1, 100), Int(1, 99, log=True)),
        (tune.qrandint(2, 10, 2), Int(2, 10, step=2)),
        (tune.qrandint(2, 10, 1), Int(2, 9)),
        (tune.randint(3, 4), Choice([3])),
        (tune.choice(["a", 1, None]), Choice(["a", 1, None])),
        (tune.choice([1, 1, 2]), Choice([1, 2])),
        (tune.grid_search([1, 2]), Choice([1, 2])),
        (tune.grid_search(range(3)), Choice([0, 1, 2])),
        (Own(0, 1), Float(0.0, 1.0)),
    ],
)
def test_every_domain_is_read_and_holds_what_ray_draws(given, domain):
    assert from_ray_tune({"x": given}).params == (("x", domain),)
    if hasattr(given, "sample"):
        rng = np.random.RandomState(0)
        random.seed(0)
        for value in given.sample(size=50, random_state=rng):
            plain = value.item() if isinstance(value, np.generic) else value
            assert domain.canonical(plain) == plain


PARAM_SPACE = {
    "opt": {"lr": tune.loguniform(1e-4, 1e-1), "inner": {"m": tune.uniform(0, 1)}, "beta": 0.9},
    "model": tune.choice([{"kind": "svm", "C": tune.uniform(1, 2)}, {"kind": "tree"}]),
    "maybe": tune.choice([None, {"a": tune.uniform(0, 1)}]),
    "dicts": tune.choice(
        [
            {},
            {"a": tune.uniform(0, 1)},
            {"a": tune.uniform(5, 6), "b": tune.choice([{"u": tune.randint(0, 9)}, {}])},
        ]
    ),
    "list": [tune.uniform(0, 1), "fixed", {"z": tune.randint(0, 5)}],
    "pair": Pair(tune.uniform(0, 1), 3),
    "layers": tune.choice([[8], [8, 8], (4,), None]),
    "ranges": tune.choice([tune.uniform(0, 1), tune.choice(["a", "b"]), [tune.randint(5, 7)], 3]),
    "grid": tune.grid_search([1, 2]),
    "odd a/b.c d": tune.uniform(0, 1),
    "é": {"": tune.uniform(0, 1)},
    7: {8: tune.randn(0, 1), "9": tune.qlograndint(8, 64, 8)},
    "epochs": 10,
    "data": [1, {"x": 2}],
}
VIEW = to_view(PARAM_SPACE)


def as_tune_draws(config):
    """What the configs of `PARAM_SPACE` look like."""
    assert list(config) == list(PARAM_SPACE)
    assert "ray.tune" not in repr(config)
    assert set(config["opt"]) == {"lr", "inner", "beta"}
    assert set(config["model"]) == ({"kind", "C"} if config["model"]["kind"] == "svm" else {"kind"})
    assert config["maybe"] is None or set(config["maybe"]) == {"a"}
    assert set(config["dicts"]) in (set(), {"a"}, {"a", "b"})
    assert (config["dicts"].get("a", 0) >= 5) == ("b" in config["dicts"])
    number, fixed, inner = config["list"]
    assert (0 <= number <= 1, fixed, set(inner)) == (True, "fixed", {"z"})
    assert type(config["pair"]) is Pair
    assert config["layers"] in ([8], [8, 8], (4,), None)
    assert config["ranges"] in ("a", "b", 3, [5], [6]) or 0 <= config["ranges"] <= 1
    assert 0 <= config["odd a/b.c d"] <= 1
    assert set(config["é"]) == {""}
    assert set(config[7]) == {8, "9"}
    assert (config["epochs"], config["data"]) == (10, [1, {"x": 2}])


def test_configs_look_as_ray_would_draw_them():
    rng = rng_for("nested")
    drawn = [VIEW.native(VIEW.space.sample(rng)) for _ in range(300)]
    for config in drawn:
        as_tune_draws(config)
    assert {repr(config["layers"]) for config in drawn} == {"[8]", "[8, 8]", "(4,)", "None"}
    assert {type(config["ranges"]) for config in drawn} == {float, str, list, int}
    assert {tuple(config["dicts"]) for config in drawn} == {(), ("a",), ("a", "b")}
    assert any(config["dicts"].get("b") == {} for config in drawn)


def test_names_are_paths_and_values_are_what_they_stand_for():
    space = VIEW.space
    assert {"opt/lr", "model/kind", "model/C", "list/0", "pair/0", "é/", "7/8 (quantile)"} <= set(space.names)
    domains = dict(space.params)
    assert domains["model/kind"].options == ("svm", "tree")
    assert domains["layers"].options == ("[0] [8]", "[1] [8, 8]", "[2] (4,)", None)
    assert domains["dicts"].options[:2] == ("[0] {}", "[1] {'a': dicts/a}")
    assert not {"epochs", "opt/beta"} & set(space.names)


def test_a_tune_search_changes_what_is_searched_and_nothing_else():
    view = searched_view(PARAM_SPACE)
    assert view.space == VIEW.space
    config = view.native(view.space.sample(rng_for("searched")))
    assert set(PARAM_SPACE) - set(config) == {"epochs", "data"}
    assert set(config["opt"]) == {"lr", "inner"}
    assert config["list"][1] == "fixed"  # a list is replaced as a whole
    assert searched_view({"epochs": 10, "layers": [1, 2], "data": object(), "opt": {"name": "sgd"}}) is None


def test_what_it_was_read_as_survives_json():
    part = part_from_json(json.loads(json.dumps(part_to_json(VIEW.part))))
    again, rng = SearchedView(VIEW.space, part), rng_for("json")
    for _ in range(50):
        config = VIEW.space.sample(rng)
        there = searched_view(PARAM_SPACE).native(config)
        assert repr(again.native(config)).replace("Pair(first=", "(").replace("second=", "") == repr(
            there
        ).replace("Pair(first=", "(").replace("second=", "")


@pytest.mark.parametrize("given", [np.ones(2), object(), {"x": {1, 2}}])
def test_what_json_cannot_hold_is_a_type_error(given):
    with pytest.raises(TypeError):
        part_to_json(to_view({"x": tune.choice([given, 1])}).part)


@pytest.mark.parametrize("given", [None, 3, {"leaf": 1}, {"fixed": 1, "more": 2}["more"], {"keys": 3}])
def test_what_is_no_part_is_an_error(given):
    with pytest.raises((ValueError, TypeError)):
        part_from_json(given)


@pytest.mark.parametrize("kind", [OrderedDict, MappingProxyType, dict])
def test_any_mapping_is_a_param_space(kind):
    assert to_view(kind({"a": kind({"b": tune.uniform(0, 1)})})).native({"a/b": 0.5}) == {"a": {"b": 0.5}}


def test_constants_may_be_anything_of_ray_tune_but_a_domain():
    scheduler = ASHAScheduler()
    assert to_view({"x": tune.uniform(0, 1), "s": scheduler}).native({"x": 0.5})["s"] is scheduler


@pytest.mark.parametrize(
    "given, says",
    [
        (
            {"x": tune.sample_from(lambda spec: 1)},
            "x: unsupported ray.tune domain Function. Use uniform",
        ),
        ({"x": {"eval": "spec.config.y"}, "y": tune.uniform(0, 1)}, "x/eval: expressions of ray.tune"),
        (
            {"a/x": tune.uniform(0, 1), "a": {"x": tune.uniform(0, 1)}},
            "a/x: duplicate name",
        ),
        ({"x": tune.choice([])}, "x: expected at least one option"),
        ({"x": tune.grid_search("abc")}, "x: expected a list of options, got 'abc'"),
        ({"": tune.uniform(0, 1)}, "expected a non-empty string as a parameter name, got ''"),
        ({"x": tune.uniform(0, 1), "y": hp.uniform("y", 0, 1)}, "a mixture of hyperopt and ray.tune"),
        ({"x": tune.uniform(0, 1), "y": stats.uniform(0, 1)}, "a mixture of ray.tune and scikit-learn"),
        ({"x": tune.uniform(0, 1), "y": Float(0, 1)}, "a mixture of ray.tune and runner"),
        (
            {"x": tune.choice([Float(0, 1), 2])},
            "x/0: expected the format of ray.tune, got a range in the format of runner",
        ),
    ],
)
def test_what_cannot_be_searched_is_named(given, says):
    with pytest.raises(SpaceError) as caught:
        to_space(given)
    assert says in str(caught.value)


# -- our own spaces in a Tune program ---------------------------------------------------------------

CLASH = Space({"a/b": Float(0, 1), "a": Float(0, 1)})


@pytest.mark.parametrize("space", [CLASH, *SPACES.values()], ids=["clash", *SPACES])
def test_flat_is_the_inverse_of_nested(space):
    view, rng = NestedView.over(space), rng_for("nested")
    for _ in range(50):
        config = space.sample(rng)
        assert space.canonical(view.point(view.native(config))) == config


def test_names_with_slashes_are_nested():
    assert NestedView.over(Space({"a/b": Float(0, 1)})).native({"a/b": 0.5}) == {"a": {"b": 0.5}}
    assert flat_dict({"a": {"b": {}, 1: {"c": 2}}}) == {"a/b": {}, "a/1/c": 2}

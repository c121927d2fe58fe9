"""hyperopt's expressions, read as `fmin` takes them."""

import logging
import pickle

import numpy as np
import pytest
from hyperopt import hp, space_eval
from hyperopt.pyll import scope
from hyperopt.pyll.stochastic import sample
from hyperopt.tests.unit import test_domains as theirs
from ray import cloudpickle

from runner import optimize
from runner.errors import SpaceError
from runner.search import TPESearch
from runner.seeds import rng_for
from runner.space.domains import Choice, Float, Int
from runner.space.formats import from_hyperopt, to_space, to_view

DOMAINS = [
    "coin_flip", "quadratic1", "q1_choice", "q1_lognormal", "n_arms", "distractor", "gauss_wave",
    "gauss_wave2", "many_dists", "branin",
]  # fmt: skip


@pytest.mark.parametrize(
    "node, domain",
    [
        (hp.uniform("x", -1, 2), Float(-1.0, 2.0)),
        (hp.loguniform("x", np.log(1e-3), np.log(10)), Float(1e-3, 10.0, log=True)),
        (hp.quniform("x", 0.1, 1.05, 0.5), Float(0.5, 1.0, step=0.5)),
        (scope.int(hp.quniform("x", 3, 30, 3)), Int(3, 30, step=3)),
        (hp.uniformint("x", 1, 5), Int(1, 5)),
        (hp.randint("x", 4), Int(0, 3)),
        (hp.randint("x", 2, 5), Int(2, 4)),
        (scope.int(hp.qloguniform("x", np.log(1), np.log(100), 1)), Int(1, 100, log=True)),
        (hp.choice("x", ["a", 2, None]), Choice(["a", 2, None])),
    ],
)
def test_every_domain_is_read_and_holds_what_hyperopt_draws(node, domain):
    assert from_hyperopt({"key": node}).params == (("x", domain),)
    if not (isinstance(domain, Float) and domain.step):
        rng = np.random.default_rng(1)
        for _ in range(50):
            value = sample(node, rng)
            assert domain.canonical(value.item() if isinstance(value, np.generic) else value) == value


SHARED = hp.uniform("s", 0, 1)
SPACES = {
    "containers": {
        "list": [hp.uniform("a", 0, 1), 1],
        "constants": [1, 2],
        "empty": {},
        "none": (),
        "nested": {"m": hp.randint("r", 5), "deep": [{"x": hp.normal("n", 0, 1)}]},
        "choice": hp.choice("c", [None, [1, 2], {"z": hp.lognormal("z", 0, 1)}, (hp.uniform("t", 0, 1), {})]),
    },
    "expression": hp.choice(
        "a", [("case 1", 1 + hp.lognormal("c1", 0, 1)), ("case 2", hp.uniform("c2", -10, 10))]
    ),
    "rounded": {
        "q": hp.qloguniform("q", 0, 5, 3),
        "n": hp.qnormal("n", 0, 9, 2),
        "l": hp.qlognormal("l", 0, 1, 1),
    },
    "shared": {"x": SHARED, "twice": 2 * SHARED, "maybe": hp.choice("m", [SHARED, SHARED + 1, 7])},
    "numbers as keys": {1: hp.uniform("one", 0, 1), 2: {3: "constant"}},
    "a single parameter": hp.choice("only", [np.array([1, 2]), len]),
    "the whole part": {"floor": scope.int(hp.uniform("f", 0, 5)), "bare": hp.quniform("b", 1, 5, 1)},
}


def same(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        return all(map(same, a, b))
    return np.array_equal(a, b)


@pytest.mark.parametrize("name", SPACES)
def test_what_configs_stand_for_is_what_space_eval_gives(name):
    view, rng = to_view(SPACES[name]), rng_for("space_eval")
    again = cloudpickle.loads(cloudpickle.dumps(view))
    for _ in range(20):
        config = view.space.sample(rng)
        drawn = {}
        for node, one in view.nodes:
            if one.name in config:
                drawn[node.arg["label"].obj] = (
                    one.position(config[one.name]) if hasattr(one, "options") else one.read(config[one.name])
                )
        assert same(view.native(config), space_eval(SPACES[name], drawn))
        assert name == "a single parameter" or same(again.native(config), view.native(config))


@pytest.mark.parametrize("name", DOMAINS)
def test_the_domains_of_hyperopts_own_tests_run(name):
    expression = getattr(theirs, name)().expr
    found = optimize(lambda args: args, expression, "tpe", 12)
    assert set(found.trials["status"]) == {"COMPLETED"}
    assert (
        name in ("n_arms", "gauss_wave2") or found.best_value == found.best_config["loss"]
    )  # those are noisy
    search = TPESearch(expression, metric="loss", mode="min")
    for i in range(2):
        suggested = search.suggest(f"t{i}")
        assert set(suggested) >= {"loss", "status"}
        search.on_trial_complete(f"t{i}", suggested)
    assert len(search._run.ended) == 2


# -- one node is one parameter ---------------------------------------------------------------------


def test_a_choice_that_is_used_at_two_places_has_its_options_once():
    one = hp.choice("c", [1, 2])
    found = optimize(lambda given: given["p"] + 10 * given["q"], {"p": one, "q": one}, "exhaustive", 10)
    assert sorted(found.trials["value"]) == [11, 22]
    assert sorted(found.trials["config/c"]) == [1, 2]


def test_two_choices_by_one_index_are_one():
    index = scope.hyperopt_param("i", scope.randint(2))
    view = to_view({"a": scope.switch(index, "x", "y"), "b": scope.switch(index, 10, hp.uniform("u", 0, 1))})
    assert view.space.names == ("i", "u")
    assert view.native({"i": "x"}) == {"a": "x", "b": 10}
    assert view.native({"i": "y", "u": 0.5}) == {"a": "y", "b": 0.5}


def test_what_is_below_two_choices_exists_always():
    x = hp.uniform("x", 0, 1)
    inner = hp.choice("inner", [x, {"y": hp.uniform("y", 0, 1)}])
    view = to_view({"a": hp.choice("a", [inner, 1]), "b": hp.choice("b", [2, inner, x])})
    rng = rng_for("below two")
    for _ in range(40):
        config = view.space.sample(rng)
        assert {"a", "b", "x", "inner"} <= config.keys()
        native = view.native(config)
        assert native["a"] in (1, config["x"], {"y": config.get("y")})
    assert {"y" in view.space.sample(rng) for _ in range(40)} == {True, False}


def test_a_graph_of_shared_nodes_is_read_once():
    sums = hp.uniform("x", 0, 1)
    for _ in range(40):
        sums = sums + sums
    view = to_view({"x": sums})
    assert view.space.names == ("x",)
    assert view.native({"x": 0.5}) == {"x": 2.0**39}


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, values",
    [
        ([None, 10, 20], [None, 10, 20]),
        (np.array([64, 128]), [64, 128]),
        (range(3), [0, 1, 2]),
        ([(8,), (8, 8)], ["[0] (8,)", "[1] (8, 8)"]),
        ([[1], {"a": 1}], ["[0] (1,)", "[1] {'a': 1}"]),
        ([1, 1, True, 1.0, float("nan")], [1, "[1] 1", True, 1.0, "[4] nan"]),
        ([{"type": "svm", "C": hp.uniform("C", 0, 1)}, {"type": "tree"}], ["svm", "tree"]),
        ([(-3, hp.uniform("u", 0, 1)), (3, 0)], [-3, 3]),
        ([1, hp.uniform("u", 0, 1), True], [1, "[1] u", "[2] True"]),
        ([hp.uniform("u", 0, 1) * 2, {"k": hp.randint("r", 3)}], ["[0] mul(u, 2)", "[1] {'k': r}"]),
    ],
)
def test_options_are_named_by_what_they_are(options, values):
    view = to_view({"key": hp.choice("x", options)})
    assert view.space.params[0][0] == "x"
    assert list(view.space.params[0][1].options) == values
    found = optimize(lambda given: 0.0, {"key": hp.choice("x", options)}, "random", 20)
    shown = {str(value) for value in found.trials["config/x"].dropna()}
    assert shown <= set(map(str, values))


def test_names_do_not_hold_places_in_memory():
    ((_, choice),) = to_space({"x": hp.choice("x", [object(), rng_for])}).params
    assert choice.options == ("[0] <object object>", "[1] <function rng_for>")


def test_that_probabilities_are_not_used_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        space = to_space({"x": hp.pchoice("k", [(0.1, 1), (0.9, {"a": hp.uniform("q", 0, 1)})])})
    assert space.params[0][1].options == (1, "[1] {'a': q}")
    assert "hp.pchoice 'k' are ignored" in caplog.text


@pytest.mark.parametrize(
    "expression, says",
    [
        ({"x": hp.uniform("a", 0, 1), "y": hp.uniform("a", 0, 1)}, "a: duplicate label"),
        ({"x": hp.uniform("x", 0, hp.uniform("y", 1, 2))}, "x: 'high' of hp.uniform is computed from other"),
        ({"x": hp.loguniform("x", 0, 1000)}, "x: expected a finite number as high, got inf"),
        ({"x": hp.choice("x", [])}, "x: expected at least one option"),
        ({1: hp.uniform("x", 0, 1), "a": 2}, "space: hyperopt cannot read it: '<' not supported"),
        (
            {"x": hp.uniform("x", 0, 1), "y": Float(0, 1)},
            "expected one format, got a mixture of hyperopt and",
        ),
        ({"x": hp.choice("x", [1, Float(0, 1)])}, "got a range in the format of runner"),
    ],
)
def test_what_cannot_be_searched_is_named(expression, says):
    with pytest.raises(SpaceError) as caught:
        to_space(expression)
    assert says in str(caught.value)


def test_a_view_survives_a_pickle():
    view = pickle.loads(pickle.dumps(to_view({"a": hp.choice("x", [1, 2]), "b": hp.uniform("y", 0, 1)})))
    assert view.native({"x": 2, "y": 0.5}) == {"a": 2, "b": 0.5}

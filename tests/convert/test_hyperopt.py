import numpy as np
import pytest
from hyperopt import hp
from hyperopt.pyll import as_apply, scope
from hyperopt.pyll.stochastic import sample
from hypothesis import given
from hypothesis import strategies as st

from runner.convert import encoded_hyperopt, from_hyperopt, hyperopt_config, hyperopt_values, to_space
from runner.domains import Choice, Float, Int
from runner.errors import SpaceError
from runner.seeds import rng_for
from runner.space import Space
from runner.testing import SPACES
from tests.strategies import spaces

ROWS = st.integers(0, 2**32 - 1)


@given(spaces(), ROWS)
def test_a_config_comes_back_from_hyperopts_form(space, seed):
    config = space.sample(np.random.default_rng(seed))
    values = hyperopt_values(space, config)
    again = hyperopt_config(space, values)
    assert list(again) == list(config)
    for name, value in config.items():
        assert type(again[name]) is type(value)
        if isinstance(value, float):
            assert again[name] == pytest.approx(value, rel=1e-9, abs=1e-300 + 1e-9 * abs(value))
        else:
            assert again[name] == value


def flat(drawn):
    """What hyperopt drew, as it nests it: the innermost values by their path's last name."""
    found = {}
    for name, value in drawn.items():
        found.update(flat(value) if isinstance(value, dict) else {name: value})
    return found


@pytest.mark.parametrize("kind", SPACES)
def test_what_hyperopt_draws_from_an_expression_is_a_config(kind):
    space = SPACES[kind]
    free = Space(dict(space.params))  # what is forbidden is not part of the expression
    expression = as_apply(encoded_hyperopt(free))
    rng = np.random.default_rng(0)
    configs = []
    for _ in range(30):
        drawn = sample(expression, rng)
        assert set(flat(drawn)) <= set(space.names)
        configs.append(hyperopt_config(free, hyperopt_values(free, free.sample(rng))))
    assert all(config in free for config in configs)


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
        (7, Choice([7])),
    ],
)
def test_every_domain_is_read_and_holds_what_hyperopt_draws(node, domain):
    space = from_hyperopt({"x": node})
    assert space.params == (("x", domain),)
    if not isinstance(node, int) and not (isinstance(domain, Float) and domain.step):
        rng = np.random.default_rng(1)
        for _ in range(50):
            value = sample(node, rng)
            assert domain.canonical(value.item() if isinstance(value, np.generic) else value) == value


def test_conditions_are_nested_dicts():
    space = from_hyperopt(
        hp.choice(
            "model",
            [
                {"type": "svm", "C": hp.uniform("C", 1, 2), "kernel": hp.choice("k", ["rbf", "linear"])},
                {"type": "forest", "depth": hp.uniformint("depth", 1, 9)},
            ],
        )
    )
    rng = rng_for("conditions")
    assert {tuple(space.sample(rng)) for _ in range(40)} == {("type", "C", "kernel"), ("type", "depth")}


def test_a_lone_parameter_has_its_labels_name_and_lists_have_numbers():
    assert from_hyperopt(hp.uniform("lr", 0, 1)).names == ("lr",)
    assert from_hyperopt([hp.uniform("a", 0, 1), {"b": hp.uniform("b", 0, 1)}]).names == ("0", "1/b")


@pytest.mark.parametrize(
    "expression, says",
    [
        ({"x": hp.normal("x", 0, 1)}, "x: hp.normal has no domain here. Use uniform, loguniform"),
        ({"x": hp.lognormal("x", 0, 1)}, "x: hp.lognormal has no domain here"),
        ({"x": scope.int(hp.uniform("x", 0, 5))}, "x: the whole part of hp.uniform has no domain here"),
        ({"x": hp.uniform("x", 0, 1) + 1}, "x: the expression 'add' has no meaning in a space"),
        ({"x": hp.uniform("a", 0, 1), "y": hp.uniform("a", 0, 1)}, "y: the label 'a' also stands at 'x'"),
        (
            {"x": hp.choice("x", [hp.uniform("y", 0, 1), 3])},
            "x: an option is a range of values itself. Put it",
        ),
    ],
)
def test_what_has_no_domain_is_refused_with_its_name(expression, says):
    with pytest.raises(SpaceError) as caught:
        to_space(expression)
    assert says in str(caught.value)

"""Spaces in encoded coordinates, as hyperopt's own algorithms see them."""

import numpy as np
import pytest
from hyperopt.pyll import as_apply
from hyperopt.pyll.stochastic import sample
from hypothesis import given
from hypothesis import strategies as st

from runner.space import Space
from runner.space.formats import encoded_hyperopt, hyperopt_config, hyperopt_values
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

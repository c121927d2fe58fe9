import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import ParameterGrid, ParameterSampler

from runner.convert import from_sklearn, to_space
from runner.domains import Choice, Float, Int
from runner.errors import SpaceError
from runner.seeds import rng_for

GRIDS = [
    {"kernel": ["linear"], "C": [1, 10, 100]},
    {"kernel": ["rbf", "poly"], "C": [1, 10], "gamma": [0.1, 0.01]},
]


@pytest.mark.parametrize("grid", [GRIDS, GRIDS[0], {"a": [True, 1, 1.0, None], "b": np.array([1.5, 2.5])}])
def test_a_grid_has_exactly_its_configs(grid):
    space = from_sklearn(grid)
    found = [space[i] for i in range(int(space.size()))]
    expected = [dict(sorted(config.items())) for config in ParameterGrid(grid)]
    assert sorted(map(repr, (dict(sorted(c.items())) for c in found))) == sorted(
        repr({k: v.item() if isinstance(v, np.generic) else v for k, v in c.items()}) for c in expected
    )


@pytest.mark.parametrize(
    "given, domain",
    [
        (stats.uniform(2, 3), Float(2.0, 5.0)),
        (stats.loguniform(1e-3, 1e2), Float(1e-3, 1e2, log=True)),
        (stats.reciprocal(1e-3, 1e2), Float(1e-3, 1e2, log=True)),
        (stats.randint(1, 10), Int(1, 9)),
        (stats.randint(3, 4), Choice([3])),
        (np.array([1, 2]), Choice([1, 2])),
        (np.float64(0.5), Choice([0.5])),
        ("word", Choice(["word"])),
        ((1, 2), Choice([1, 2])),
    ],
)
def test_every_domain_is_read_and_holds_what_scikit_learn_draws(given, domain):
    assert from_sklearn({"x": given}).params == (("x", domain),)
    if hasattr(given, "rvs"):
        for drawn in ParameterSampler({"x": given}, 20, random_state=0):
            value = drawn["x"]
            assert domain.canonical(value.item() if isinstance(value, np.generic) else value) == value


def test_a_list_of_grids_is_a_conditional_space():
    space = from_sklearn(
        [{"k": ["a"], "x": stats.uniform(0, 1)}, {"k": ["b", "c"], "y": stats.randint(0, 5)}]
    )
    rng = rng_for("grids")
    seen = {(config["k"], *list(config)[1:]) for config in (space.sample(rng) for _ in range(60))}
    assert seen == {("a", "x"), ("b", "y"), ("c", "y")}


@pytest.mark.parametrize(
    "given, says",
    [
        (
            {"x": stats.norm()},
            "x: the distribution norm has no domain here. Use uniform, loguniform or randint",
        ),
        ({"x": stats.loguniform(1, 10, loc=5)}, "x: a shifted loguniform has no domain here. Leave loc out."),
        ({"x": [[1], [2]]}, "x: the option [1] is a list"),
        ({"x": []}, "x: there is no option"),
        ([{"a": [1]}, {"a": [1], "b": [2]}], "params: no parameter has values of its own in every grid"),
        ([{"a": [1]}, 3], "params[1]: a dict of parameters was expected, got 3"),
        ("words", "expected a mapping of parameters, got 'words'"),
        ([], "params: a dict of parameters was expected, got []"),
    ],
)
def test_what_has_no_domain_is_refused_with_its_name(given, says):
    with pytest.raises(SpaceError) as caught:
        to_space(given)
    assert says in str(caught.value)

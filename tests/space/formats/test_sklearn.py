import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import ParameterGrid, ParameterSampler

from runner.errors import SpaceError
from runner.seeds import rng_for
from runner.space.domains import Choice, Float, Int
from runner.space.formats import from_sklearn, to_space, to_view
from runner.space.formats.sklearn import GRID, sklearn_view

GRIDS = [
    {"kernel": ["linear"], "C": [1, 10, 100]},
    {"kernel": ["rbf", "poly"], "C": [1, 10], "gamma": [0.1, 0.01]},
]


@pytest.mark.parametrize(
    "grid",
    [
        GRIDS,
        tuple(GRIDS),
        [{"kernel": ["linear"], "C": [1, 10]}, {"kernel": ["rbf"], "C": [1, 10]}],
        [{"C": [1]}, {"C": [1], "x": [2]}, {}],
        GRIDS[0],
        {"a": [True, 1, 1.0, None], "b": np.array([1.5, 2.5])},
        {"a": range(1, 9, 3), "b": range(3, 0, -1), "c": range(7, 8)},
    ],
)
@pytest.mark.parametrize("scales", [False, True])
def test_a_grid_has_exactly_its_configs(grid, scales):
    view = to_view(grid, scales)
    found = [view.native(view.space[i]) for i in range(int(view.space.size()))]
    expected = [
        dict(sorted(config.items()))
        for config in ParameterGrid(list(grid) if isinstance(grid, tuple) else grid)
    ]
    assert sorted(map(repr, (dict(sorted(c.items())) for c in found))) == sorted(
        repr({k: v.item() if isinstance(v, np.generic) else v for k, v in c.items()}) for c in expected
    )


@pytest.mark.parametrize(
    "given, domain",
    [
        (stats.uniform(2, 3), Float(2.0, 5.0)),
        (stats.uniform, Float(0.0, 1.0)),
        (stats.loguniform(1e-3, 1e2), Float(1e-3, 1e2, log=True)),
        (stats.reciprocal(1e-3, 1e2), Float(1e-3, 1e2, log=True)),
        (stats.randint(1, 10), Int(1, 9)),
        (stats.randint(3, 4), Choice([3])),
        (np.array([1, 2]), Choice([1, 2])),
        (range(1, 6), Int(1, 5)),
        (Float(0, 1), Float(0.0, 1.0)),
        ({"float": [0, 1], "step": 0.5}, Float(0.0, 1.0, step=0.5)),
    ],
)
def test_every_domain_is_read_and_holds_what_scikit_learn_draws(given, domain):
    assert from_sklearn({"x": given}).params == (("x", domain),)
    if hasattr(given, "rvs"):
        for drawn in ParameterSampler({"x": given}, 20, random_state=0):
            value = drawn["x"]
            assert domain.canonical(value.item() if isinstance(value, np.generic) else value) == value


@pytest.mark.parametrize(
    "drawn, kind",
    [
        (stats.norm(3, 2), float),
        (stats.expon, float),
        (stats.loguniform(1, 10, loc=5), float),
        (stats.poisson(2), int),
        (stats.rv_discrete(values=([1, 2, 5], [0.2, 0.3, 0.5])), int),
        (stats.Normal(mu=1.0, sigma=2.0), float),
    ],
)
def test_any_other_distribution_is_searched_by_its_quantiles(drawn, kind):
    view, rng = to_view({"x": drawn}), rng_for("quantiles")
    assert view.space.names == ("x (quantile)",)
    values = [view.native(view.space.sample(rng))["x"] for _ in range(400)]
    assert {type(x) for x in values} == {kind}
    # The distance of 400 draws passes this one time in 100,000; the seed is fixed.
    steps = sorted(set(values))
    distance = max(abs(np.mean(np.array(values) <= x) - float(drawn.cdf(x))) for x in steps)
    assert distance < 2.47 / 20


def test_a_list_of_grids_is_a_conditional_space():
    grids = [{"k": ["a"], "x": stats.uniform(0, 1)}, {"k": ["b"], "y": stats.randint(0, 5)}]
    space, rng = from_sklearn(grids), rng_for("grids")
    assert {(config["k"], *list(config)[1:]) for config in (space.sample(rng) for _ in range(60))} == {
        ("a", "x"),
        ("b", "y"),
    }
    view = to_view([{"k": ["a", "b"]}, {"k": ["b"], "y": [(1,), None]}])
    assert view.space.names[0] == GRID
    assert view.space.params[0][1].options == ("[0] {'k': ['a', 'b']}", "[1] {'k': ['b'], 'y': [(1,), None]}")
    assert all(GRID not in view.native(view.space[i]) for i in range(4))


def test_options_may_be_objects_and_scales_have_an_order():
    kinds = [stats, (1, 2), [3], None, np.ones(2)]
    view = sklearn_view({"x": kinds, "n": [0.1, 1, 10], "two": [1, 2]}, scales=True)
    domains = dict(view.space.params)
    assert domains["n"] == Int(0, 2)
    assert domains["two"] == Choice([1, 2])
    assert {id(view.native(view.space[i])["x"]) for i in range(30)} == {id(kind) for kind in kinds}
    assert dict(sklearn_view({"n": [0.1, 1, 10]}).space.params)["n"] == Choice([0.1, 1, 10])


def test_what_means_itself_is_known():
    assert to_view({"x": [1, 2], "y": Float(0, 1), "c": Choice({"a": {"z": Float(0, 1)}, "b": {}})}).identical
    for foreign in ({"x": [(1,)]}, {"x": stats.norm()}, [{"x": [1]}, {"y": [2]}]):
        assert not to_view(foreign).identical


class Draws:
    def rvs(self, random_state=None):
        return 1.0


@pytest.mark.parametrize(
    "given, says",
    [
        (
            {"x": Draws()},
            "x: expected a distribution with quantiles (ppf or icdf, and cdf), got a Draws. Use",
        ),
        ({"x": stats.multivariate_normal([0, 0])}, "got a multivariate_normal_frozen"),
        ({"x": []}, "x: expected at least one option"),
        ({"x": np.ones((2, 2))}, "space.x: expected a 1-dimensional array of options, got 2"),
        ({"x": {1, 2}}, "x: expected a range of values, got {1, 2}"),
        ({"x": 3}, "x: expected a range of values, got 3"),
        (
            {"x": (1, 2)},
            "ambiguous pair (1, 2): a range or two options. For a range write Float(1, 2) or (1, 2, 'u",
        ),
        ({"x": (np.float64(0.5), 2)}, "ambiguous pair"),
        ({"x": [Float(0, 1), 2]}, "got a range in the format of runner"),
        ([{"a": [1]}, 3], "space[1]: expected a dict of parameters, got 3"),
        ([({"a": [1]}, 20)], "Omit the numbers of trials: all dicts share n_trials."),
        ([{"a": [1]}, {3: [1]}], "space[1]: expected strings as parameter names, got 3"),
        ("words", "expected a mapping of parameters, got 'words'"),
        ([], "expected a mapping of parameters, got []"),
    ],
)
def test_what_has_no_domain_is_refused_with_its_name(given, says):
    with pytest.raises(SpaceError) as caught:
        to_space(given)
    assert says in str(caught.value)

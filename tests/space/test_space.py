import itertools
import math
import pickle
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from runner.errors import SpaceError
from runner.space import Choice, Float, Int, Space
from runner.space.formats import parse_space
from tests import strategies as some

RNG_SEEDS = st.integers(0, 2**32 - 1)
SMALL = some.spaces(leaves=some.small_domains())


def brute_force(space):
    """All configs by plain recursion, without those that a clause names; independent of `Space`."""

    def every(params):
        partial = [{}]
        for name, domain in params:
            tails = []
            for i in range(domain.levels):
                below = every(domain.branches[i]) if isinstance(domain, Choice) else [{}]
                tails += [{name: domain.level(i), **rest} for rest in below]
            partial = [{**head, **tail} for head in partial for tail in tails]
        return partial

    def forbidden(config):
        return any(
            all(
                name in config and any(type(config[name]) is type(v) and config[name] == v for v in values)
                for name, values in clause
            )
            for clause in space.forbid
        )

    return [config for config in every(space.params) if not forbidden(config)]


NESTED = Space(
    {
        "model": Choice(
            {
                "svm": {
                    "kernel": Choice({"rbf": {"gamma": Float(0.1, 10, log=True)}, "linear": {}}),
                    "C": Int(1, 3),
                },
                "knn": {"k": Int(1, 50), "C": Int(1, 3)},
                "tree": {"gamma": Float(0, 1, step=0.25)},
            }
        ),
        "scale": Choice([True, False]),
    }
)


# -- rows and configs -----------------------------------------------------------------------------


@given(some.spaces(), RNG_SEEDS)
def test_a_sampled_config_survives_encoding(space, seed):
    config = space.sample(np.random.default_rng(seed))
    row = space.encode(config)
    again = space.decode(row)
    assert row.shape == (space.d,)
    assert ((row >= 0) & (row <= 1)).all()
    assert list(again) == list(config)
    for name, value in config.items():
        assert type(again[name]) is type(value)
        if isinstance(value, float):
            scale = max(
                (
                    abs(v)
                    for n, d in space.dimensions
                    if n == name and isinstance(d, Float)
                    for v in (d.low, d.high)
                ),
                default=0,
            )
            assert again[name] == pytest.approx(value, rel=1e-12, abs=1e-12 * scale)
        else:
            assert again[name] == value


@given(some.spaces(forbid=False), RNG_SEEDS)
def test_decoding_any_row_gives_a_config_in_canonical_form(space, seed):
    config = space.decode(np.random.default_rng(seed).random(space.d))
    clean = space.canonical(config)
    assert space.key(clean) == space.key(config)
    assert list(clean) == list(config)
    assert config in space


@given(some.spaces(forbid=False), RNG_SEEDS)
def test_only_active_coordinates_matter(space, seed):
    rng = np.random.default_rng(seed)
    row = rng.random(space.d)
    config = space.decode(row)
    active = space.active(config)
    assert active.sum() == len(config)
    assert space.decode(np.where(active, row, rng.random(space.d))) == config
    assert (space.encode(config)[~active] == 0.5).all()


@given(some.spaces(), RNG_SEEDS)
def test_samples_are_allowed(space, seed):
    rng = np.random.default_rng(seed)
    for _ in range(5):
        config = space.sample(rng)
        assert space.allows(config)
        assert space.key(space.canonical(config)) == space.key(config)


@given(some.spaces(), RNG_SEEDS)
def test_a_config_with_one_thing_wrong_is_refused(space, seed):
    config = space.sample(np.random.default_rng(seed))
    name = min(config)
    lacking = {k: v for k, v in config.items() if k != name}
    for wrong in ({**config, name: object()}, {**config, name: math.nan}, lacking, {**config, "no such": 1}):
        assert wrong not in space
        with pytest.raises(SpaceError):
            space.canonical(wrong)
    for other in set(space.names) - set(config):
        with pytest.raises(SpaceError, match="not active"):
            space.canonical({**config, other: 1})
    assert config in space
    assert "text" not in space


def test_sibling_branches_share_equal_parameters_and_part_with_others():
    assert [name for name, _ in NESTED.dimensions] == ["model", "kernel", "gamma", "C", "k", "gamma", "scale"]
    assert NESTED.names == ("model", "kernel", "gamma", "C", "k", "scale")
    assert NESTED.continuous == ("gamma",)
    assert NESTED.conditional
    config = {"model": "svm", "kernel": "rbf", "gamma": 1.0, "C": 2, "scale": False}
    assert NESTED.encode(config).tolist() == [1 / 6, 0.25, 0.5, 0.5, 0.5, 0.5, 0.75]
    assert NESTED.active(config).tolist() == [True, True, True, True, False, False, True]
    assert NESTED.canonical(dict(reversed(config.items()))) == config
    assert list(NESTED.canonical(dict(reversed(config.items())))) == list(config)


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="7 coordinates"):
        NESTED.decode([0.5] * 8)


def test_keys_tell_types_apart_and_nothing_else():
    space = Space({"a": Choice([1, 1.0, True, "1", None]), "b": Int(0, 1)})
    keys = {space.key({"a": a, "b": 0}) for a in (1, 1.0, True, "1", None)}
    assert len(keys) == 5
    assert space.key({"a": 1, "b": 0}) == space.key({"b": 0, "a": 1})


# -- finite spaces --------------------------------------------------------------------------------


@given(SMALL)
def test_a_finite_space_holds_each_allowed_config_once(space):
    expected = brute_force(space)
    assume(len(expected) <= 3000)
    assert space.size() == len(expected)
    found = [space[i] for i in range(len(expected))]
    assert Counter(map(space.key, found)) == Counter(map(space.key, expected))
    assert all(config in space for config in found)
    assert all(list(config) == list(space.canonical(config)) for config in found)
    with pytest.raises(IndexError):
        space[len(expected)]
    with pytest.raises(IndexError):
        space[-1]
    assert list(space) == found


@given(SMALL)
def test_what_brute_force_leaves_out_is_forbidden(space):
    everything = brute_force(Space(dict(space.params)))
    assume(len(everything) <= 3000)
    left = set(map(space.key, brute_force(space)))
    for config in everything:
        assert space.allows(config) == (space.key(config) in left) == (config in space)


@pytest.mark.parametrize("digits", [12, 18, 300])
def test_a_huge_space_is_indexed_at_once(digits):
    space = Space({f"x{i}": Int(0, 9) for i in range(digits)}, forbid=[{"x0": 9, "x1": [8, 9]}])
    start = time.perf_counter()
    size = space.size()
    last = space[size - 1]
    middle = [space[size // 3 + i] for i in range(100)]
    assert time.perf_counter() - start < 1.0
    assert size == 98 * 10 ** (digits - 2)
    assert last in space
    assert len(set(map(space.key, middle))) == 100


def test_an_infinite_space_has_no_index():
    assert NESTED.size() == math.inf
    with pytest.raises(SpaceError, match="got continuous parameters: gamma"):
        NESTED[0]
    huge = Space({"a": Choice({0: {f"x{i}": Int(0, 9) for i in range(400)}, 1: {"x": Float(0, 1)}})})
    assert huge.size() == math.inf


def test_numpy_indices_are_indices():
    space = Space({"x": Int(0, 10**12), "y": Int(0, 10**12)})
    assert space[np.int64(10**18)] == space[10**18]


def test_everything_may_be_forbidden():
    space = Space({"x": Choice([1, 2]), "y": Float(0, 1)}, forbid=[{"x": [1, 2]}])
    assert space.size() == 0
    with pytest.raises(IndexError):
        space[0]
    with pytest.raises(SpaceError, match=r"forbid: 10000 draws .* Forbid less\."):
        space.sample(np.random.default_rng(0))


def test_too_many_parts_are_refused_in_a_moment():
    pairs = Space(
        {f"x{i}": Int(0, 3) for i in range(60)},
        forbid=[{f"x{i}": 0, f"x{i + 1}": 0} for i in range(0, 60, 2)],
    )
    with pytest.raises(SpaceError, match="more than 10,000 parts"):
        pairs.size()
    assert pairs.sample(np.random.default_rng(0)) in pairs
    branches = Space({f"c{i}": Choice({0: {}, 1: {f"x{i}": Int(0, 1)}}) for i in range(20)})
    with pytest.raises(SpaceError, match="more than 10,000 branches"):
        branches.size()
    assert branches.sample(np.random.default_rng(0)) in branches


def test_of_a_wide_parameter_some_values_are_forbidden_in_a_moment():
    wide = Space(
        {"n": Int(0, 10**15), "m": Int(0, 9)},
        forbid=[{"n": [5, 7, 10**15]}, {"n": [6, 0], "m": 3}, {"n": 6, "m": [3, 4]}],
    )
    assert wide.size() == (10**15 - 2) * 10 - 3
    configs = [wide[i] for i in (*range(200), *range(int(wide.size()) - 200, int(wide.size())))]
    assert all(wide.allows(config) for config in configs)
    assert len({wide.key(config) for config in configs}) == 400
    with pytest.raises(IndexError):
        wide[int(wide.size())]


# -- discretised ----------------------------------------------------------------------------------


@given(some.spaces(), st.integers(1, 4))
@settings(max_examples=60)
def test_a_discretised_space_is_a_finite_part_of_the_space(space, points):
    numeric = {name for name, domain in space.dimensions if not isinstance(domain, Choice)}
    thin = space.discretised(dict.fromkeys(numeric, points))
    assert not thin.continuous
    assert thin.names == space.names
    size = thin.size()
    for i in {0, size // 2, size - 1} if size else ():
        assert thin[i] in space
    # It has lost the forbidden configs, and no others.
    free = Space(dict(space.params)).discretised(dict.fromkeys(numeric, points))
    if free.size() <= 500:
        assert {space.key(c) for c in thin} == {space.key(c) for c in free if space.allows(c)}


def test_discretising_keeps_types_and_categories():
    space = Space(
        {"a": Choice([1, True, 1.0]), "n": Int(0, 9), "x": Float(0, 1)}, forbid=[{"a": 1, "n": [0, 5]}]
    )
    thin = space.discretised({"n": 2, "x": 3, "a": 1})
    assert list(dict(thin.params)["a"].options) == [1, True, 1.0]
    assert dict(thin.params)["n"].describe() == {"choice": [0, 9]}
    assert thin.forbid == ((("a", (1,)), ("n", (0,))),)
    assert thin.size() == 3 * 2 * 3 - 3
    assert space.discretised({"x": 3}).size() == 3 * 10 * 3 - 6


# -- laws of chance -------------------------------------------------------------------------------


@settings(max_examples=5)
@given(
    SMALL.filter(
        lambda s: (
            not s.conditional
            and 4 <= s.size() <= 50
            and not any(d.levels and isinstance(d, Int) and d.log for _, d in s.dimensions)
        )
    )
)
def test_samples_are_uniform_over_what_is_allowed(space):
    # Five tests on fixed seeds; a correct sampler would fail each with probability 1e-5.
    rng = np.random.default_rng(5)
    size = space.size()
    counts = Counter(space.key(space.sample(rng)) for _ in range(100 * size))
    assert len(counts) == size
    assert chisquare(list(counts.values())).pvalue > 1e-5


# -- identity -------------------------------------------------------------------------------------


@given(some.spaces())
def test_a_space_survives_pickling_and_printing(space):
    hash(space)
    again = pickle.loads(pickle.dumps(space))
    assert again == space
    assert hash(again) == hash(space)
    assert repr(again) == repr(space)
    config = space.sample(np.random.default_rng(0))
    assert (again.encode(config) == space.encode(config)).all()


@given(some.spaces(forbid=False))
def test_the_form_of_a_study_file_is_the_same_space(space):
    assert parse_space({name: domain.describe() for name, domain in space.params}) == space


def test_spaces_that_differ_in_a_type_differ():
    ways = [
        Space({"x": Choice([1, True])}),
        Space({"x": Choice([1, 1.0])}),
        Space({"x": Choice([1, True])}, forbid=[{"x": 1}]),
        Space({"x": Choice([1, True])}, forbid=[{"x": True}]),
        Space({"y": Choice([1, True])}),
        Space({"x": Choice([1, True]), "y": Int(0, 1)}),
        Space({"y": Int(0, 1), "x": Choice([1, True])}),
    ]
    assert all(a != b for a, b in itertools.combinations(ways, 2))
    assert ways[0] != "x"


def test_a_value_of_two_siblings_is_forbidden_in_both():
    space = Space(
        {"m": Choice({"a": {"x": Int(0, 2)}, "b": {"x": Float(0, 2, step=0.5)}})}, forbid=[{"x": 1}]
    )
    assert {"m": "a", "x": 1} not in space
    assert {"m": "b", "x": 1.0} not in space
    assert space.size() == 2 + 4


# -- what is refused ------------------------------------------------------------------------------

X = {"x": Int(0, 3)}


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: Space({}), "expected at least one parameter"),
        (lambda: Space({"": Int(0, 1)}), "expected a non-empty string"),
        (lambda: Space({1: Int(0, 1)}), "expected a non-empty string"),
        (lambda: Space({"x": 3}), "x: expected a Float, Int or Choice, got 3"),
        (lambda: Space({"x": Choice({"a": {"x": Int(0, 1)}})}), "x: duplicate name: a conditional parameter"),
        (
            lambda: Space({"x": Int(0, 1), "c": Choice({1: {"x": Int(0, 1)}})}),
            "x: duplicate name: both parameters",
        ),
        (lambda: Space({c: Choice({1: X}) for c in "cd"}), "x: duplicate name: both parameters"),
        (lambda: Space(X, forbid=[3]), "forbid[0]: expected a mapping"),
        (lambda: Space(X, forbid=[{}]), "forbid[0]: expected a mapping"),
        (
            lambda: Space(X, forbid=[{"x": 1}, {"xx": 1}]),
            "forbid[1]: unknown parameter 'xx'. Did you mean 'x'?",
        ),
        (lambda: Space(X, forbid=[{"x": 9}]), "forbid[0]: 'x' never has the value 9"),
        (lambda: Space(X, forbid=[{"x": []}]), "forbid[0]: expected at least one value of 'x'"),
        (
            lambda: Space({"x": Float(0, 1)}, forbid=[{"x": 0.5}]),
            "forbid[0]: values of 'x' cannot be forbidden",
        ),
        (lambda: Space(X).canonical({}), "x: missing in the config {}"),
        (lambda: Space(X).canonical({"x": 7}), "x: expected a value from 0 to 3, got 7"),
        (lambda: Space(X).canonical({"x": 1, "y": 2}), "y: unknown parameter. "),
        (lambda: Space(X).canonical({"x": 1, 5: 2}), "5: unknown parameter. "),
        (
            lambda: NESTED.canonical({"model": "tree", "gamma": 0.5, "scale": 1}),
            "scale: expected one of [True, False], got 1",
        ),
        (
            lambda: NESTED.canonical({"model": "tree", "gamma": 0.5, "scale": True, "k": 1}),
            "k: the parameter is not active",
        ),
        (
            lambda: Space(X, forbid=[{"x": [1, 2]}]).canonical({"x": 2}),
            "the config {'x': 2} is a forbidden combination",
        ),
        (lambda: Space(X).encode({"x": "a"}), "x: expected a number as value, got 'a'"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(build, says):
    with pytest.raises(SpaceError) as caught:
        build()
    assert says in str(caught.value)


def test_what_is_forbidden_beside_a_space_is_added_to_it():
    space = Space(X, forbid=[{"x": 0}])
    assert parse_space(space, [{"x": 1}]) == Space(X, forbid=[{"x": 0}, {"x": 1}])
    assert parse_space(space) is space

"""Spaces written in the forms of other programs: read again they are the same; their laws are ours."""

import numpy as np
import pytest
from hyperopt.pyll.stochastic import sample
from scipy import stats
from sklearn.model_selection import ParameterSampler

from runner.errors import SpaceError
from runner.search import to_ray_tune
from runner.seeds import rng_for
from runner.space import Choice, Float, Int, Space
from runner.space.formats import (
    from_hyperopt,
    from_ray_tune,
    from_sklearn,
    to_hyperopt,
    to_sklearn,
    to_view,
)

PLAIN = {
    "x": Float(-1.0, 2.0),
    "rate": Float(1e-4, 10.0, log=True),
    "n": Int(-3, 4),
    "kind": Choice(["a", 1, 1.0, True, None]),
}
STEPS = {"s": Float(0.2, 1.0, step=0.2), "m": Int(4, 16, step=4)}
LOGS = {"w": Int(2, 9, log=True)}
ODD = {"o": Int(3, 11, step=4), "f": Float(0.1, 0.5, step=0.2)}
TREE = {"c": Choice({"u": {"x": Float(0.0, 1.0)}, "v": {"n": Int(1, 5)}}), "y": Float(0.0, 1.0)}


@pytest.mark.parametrize(
    "params, write, read",
    [
        (PLAIN, to_sklearn, from_sklearn),
        (PLAIN | LOGS, to_ray_tune, from_ray_tune),
        (PLAIN | {"m": Int(4, 16, step=4)}, to_ray_tune, from_ray_tune),
        (PLAIN | STEPS | LOGS, to_hyperopt, from_hyperopt),
    ],
)
def test_what_is_written_is_read_as_the_same(params, write, read):
    assert read(write(Space(params))) == Space(params)


def test_conditions_come_back():
    # hyperopt keeps a choice's own parameter inside the choice, and its name in front of the others.
    assert from_hyperopt(to_hyperopt(Space(TREE))).size() == Space(TREE).size()
    (u, v) = to_sklearn(Space(TREE))
    assert set(u) == {"c", "x", "y"}
    assert (u["c"], v["c"]) == (["u"], ["v"])
    assert from_sklearn([u, v]).names == ("c", "x", "y", "n")
    view = to_view(to_hyperopt(Space(TREE)))
    rng = rng_for("tree")
    for _ in range(20):
        native = view.native(view.space.sample(rng))
        assert set(native["c"]) == ({"c", "x"} if native["c"]["c"] == "u" else {"c", "n"})


def test_steps_off_the_grid_are_listed():
    assert from_ray_tune(to_ray_tune(Space(ODD | STEPS)))[5] == {
        name: domain.level(int(i))
        for (name, domain), i in zip((ODD | STEPS).items(), (0, 0, 1, 1), strict=True)
    }
    for write in (to_sklearn, to_hyperopt):
        view = to_view(write(Space(ODD)))
        assert {view.native(view.space[i])["o"] for i in range(int(view.space.size()))} == {3, 7, 11}


def test_the_laws_are_ours_at_the_ends_too():
    """Chi-squared tests of 800 draws each, at a false-alarm rate of 1e-6; the seed is fixed."""
    rng = np.random.default_rng(1)
    written = to_hyperopt(Space(STEPS | LOGS))
    drawn = [sample(written, rng) for _ in range(800)]
    theirs = to_sklearn(Space({"n": Int(0, 4), "s": STEPS["s"]}))
    drawn_there = list(ParameterSampler(theirs, 800, random_state=0))
    for name, domain, draws in [
        ("s", STEPS["s"], drawn),
        ("m", STEPS["m"], drawn),
        ("w", LOGS["w"], drawn),
        ("n", Int(0, 4), drawn_there),
        ("s", STEPS["s"], drawn_there),
    ]:
        levels = [domain.level(i) for i in range(domain.levels)]
        edges = np.linspace(0, 1, 40_001)
        ours = np.unique([domain.decode(u) for u in (edges[1:] + edges[:-1]) / 2], return_counts=True)
        expected = dict(zip(np.round(ours[0], 9), ours[1] / 10, strict=True))
        found = np.array([np.sum(np.isclose([d[name] for d in draws], level)) for level in levels])
        assert found.sum() == 800
        wanted = np.array([expected[round(level, 9)] for level in levels])
        assert stats.chisquare(found, wanted * 800 / wanted.sum()).pvalue > 1e-6


@pytest.mark.parametrize(
    "write, space, says",
    [
        (to_sklearn, Space(LOGS), "w: scipy has no log-uniform distribution of integers"),
        (to_sklearn, Space({"m": Int(0, 10_000, step=2)}), "m: expected at most 1,000 values, got 5,001"),
        (to_ray_tune, Space(TREE), "c: ray.tune's samplers do not support conditional parameters"),
        (
            to_ray_tune,
            Space({"a": Choice([1, 2])}, [{"a": 1}]),
            "forbid: ray.tune does not support forbidden",
        ),
        (
            to_hyperopt,
            Space({"a": Choice([1, 2])}, [{"a": 1}]),
            "forbid: hyperopt does not support forbidden",
        ),
    ],
)
def test_what_cannot_be_written_is_named(write, space, says):
    with pytest.raises(SpaceError) as caught:
        write(space)
    assert says in str(caught.value)


def test_names_with_slashes_are_nested_for_ray_tune():
    assert set(to_ray_tune(Space({"a/b": Float(0, 1), "a/c": Int(0, 1)}))["a"]) == {"b", "c"}
    forbidden = Space({"a": Choice([1, 2]), "b": Choice([1, 2])}, [{"a": 1, "b": 1}])
    assert len(to_sklearn(forbidden)) == 2

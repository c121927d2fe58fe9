import math

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import chisquare, kstest

from runner.methods import Random, make_method
from runner.methods.random_search import sobol_row
from runner.seeds import proposal_rng
from runner.space import Choice, Float, Int, Space
from runner.testing import SPACES, bowl, simulate
from tests import strategies as some


def proposals(method, space, count, entropy=0):
    return [method.propose(space, [], [], i, proposal_rng(entropy, i)) for i in range(count)]


@given(some.spaces())
@settings(max_examples=50)
@pytest.mark.parametrize("sequence", ["independent", "sobol"])
def test_proposals_lie_in_any_space(sequence, space):
    for config in proposals(Random(sequence=sequence), space, 3):
        assert space.key(space.canonical(config)) == space.key(config)


def test_each_parameter_has_its_own_law():
    # Three tests on a fixed seed, each of which would fail a correct sampler with probability 1e-4.
    space = Space({"x": Float(1e-4, 1.0, log=True), "n": Int(1, 5), "c": Choice(["a", "b"])})
    configs = proposals(Random(), space, 2000)
    assert kstest([math.log10(c["x"]) / 4 + 1 for c in configs], "uniform").pvalue > 1e-4
    assert chisquare(np.unique([c["n"] for c in configs], return_counts=True)[1]).pvalue > 1e-4
    joint = [c["n"] * 2 + (c["c"] == "a") for c in configs]
    assert chisquare(np.unique(joint, return_counts=True)[1]).pvalue > 1e-4


def test_what_it_knows_does_not_matter():
    space = SPACES["conditional"]
    runs = [simulate(Random(), space, bowl(space), 20, parallel) for parallel in (1, 7)]
    assert [t.config for t in runs[0]] == [t.config for t in runs[1]]


@pytest.mark.parametrize("d", [1, 2, 8])
def test_a_block_of_the_sobol_sequence_fills_every_cell_once(d):
    # The defining property of a (0, m, 1)-net in each coordinate, which scrambling keeps.
    for first in (0, 256, 512):
        rows = np.array([sobol_row(d, first + i, 3) for i in range(256)])
        assert rows.shape == (256, d)
        assert (np.sort(np.floor(rows * 256), axis=0) == np.arange(256)[:, None]).all()


def test_the_sobol_sequence_goes_on_without_repeats_and_differs_between_runs():
    rows = [tuple(sobol_row(2, i, 3)) for i in range(600)]
    assert len(set(rows)) == 600
    assert tuple(sobol_row(2, 0, 4)) != rows[0]
    with pytest.raises(ValueError, match="read-only"):
        sobol_row(2, 0, 3)[0] = 1.0


def test_a_forbidden_sobol_point_is_replaced():
    space = SPACES["forbidden"]
    configs = proposals(Random(sequence="sobol"), space, 300)
    assert all(config in space for config in configs)
    assert {(c["penalty"], c["solver"]) for c in configs} == {
        ("l1", "saga"),
        ("l2", "lbfgs"),
        ("l2", "saga"),
        ("none", "lbfgs"),
    }


def test_settings_come_from_a_study_file():
    assert make_method("random", {"sequence": "sobol"}) == Random(sequence="sobol")
    assert make_method("random").settings() == {"sequence": "independent"}

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from runner.seeds import Shuffle, proposal_rng, rng_for, run_entropy, seed_for
from runner.testing.simulation import global_state

NAMES = st.lists(
    st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none()), max_size=4
)

# Seeds never change: a study of last year must come out the same. Should one of these fail, the
# seeds of every stored study have changed, and the change must be undone.
PINS = {
    "seed_for": lambda: seed_for(0, "branin", 3, "split"),
    "seed_for unicode": lambda: seed_for("é", None, True, 1.5),
    "seed_for 128": lambda: seed_for(0, bits=128),
    "rng_for": lambda: int(rng_for("a", 1).bit_generator.random_raw()),
    "proposal_rng": lambda: int(proposal_rng(seed_for("run", bits=128), 7).bit_generator.random_raw()),
    "run_entropy": lambda: int(
        rng_for(run_entropy(proposal_rng(seed_for("run", bits=128), 7)), "order").bit_generator.random_raw()
    ),
    "Shuffle 10": lambda: [Shuffle(10, 5)[i] for i in range(10)],
    "Shuffle 10**12": lambda: [Shuffle(10**12, 5)[i] for i in range(3)],
}
PINNED = {
    "seed_for": 424995308,
    "seed_for unicode": 1019951884,
    "seed_for 128": 277458841824363367197971966933821855452,
    "rng_for": 680296446988949957,
    "proposal_rng": 1651302950089192729,
    "run_entropy": 17779718084048226615,
    "Shuffle 10": [1, 2, 9, 8, 0, 6, 3, 4, 7, 5],
    "Shuffle 10**12": [215667189527, 666822261099, 603250402327],
}


@pytest.mark.parametrize("name", PINS)
def test_seeds_never_change(name):
    assert PINS[name]() == PINNED[name]


def test_seeds_do_not_depend_on_the_hashes_of_strings():
    code = (
        "import json; from tests.test_seeds import PINS; print(json.dumps({k: f() for k, f in PINS.items()}))"
    )
    child = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "4242", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
    )
    assert json.loads(child.stdout) == PINNED


@given(NAMES, NAMES, st.integers(1, 256))
def test_other_names_give_other_seeds(first, second, bits):
    assert 0 <= seed_for(*first, bits=bits) < 2**bits
    same = json.dumps(first) == json.dumps(second)
    # Of a correct hash, a collision has probability 2**-256.
    assert (seed_for(*first, bits=256) == seed_for(*second, bits=256)) == same


def test_names_do_not_run_together():
    ways = [
        (),
        ("",),
        ("", ""),
        ("ab",),
        ("a", "b"),
        ("1",),
        (1,),
        (1.0,),
        (True,),
        (None,),
        ("None",),
        ("a,b",),
        ('a","b',),
    ]
    assert len({seed_for(*names) for names in ways}) == len(ways)


def test_shorter_seeds_are_the_head_of_longer_ones():
    assert seed_for("x", bits=32) == seed_for("x", bits=128) >> 96


def test_seeds_are_uniform():
    # A chi-square test of 64 cells on fixed names; a uniform hash would fail it with probability 1e-4.
    counts = np.bincount([seed_for("uniform", i) >> 26 for i in range(6400)], minlength=64)
    assert chisquare(counts).pvalue > 1e-4


ENTROPY = st.integers(0, 2**128 - 1)


@given(ENTROPY, st.integers(0, 10**6), st.integers(0, 10**6))
def test_proposals_of_a_run_share_its_entropy_and_nothing_else(entropy, i, j):
    a, b = proposal_rng(entropy, i), proposal_rng(entropy, j)
    assert run_entropy(a) == run_entropy(b) == entropy
    assert rng_for(run_entropy(a), "x").random() == rng_for(run_entropy(b), "x").random()
    assert rng_for(run_entropy(a), "x").random() != rng_for(run_entropy(a), "y").random()
    assert (a.random() == b.random()) == (i == j)


@given(ENTROPY)
def test_reading_the_entropy_does_not_move_the_generator(entropy):
    rng = proposal_rng(entropy, 3)
    rng_for(run_entropy(rng), "x").random(10)
    assert rng.random() == proposal_rng(entropy, 3).random()
    rng.random(5)
    assert run_entropy(rng) == entropy


@given(ENTROPY, ENTROPY)
def test_other_runs_have_other_streams(first, second):
    assert (proposal_rng(first, 0).random() == proposal_rng(second, 0).random()) == (first == second)


def test_a_generator_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="seeded by one int"):
        run_entropy(np.random.default_rng([1, 2]))


def test_global_generators_stay_as_they_are():
    before = global_state()
    rng_for("x").random()
    rng_for(run_entropy(proposal_rng(1, 2))).random()
    Shuffle(100, 3)[5]
    assert global_state() == before


@settings(max_examples=30)
@given(st.one_of(st.integers(1, 300), st.sampled_from([4096, 4097])), ENTROPY)
def test_a_shuffle_is_a_bijection(n, key):
    order = Shuffle(n, key)
    assert sorted(order[i] for i in range(n)) == list(range(n))


@given(st.integers(1, 10**400), ENTROPY, st.data())
def test_a_huge_shuffle_is_one_to_one_and_stays_inside(n, key, data):
    order = Shuffle(n, key)
    indices = data.draw(st.lists(st.integers(0, n - 1), unique=True, max_size=20))
    images = [order[i] for i in indices]
    assert all(0 <= image < n for image in images)
    assert len(set(images)) == len(images)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_every_short_order_is_equally_likely(n):
    # A chi-square test on fixed keys; a uniform law would fail it with probability 1e-4.
    every = list(permutations(range(n)))
    orders = Counter(
        tuple(Shuffle(n, seed_for("key", k, bits=128))[i] for i in range(n)) for k in range(50 * len(every))
    )
    assert chisquare([orders[order] for order in every]).pvalue > 1e-4


@pytest.mark.parametrize("n", [4097, 10**12])
def test_long_orders_look_uniform(n):
    # Three chi-square tests on fixed keys; a uniform law would fail each with probability 1e-4.
    def cells(images):
        return np.bincount([image * 16 // n for image in images], minlength=16)

    one_key = Shuffle(n, 12345)
    assert chisquare(cells(one_key[i] for i in range(3200))).pvalue > 1e-4
    first = [Shuffle(n, seed_for("key", k, bits=128)) for k in range(1600)]
    assert chisquare(cells(order[0] for order in first)).pvalue > 1e-4
    assert chisquare(cells((order[1] - order[0]) % n for order in first)).pvalue > 1e-4


def test_a_shuffle_has_an_end():
    with pytest.raises(IndexError):
        Shuffle(5, 1)[5]
    with pytest.raises(IndexError):
        Shuffle(5, 1)[-1]
    with pytest.raises(ValueError, match="n >= 1"):
        Shuffle(0, 1)

import itertools
import math
import pickle
from enum import IntEnum, StrEnum

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from runner.errors import SpaceError
from runner.space.domains import Choice, Float, Int, same
from tests import strategies as some

UNIT = st.floats(0.0, 1.0)


def levels_of(domain, most=60):
    """All level indices, or the first, the last and some between."""
    if domain.levels <= most:
        return range(domain.levels)
    return sorted({0, 1, domain.levels // 3, domain.levels // 2, domain.levels - 2, domain.levels - 1})


# -- what goes in comes out -----------------------------------------------------------------------


@given(some.finite_domains())
def test_each_level_survives_encoding_exactly(domain):
    for i in levels_of(domain):
        value = domain.level(i)
        assert same(domain.decode(domain.encode(value)), value)
        assert same(domain.canonical(value), value)


@given(st.one_of(some.plain_floats(), some.log_floats()), UNIT)
def test_a_continuous_value_survives_encoding(domain, u):
    x = domain.decode(u)
    # Rounding is relative to the value where the range is logarithmic, else to its larger end.
    scale = x if domain.log else max(abs(domain.low), abs(domain.high))
    assert domain.decode(domain.encode(x)) == pytest.approx(x, rel=0, abs=1e-12 * scale)


@given(some.domains(), UNIT)
def test_decoding_gives_a_canonical_value_and_its_own_cell(domain, u):
    value = domain.decode(u)
    assert same(domain.canonical(value), value)
    assert type(value) in (str, int, float, bool, type(None))
    back = domain.encode(value)
    assert 0.0 <= back <= 1.0
    if isinstance(domain, Int) and domain.log:
        low, high = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
        cell = math.log((value + 0.5) / (value - 0.5)) / (high - low)
    elif domain.levels:
        cell = 1.0 / domain.levels
    else:  # as exact as floats are: one rounding of the value, seen from [0, 1]
        scale = max(abs(domain.low), abs(domain.high)) / (domain.high - domain.low)
        cell = 1e-12 if domain.log else 1e-15 * max(scale, 1.0)
        cell = max(cell, 1e-14 / math.log(domain.high / domain.low)) if domain.log else cell
    assert abs(back - u) <= 0.51 * cell + 1e-12 if domain.levels else abs(back - u) <= cell


@given(some.domains(), st.lists(UNIT, min_size=2, max_size=5).map(sorted))
def test_order_is_kept(domain, places):
    values = [domain.decode(u) for u in places]
    if isinstance(domain, Choice):
        values = [domain.index(value) for value in values]
    assert values == sorted(values)


@given(some.domains())
def test_ends_are_reached_and_kept(domain):
    first, last = domain.decode(0.0), domain.decode(1.0)
    assert same(domain.decode(-0.5), first)
    assert same(domain.decode(7.0), last)
    if isinstance(domain, Choice):
        assert same(first, domain.options[0])
        assert same(last, domain.options[-1])
    else:
        assert first == domain.low
        assert last <= domain.high
        assert domain.high - last < (domain.step or 5e-324) * (1 + 1e-8)


# -- levels and spread ----------------------------------------------------------------------------


@given(st.one_of(some.stepped_floats(), some.ints(), some.log_ints()))
def test_levels_are_distinct_and_rise(domain):
    values = [domain.level(i) for i in levels_of(domain)]
    assert all(a < b for a, b in itertools.pairwise(values))
    assert values[0] == domain.low
    assert values[-1] <= domain.high


def spread(domain, points):
    count = domain.levels if isinstance(domain, Choice) else min(points, domain.most_points)
    return tuple(domain.point(i, count) for i in range(count))


@given(some.domains(), st.integers(1, 40))
def test_spread_has_distinct_rising_values_with_both_ends(domain, points):
    values = spread(domain, points)
    if isinstance(domain, Choice):
        assert values == domain.options
        return
    assert all(same(domain.canonical(value), value) for value in values)
    assert all(a < b for a, b in itertools.pairwise(values))
    wanted = points if domain.levels is None else min(points, domain.levels)
    assert len(values) == wanted
    if points > 1:
        assert (values[0], values[-1]) == (domain.decode(0.0), domain.decode(1.0))


@given(st.one_of(some.ints(), some.log_ints(), some.plain_floats(), some.log_floats()), st.integers(2, 20))
def test_spread_is_even_in_the_encoded_coordinate(domain, points):
    assume(domain.levels is None or (domain.levels >= 10**4 * points and not domain.log))
    gaps = np.diff([domain.encode(value) for value in spread(domain, points)])
    assert gaps == pytest.approx(np.full(points - 1, 1 / (points - 1)), rel=1e-3)


def test_levels_are_written_as_the_user_would():
    assert spread(Float(0.1, 0.7, step=0.1), 99) == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert Float(-3, 3, step=0.1).level(29) == -0.1
    assert spread(Float(0, 1, step=1 / 3), 9) == (0.0, 1 / 3, 2 / 3, 1.0)
    assert Float(0, 1e-12, step=1e-13).levels == 11
    assert Float(1000, 1001, step=0.1).level(3) == 1000.3
    assert spread(Float(0, 1, step=0.4), 9) == (0.0, 0.4, 0.8)
    assert spread(Int(0, 10, step=4), 9) == (0, 4, 8)
    assert spread(Int(1, 1000, log=True), 4) == (1, 10, 100, 1000)
    assert spread(Int(1, 5, log=True), 4) == (1, 2, 3, 5)


def test_one_point_is_the_middle():
    assert spread(Float(0, 10), 1) == (5.0,)
    assert spread(Float(0.01, 100, log=True), 1) == (pytest.approx(1.0),)
    assert spread(Int(0, 10), 1) == (5,)
    assert spread(Int(1, 10_000, log=True), 1) == (100,)


@pytest.mark.parametrize(
    "domain",
    [Int(1, 10**12), Int(1, 10**12, log=True), Int(-(10**15) // 2, 10**15 // 2), Int(0, 10**18, step=10**6)],
)
def test_huge_ranges_keep_every_whole_number(domain):
    rng = np.random.default_rng(0)
    for u in rng.random(200):
        x = domain.decode(u)
        for neighbour in (x - (domain.step or 1), x, x + (domain.step or 1)):
            if domain.low <= neighbour <= domain.high:
                assert domain.decode(domain.encode(neighbour)) == neighbour


# -- laws of chance -------------------------------------------------------------------------------


def test_a_uniform_place_decodes_to_the_uniform_law():
    # Four tests on one fixed seed, each of which would fail a correct decoder with probability 1e-4.
    u = np.random.default_rng(1).random(20_000)
    step = [Float(0, 1, step=0.1).decode(x) for x in u]
    assert chisquare(np.unique(step, return_counts=True)[1]).pvalue > 1e-4
    whole = [Int(-3, 8).decode(x) for x in u]
    assert chisquare(np.unique(whole, return_counts=True)[1]).pvalue > 1e-4
    assert (
        kstest(
            [math.log(Float(1e-6, 10, log=True).decode(x) / 1e-6) / math.log(1e7) for x in u], "uniform"
        ).pvalue
        > 1e-4
    )
    values, counts = np.unique([Int(1, 20, log=True).decode(x) for x in u], return_counts=True)
    law = np.log((values + 0.5) / (values - 0.5)) / math.log(20.5 / 0.5)
    assert chisquare(counts, law * len(u)).pvalue > 1e-4


# -- what is refused ------------------------------------------------------------------------------


@given(some.domains(), st.floats(1e-6, 1e6))
def test_values_outside_are_refused(domain, distance):
    if isinstance(domain, Choice):
        outside = ["outside", (1,), [1], {}, object(), b"1", 3 + 4j, math.nan, 10**9]
    else:
        reach = max(distance * (domain.high - domain.low), 1e-6 * max(abs(domain.low), abs(domain.high)))
        reach = math.ceil(reach) if isinstance(domain, Int) else reach
        below = domain.low / (1 + distance) if domain.log else domain.low - reach
        outside = [below, domain.high + reach, math.nan, math.inf, -math.inf, "1", None, True, [1], 10**400]
    for value in outside:
        with pytest.raises(SpaceError):
            domain.canonical(value)
        with pytest.raises(SpaceError):
            domain.encode(value)


@pytest.mark.parametrize(
    "domain, value",
    [
        (Float(1e-12, 1e3, log=True), 0.0),
        (Float(1e-12, 1e3, log=True), 9e-13),
        (Float(0, 1, step=0.1), 0.25),
        (Float(0, 1, step=0.4), 1.0),
        (Int(0, 10), 2.5),
        (Int(0, 10, step=4), 9),
        (Int(0, 10, step=4), 10),
        (Choice([1, "a"]), True),
        (Choice([1, "a"]), 1.0),
        (Choice([None]), "None"),
    ],
)
def test_values_between_are_refused(domain, value):
    with pytest.raises(SpaceError):
        domain.canonical(value)


def test_numpy_scalars_and_whole_floats_become_python_scalars():
    pairs = [
        (Int(0, 5).canonical(np.int64(3)), 3),
        (Int(0, 5).canonical(3.0), 3),
        (Float(0, 5).canonical(3), 3.0),
        (Float(0, 5).canonical(np.float32(0.5)), 0.5),
        (Choice([1, 2]).canonical(np.int64(2)), 2),
        (Choice([True, False]).canonical(np.bool_(True)), True),
        (Choice(np.array([1.5, 2.5]).tolist()).canonical(np.float64(2.5)), 2.5),
        (Choice(["a"]).canonical(np.str_("a")), "a"),
    ]
    assert all(same(got, wanted) for got, wanted in pairs)


def test_a_rounding_error_past_an_end_is_forgiven():
    assert Float(0, 0.3).canonical(0.1 + 0.2) == 0.3
    assert Float(1e-5, 1e-1, log=True).canonical(math.exp(math.log(1e-5)) * (1 - 1e-15)) == 1e-5
    assert Float(0, 1, step=0.1).canonical(0.1 * 3) == 0.3


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda: Float(1, 1), "expected low < high"),
        (lambda: Float(2, 1), "expected low < high"),
        (lambda: Float("0", 1), "a number as low, got '0'"),
        (lambda: Float(True, 2), "a number as low, got True"),
        (lambda: Float(0, math.inf), "finite"),
        (lambda: Float(0, math.nan), "finite"),
        (lambda: Float(0, 10**400), "finite"),
        (lambda: Float(0, 1, log=True), "expected low > 0 with log: true"),
        (lambda: Float(-1e308, 1e308), "too wide"),
        (lambda: Float(1e-300, 1e300, log=True), "too wide"),
        (lambda: Float(1, 1 + 1e-13), "too narrow"),
        (lambda: Float(0, 1, step=0), "expected step > 0"),
        (lambda: Float(0, 1, step=2), "expected step <= high - low"),
        (lambda: Float(0, 1, step=1e-13), "too fine"),
        (lambda: Float(1, 2, log=True, step=0.1), "cannot be combined"),
        (lambda: Int(0.5, 2), "expected an integer"),
        (lambda: Int(1, 2, step=0.5), "expected an integer"),
        (lambda: Int(0, 5, log=True), "expected low > 0 with log: true"),
        (lambda: Int(0, 2**60), "values, got low=0"),
        (lambda: Int(1, 2**50, log=True), "with log: true, got low=1"),
        (lambda: Choice([]), "expected at least one option"),
        (lambda: Choice({}), "expected at least one option"),
        (lambda: Choice("abc"), "expected a list or mapping"),
        (lambda: Choice(3), "expected a list or mapping"),
        (lambda: Choice([1, 2, 1]), "duplicate option 1"),
        (lambda: Choice([[1]]), "got [1], a list"),
        (lambda: Choice([math.nan]), "NaN"),
        (lambda: Choice([Colour.RED]), ", a Colour"),
        (lambda: Choice([Size.ONE]), ", a Size"),
        (lambda: Choice({"a": ["x"]}), "expected a mapping of an option's"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(build, says):
    with pytest.raises(SpaceError) as caught:
        build()
    assert says in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


# -- identity -------------------------------------------------------------------------------------


def test_choices_of_other_types_are_other_choices():
    kinds = [
        Choice([1]),
        Choice([1.0]),
        Choice([True]),
        Choice(["1"]),
        Choice([None]),
        Choice({1: {"x": Int(0, 1)}}),
    ]
    assert len(set(kinds)) == len(kinds)
    assert Choice([1, "a"]) == Choice((1, "a"))
    assert hash(Choice([1, "a"])) == hash(Choice((1, "a")))
    assert Choice([1]) != 1


@given(some.domains())
def test_a_domain_survives_pickling(domain):
    domain.levels  # noqa: B018  (fills what is kept)
    again = pickle.loads(pickle.dumps(domain))
    assert again == domain
    assert hash(again) == hash(domain)


def test_many_options_are_fast():
    assert Choice(range(200_000)).index(199_999) == 199_999


@pytest.mark.parametrize("domain", [Float(0, 1), Float(1, 2, log=True)])
def test_a_continuum_has_no_levels(domain):
    assert domain.levels is None
    with pytest.raises(TypeError):
        domain.level(0)

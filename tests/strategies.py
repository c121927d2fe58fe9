"""Hypothesis strategies of domains, spaces and configs, with the awkward ones in."""

import numpy as np
from hypothesis import strategies as st

from runner.errors import SpaceError
from runner.space import Space
from runner.space.domains import Choice, Float, Int

SCALARS = [1, 1.0, True, 0, 0.0, False, None, "1", "", "a", "b", "None", -3, 2.5, "é", 10**20, 1e-30]
STEPS = [0.1, 0.3, 1 / 3, 0.7, 1e-7, 2.5, 1e-3, 0.01, 1 / 7, 5.0]


@st.composite
def plain_floats(draw):
    low = draw(st.floats(-1e9, 1e9, allow_subnormal=False))
    return Float(low, low + max(draw(st.floats(1e-9, 1e9)), 1e-11 * abs(low)))


@st.composite
def log_floats(draw):
    low = 10.0 ** draw(st.floats(-30, 20))
    return Float(low, low * 10.0 ** draw(st.floats(0.01, 30)), log=True)


@st.composite
def stepped_floats(draw):
    """Low, step and high as a user writes them, and all of it scaled to other magnitudes."""
    scale = draw(st.sampled_from([1e-12, 1e-7, 1.0, 1.0, 1.0, 1e6]))
    step = draw(st.sampled_from(STEPS)) * scale
    low = draw(st.sampled_from([0.0, 0.1, -1.0, -3.0, 1 / 3, 1e-7, 1000.0])) * scale
    # Any end, or one that is a number of steps away but for a rounding error.
    steps = draw(st.one_of(st.integers(1, 1000), st.floats(1.0, 1000.0)))
    try:
        return Float(low, low + steps * step, step=step)
    except SpaceError:  # one step, which rounding has made larger than the range
        return Float(low, low + 2 * step, step=step)


def ints(largest=10**15):
    def build(low, width, step):
        return Int(low, low + width, step=min(step, width) if step else None)

    return st.builds(
        build, st.integers(-largest, largest), st.integers(1, largest - 1), st.none() | st.integers(1, 1000)
    )


@st.composite
def log_ints(draw):
    low = draw(st.integers(1, 10**6))
    return Int(low, low + draw(st.integers(1, 10**12 - 10**6)), log=True)


def choices():
    distinct = st.lists(
        st.sampled_from(SCALARS), min_size=1, max_size=6, unique_by=lambda v: (type(v).__name__, v)
    )
    return distinct.map(Choice)


def finite_domains():
    return st.one_of(stepped_floats(), ints(), log_ints(), choices())


def domains():
    return st.one_of(plain_floats(), log_floats(), finite_domains())


def small_domains():
    """Finite, with few values, so that a space of them can be counted by brute force."""
    return st.one_of(
        st.builds(lambda low, n: Int(low, low + n), st.integers(-2, 2), st.integers(1, 3)),
        st.builds(lambda n: Int(1, 1 + n, log=True), st.integers(1, 3)),
        st.builds(lambda n: Float(0.0, n * 0.1, step=0.1), st.integers(1, 3)),
        st.lists(
            st.sampled_from(SCALARS), min_size=1, max_size=3, unique_by=lambda v: (type(v).__name__, v)
        ).map(Choice),
    )


@st.composite
def params(draw, leaves, depth, prefix=""):
    """Parameters with conditions nested to a depth; sibling branches share names."""
    result = {}
    for i in range(draw(st.integers(1, 2))):
        name = f"{prefix}{'xy'[i]}"
        if depth and draw(st.booleans()):
            options = draw(choices().filter(lambda c: len({*c.options}) == len(c.options))).options[:3]
            below = params(leaves, depth - 1, prefix=name)
            result[name] = Choice({option: draw(st.one_of(st.just({}), below)) for option in options})
        else:
            result[name] = draw(leaves)
    return result


@st.composite
def spaces(draw, leaves=None, depth=2, forbid=True):
    """Spaces of any domains, or of the given leaves; what is forbidden leaves something allowed."""
    base = Space(draw(params(domains() if leaves is None else leaves, depth)))
    finite = {name for name in base.names if all(d.levels for n, d in base.dimensions if n == name)}
    if not forbid or not finite:
        return base
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    witness, space = base.sample(rng), base
    for _ in range(draw(st.integers(0, 3))):
        config = {name: value for name, value in base.sample(rng).items() if name in finite}
        names = sorted(config)[: draw(st.integers(1, 2))]
        clause = {name: config[name] for name in names}
        forbidden = [dict(other) for other in space.forbid] + ([clause] if clause else [])
        more = Space(dict(base.params), forbidden)
        space = more if more.allows(witness) else space
    return space

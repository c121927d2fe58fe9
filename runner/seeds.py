"""Seeds are names: every generator comes from a hash of what it is for.

Nothing here counts calls or reads a global generator, so a stream depends on its names only:
not on the order of evaluation, the number of workers, the process or the machine.

A run's *entropy* is the 128-bit seed of its names. The generator of proposal *i* is seeded with
that entropy and the spawn key ``(i,)``; `run_rng` recovers the entropy from it, so that a method
which must draw the same thing at every proposal (a shuffled order, a Sobol scramble, a start
point) can, while its signature stays a function of its history.
"""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np

_FEISTEL_ROUNDS = 6
_SORTED_UP_TO = 4096

Name = str | int | float | bool | None


def seed_for(*names: Name, bits: int = 32) -> int:
    """A seed from names.

    Parameters
    ----------
    *names : str, int, float, bool or None
        What the seed is for, for example ``(study_seed, "branin", 3, "split")``.
    bits : int, default 32
        Length of the seed; 32 is what scikit-learn's ``random_state`` takes at the most.

    Returns
    -------
    int
        In ``[0, 2**bits)``; the same on every machine and Python version.
    """
    text = json.dumps(names, ensure_ascii=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest, "big") >> (256 - bits)


def rng_for(*names: Name) -> np.random.Generator:
    """A generator from names; see `seed_for`."""
    return np.random.default_rng(seed_for(*names, bits=128))


def proposal_rng(entropy: int, number: int) -> np.random.Generator:
    """The generator of one proposal of a run.

    Parameters
    ----------
    entropy : int
        The run's seed, ``seed_for(..., bits=128)``.
    number : int
        The trial's number in the run.
    """
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(number,)))


def run_rng(rng: np.random.Generator, *purpose: Name) -> np.random.Generator:
    """A generator that is the same at every proposal of a run.

    Parameters
    ----------
    rng : numpy.random.Generator
        The generator of any proposal of the run. It is not advanced.
    *purpose : str, int, float, bool or None
        What it is for; other purposes give other streams.
    """
    return rng_for(run_entropy(rng), *purpose)


def run_entropy(rng: np.random.Generator) -> int:
    """The run's entropy behind a proposal's generator (see `run_rng`)."""
    sequence = rng.bit_generator.seed_seq
    if not isinstance(sequence, np.random.SeedSequence) or not isinstance(sequence.entropy, int):
        raise TypeError(f"a generator seeded by one int was expected, got {rng!r}")
    return sequence.entropy


class Shuffle:
    """A seeded order of ``range(n)`` in constant memory.

    Up to 4,096 indices are sorted by a keyed hash, which makes every order equally likely. More
    are sent through a six-round Feistel network over ``a * b`` values, ``a`` being the root of ``n``
    rounded up and ``b`` just large enough; the few outside are walked along their cycle until they
    fall inside. Every index of ``range(n)`` comes exactly once.

    Parameters
    ----------
    n : int
        Length of the range, at least 1; there is no upper limit.
    key : int
        The seed of the order, in ``[0, 2**256)``.

    References
    ----------
    J. Black and P. Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002, section 5.
    """

    def __init__(self, n: int, key: int) -> None:
        if n < 1:
            raise ValueError(f"a range of at least 1 was expected, got {n}")
        self.n = n
        self._key = key.to_bytes(32, "big")
        self._sides = (math.isqrt(n - 1) + 1, -(-n // (math.isqrt(n - 1) + 1)))
        longest = (max(self._sides).bit_length() + 7) // 8
        self._told, self._drawn = longest, longest + 8  # bytes; the 8 make a remainder's bias negligible
        self._sorted = (
            sorted(range(n), key=lambda i: hashlib.shake_256(self._key + i.to_bytes(2, "big")).digest(16))
            if n <= _SORTED_UP_TO
            else None
        )

    def __getitem__(self, i: int) -> int:
        """The i-th index of the order."""
        if not 0 <= i < self.n:
            raise IndexError(f"index {i} is outside range({self.n})")
        if self._sorted is not None:
            return self._sorted[i]
        while True:
            i = self._permute(i)
            if i < self.n:
                return i

    def _permute(self, i: int) -> int:
        right, left = divmod(i, self._sides[0])
        for turn in range(_FEISTEL_ROUNDS):
            data = self._key + turn.to_bytes(1, "big") + right.to_bytes(self._told, "big")
            drawn = int.from_bytes(hashlib.shake_256(data).digest(self._drawn), "big")
            left, right = right, (left + drawn) % self._sides[turn % 2]
        return right * self._sides[0] + left

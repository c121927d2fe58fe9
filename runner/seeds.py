"""Seeds by name: every generator is seeded with a hash of its purpose.

Nothing here counts calls or reads a global generator, so a stream depends on its names only:
not on the order of evaluation, the number of workers, the process or the machine.

A run's *entropy* is the 128-bit seed of its names. The generator of proposal *i* is seeded with
that entropy and the spawn key ``(i,)``; `run_entropy` recovers the entropy from it, so that a method can
draw the same thing at every proposal (a shuffled order, a Sobol scramble, a start point), while its
signature stays a function of its history.
"""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np

_FEISTEL_ROUNDS = 6  # 4 suffice for a pseudo-random permutation (Luby and Rackoff, 1988); 2 to spare
_SORTED_UP_TO = 4096  # a sort takes milliseconds, and its 2-byte indices allow up to 65,536

Name = str | int | float | bool | None


def seed_for(*names: Name, bits: int = 32) -> int:
    """Derive a seed from names.

    Parameters
    ----------
    *names : str, int, float, bool or None
        Purpose of the seed, for example ``(study_seed, "branin", 3, "split")``.
    bits : int, default 32
        Length of the seed; scikit-learn's ``random_state`` takes at most 32.

    Returns
    -------
    int
        In ``[0, 2**bits)``; the same on every machine and Python version.
    """
    text = json.dumps(names, ensure_ascii=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest, "big") >> (256 - bits)


def rng_for(*names: Name) -> np.random.Generator:
    """Create a generator from names; see `seed_for`."""
    return np.random.default_rng(seed_for(*names, bits=128))


def proposal_rng(entropy: int, number: int) -> np.random.Generator:
    """Create the generator of trial ``number`` of a run with seed ``seed_for(..., bits=128)``."""
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(number,)))


def run_entropy(rng: np.random.Generator) -> int:
    """Recover the run's entropy from a proposal's generator, without advancing it.

    ``rng_for(run_entropy(rng), purpose)`` is the same generator at every proposal of the run.
    """
    sequence = rng.bit_generator.seed_seq
    if not isinstance(sequence, np.random.SeedSequence) or not isinstance(sequence.entropy, int):
        raise TypeError(f"expected a generator seeded by one int, got {rng!r}")
    return sequence.entropy


class Shuffle:
    """A seeded order of ``range(n)`` in constant memory.

    Up to 4,096 indices are sorted by a keyed hash, which makes every order equally likely. More
    indices are permuted by a six-round Feistel network over ``a * b`` values, with ``a`` the root of
    ``n`` rounded up and ``b`` just large enough; results outside the range are permuted again until
    they are inside (cycle walking). Every index of ``range(n)`` occurs exactly once.

    Parameters
    ----------
    n : int
        Length of the range, at least 1, without an upper limit.
    key : int
        The seed of the order, in ``[0, 2**256)``.

    References
    ----------
    J. Black and P. Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002, section 5.
    """

    def __init__(self, n: int, key: int) -> None:
        if n < 1:
            raise ValueError(f"expected n >= 1, got {n}")
        self.n = n
        self._key = key.to_bytes(32, "big")
        self._sides = (math.isqrt(n - 1) + 1, -(-n // (math.isqrt(n - 1) + 1)))
        self._bytes = (max(self._sides).bit_length() + 7) // 8
        self._sorted = (
            sorted(range(n), key=lambda i: hashlib.shake_256(self._key + i.to_bytes(2, "big")).digest(16))
            if n <= _SORTED_UP_TO
            else None
        )

    def __getitem__(self, i: int) -> int:
        """Return the i-th index of the order."""
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
            data = self._key + turn.to_bytes(1, "big") + right.to_bytes(self._bytes, "big")
            # 8 more bytes make the bias of the remainder negligible.
            digest = hashlib.shake_256(data).digest(self._bytes + 8)
            left, right = right, (left + int.from_bytes(digest, "big")) % self._sides[turn % 2]
        return right * self._sides[0] + left

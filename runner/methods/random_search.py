"""Random search: independent draws from the space.

The baseline of every comparison, and a strong one if few parameters matter, since n trials try n
values of each. ``sequence: sobol`` spreads them more evenly at no cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from runner.methods.base import Method, register
from runner.seeds import run_entropy, seed_for
from runner.space import Space
from runner.trial import Answer, Config, Pending, Trial

_SOBOL_BITS = 30  # SciPy's own default: 2**30 points before the sequence ends
_SOBOL_BLOCK = 256  # points generated at once; a power of 2, as Sobol points balance in those


@register
@dataclass(frozen=True)
class Random(Method):
    """Independent draws, or a scrambled Sobol sequence.

    Parameters
    ----------
    sequence : "independent" or "sobol", default "independent"
        A Sobol sequence covers the encoded cube more evenly; its points are not independent.
        A forbidden Sobol point is replaced by an independent draw.
    """

    name: ClassVar[str] = "random"
    summary: ClassVar[str] = (
        "independent draws; the baseline, needs no feedback and uses any number of workers"
    )
    reference: ClassVar[str] = "Bergstra and Bengio, JMLR 13 (2012); Sobol: Owen scrambling, scipy.stats.qmc"
    uses_history: ClassVar[bool] = False

    sequence: Literal["independent", "sobol"] = "independent"

    def propose(
        self,
        space: Space,
        completed: Sequence[Trial],
        pending: Sequence[Pending],
        number: int,
        rng: np.random.Generator,
    ) -> Config | Answer:
        """See `Method.propose`."""
        del completed, pending
        if self.sequence == "sobol":
            config = space.decode(sobol_row(space.d, number, run_entropy(rng)))
            if space.allows(config):
                return config
        return space.sample(rng)


def sobol_row(d: int, number: int, entropy: int) -> NDArray[np.float64]:
    """Return row ``number``, shape (d,), of a run's scrambled Sobol sequence in [0, 1)^d."""
    block, offset = divmod(number, _SOBOL_BLOCK)
    row: NDArray[np.float64] = _sobol_block(d, block, entropy)[offset]
    return row


@lru_cache(maxsize=64)
def _sobol_block(d: int, block: int, entropy: int) -> NDArray[np.float64]:
    from scipy.stats import qmc  # takes half a second, which independent draws do not need

    engine = qmc.Sobol(d, bits=_SOBOL_BITS, rng=np.random.default_rng(seed_for(entropy, "sobol", bits=128)))
    if block:
        engine.fast_forward(block * _SOBOL_BLOCK)
    rows: NDArray[np.float64] = np.asarray(engine.random(_SOBOL_BLOCK), dtype=np.float64)
    rows.flags.writeable = False
    return rows

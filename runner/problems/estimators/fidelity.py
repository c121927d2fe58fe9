"""Steps of an estimator problem, after which a scheduler may stop it early.

``folds``
    One fold after the other: after *k* steps the metric is the mean of the first *k* scores. A
    full evaluation costs the same as without a scheduler.
``{data: [0.1, 0.3, 1.0]}``
    All folds, on growing shares of their training rows. First steps are cheaper if one fit takes
    long, at a price: a trial that is not stopped has fitted all shares, here 1.4 times the work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from runner._text import shown
from runner.errors import ProblemError, nearest
from runner.problems.estimators.data.data import Data
from runner.problems.estimators.folds import Rows

FOLDS: Final = "folds"
DATA: Final = "data"
Fidelity = Literal["folds"] | Mapping[Literal["data"], Sequence[float]]

_EXPECTED = "expected 'folds' or {data: [shares]}"
_HINT = "Write shares of the training rows that grow to 1, such as {data: [0.1, 0.3, 1.0]}."
_MOST_SHARES = 100  # each is a fit of all folds; more is a mistake


def shares_of(fidelity: Any) -> tuple[float, ...]:
    """Get the shares of the training rows, step by step; empty for one fold after the other.

    Raises
    ------
    ProblemError
        If it is neither of the two forms, or the shares do not grow to 1.
    """
    if fidelity == FOLDS:
        return ()
    if isinstance(fidelity, str):
        hint = _HINT if fidelity == DATA else nearest(fidelity, [FOLDS, DATA])
        raise ProblemError(f"{_EXPECTED}, got {shown(fidelity)}.", where="fidelity", hint=hint)
    if not isinstance(fidelity, Mapping) or list(fidelity) != [DATA]:
        raise ProblemError(f"{_EXPECTED}, got {shown(fidelity)}.", where="fidelity", hint=_HINT)
    value = fidelity[DATA]
    numbers = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    if not numbers or any(isinstance(x, bool) or not isinstance(x, int | float) for x in numbers):
        raise ProblemError(
            f"expected a list of numbers, got {shown(value)}.", where="fidelity.data", hint=_HINT
        )
    shares = tuple(map(float, numbers))
    grow = all(low < high for low, high in zip((0.0, *shares), shares, strict=False))
    if not grow or shares[-1] != 1.0:
        raise ProblemError(
            f"expected shares that grow from above 0 to 1, got {shown(numbers)}.",
            where="fidelity.data",
            hint="The last one must be 1.0: it decides the trial's result.",
        )
    if len(shares) > _MOST_SHARES:
        raise ProblemError(
            f"expected at most {_MOST_SHARES} shares, got {len(shares)}.", where="fidelity.data"
        )
    return shares


def check_shares(shares: Sequence[float], data: Data, train: Rows, stratify: bool) -> None:
    """Raise ProblemError if the first share of a fold's training rows is too small to fit."""
    if not shares:
        return
    rows, least = int(np.ceil(shares[0] * len(train))), 2
    if stratify:
        least = len(np.unique(data.y[train]))
    if rows < least:
        what = f"all {least} classes of '{data.name}'" if stratify else "a fit"
        raise ProblemError(
            f"{shares[0]:g} of a fold's {len(train)} training rows are {rows}, too few for {what}.",
            where="fidelity.data",
            hint="Begin with a larger share.",
        )

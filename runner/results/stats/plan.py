"""What a study said it would compare, before it ran."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from runner.results.stats.curves import Axis
from runner.study.file import StudyFile

GAMMA: Final = 0.75
"""What P(A beats B) may exceed for a difference to be meaningful (Bouthillier et al., 2021)."""
ROPE: Final = 0.01
"""Differences of normalised regret below this are none."""

_CHECKPOINTS: Final = (10, 30, 100, 300, 1000, 3000, 10_000)
_SECONDS: Final = (1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0)


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes
    ----------
    budgets : tuple of int
        Where methods are compared, in trials; empty where nothing was planned.
    reference : str or None
        The method that others are compared with.
    rope, gamma : float
    planned : bool
        Whether the study file said so, so that it was decided before the run.
    """

    budgets: tuple[int, ...] = ()
    reference: str | None = None
    rope: float = ROPE
    gamma: float = GAMMA
    planned: bool = False

    @classmethod
    def of(cls, file: StudyFile | None, methods: dict[str, str]) -> Plan:
        """The plan of a study file.

        Parameters
        ----------
        file : StudyFile or None
        methods : dict of str to str
            Labels and registered names. Where no reference was planned it is random search, if that
            is among them, else the first.
        """
        report = file.report if file is not None else None
        reference = report.reference if report is not None else None
        if reference not in methods:
            randoms = [label for label, name in methods.items() if name == "random"]
            reference = next(iter([*randoms, *methods]), None)
        if report is None:
            return cls(reference=reference)
        planned = bool(report.model_fields_set)
        return cls(tuple(sorted(set(report.budgets))), reference, report.rope, planned=planned)

    def checkpoints(self, common: float, axis: Axis) -> tuple[float, ...]:
        """Budgets at which a verdict is given: those that were planned, else round ones, up to the common.

        Parameters
        ----------
        common : float
            The largest budget at which the methods can be compared; always the last one.
        axis : str
        """
        if not common > 0 or not math.isfinite(common):
            return ()
        by_count = axis in ("trials", "equivalents")
        wanted: tuple[float, ...] = self.budgets if by_count and self.budgets else ()
        wanted = wanted or (_CHECKPOINTS if by_count else _SECONDS)
        return (*(float(b) for b in wanted if b < common * (1 - 1e-9)), common)

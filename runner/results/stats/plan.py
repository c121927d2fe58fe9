"""The comparison that a study planned before it ran: budgets, reference, thresholds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from runner.results.stats.curves import Axis
from runner.study.file import StudyFile

GAMMA: Final = 0.75
"""P(A beats B) above which a difference is meaningful (Bouthillier et al., 2021)."""
ROPE: Final = 0.01
"""Region of practical equivalence: one percent of the gap between a random draw and the optimum. Chosen, not
measured; a study may set its own with ``report: {rope: ...}``."""

_CHECKPOINTS: Final = (10, 30, 100, 300, 1000, 3000, 10_000)
"""Trials, two per decade: few enough verdicts to read."""
_SECONDS: Final = (1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0)
"""Round durations from a second to ten hours."""


@dataclass(frozen=True)
class ComparisonPlan:
    """The settings of a comparison.

    Attributes
    ----------
    budgets : tuple of int
        Numbers of trials at which methods are compared; empty if none were planned.
    reference : str or None
        The method that others are compared with.
    planned : bool
        True if the study file says so, so that it was decided before the run.
    """

    budgets: tuple[int, ...] = ()
    reference: str | None = None
    rope: float = ROPE
    gamma: float = GAMMA
    planned: bool = False

    @classmethod
    def of(cls, file: StudyFile | None, methods: dict[str, str]) -> ComparisonPlan:
        """Read the plan of a study file.

        Parameters
        ----------
        methods : dict of str to str
            Registered names by labels. If no reference was planned it is random search, if that is among
            them, else the first.
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
        """Choose budgets for verdicts: those that were planned, else round ones, up to the common one.

        Parameters
        ----------
        common : float
            The largest budget at which the methods can be compared; always the last one.
        """
        if not common > 0 or not math.isfinite(common):
            return ()
        by_count = axis in ("trials", "equivalents")
        budgets: tuple[float, ...] = self.budgets if by_count and self.budgets else ()
        budgets = budgets or (_CHECKPOINTS if by_count else _SECONDS)
        return (*(float(b) for b in budgets if b < common * (1 - 1e-9)), common)

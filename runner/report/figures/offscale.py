"""Penalties in figures: drawn at the edge of the scale that the other values make, and that is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from runner.report.figures.marks import Floats
from runner.report.figures.scale import is_wide, short

_ROOM: Final = 0.08
"""How far beyond the other values the edge lies, as a share of their range."""


@dataclass(frozen=True)
class Limit:
    """From which value on a problem's values are penalties.

    Attributes
    ----------
    ceiling : float
        The least loss that is one; see `runner.results.stats.offscale.ceilings`.
    sign : float
        1.0 where the values are losses or minimised, else -1.0: value = sign * loss.
    """

    ceiling: float
    sign: float = 1.0

    def fitted(self, *columns: Floats) -> tuple[list[Floats], str]:
        """The same columns with penalties at the edge of the others, and a sentence where there are some."""
        losses = [self.sign * column for column in columns]
        with np.errstate(invalid="ignore"):
            off = [loss >= self.ceiling for loss in losses]
        known = np.concatenate([column[~away] for column, away in zip(columns, off, strict=True)])
        known = known[np.isfinite(known)]
        count = sum(int(away.sum()) for away in off)
        if not count or not len(known):
            return list(columns), ""
        worst = self.sign * max(
            float(loss[away].max(initial=-np.inf)) for loss, away in zip(losses, off, strict=True)
        )
        edge = self._edge(float(known.min()), float(known.max()))
        said = f" Penalties, up to {short(worst)}, are off the scale and lie at its edge."
        return [np.where(away, edge, column) for column, away in zip(columns, off, strict=True)], said

    def frame(self, rows: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, str]:
        """`fitted`, of the columns of a frame."""
        given = [rows[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in columns]
        found, said = self.fitted(*given)
        return rows.assign(**dict(zip(columns, found, strict=True))), said

    def _edge(self, low: float, high: float) -> float:
        if is_wide(low, high):
            room = float(np.exp(_ROOM * (np.log(high) - np.log(low))))
            return high * room if self.sign > 0 else low / room
        room = _ROOM * (high - low) or _ROOM * abs(high) or 1.0
        return high + room if self.sign > 0 else low - room

"""Penalties in figures: drawn at the edge of the scale of the other values, with a note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from runner.report.figures.marks import Floats
from runner.report.figures.scale import is_wide, short

_ROOM: Final = 0.08
"""Distance of the edge from the other values, as a share of their range: apart, but not far."""


@dataclass(frozen=True)
class Limit:
    """The value from which on a problem's values are penalties.

    Attributes
    ----------
    ceiling : float
        The least penalty; see `runner.results.stats.offscale.ceilings`.
    sign : float
        1.0 if the values are losses or minimised, else -1.0: value = sign * loss.
    """

    ceiling: float
    sign: float = 1.0

    def fitted(self, *columns: Floats) -> tuple[list[Floats], str]:
        """Move penalties in columns to the edge of the other values, and write a note if there are any."""
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
        note = f" Penalties, up to {short(worst)}, are off the scale and drawn at its edge."
        return [np.where(away, edge, column) for column, away in zip(columns, off, strict=True)], note

    def frame(self, rows: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, str]:
        """`fitted` for the columns of a frame."""
        values = [rows[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in columns]
        fitted, note = self.fitted(*values)
        return rows.assign(**dict(zip(columns, fitted, strict=True))), note

    def _edge(self, low: float, high: float) -> float:
        if is_wide(low, high):
            room = float(np.exp(_ROOM * (np.log(high) - np.log(low))))
            return high * room if self.sign > 0 else low / room
        room = _ROOM * (high - low) or _ROOM * abs(high) or 1.0
        return high + room if self.sign > 0 else low - room

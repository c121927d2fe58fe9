"""Scales from values to places: limits, ticks and labels, the same for both renderers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from runner.report.figures.marks import (
    Axis,
    Band,
    Bars,
    Floats,
    Line,
    Mark,
    Panel,
    Points,
    Rule,
    Shade,
    Tiles,
)

_MOST_TICKS = 5  # more labels collide in a panel of 340 px
_MARGIN = 0.04  # of the range, so that marks at its bounds are whole
_WIDE = 50.0  # ratio of bounds from which a linear axis would crush the small values
_MOST = 0.25 * float(np.finfo(np.float64).max)
"""Larger values are drawn as this one: the length of an axis must be a number."""
_LEAST = 1e-300  # smaller positive values are drawn as this one: their logarithm must be a number


@dataclass(frozen=True)
class Scale:
    """An axis with its limits, from 0 at ``low`` to 1 at ``high``."""

    axis: Axis
    low: float
    high: float

    @property
    def log(self) -> bool:
        """True if equal ratios are equal distances."""
        return self.axis.kind == "log"

    def __call__(self, values: Floats | float) -> Floats:
        """Map values to places, keeping the shape; NaN stays."""
        with np.errstate(divide="ignore", invalid="ignore"):
            places = np.asarray(values, dtype=np.float64)
            if self.log:
                places, low, high = np.log(places), math.log(self.low), math.log(self.high)
            else:
                places, low, high = np.clip(places, -_MOST, _MOST), self.low, self.high
            return np.asarray((places - low) / (high - low))

    def ticks(self) -> list[tuple[float, str]]:
        """List (value, label) of each tick within the limits."""
        if self.axis.kind == "category":
            return [(float(i), name) for i, name in enumerate(self.axis.categories)]
        found = _log_ticks(self.low, self.high) if self.log else _linear_ticks(self.low, self.high)
        labels = [short(value) for value in found]
        if len(set(labels)) < len(labels):  # a narrow range far from zero
            labels = [f"{value:.8g}" for value in found]
        return list(zip(found, labels, strict=True))


def is_wide(low: float, high: float) -> bool:
    """Check whether a range calls for a log axis: all positive, with bounds far apart."""
    return low > 0 and high > _WIDE * low


def scales(panel: Panel) -> tuple[Scale, Scale]:
    """Scale both axes of a panel to fit its marks."""
    return _scale(panel.x, panel.marks, 0), _scale(panel.y, panel.marks, 1)


def _scale(axis: Axis, marks: Iterable[Mark], which: int) -> Scale:
    if axis.kind == "category":
        n = max(1, len(axis.categories))
        low, high = axis.limits or ((n - 0.5, -0.5) if which else (-0.5, n - 0.5))
        return Scale(axis, low, high)
    if axis.limits is not None:
        return Scale(axis, *axis.limits)
    marks = tuple(marks)
    log = axis.kind == "log"
    found = [np.ravel(v) for mark in marks for v in _extent(mark, which, log)]
    values = np.concatenate([np.zeros(0), *found])
    values = values[np.isfinite(values)]
    values = np.clip(values, -_MOST, _MOST)
    if axis.kind == "log":
        values = np.maximum(values[values > 0], _LEAST)
    if not len(values):
        return Scale(axis, *((0.1, 1.0) if axis.kind == "log" else (0.0, 1.0)))
    low, high = float(values.min()), float(values.max())
    if high > low and any(isinstance(mark, Tiles) for mark in marks):
        return Scale(axis, low, high)
    if axis.kind == "log":
        low, high = (low, high) if high > low * (1 + 1e-9) else (low / 2, high * 2)
        pad = math.exp(_MARGIN * (math.log(high) - math.log(low)))
        return Scale(axis, low / pad, high * pad)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        pad = abs(low) * 0.1 or 1.0
        return Scale(axis, low - pad, high + pad)
    pad = (high - low) * _MARGIN
    # An axis whose least value is 0 begins there.
    return Scale(axis, 0.0 if low == 0 else low - pad, high + pad)


def _extent(mark: Mark, which: int, log: bool) -> list[Floats]:
    """List the values of a mark that must be within the limits, along x (0) or y (1)."""
    if isinstance(mark, Line):
        return [mark.y if which else mark.x]
    if isinstance(mark, Band):
        return [mark.lower, mark.upper] if which else [mark.x]
    if isinstance(mark, Points):
        if which:
            return [mark.y]
        return [mark.x, *(end for end in (mark.low, mark.high) if end is not None)]
    if isinstance(mark, Bars):
        half = mark.height / 2
        return [mark.y - half, mark.y + half] if which else [mark.start, mark.end]
    if isinstance(mark, Tiles):
        half = (mark.height if which else mark.width) / 2
        centre = mark.y if which else mark.x
        return [centre / 10**half, centre * 10**half] if log else [centre - half, centre + half]
    if isinstance(mark, Rule):
        return [np.array([mark.at])] if (mark.along == "y") == bool(which) else []
    if isinstance(mark, Shade):
        return []
    raise TypeError(mark)


def _linear_ticks(low: float, high: float) -> list[float]:
    low, high = min(low, high), max(low, high)
    raw = (high - low) / _MOST_TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [(first + i) * step + 0.0 for i in range(count)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    wanted = (1.0, 2.0, 5.0) if high / low < 150 else (1.0,)
    every = max(1, math.ceil((last - first) / _MOST_TICKS))
    found = [m * 10.0**p for p in range(first, last + 1) for m in wanted if (p - first) % every == 0]
    inside = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
    return inside if len(inside) > 1 else [low, high]


def short(value: float, digits: int = 3) -> str:
    """Format a number for an axis or a label: 0.0031, 12 000, 1e-7."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e5:
        text = f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}".replace(",", "\u2009")
    else:
        mantissa, _, power = f"{value:.{max(0, digits - 1)}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa}e{int(power)}"
    return text.replace("-", "−") if text.startswith("-") else text

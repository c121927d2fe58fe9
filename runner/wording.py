"""Names, numbers of things and durations as a sentence has them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_UNITS = ((0.1, "ms", 1e-3), (120.0, "s", 1.0), (7200.0, "min", 60.0), (172_800.0, "h", 3600.0))
_DAY = 86_400.0


def listed(names: Iterable[str]) -> str:
    """All of them: a, b and c; empty where there are none."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def first_of(names: Sequence[str], most: int) -> str:
    """The first ones, and how many more there are: a, b and 7 more."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def named(names: Sequence[str], most: int = 4) -> str:
    """All of a few names, a, b and c; of more the first ones, and how many more there are."""
    return listed(names) if len(names) <= most else first_of(names, most)


def counted(n: int, what: str) -> str:
    """A number of things: 1 trial, 2 trials."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def duration(seconds: float) -> str:
    """A duration in the unit that suits it: 50 ms, 3.2 s, 10 min; – where it is not known."""
    if not math.isfinite(seconds):
        return "–" if math.isnan(seconds) else "∞"
    for limit, unit, size in _UNITS:
        if abs(seconds) < limit:
            value = seconds / size
            return f"{value:.{2 if abs(value) < 9.95 else 3}g} {unit}"
    return f"{seconds / _DAY:,.{0 if seconds >= 100 * _DAY else 1}f} days"


__all__ = ["counted", "duration", "first_of", "listed", "named"]

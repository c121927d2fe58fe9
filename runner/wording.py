"""Names as a sentence has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def listed(names: Iterable[str]) -> str:
    """All of them: a, b and c; empty where there are none."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def first_of(names: Sequence[str], most: int) -> str:
    """The first ones, and how many more there are: a, b and 7 more."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


__all__ = ["first_of", "listed"]

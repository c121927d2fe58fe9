"""One colour and one marker per method, distinguishable without colour vision and on dark ground.

`LIGHT` and `DARK` hold similar hues for white and for black paper: at least 3:1 against it (WCAG 2.2,
1.4.11), and at least 0.12 of Oklab apart from each other, also for deuteranopes and protanopes; found
by a search for the largest such distance. A test checks both.
The reference method is neutral. With more methods than colours the colours repeat, with another marker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PAPER: Final = {"light": "#ffffff", "dark": "#15181c"}
LIGHT: Final = ("#4a4f57", "#0a6ab7", "#e77321", "#5a0f7b", "#50948d", "#6f8bf8", "#b94c0b", "#403500")
DARK: Final = ("#c3c8d0", "#677eff", "#ffb431", "#6d66af", "#477f64", "#759ec7", "#d58a17", "#efebb1")
MARKERS: Final = ("circle", "square", "up", "diamond", "down", "plus", "cross", "bar")


@dataclass(frozen=True)
class Style:
    """The look of a method, everywhere.

    Attributes
    ----------
    tone : int
        Position in `LIGHT` and `DARK`.
    marker : str
        One of `MARKERS`.
    """

    name: str
    tone: int
    marker: str

    @property
    def colour(self) -> str:
        """The colour on white paper."""
        return LIGHT[self.tone]


def styles(methods: Sequence[str], reference: str | None) -> tuple[Style, ...]:
    """Choose a style for each method; the reference is neutral."""
    found, used = [], 0
    for name in methods:
        if name == reference:
            found.append(Style(name, 0, MARKERS[0]))
            continue
        colour, turn = used % (len(LIGHT) - 1), used // (len(LIGHT) - 1)
        found.append(Style(name, 1 + colour, MARKERS[(1 + colour + turn) % len(MARKERS)]))
        used += 1
    return tuple(found)

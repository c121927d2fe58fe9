"""Panels as SVG for the page: small, without colours of their own, readable at 340 px.

Shapes carry classes (``m2`` is the third method); the page's style sheet colours them, so that
one drawing serves light and dark ground. The tree is built with ElementTree, which escapes every
name that comes from a study. The data for hovering are returned beside it, as numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

from runner.report.figures.marks import (
    Band,
    Bars,
    Floats,
    Line,
    Mark,
    Panel,
    Points,
    Rule,
    Series,
    Shade,
    Tiles,
)
from runner.report.figures.palette import Style
from runner.report.figures.scale import Scale, scales, short

WIDTH: Final = 360
_HEIGHT: Final = 230
_ROW: Final = 26
_TOP, _RIGHT, _BOTTOM = 12, 14, 40
_LABEL: Final = 14  # more room at the top where the vertical axis has a label
_LETTER: Final = 6.1  # px of a letter at the size of the labels
_MOST_LETTERS: Final = 22  # of a label: less than half of the width
_MARKERS_PER_LINE: Final = 5  # enough to tell curves apart, few enough not to hide them
_LEAST_BAR: Final = 1.5  # px; thinner bars vanish on common screens
_HOVER_DIGITS: Final = 4


@dataclass(frozen=True)
class Frame:
    """The area between a panel's axes, in px, and the map from values to px."""

    left: float
    top: float
    right: float
    bottom: float
    x: Scale
    y: Scale

    def across(self, values: Floats | float) -> Floats:
        """Map values to px along x."""
        return self.left + self.x(values) * (self.right - self.left)

    def down(self, values: Floats | float) -> Floats:
        """Map values to px along y; the page counts from the top."""
        return self.bottom + self.y(values) * (self.top - self.bottom)


def draw(panel: Panel, styles: Sequence[Style], label: str) -> tuple[str, dict[str, Any]]:
    """Draw a panel as SVG, and collect the data for hovering over it.

    Parameters
    ----------
    styles : sequence of Style
        The styles of the page's methods, by their positions.
    label : str
        The label for screen readers.
    """
    x, y = scales(panel)
    top = _TOP + _LABEL if y.axis.label else _TOP
    height = top + _ROW * panel.rows + _BOTTOM if panel.rows else top + _HEIGHT - _TOP
    letters = max((min(len(text), _MOST_LETTERS) for _, text in y.ticks()), default=1)
    left = 10 + _LETTER * letters
    frame = Frame(left, top, WIDTH - _RIGHT, height - _BOTTOM, x, y)
    root = Element("svg", {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "aria-label": label})
    _draw_axes(root, frame, panel)
    plot = SubElement(root, "g", {"class": "plot"})
    for mark in panel.marks:
        _RENDERERS[type(mark)](plot, frame, mark, styles)
    return tostring(root, encoding="unicode"), _hover(frame, panel, height)


def marker(style: Style, size: float = 3.4) -> str:
    """Draw the marker of a method for a legend, as an SVG of 16 x 12 px."""
    root = Element("svg", {"viewBox": "0 0 16 12", "class": "key", "aria-hidden": "true"})
    SubElement(root, "path", {"class": "line", "d": "M0 6H16"})
    SubElement(root, "path", {"class": "dot", "d": _shape(style.marker, 8.0, 6.0, size)})
    return tostring(root, encoding="unicode")


def _draw_axes(root: Element, frame: Frame, panel: Panel) -> None:
    grid = SubElement(root, "g", {"class": "axes"})
    for value, text in frame.y.ticks():
        place = _px(frame.down(value))
        if not panel.rows:
            SubElement(grid, "path", {"d": f"M{_px(frame.left)} {place}H{_px(frame.right)}"})
        _text(grid, frame.left - 5, float(place) + 3.7, _cut(text), "end")
    for value, text in frame.x.ticks():
        place = _px(frame.across(value))
        if panel.x.kind != "category":
            SubElement(grid, "path", {"d": f"M{place} {_px(frame.top)}V{_px(frame.bottom)}"})
        _text(grid, float(place), frame.bottom + 14, _cut(text), "middle")
    base = f"M{_px(frame.left)} {_px(frame.bottom)}H{_px(frame.right)}"
    SubElement(grid, "path", {"class": "base", "d": base})
    _text(root, (frame.left + frame.right) / 2, frame.bottom + 32, panel.x.label, "middle", "label")
    if panel.y.label:  # above the axis, horizontal
        _text(root, 1, 12, f"↑ {panel.y.label}", "start", "label")


def _draw_line(parent: Element, frame: Frame, mark: Line, styles: Sequence[Style]) -> None:
    across, down = frame.across(mark.x), frame.down(mark.y)
    group = SubElement(parent, "g", {"class": _kind("s", mark.series)})
    path = _path(across, down, mark.step)
    SubElement(group, "path", {"class": "line dashed" if mark.dashed else "line", "d": path})
    known = np.flatnonzero(np.isfinite(across) & np.isfinite(down))
    if mark.markers and mark.series is not None and len(known):
        # Each method has another offset, so that markers of equal curves lie side by side.
        shift = (mark.series % _MARKERS_PER_LINE) / _MARKERS_PER_LINE
        at = (np.arange(_MARKERS_PER_LINE) + shift) / _MARKERS_PER_LINE * (len(known) - 1)
        shape = styles[mark.series].marker
        dots = "".join(
            _shape(shape, across[i], down[i], 3.1) for i in known[np.unique(at.round().astype(int))]
        )
        SubElement(group, "path", {"class": "dot", "d": dots})


def _draw_band(parent: Element, frame: Frame, mark: Band, styles: Sequence[Style]) -> None:
    del styles
    known = np.isfinite(mark.lower) & np.isfinite(mark.upper)
    across, low, high = frame.across(mark.x), frame.down(mark.lower), frame.down(mark.upper)
    known &= np.isfinite(across) & np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return
    upper = _points(across[known], high[known], mark.step)
    lower = _points(across[known], low[known], mark.step)
    path = "M" + "L".join([*upper, *reversed(lower)]) + "Z"
    SubElement(parent, "path", {"class": f"{_kind('s', mark.series)} band", "d": path})


def _draw_points(parent: Element, frame: Frame, mark: Points, styles: Sequence[Style]) -> None:
    across, down = frame.across(mark.x), frame.down(mark.y)
    group = SubElement(parent, "g", {"class": _kind("s", mark.series)})
    shape = "circle" if mark.series is None else styles[mark.series].marker
    if mark.low is not None and mark.high is not None:
        low, high = np.clip(frame.x(mark.low), 0, 1), np.clip(frame.x(mark.high), 0, 1)
        width = frame.right - frame.left
        ends = zip(frame.left + low * width, frame.left + high * width, down, strict=True)
        path = "".join(f"M{_px(a)} {_px(y)}H{_px(b)}" for a, b, y in ends if math.isfinite(a + b + y))
        SubElement(group, "path", {"class": "line", "d": path})
    size = 1.6 if mark.faint else 3.8
    places = [(i, a, b) for i, (a, b) in enumerate(zip(across, down, strict=True)) if math.isfinite(a + b)]
    if mark.texts and not mark.faint:
        for i, a, b in places:
            SubElement(
                group, "path", {"class": "dot", "d": _shape(shape, a, b, size), "data-t": mark.texts[i]}
            )
        return
    # Many points are one path: a tenth of the bytes.
    path = "".join(f"M{_px(a)} {_px(b)}h0" if mark.faint else _shape(shape, a, b, size) for _, a, b in places)
    SubElement(group, "path", {"class": "dots" if mark.faint else "dot", "d": path})


def _draw_bars(parent: Element, frame: Frame, mark: Bars, styles: Sequence[Style]) -> None:
    del styles
    half = mark.height / 2
    for i, y in enumerate(mark.y):
        a, b = float(frame.across(mark.start[i])), float(frame.across(mark.end[i]))
        top, bottom = sorted((float(frame.down(y - half)), float(frame.down(y + half))))
        if not math.isfinite(a + b + top + bottom):
            continue
        wide = max(abs(b - a), _LEAST_BAR if mark.visible else 0.0)
        box = {"x": _px(min(a, b)), "y": _px(top), "width": _px(wide), "height": _px(bottom - top)}
        box |= {"class": f"{_kind('s', mark.series[i])} bar", "style": f"--o:{mark.tone:g}"}
        if mark.texts:
            box["data-t"] = mark.texts[i]
        SubElement(parent, "rect", box)


def _draw_tiles(parent: Element, frame: Frame, mark: Tiles, styles: Sequence[Style]) -> None:
    del styles
    wide, high = mark.width / 2, mark.height / 2
    for i, (x, y) in enumerate(zip(mark.x, mark.y, strict=True)):
        if frame.x.log:
            a, b = frame.across(x / 10**wide), frame.across(x * 10**wide)
        else:
            a, b = frame.across(x - wide), frame.across(x + wide)
        ends = (y * 10**high, y / 10**high) if frame.y.log else (y - high, y + high)
        top, bottom = sorted(float(frame.down(end)) for end in ends)
        series = mark.series[i] if mark.series else None
        box = {"x": _px(a), "y": _px(top), "width": _px(b - a), "height": _px(bottom - top)}
        unsure = bool(mark.unsure and mark.unsure[i])
        box["class"] = f"{_kind('s', series)} tile{' unsure' if unsure else ''}"
        if mark.shade is not None:
            box["style"] = f"--o:{0.85 * float(np.nan_to_num(mark.shade[i])):.2f}"
        if mark.hints:
            box["data-t"] = mark.hints[i]
        SubElement(parent, "rect", box)
        if unsure:
            hatch = {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}
            SubElement(parent, "rect", {**hatch, "class": "hatch"})
        if mark.texts and mark.texts[i]:
            _text(parent, float(a + b) / 2, float(top + bottom) / 2 + 3.7, mark.texts[i], "middle", "inside")


def _draw_rule(parent: Element, frame: Frame, mark: Rule, styles: Sequence[Style]) -> None:
    del styles
    place = float((frame.down if mark.along == "y" else frame.across)(mark.at))
    if not math.isfinite(place):
        return
    if mark.along == "y":
        SubElement(
            parent, "path", {"class": "rule", "d": f"M{_px(frame.left)} {_px(place)}H{_px(frame.right)}"}
        )
        _text(parent, frame.right, place - 4, mark.text, "end", "note")
    else:
        SubElement(
            parent, "path", {"class": "rule", "d": f"M{_px(place)} {_px(frame.top)}V{_px(frame.bottom)}"}
        )
        before = place > (frame.left + frame.right) / 2
        _text(
            parent,
            place + (-4 if before else 4),
            frame.top + 9,
            mark.text,
            "end" if before else "start",
            "note",
        )


def _draw_shade(parent: Element, frame: Frame, mark: Shade, styles: Sequence[Style]) -> None:
    del styles
    a, b = np.clip([float(frame.x(mark.start)), float(frame.x(mark.end))], 0, 1)
    if not b > a:
        return
    width = frame.right - frame.left
    box = {"x": _px(frame.left + a * width), "y": _px(frame.top), "width": _px((b - a) * width)}
    SubElement(parent, "rect", {**box, "height": _px(frame.bottom - frame.top), "class": "shade"})


_RENDERERS: Final[dict[type, Callable[[Element, Frame, Any, Sequence[Style]], None]]] = {
    Line: _draw_line,
    Band: _draw_band,
    Points: _draw_points,
    Bars: _draw_bars,
    Tiles: _draw_tiles,
    Rule: _draw_rule,
    Shade: _draw_shade,
}


def _hover(frame: Frame, panel: Panel, height: int) -> dict[str, Any]:
    """Collect the curves of a panel as numbers, to show values at a place; empty if it has none."""
    lines = [mark for mark in panel.marks if isinstance(mark, Line) and mark.name]
    if not lines:
        return {}
    return {
        "box": [float(_px(v)) for v in (frame.left, frame.top, frame.right, frame.bottom)],
        "size": [WIDTH, height],
        "log": frame.x.log,
        "from": [_rounded(frame.x.low), _rounded(frame.x.high)],
        "label": panel.x.label,
        "lines": [
            {
                "m": line.series,
                "name": line.name,
                "step": line.step,
                "x": [_rounded(v) for v in line.x],
                "y": [_rounded(v) for v in line.y],
            }
            for line in lines
        ],
    }


def _rounded(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    found = float(f"{value:.{_HOVER_DIGITS}g}")
    return found if math.isfinite(found) else float(value)  # the largest numbers round to infinity


def _path(across: Floats, down: Floats, step: bool) -> str:
    """Write a polyline that breaks where a point is missing."""
    known = np.isfinite(across) & np.isfinite(down)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(int)))
    parts = [_points(across[a:b], down[a:b], step) for a, b in edges.reshape(-1, 2)]
    return "".join("M" + "L".join(part) for part in parts)


def _points(across: Floats, down: Floats, step: bool) -> list[str]:
    places = [f"{_px(a)} {_px(b)}" for a, b in zip(across, down, strict=True)]
    if not step:
        return places
    corners = [f"{_px(a)} {_px(b)}" for a, b in zip(across[1:], down[:-1], strict=True)]
    return [places[0], *(text for pair in zip(corners, places[1:], strict=True) for text in pair)]


def _shape(name: str, x: float, y: float, r: float) -> str:
    """Write a marker as a closed path around a place."""
    if name == "circle":
        half = f"a{_px(r)} {_px(r)} 0 1 0"
        return f"M{_px(x - r)} {_px(y)}{half} {_px(2 * r)} 0{half} {_px(-2 * r)} 0Z"
    corners = _SHAPES[name]
    return "M" + "L".join(f"{_px(x + a * r)} {_px(y + b * r)}" for a, b in corners) + "Z"


_T: Final = 0.38  # half the thickness of the arms of a cross
_PLUS = [(-_T, -1.2), (_T, -1.2), (_T, -_T), (1.2, -_T), (1.2, _T), (_T, _T)]
_PLUS += [(_T, 1.2), (-_T, 1.2), (-_T, _T), (-1.2, _T), (-1.2, -_T), (-_T, -_T)]
_SHAPES: Final[dict[str, list[tuple[float, float]]]] = {
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "up": [(0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
    "down": [(0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
    "diamond": [(0, -1.3), (1.1, 0), (0, 1.3), (-1.1, 0)],
    "plus": _PLUS,
    "cross": [((a - b) * 0.75, (a + b) * 0.75) for a, b in _PLUS],
    "bar": [(-0.45, -1.3), (0.45, -1.3), (0.45, 1.3), (-0.45, 1.3)],
}


def _text(parent: Element, x: float, y: float, text: str, anchor: str, kind: str = "tick") -> Element:
    found = SubElement(parent, "text", {"x": _px(x), "y": _px(y), "class": f"{kind} {anchor}"})
    found.text = text
    return found


def _kind(base: str, series: Series) -> str:
    return f"{base} m{series}" if series is not None else f"{base} neutral"


def _px(value: float | Floats) -> str:
    """Format a place to a tenth of a pixel, in few characters."""
    text = f"{float(value):.1f}"
    return text[:-2] if text.endswith(".0") else text


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


__all__ = ["WIDTH", "Mark", "draw", "marker", "short"]

"""Figures as PNG and SVG files, by matplotlib: for papers, slides and messages.

Drawn from the same description, scales and ticks as the page's own SVG. No global state of
matplotlib is used or changed (no pyplot), and the same figure gives the same bytes.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from runner._text import printable
from runner.report.figures.marks import Band, Bars, Figure, Line, Panel, Points, Rule, Series, Shade, Tiles
from runner.report.figures.palette import PAPER, Style
from runner.report.figures.scale import Scale, scales

_INK, _FAINT, _GRID = "#1b1e23", "#5c636d", "#e3e6ea"
_DPI: Final = 144
# In inches: three panels in a row fill a landscape page, and labels of 9 points stay readable on a slide.
_PANEL_WIDTH: Final = 3.9
_PANEL_HEIGHT: Final = 2.6
_ROW: Final = 0.27
_MOST_COLUMNS: Final = 3
_BOLD_LETTERS: Final = 10.4  # to an inch, of a title
_MARKERS: Final = {
    "circle": "o",
    "square": "s",
    "up": "^",
    "diamond": "D",
    "down": "v",
    "plus": "P",
    "cross": "X",
    "bar": "|",
}
_SETTINGS: Final[Any] = {  # the type of its keys is a list of three hundred names
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,  # a name with dollars is a name
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": _FAINT,
    "axes.unicode_minus": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "fivefold",
}


def render(figure: Figure, styles: Sequence[Style]) -> tuple[bytes, bytes]:
    """Draw the figure as PNG and as SVG.

    Parameters
    ----------
    styles : sequence of Style
        The styles of the page's methods, by their positions.
    """
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        canvas = _composed(figure, styles)
        png, svg = io.BytesIO(), io.BytesIO()
        canvas.savefig(png, format="png", dpi=_DPI, metadata={"Software": None})
        canvas.savefig(svg, format="svg", dpi=_DPI, metadata={"Date": None, "Creator": None})
    return png.getvalue(), svg.getvalue()


def _composed(figure: Figure, styles: Sequence[Style]) -> Canvas:
    """Compose all panels in rows, with the title above and the caption below."""
    count = max(1, len(figure.panels))
    columns = min(_MOST_COLUMNS, count) if count != 4 else 2
    lines = -(-count // columns)
    tall = max(
        (_ROW * panel.rows + 0.3 if panel.rows else _PANEL_HEIGHT for panel in figure.panels), default=1
    )
    wide = _PANEL_WIDTH * max(columns, 1.7 if count == 1 else 1)
    title = textwrap.fill(figure.title, int(wide * _BOLD_LETTERS))
    below = textwrap.fill(f"{figure.how} {figure.n}", int(wide * 16))
    head = 0.24 + 0.2 * (title.count("\n") + 1)
    legend = bool(figure.legend)
    key_rows = -(-len(figure.legend) // max(2, int(wide / 1.35))) if legend else 0
    foot = 0.12 + 0.15 * (below.count("\n") + 1)
    height = head + 0.24 * key_rows + lines * (tall + 0.75) + foot
    canvas = Canvas(figsize=(wide, height), facecolor=PAPER["light"])
    FigureCanvasAgg(canvas)
    letters = max((len(t) for p in figure.panels if p.rows for t in p.y.categories), default=0)
    left = (0.62 if not letters else 0.25 + 0.075 * min(letters, 30)) / wide
    grid = canvas.add_gridspec(
        lines,
        columns,
        left=left,
        right=1 - 0.15 / wide,
        top=1 - (head + 0.24 * key_rows + 0.22) / height,
        bottom=(foot + 0.5) / height,
        hspace=0.75 / tall,
        wspace=(0.62 if not letters else 0.3 + 0.075 * min(letters, 30)) / _PANEL_WIDTH * 1.25,
    )
    for i, panel in enumerate(figure.panels):
        _draw(canvas.add_subplot(grid[i // columns, i % columns]), panel, styles)
    canvas.text(0.1 / wide, 1 - 0.12 / height, title, va="top", fontsize=11, fontweight="bold", color=_INK)
    canvas.text(0.1 / wide, 0.07 / height, below, va="bottom", fontsize=7.5, color=_FAINT)
    if legend:
        _add_legend(canvas, figure, styles, 1 - head / height, max(2, int(wide / 1.35)))
    return canvas


def _add_legend(canvas: Canvas, figure: Figure, styles: Sequence[Style], top: float, columns: int) -> None:
    keys = [
        Line2D([], [], color=styles[i].colour, marker=_MARKERS[styles[i].marker], markersize=5, lw=1.6)
        for i in figure.legend
    ]
    names = [_named(styles[i].name) for i in figure.legend]
    if figure.dashed:
        keys.append(Line2D([], [], color=_FAINT, lw=1.2, ls=(0, (4, 3))))
        names.append(figure.dashed)
    canvas.legend(
        keys,
        names,
        loc="upper left",
        bbox_to_anchor=(0.0, top),
        ncols=min(columns, len(keys)),
        frameon=False,
        fontsize=8.5,
        handlelength=1.8,
        columnspacing=1.4,
    )


def _named(name: str) -> str:
    """Keep matplotlib from leaving a name with a leading underscore out of the legend."""
    name = printable(name)
    return f"\u200b{name}" if name.startswith("_") else name


def _draw(axes: Axes, panel: Panel, styles: Sequence[Style]) -> None:
    x, y = scales(panel)
    for scale, which in ((x, "x"), (y, "y")):
        _set_axis(axes, scale, which)
    axes.set_xlabel(panel.x.label, color=_FAINT, fontsize=8.5)
    axes.set_ylabel(panel.y.label, color=_FAINT, fontsize=8.5)
    if panel.title:
        axes.set_title(panel.title, loc="left", fontsize=9, color=_INK)
    for axis, kind in ((axes.xaxis, panel.x.kind), (axes.yaxis, panel.y.kind)):
        if kind != "category":
            axis.grid(color=_GRID, lw=0.7)
    axes.set_axisbelow(True)
    for mark in panel.marks:
        _RENDERERS[type(mark)](axes, mark, styles)


def _set_axis(axes: Axes, scale: Scale, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    if scale.log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    (axes.set_xlim if which == "x" else axes.set_ylim)(scale.low, scale.high)
    ticks = scale.ticks()
    axis.set_ticks([value for value, _ in ticks], [text for _, text in ticks])
    axis.set_ticks([], minor=True)
    axes.tick_params(axis="x" if which == "x" else "y", length=0, colors=_FAINT, labelcolor=_INK, labelsize=8)


def _colour(series: Series, styles: Sequence[Style]) -> str:
    return _FAINT if series is None else styles[series].colour


def _draw_line(axes: Axes, mark: Line, styles: Sequence[Style]) -> None:
    axes.plot(
        mark.x,
        mark.y,
        color=_colour(mark.series, styles),
        lw=1.1 if mark.dashed else 1.7,
        ls=(0, (4, 3)) if mark.dashed else "-",
        drawstyle="steps-post" if mark.step else "default",
        marker=_MARKERS[styles[mark.series].marker] if mark.markers and mark.series is not None else None,
        markersize=4.2,
        markevery=max(1, len(mark.x) // 5),
    )


def _draw_band(axes: Axes, mark: Band, styles: Sequence[Style]) -> None:
    colour = _colour(mark.series, styles)
    step = "post" if mark.step else None
    axes.fill_between(mark.x, mark.lower, mark.upper, color=colour, alpha=0.14, lw=0, step=step)  # type: ignore[arg-type]


def _draw_points(axes: Axes, mark: Points, styles: Sequence[Style]) -> None:
    colour = _colour(mark.series, styles)
    if mark.low is not None and mark.high is not None:
        axes.hlines(mark.y, mark.low, mark.high, color=colour, lw=1.7)
    shape = "o" if mark.series is None else _MARKERS[styles[mark.series].marker]
    if mark.faint:
        look: dict[str, Any] = {"color": colour, "markersize": 2.4, "alpha": 0.6, "mew": 0}
        axes.plot(mark.x, mark.y, ".", rasterized=True, **look)  # thousands of shapes make a slow SVG
    else:
        axes.plot(mark.x, mark.y, shape, color=colour, markersize=5.5)


def _draw_bars(axes: Axes, mark: Bars, styles: Sequence[Style]) -> None:
    colours = [_colour(series, styles) for series in mark.series]
    edge: dict[str, Any] = {"lw": 1.0, "edgecolor": colours} if mark.visible else {"lw": 0}
    axes.barh(mark.y, mark.end - mark.start, mark.height, mark.start, color=colours, alpha=mark.tone, **edge)


def _draw_tiles(axes: Axes, mark: Tiles, styles: Sequence[Style]) -> None:
    boxes = [(*_span(x, mark.width, axes.get_xscale()), *_span(y, mark.height, axes.get_yscale()))
             for x, y in zip(mark.x, mark.y, strict=True)]  # fmt: skip
    series = [mark.series[i] if mark.series else None for i in range(len(boxes))]
    unsure = [bool(mark.unsure and mark.unsure[i]) for i in range(len(boxes))]
    shades = np.ones(len(boxes)) if mark.shade is None else 0.85 * np.nan_to_num(mark.shade)
    alphas = np.where(unsure, 0.5, shades).tolist()
    shapes = [Rectangle((a, bottom), b - a, top - bottom) for a, b, bottom, top in boxes]
    faces = [to_rgba(_colour(one, styles), alpha) for one, alpha in zip(series, alphas, strict=True)]
    edges = [to_rgba("white", alpha) for alpha in alphas]
    axes.add_collection(PatchCollection(shapes, facecolors=faces, edgecolors=edges, linewidths=1.0))
    for i, (a, b, bottom, top) in enumerate(boxes):
        if unsure[i]:
            axes.add_patch(
                Rectangle((a, bottom), b - a, top - bottom, fill=False, hatch="////", ec="white", lw=0.0)
            )
        if mark.texts and mark.texts[i]:
            axes.text(
                float(np.sqrt(a * b)) if axes.get_xscale() == "log" else (a + b) / 2,
                float(np.sqrt(bottom * top)) if axes.get_yscale() == "log" else (bottom + top) / 2,
                mark.texts[i],
                ha="center",
                va="center",
                fontsize=7.5,
                color="white" if series[i] is not None or shades[i] > 0.55 else _INK,
            )


def _span(centre: float, size: float, scale: str) -> tuple[float, float]:
    """Compute both edges of a tile; on a log axis its size is in decades."""
    half = size / 2
    if scale == "log":
        return float(centre / 10**half), float(centre * 10**half)
    return float(centre - half), float(centre + half)


def _draw_rule(axes: Axes, mark: Rule, styles: Sequence[Style]) -> None:
    del styles
    look: dict[str, Any] = {"color": _FAINT, "lw": 1.0, "ls": (0, (1, 2))}
    if mark.along == "y":
        axes.axhline(mark.at, **look)
        axes.annotate(
            mark.text, (1, mark.at), xycoords=("axes fraction", "data"), xytext=(0, 2),
            textcoords="offset points", ha="right", fontsize=7.5, color=_FAINT,
        )  # fmt: skip
    else:
        axes.axvline(mark.at, **look)
        axes.annotate(
            mark.text, (mark.at, 1), xycoords=("data", "axes fraction"), xytext=(3, -8),
            textcoords="offset points", fontsize=7.5, color=_FAINT,
        )  # fmt: skip


def _draw_shade(axes: Axes, mark: Shade, styles: Sequence[Style]) -> None:
    del styles
    if mark.end > mark.start:
        axes.axvspan(mark.start, mark.end, color="#808890", alpha=0.13, lw=0)


_RENDERERS: Final[dict[type, Callable[[Axes, Any, Sequence[Style]], None]]] = {
    Line: _draw_line,
    Band: _draw_band,
    Points: _draw_points,
    Bars: _draw_bars,
    Tiles: _draw_tiles,
    Rule: _draw_rule,
    Shade: _draw_shade,
}

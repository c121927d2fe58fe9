"""The tables of ``RESULTS.md``: a section per suite, a row per comparison.

A suite writes its own section, between two marks, and leaves the rest of the file alone. Rows of
benchmarks that were not run again stay, with their date.

>>> rows = [compare("a loop", "a list", [2.0, 2.2], [4.1, 4.0], "s", reach=Reach(1.5, of="ratio"))]
>>> write(path, "loops", "Loops", "What they cost.", {"loop": rows}, {"loop": "How it was measured."})
"""

from __future__ import annotations

import datetime
import itertools
import os
import platform
import re
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

HEADER = """# What fivefold costs and saves

Made by `make bench`. Figures are medians over turns, with (least .. greatest). A ratio above 1 is in
favour of fivefold, and its range is over the turns: in each turn one ran after the other.
"""
COLUMNS = ("benchmark", "what", "against", "fivefold", "the other", "ratio", "to reach", "reached")
_NONE = "-"


@dataclass(frozen=True)
class Reach:
    """A target: the least, or the most, that the ratio or our own figure may be."""

    bound: float
    of: Literal["ratio", "ours"] = "ours"
    least: bool = True

    def met(self, ours: float, ratio: float | None) -> bool:
        """Return True where a median reaches it."""
        figure = ratio if self.of == "ratio" else ours
        return figure is not None and (figure >= self.bound if self.least else figure <= self.bound)

    def text(self, unit: str) -> str:
        """Format for the table."""
        what = "ratio " if self.of == "ratio" else ""
        return f"{what}{'>=' if self.least else '<='} {number(self.bound)}{'' if what else unit_of(unit)}"


@dataclass(frozen=True)
class Row:
    """One comparison, as text."""

    what: str
    against: str
    ours: str
    theirs: str = _NONE
    ratio: str = _NONE
    reach: str = _NONE
    reached: str = _NONE


def compare(
    what: str,
    against: str,
    ours: Sequence[float],
    theirs: Sequence[float] | float | None = None,
    unit: str = "",
    *,
    more: bool = False,
    reach: Reach | None = None,
) -> Row:
    """A row of figures, one per turn.

    Parameters
    ----------
    theirs : sequence of float, float or None
        One per turn; or a figure that is not measured, such as an ideal; or nothing.
    more : bool
        Whether more is better.
    reach : Reach, optional
        What is to be reached.
    """
    text = reach.text(unit) if reach else _NONE
    if not ours or (theirs is not None and not isinstance(theirs, float | int) and not theirs):
        return Row(what, against, figure(ours, unit), reach=text, reached="not measured")
    if theirs is None:
        middle, ratio = None, _NONE
        shown = _NONE
    else:
        turns = [float(theirs)] * len(ours) if isinstance(theirs, float | int) else list(theirs)
        shown = (
            f"{number(turns[0])}{unit_of(unit)}" if isinstance(theirs, float | int) else figure(turns, unit)
        )
        pairs = [_ratio(a, b, more) for a, b in zip(ours, turns, strict=False)]
        middle = _ratio(statistics.median(ours), statistics.median(turns), more)
        ratio = figure(pairs, middle=middle)
    reached = _NONE if reach is None else "yes" if reach.met(statistics.median(ours), middle) else "**no**"
    return Row(what, against, figure(ours, unit), shown, ratio, text, reached)


def _ratio(ours: float, theirs: float, more: bool) -> float:
    above, below = (ours, theirs) if more else (theirs, ours)
    return above / below if below else float("inf")


def figure(values: Sequence[float], unit: str = "", middle: float | None = None) -> str:
    """Median, unit and spread."""
    if not values:
        return "not measured"
    middle = statistics.median(values) if middle is None else middle
    spread = f" ({number(min(values))} .. {number(max(values))})" if len(values) > 1 else ""
    return f"{number(middle)}{unit_of(unit)}{spread}"


def unit_of(unit: str) -> str:
    """A unit after its number."""
    return f" {unit}" if unit else ""


def number(x: float) -> str:
    """Three digits, or whole where there are more."""
    if x == int(x) or abs(x) >= 1000:
        return f"{x:,.0f}"
    return f"{x:.3g}"


def write(
    path: Path,
    suite: str,
    title: str,
    intro: str,
    rows: Mapping[str, Sequence[Row]],
    notes: Mapping[str, str],
) -> None:
    """Put a suite's section into the file, instead of the one that is there.

    Parameters
    ----------
    path : Path
        Is made where it is missing.
    suite : str
        Names the section's marks.
    title, intro : str
        What the section says before its table.
    rows, notes : mapping
        By benchmark. Those of other benchmarks of the suite stay as they are.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else HEADER
    old = section(text, suite)
    kept_lines = {name: lines for name, lines in _lines(old).items() if name not in rows}
    kept_notes = {name: note for name, note in _notes(old).items() if name not in notes}
    lines = kept_lines | {name: [_line(name, row) for row in some] for name, some in rows.items()}
    said = kept_notes | {name: f"- **{name}**: {' '.join(note.split())}" for name, note in notes.items()}
    parts = [
        f"## {title}",
        intro,
        "\n".join([*_HEAD, *itertools.chain.from_iterable(lines.values())]),
        "\n".join(said.values()),
    ]
    path.write_text(replaced(text, suite, "\n\n".join(part for part in parts if part)), encoding="utf-8")


def marks(suite: str) -> tuple[str, str]:
    """Lines before and after a suite's section."""
    return f"<!-- begin: {suite} -->", f"<!-- end: {suite} -->"


def section(text: str, suite: str) -> str:
    """Return the section between the marks of a suite; empty where it is missing."""
    begin, end = marks(suite)
    return text.partition(begin)[2].partition(end)[0].strip("\n") if begin in text else ""


def replaced(text: str, suite: str, content: str) -> str:
    """The text with another section of this suite; at its end where it had none."""
    begin, end = marks(suite)
    block = f"{begin}\n{content}\n{end}"
    if begin not in text:
        return f"{text.rstrip()}\n\n{block}\n"
    before, _, rest = text.partition(begin)
    if end not in rest:
        raise ValueError(f"the section '{suite}' has a beginning but no end")
    return before + block + rest.partition(end)[2]


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


_HEAD = (_cells(COLUMNS), _cells(["---"] * len(COLUMNS)))


def _line(name: str, row: Row) -> str:
    return _cells([name, row.what, row.against, row.ours, row.theirs, row.ratio, row.reach, row.reached])


def _lines(old: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in [line for line in old.split("\n") if line.startswith("| ")][2:]:
        found.setdefault(line.split("|")[1].strip(), []).append(line)
    return found


def _notes(old: str) -> dict[str, str]:
    return {match[1]: match[0] for match in re.finditer(r"^- \*\*(.+?)\*\*: .*$", old, re.M)}


def machine() -> str:
    """Describe the machine of the figures."""
    model = platform.processor() or platform.machine()
    names = Path("/proc/cpuinfo")
    if names.exists():
        found = re.search(r"^model name\s*: (.+)$", names.read_text(encoding="utf-8"), re.M)
        model = found[1] if found else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{len(os.sched_getaffinity(0))} cores, {model}, {memory:.0f} GB, {platform.system()}; "
        f"Python {platform.python_version()}, Ray {version('ray')}"
    )


def made(command: Sequence[str], repeats: int) -> str:
    """Return date and command of a measurement, for a note."""
    load = os.getloadavg()[0]
    return (
        f"{datetime.date.today().isoformat()}, {repeats} {'turn' if repeats == 1 else 'turns'}, "
        f"load before it {load:.1f}, `{shlex.join(command)}`."
    )

"""The leaderboard as a LaTeX table."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any, Final

import pandas as pd

from runner._text import printable

_ESCAPES: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def leaderboard_latex(board: pd.DataFrame, reference: str, name: str, at: str) -> str:
    """Write a tabular with its caption, for the package booktabs.

    Parameters
    ----------
    board : pandas.DataFrame
        `runner.results.stats.leaderboard.leaderboard`.
    reference : str
        The method that the others are compared with.
    name : str
        The name of the study.
    at : str
        The budget with its unit.
    """
    first = board.iloc[0]
    caption = (
        f"{name}: normalised regret (0 optimum, 1 reference loss; lower is better) after "
        f"{at}, over {first['problems']} problems and {first['blocks']} of "
        f"{first['blocks_planned']} blocks, with 95 % intervals from a paired bootstrap over seeds. "
        "Bold: the recommended method."
    )
    lines = [
        r"\begin{table}",
        r"\centering",
        f"\\caption{{{escape(caption)}}}",
        r"\begin{tabular}{lrrrrr}",
        r"\toprule",
        f"Method & Regret & Rank & $P$(best) & $P$(beats {escape(reference)}) & Speed-up \\\\",
        r"\midrule",
        *(_line(row) for row in board.to_dict("records")),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Escape LaTeX's special characters and characters that are not visible."""
    return "".join(_ESCAPES.get(letter, letter) for letter in printable(text))


def _line(row: Mapping[Hashable, Any]) -> str:
    bound = {"<=": r"$\le$ ", ">=": r"$\ge$ "}.get(str(row["speedup_trials_bound"]), "")
    speed = _number(row["speedup_trials"], 2)
    method = escape(str(row["method"]))
    cells = [
        f"\\textbf{{{method}}}" if row["recommended"] else method,
        _number(row["regret"], 3) + _interval(row["lower"], row["upper"], 3),
        _number(row["rank"], 2),
        _number(row["p_best"], 2),
        _number(row["p_beats"], 2) + _interval(row["p_beats_lower"], row["p_beats_upper"], 2),
        f"{bound}{speed}" if speed != "--" else speed,
    ]
    return " & ".join(cells) + r" \\"


def _number(x: float, digits: int) -> str:
    return "--" if math.isnan(x) else f"{x:.{digits}f}"


def _interval(low: float, high: float, digits: int) -> str:
    return "" if math.isnan(low) else f" [{low:.{digits}f}, {high:.{digits}f}]"

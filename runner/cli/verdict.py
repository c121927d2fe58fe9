"""Verdict on the terminal, and export of the leaderboard."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from runner._text import counted, duration, named
from runner.cli.console import print_line
from runner.cli.progress import number
from runner.cli.tables import fitting
from runner.results.export import write_frames
from runner.results.stats import Comparison
from runner.results.stats.decision import Decision
from runner.results.stats.latex import leaderboard_latex
from runner.results.stats.leaderboard import leaderboard
from runner.results.stats.targets import target
from runner.results.stats.verdict import UNITS, budget_text, verdict, verdicts

NAME = "leaderboard"
_MARK = "*"
_OPTIONAL = ("speed-up", "test gap", "propose/trial")


def print_verdict(console: Console, comparison: Comparison, trials: int | None = None) -> None:
    """Print the verdict at each budget and the leaderboard at the last one, or the reason for having none.

    Parameters
    ----------
    trials : int, optional
        Print the verdict at this budget only.
    """
    console.print()
    rows = verdicts(comparison) if trials is None else pd.DataFrame([verdict(comparison, trials)])
    for row in rows.to_dict("records"):
        print_line(console, row["sentence"], "bold" if not row["reason"] else "dim")
    if comparison.empty:
        return
    board = leaderboard(comparison, trials)
    if not board["blocks"].any():
        return
    console.print()
    title = f"{comparison.name}: {_blocks(board)}, after {_budget(comparison, trials)}"
    beats = f"beats {comparison.plan.reference}"
    lines = [(str(row["place"]), _marked(row), _cells(row, beats)) for row in board.to_dict("records")]
    console.print(fitting(console, title, "regret", ("rank", "P(best)", beats, *_OPTIONAL), lines))
    decision = comparison.decision(trials)
    if decision is not None:
        print_line(console, _legend(decision), "dim")
    if board["speedup_trials"].notna().any():
        count = target(comparison, trials if comparison.axis == "trials" else None)
        message = f"speed-up: factor by which fewer trials reach the result of random search in {count}."
        print_line(console, message, "dim")
    if comparison.unfinished:
        print_line(console, "The study has not ended; results are preliminary.", "yellow")


def _marked(row: Mapping[Hashable, Any]) -> str:
    """Return the method's name, with a star where it is recommended."""
    return f"{row['method']} {_MARK}" if row["recommended"] else str(row["method"])


def _legend(decision: Decision) -> str:
    """Explain the star, and the decisions on the other methods."""
    chosen, leader = decision.recommended, decision.leader
    parts = [f"{_MARK} {chosen}: {decision.mark(chosen)}"]
    if chosen != leader:
        parts[0] += f", equivalent to {leader}, which has the lowest regret"
    known = {chosen}
    for word, names in (
        ("level with the leader", decision.level),
        ("undecided", decision.undecided),
        ("equivalent", decision.equivalent),
    ):
        others = [name for name in names if name not in known]
        known |= set(others)
        if others:
            parts.append(f"{word}: {named(others)}")
    return "; ".join(parts) + "."


def _cells(row: Mapping[Hashable, Any], beats: str) -> dict[str, str]:
    speed = "-" if math.isnan(row["speedup_trials"]) else f"{row['speedup_trials']:.2g}x"
    bound = str(row["speedup_trials_bound"]) if isinstance(row["speedup_trials_bound"], str) else ""
    return {
        "regret": number(row["regret"], 3) + _interval(row["lower"], row["upper"]),
        "rank": number(row["rank"], 3),
        "P(best)": "-" if math.isnan(row["p_best"]) else f"{100 * row['p_best']:.0f} %",
        beats: number(row["p_beats"], 2) + _interval(row["p_beats_lower"], row["p_beats_upper"], 2),
        "speed-up": f"{bound} {speed}".strip() if bound != "=" else speed,
        "test gap": number(row["gap"], 3),
        "propose/trial": "-" if math.isnan(row["overhead_seconds"]) else duration(row["overhead_seconds"]),
    }


def _interval(low: float, high: float, digits: int = 3) -> str:
    return "" if math.isnan(low) else f" [{number(low, digits)}, {number(high, digits)}]"


def _blocks(board: Any) -> str:
    first = board.iloc[0]
    return f"{counted(first['problems'], 'problem')}, {first['blocks']} of {first['blocks_planned']} blocks"


def _budget(comparison: Comparison, trials: int | None) -> str:
    return budget_text(comparison.common() if trials is None else trials, UNITS[comparison.axis])


def export_leaderboard(comparison: Comparison, folder: Path, form: str) -> list[Path]:
    """Write the leaderboard in a file format, or as a table for LaTeX (``tex``)."""
    board = leaderboard(comparison)
    if form != "tex":
        return write_frames({NAME: board}, folder, form)
    return write_frames(
        {NAME: board}, folder, form, {"tex": lambda frame, path: _tex(comparison, frame, path)}
    )


def _tex(comparison: Comparison, board: Any, path: Path) -> None:
    text = leaderboard_latex(
        board, comparison.plan.reference or "", comparison.name, _budget(comparison, None)
    )
    path.write_text(text, encoding="utf-8")

"""The tables of the page: leaderboards, problems, pairs, costs, failures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from runner.report.figures.sheet import Sheet, records
from runner.report.views import Cell, Head, Table, cell, number, percent, seconds
from runner.results.stats.decision import Decision

_LONG = 40  # characters from which on a cell may wrap


def leaderboard(sheet: Sheet, board: pd.DataFrame, decision: Decision | None) -> Table:
    """Show one budget's leaderboard, with the row of the recommended method marked.

    Columns without any number are left out.
    """
    reference = sheet.comparison.plan.reference
    rows = records(board)
    against = reference or "the reference"
    columns = _decided(sheet, rows, decision)
    columns += [
        (
            Head(f"minus {against}", f"paired difference of regret to {against}; below 0 is better"),
            [cell(row["difference"], 2, row["difference_lower"], row["difference_upper"]) for row in rows],
        ),
        (
            Head("area", "mean regret over the budget; lower is better"),
            [cell(r["auc"], 2) for r in rows],
        ),
        (
            Head("rank", "average rank within problem and seed; lower is better"),
            [cell(row["rank"], 2, row["rank_lower"], row["rank_upper"]) for row in rows],
        ),
        (
            Head("P(best)", "share of resamples in which it has the lowest regret"),
            [Cell(percent(row["p_best"]), value=_float(row["p_best"])) for row in rows],
        ),
        (
            Head(f"P(beats {against})", "probability of a better result on the same problem and seed"),
            [cell(row["p_beats"], 2, row["p_beats_lower"], row["p_beats_upper"]) for row in rows],
        ),
        (
            Head("speed-up, trials", "ratio of trials: random search over this method, for the same target"),
            [_times(row, "speedup_trials") for row in rows],
        ),
        (
            Head("speed-up, seconds", "ratio of time: random search over this method, for the same target"),
            [_times(row, "speedup_seconds") for row in rows],
        ),
        (
            Head("proposal time", "mean time that the method takes to propose a trial"),
            [Cell(seconds(r["overhead_seconds"]), value=_float(r["overhead_seconds"])) for r in rows],
        ),
        (
            Head("test loss", "loss of the incumbents on held-out data, and its gap to validation"),
            [
                Cell(
                    number(row["test"]),
                    "" if row["gap"] is None else f"gap {number(row['gap'], 2)}",
                    _float(row["test"]),
                )
                for row in rows
            ],
        ),
        (
            Head("won / tied / lost", f"blocks (problem, seed) against {against}"),
            [
                Cell("–", value=math.nan)
                if row["method"] == reference or row["wins"] is None
                else Cell(f"{row['wins']} / {row['ties']} / {row['losses']}", value=float(row["wins"]))
                for row in rows
            ],
        ),
        (
            Head("failed", "failed trials, of all trials"),
            [
                Cell(number(row["failures"], 6), f"of {number(row['trials'], 6)}", _float(row["failures"]))
                for row in rows
            ],
        ),
        (
            Head("blocks", "(problem, seed) pairs that count, of those planned"),
            [
                Cell(f"{row['blocks']} of {row['blocks_planned']}", value=_float(row["blocks"]))
                for row in rows
            ],
        ),
    ]
    filled = [(head, cells) for head, cells in columns if any(item.text != "–" for item in cells)]
    return Table(
        [head for head, _ in filled],
        [list(row) for row in zip(*(cells for _, cells in filled), strict=True)],
        series=[sheet.series(str(row["method"])) for row in rows],
        lead=next((place for place, row in enumerate(rows) if row["recommended"]), None),
    )


def _decided(
    sheet: Sheet, rows: list[dict[str, Any]], decision: Decision | None
) -> list[tuple[Head, list[Cell]]]:
    """Make the columns that the decision rests on: place, method with its mark, standing, regret."""
    names = [str(row["method"]) for row in rows]
    standing = "equivalent: the interval of the difference lies within the ROPE; worse: above 0; "
    average = sheet.average.lower()
    return [
        (Head("#", "place"), [cell(row["place"]) for row in rows]),
        (
            Head("method", "marked: the method that the verdict at this budget names", left=True),
            [Cell(name, decision.mark(name) if decision else "") for name in names],
        ),
        (
            Head("vs. the leader", f"{standing}undecided: neither", left=True),
            [Cell(row["standing"] or "–") for row in rows],
        ),
        (
            Head("regret", f"{average} of the normalised regret, 95 % interval; lower is better"),
            [cell(row["regret"], 2, row["lower"], row["upper"]) for row in rows],
        ),
    ]


def _times(row: dict[str, Any], name: str) -> Cell:
    value = row[name]
    if value is None:
        return Cell("–", value=math.nan)
    bound = {">=": "≥ ", "<=": "≤ "}.get(str(row[f"{name}_bound"]), "")
    return Cell(f"{bound}{number(value, 2)}×", value=float(value))


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def heat_map(sheet: Sheet, frame: pd.DataFrame) -> Table:
    """Show methods by problem: regret as colour, the value below it, a dot on the best and the tied."""
    names = sheet.shown
    rows = []
    for problem, group in frame.groupby("problem", sort=False):
        of = {str(row["method"]): row for row in records(group)}
        cells = [Cell(str(problem))]
        for name in names:
            row = of.get(name)
            if row is None or row["regret"] is None:
                cells.append(Cell("–", value=math.nan, kind="none"))
                continue
            good = bool(row["leads"]) or bool(row["tied"])
            shade = float(np.clip(row["regret"], 0, 1))
            cells.append(
                Cell(number(row["regret"], 2), number(row["value"], 4), shade, "best" if good else "")
            )
        rows.append(cells)
    return Table([Head("problem", left=True), *(Head(name) for name in names)], rows)


def pairs(sheet: Sheet, frame: pd.DataFrame) -> Table:
    """Show the probability that the row beats the column, with its interval."""
    names = sheet.shown
    of = {(str(row["method"]), str(row["against"])): row for row in records(frame)}
    rows = []
    for name in names:
        cells = [Cell(name)]
        for other in names:
            row = of.get((name, other))
            if row is None or row["probability"] is None:
                cells.append(Cell("" if name == other else "–", value=math.nan, kind="none"))
                continue
            cells.append(cell(row["probability"], 2, row["lower"], row["upper"]))
        rows.append(cells)
    return Table(
        [Head("beats →", left=True), *(Head(name) for name in names)],
        rows,
        series=[sheet.series(name) for name in names],
        sortable=False,
    )


def plain(
    frame: pd.DataFrame, columns: Sequence[tuple[str, str, str]], sheet: Sheet | None = None, most: int = 400
) -> Table:
    """Show a frame by (column, head, kind); kinds are string, flag, number, share, seconds and count."""
    shown = records(frame.head(most))
    rows = [[_plain(row[name], kind) for name, _, kind in columns] for row in shown]
    series: list[int | None] = []
    if sheet is not None and "method" in frame:
        series = [sheet.series(str(row["method"])) for row in shown]
    return Table([Head(head, left=kind == "string") for _, head, kind in columns], rows, series=series)


def _plain(value: Any, kind: str) -> Cell:
    if kind == "string":
        return Cell("–" if value is None else str(value), kind="long" if len(str(value)) > _LONG else "")
    if kind == "flag":
        return Cell("–" if value is None else ("yes" if value else "no"))
    shown = {"share": percent, "seconds": seconds}.get(kind)
    if shown is not None:
        return Cell(shown(value), value=_float(value))
    return cell(value, 6 if kind == "count" else 3)


def break_even(sheet: Sheet, frame: pd.DataFrame) -> Table:
    """Show when the method with slower proposals pays off; each pair once."""
    rows, series = [], []
    for row in records(frame):
        if row["overhead_a"] is None or row["overhead_b"] is None or row["overhead_a"] <= row["overhead_b"]:
            continue
        when = {"above": "if one takes more than", "below": "if one takes less than"}.get(
            row["pays"], row["pays"]
        )
        limit = f" {seconds(row['seconds'])}" if row["pays"] in ("above", "below") else ""
        rows.append(
            [
                Cell(str(row["method"])),
                Cell(str(row["against"])),
                cell(row["trials_a"]),
                cell(row["trials_b"]),
                Cell(seconds(row["overhead_a"]), value=_float(row["overhead_a"])),
                Cell(seconds(row["overhead_b"]), value=_float(row["overhead_b"])),
                Cell(f"{when or '–'}{limit}", value=_float(row["seconds"])),
            ]
        )
        series.append(sheet.series(str(row["method"])))
    heads = ["method", "against", "trials", "trials of the other", "time per proposal", "of the other"]
    heads += ["pays off"]
    return Table([Head(head, left=head in ("method", "against")) for head in heads], rows, series=series)


def generalisation(sheet: Sheet, frame: pd.DataFrame) -> Table:
    """Show the loss of incumbents on held-out data, by problem and method."""
    rows = records(frame)
    cells = [
        [
            Cell(str(row["problem"])),
            Cell(str(row["method"])),
            cell(row["gap"], 2, row["gap_lower"], row["gap_upper"]),
            cell(row["test_loss"]),
            Cell(percent(row["overtuned"]), value=_float(row["overtuned"])),
            Cell(percent(row["worse_than_first"]), value=_float(row["worse_than_first"])),
        ]
        for row in rows
        if row["gap"] is not None
    ]
    heads = [Head("problem", left=True), Head("method", left=True), Head("test minus validation")]
    heads += [Head("test loss"), Head("overtuned"), Head("worse than the first")]
    named = [sheet.series(str(row["method"])) for row in rows if row["gap"] is not None]
    return Table(heads, cells, series=named)

"""Figures beside the verdict: decision map, leaderboard, heat map."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from runner._text import duration, named
from runner.report.figures import findings
from runner.report.figures.marks import Axis, Figure, Mark, Panel, Points, Tiles
from runner.report.figures.scale import short
from runner.report.figures.sheet import REGRET, Sheet, floats, plural, records, rests_on
from runner.results.stats.decision import Decision
from runner.results.stats.decision_map import decision_map as map_of
from runner.results.stats.leaderboard import leaderboard as board_of
from runner.results.stats.verdict import UNITS, budget_text


def decision_map(sheet: Sheet) -> Figure | None:
    """Draw the method to use, by the number of evaluations and the seconds that each takes."""
    frame = map_of(sheet.comparison)
    known = frame[frame["method"].notna()]
    if known["evaluations"].nunique() < 2 or known["seconds_per_evaluation"].nunique() < 2:
        return None
    x, y = floats(known, "evaluations"), floats(known, "seconds_per_evaluation")
    across, down = np.unique(x), np.unique(y)[::-1]
    sure = known["sure"].fillna(False).astype(bool).tolist()
    names = [str(name) for name in known["method"]]
    hints = tuple(
        f"{short(a)} evaluations of {duration(b)}: {name}{'' if certain else ', undecided'}"
        for a, b, name, certain in zip(x, y, names, sure, strict=True)
    )
    tiles = Tiles(
        np.searchsorted(across, x).astype(np.float64),
        np.searchsorted(-down, -y).astype(np.float64),
        1.0,
        1.0,
        tuple(sheet.series(name) for name in names),
        unsure=tuple(not certain for certain in sure),
        hints=hints,
    )
    return Figure(
        "01_decision_map",
        _shares(names, sure),
        "Find how many evaluations you can afford and how long one takes: the colour is the method to use, "
        "by these runs re-timed. Hatched: undecided; the colour is the leader. Time spent on proposals is "
        "lost to evaluations; if that is less than one evaluation, a cell is the verdict at that budget. "
        f"{_measured(sheet)}",
        rests_on(known),
        (
            Panel(
                Axis("evaluations", "category", categories=tuple(short(v) for v in across)),
                Axis("time of one evaluation", "category", categories=tuple(duration(v) for v in down)),
                (tiles,),
            ),
        ),
        frame,
        tuple(i for i, style in enumerate(sheet.styles) if style.name in set(names)),
    )


def _shares(names: list[str], sure: list[bool]) -> str:
    """Describe which method has most of the map, and how much of it is undecided."""
    counts = {name: -float(names.count(name)) for name in dict.fromkeys(names)}
    most = findings.lowest(counts)
    share, undecided = -counts[most[0]] / len(names), 1 - sum(sure) / len(sure)
    if len(most) > 1:
        title = f"{named(most)} are each the choice in {share:.0%} of the cases"
    else:
        title = f"{most[0]} is the choice in {'all' if share == 1 else f'{share:.0%} of the'} cases"
    return f"{title}; {undecided:.0%} undecided" if undecided else title


def _measured(sheet: Sheet) -> str:
    """Write how long the evaluations of this study took."""
    trials = sheet.comparison.trials
    evaluated = trials.loc[trials["origin"] == "evaluated", "seconds"]
    return f"The median evaluation here took {duration(float(evaluated.median()))}."


def leaderboard(sheet: Sheet) -> Figure | None:
    """Draw the regret at the common budget, best first, with intervals."""
    board = board_of(sheet.comparison)
    known = board[board["regret"].notna()]
    if not len(known):
        return None
    drawn = known[known["method"].isin(sheet.shown)]
    names = [str(name) for name in drawn["method"]]
    marks: list[Mark] = []
    for place, row in enumerate(records(drawn)):
        marks.append(
            Points(
                np.array([row["regret"]]),
                np.array([float(place)]),
                sheet.series(str(row["method"])),
                low=np.array([row["lower"] if row["lower"] is not None else math.nan]),
                high=np.array([row["upper"] if row["upper"] is not None else math.nan]),
                texts=(f"{row['method']}: {short(row['regret'])}, {_interval(row['lower'], row['upper'])}",),
            )
        )
    comparison = sheet.comparison
    return Figure(
        "02_leaderboard",
        _standing(comparison.decision(), known),
        f"{sheet.average} of the regret at {budget_text(comparison.common(), UNITS[comparison.axis])} with "
        "its 95 % interval over the seeds; 0 is the optimum, 1 no better than the reference value.",
        rests_on(known),
        (Panel(Axis(REGRET), Axis("", "category", categories=tuple(names)), tuple(marks)),),
        board,
    )


def _standing(decision: Decision | None, board: pd.DataFrame) -> str:
    """Describe who has the lowest regret, and what is decided of the others."""
    regrets = [float(value) for value in board["regret"]]
    if decision is None:
        return "Regret at the common budget"
    title = findings.verb(decision.lowest, "has", "share") + f" the lowest regret, {short(regrets[0], 2)}"
    if decision.recommended != decision.leader:
        title += f"; {decision.recommended} is equivalent and cheaper"
    elif decision.undecided:
        behind = [name for name in decision.undecided if name not in decision.level]
        title += f"; undecided against {named(behind)}" if behind else ""
    elif decision.equivalent:
        title += f"; {findings.verb(decision.equivalent, 'is', 'are')} equivalent"
    elif len(regrets) > 1:
        highest = findings.lowest({str(row["method"]): -float(row["regret"]) for row in records(board)})
        title += f"; {findings.verb(highest, 'has', 'have')} the highest, {short(regrets[-1], 2)}"
    return title


def _interval(low: float | None, high: float | None) -> str:
    return "no interval" if low is None or high is None else f"interval {short(low)} to {short(high)}"


def heat_map(sheet: Sheet, problems: pd.DataFrame) -> Figure | None:
    """Draw the regret of each method on each problem; see `runner.results.stats.per_problem.by_problem`."""
    known = problems[problems["regret"].notna()]
    if not len(known):
        return None
    rows = list(dict.fromkeys(str(name) for name in known["problem"]))
    columns = sheet.shown
    found = known[known["method"].isin(columns)]
    x = np.array([float(columns.index(str(name))) for name in found["method"]])
    y = np.array([float(rows.index(str(name))) for name in found["problem"]])
    good = (found["leads"].fillna(False) | found["tied"].fillna(False)).to_numpy(dtype=bool)
    regret = floats(found, "regret")
    texts = tuple(
        f"{'● ' if best else ''}{short(value, 2)}" for best, value in zip(good, regret, strict=True)
    )
    tiles = Tiles(x, y, 1.0, 1.0, shade=np.clip(regret, 0, 1), texts=texts)
    return Figure(
        "07_heatmap",
        _leads(known, len(rows)),
        "Regret at the common budget, mean over the seeds: the darker, the worse. A dot marks the method "
        "with the lowest mean on a problem, and those that are not shown to be worse.",
        f"n = {plural(len(rows), 'problem')} × {plural(int(found['seeds'].min()), 'seed')}.",
        (
            Panel(
                Axis("", "category", categories=tuple(columns)),
                Axis("", "category", categories=tuple(rows)),
                (tiles,),
            ),
        ),
        problems,
    )


def _leads(found: pd.DataFrame, problems: int) -> str:
    """Describe who has the lowest mean regret on the most problems."""
    counts = found.groupby("method", sort=False)["leads"].sum()
    most = findings.lowest({str(name): -float(count) for name, count in counts.items()})
    count = int(counts.max())
    where = "on every problem" if count == problems else f"on {count} of {plural(problems, 'problem')}"
    if len(most) == 1:
        return f"{most[0]} has the lowest mean regret {where}"
    share = "share the lowest mean regret" if count == problems else "each have the lowest mean regret"
    return f"{named(most)} {share} {where}"

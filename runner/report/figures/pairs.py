"""Figures of methods head to head: P(A beats B), the signed rank test, critical differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from runner._text import listed
from runner.report.figures.marks import Axis, Bars, Figure, Mark, Panel, Points, Rule, Tiles
from runner.report.figures.scale import short
from runner.report.figures.sheet import LOWER, Sheet, floats, records, rests_on
from runner.results.stats.leaderboard import leaderboard
from runner.results.stats.pairs import beats
from runner.results.stats.significance import friedman, friedman_ranks, signed_rank


def pairwise(sheet: Sheet) -> Figure | None:
    """Draw the probability that the row's method beats the column's."""
    comparison = sheet.comparison
    frame = beats(comparison.blocks(), comparison.pairs(), comparison.plan.gamma)
    known = frame[frame["probability"].notna()]
    if not len(known):
        return None
    names = sheet.shown
    places = {name: float(i) for i, name in enumerate(names)}
    rows = records(known)
    tiles = Tiles(
        np.array([places[row["against"]] for row in rows]),
        np.array([places[row["method"]] for row in rows]),
        1.0,
        1.0,
        shade=np.array([row["probability"] for row in rows]),
        texts=tuple(f"{row['probability']:.2f}" for row in rows),
    )
    return Figure(
        "08_pairwise",
        _first_pair(sheet, rows),
        "Each cell: probability that the method of the row ends a run better than that of the column on the "
        "same problem and seed; 0.5 is no difference.",
        rests_on(known),
        (
            Panel(
                Axis("against", "category", categories=tuple(names)),
                Axis("", "category", categories=tuple(names)),
                (tiles,),
            ),
        ),
        frame,
    )


def _first_pair(sheet: Sheet, rows: list[dict[str, Any]]) -> str:
    """Write the probability that the leader beats the runner-up."""
    comparison = sheet.comparison
    board = leaderboard(comparison)
    first, second = (str(name) for name in board["method"].head(2))
    for row in rows:
        if (row["method"], row["against"]) == (first, second):
            chance = f"{row['probability']:.2f} [{row['lower']:.2f}, {row['upper']:.2f}]"
            level = "; they are level in regret" if board["place"].iloc[1] == 1 else ""
            return f"P({first} beats {second}) = {chance}{level}"
    return "How often each method beats each other"


def signed_ranks(sheet: Sheet) -> Figure | None:
    """Draw the Bayesian signed rank test against the reference: better, equivalent, worse."""
    comparison = sheet.comparison
    frame = signed_rank(comparison.blocks(), comparison.pairs("reference"), comparison.plan.rope)
    known = frame[frame["p_better"].notna()]
    if not len(known):
        return None
    rows = records(known)
    y = np.arange(len(rows), dtype=np.float64)
    better, same = floats(known, "p_better"), floats(known, "p_same")
    of = [sheet.series(str(row["method"])) for row in rows]
    names = tuple(str(row["method"]) for row in rows)
    against = str(rows[0]["against"])
    texts = tuple(
        f"{row['method']}: better {row['p_better']:.2f}, equivalent {row['p_same']:.2f}, "
        f"worse {row['p_worse']:.2f}"
        for row in rows
    )
    none = [None] * len(rows)
    marks = (
        Bars(y, np.zeros(len(y)), better, of, texts),
        Bars(y, better, better + same, none, texts, tone=0.35),
        Bars(y, better + same, np.ones(len(y)), none, texts, tone=0.85),
        Rule(0.5, "x"),
    )
    sure = [str(row["method"]) for row in rows if row["p_better"] >= 0.95]
    title = f"No method beats {against} across problems with a probability of 0.95"
    if sure:
        title = f"{listed(sure)} {'beats' if len(sure) == 1 else 'beat'} {against} across problems"
    return Figure(
        "08_signed_rank",
        title,
        f"From the left: probability of better than {against} (colour), equivalent (light grey), worse (dark "
        f"grey). Equivalent: the regrets differ by less than {short(comparison.plan.rope)}.",
        rests_on(known),
        (Panel(Axis("probability", limits=(0, 1)), Axis("", "category", categories=names), marks),),
        frame,
    )


def critical_difference(sheet: Sheet) -> Figure | None:
    """Draw average ranks with the critical difference, if there are enough problems."""
    blocks = sheet.comparison.blocks()
    test, frame = friedman(blocks), friedman_ranks(blocks)
    if test["cd"].isna().all() or frame["rank"].isna().all():
        return None
    cd = float(test["cd"].iloc[0])
    frame = frame.sort_values("rank", kind="stable")
    rows = records(frame)
    marks: list[Mark] = []
    for place, row in enumerate(rows):
        at = np.array([row["rank"]])
        text = (f"{row['method']}: rank {row['rank']:.2f}",)
        marks.append(
            Points(
                at,
                np.array([float(place)]),
                sheet.series(str(row["method"])),
                low=at,
                high=at + cd,
                texts=text,
            )
        )
    return Figure(
        "08_critical_difference",
        f"A gap of {cd:.2f} ranks is needed here to tell two methods apart",
        "Dots are average ranks; Nemenyi's test cannot tell a method from another whose line covers its dot.",
        rests_on(frame),
        (
            Panel(
                Axis(f"average rank, {LOWER}"),
                Axis("", "category", categories=tuple(str(row["method"]) for row in rows)),
                tuple(marks),
            ),
        ),
        frame,
    )

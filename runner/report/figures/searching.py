"""Figures of the search: history, importance, each parameter against the metric, training curves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from runner._text import named
from runner.report.figures.marks import Axis, Bars, Figure, Line, Mark, Panel, Points, Rule
from runner.report.figures.scale import short
from runner.report.figures.sheet import Sheet, floats, plural, records, value_axis
from runner.results.stats import importance as stats

_MOST_POINTS = 240
"""Per method and panel; more would only be ink and bytes."""
_MOST_CURVES = 40  # more lines hide each other
_MOST_CATEGORIES = 12  # more labels do not fit under a panel


@dataclass(frozen=True)
class Aim:
    """The metric of a problem; ``minimised``: lower is better."""

    metric: str
    minimised: bool

    @property
    def label(self) -> str:
        """The label of an axis."""
        return f"{self.metric}, {'lower' if self.minimised else 'higher'} is better"


def history(sheet: Sheet, problem: str, aim: Aim, name: str) -> Figure | None:
    """Draw each trial's value and the best so far; for a study of one method."""
    trials = sheet.comparison.trials
    rows = trials[(trials["problem"] == problem) & trials["value"].notna()]
    if not len(rows):
        return None
    drawn, note = sheet.limit(problem).frame(rows, ("value",))
    marks: list[Mark] = []
    for i, method, found in sheet.by_method(drawn):
        marks.append(Points(floats(found, "number") + 1, floats(found, "value"), i, method, faint=True))
        for seed, of_seed in found[found["status"] == "COMPLETED"].groupby("seed"):
            of_seed = of_seed.sort_values("number")
            x, values = floats(of_seed, "number") + 1, floats(of_seed, "value")
            best = np.minimum.accumulate(values) if aim.minimised else np.maximum.accumulate(values)
            marks.append(Line(x, best, i, f"best so far, seed {seed}", True, markers=False))
    completed = rows[rows["status"] == "COMPLETED"]
    title = f"{problem}: no trial was valid"
    if len(completed):
        at = completed.iloc[int(completed["loss"].to_numpy().argmin())]
        title = f"{problem}: the best trial is number {int(at['number']) + 1}, {short(float(at['value']), 4)}"
    return Figure(
        name,
        title,
        f"Each dot is a trial, in the order in which they were proposed; the line is the best so far.{note}",
        f"n = {plural(len(rows), 'trial')}.",
        (Panel(Axis("trials"), value_axis(aim.label, floats(drawn, "value")), tuple(marks)),),
        rows[["problem", "method", "seed", "number", "status", "value"]],
        sheet.legend,
    )


def importance(sheet: Sheet) -> Figure | None:
    """Draw which parameters matter, by the random trials; one panel per problem."""
    frame = stats.importance(sheet.comparison)
    known = frame[frame["importance"].notna()]
    if not len(known):
        return None
    panels, leaders = [], []
    for problem, rows in known.groupby("problem", sort=False):
        ordered = rows.sort_values("importance", ascending=False, kind="stable")
        names = tuple(str(name) for name in ordered["parameter"])
        share = floats(ordered, "importance")
        texts = tuple(f"{name}: {value:.0%}" for name, value in zip(names, share, strict=True))
        bars = Bars(
            np.arange(len(names), dtype=float), np.zeros(len(names)), share, [None] * len(names), texts
        )
        panels.append(
            Panel(
                Axis("share of the importance", limits=(0, 1)),
                Axis("", "category", categories=names),
                (bars,),
                str(problem),
            )
        )
        leaders.append((str(problem), names[0], float(share[0])))
    problem, parameter, share_of_it = max(leaders, key=lambda found: found[2])
    return Figure(
        "11_importance",
        f"{parameter} matters most on {problem}, with {share_of_it:.0%} of the importance",
        "How much the distribution of a parameter among the best random trials differs from that among all "
        "(PED-ANOVA). Only random trials count: those of other methods are concentrated where they searched.",
        f"n = {plural(int(known.groupby('problem')['draws'].max().sum()), 'random trial')}.",
        tuple(panels),
        frame,
    )


def parameters(sheet: Sheet, problem: str, aim: Aim, facts: pd.DataFrame, name: str) -> Figure | None:
    """Draw each parameter of a problem against its metric; ``facts`` is `Comparison.parameters`."""
    trials = sheet.comparison.trials
    rows = trials[
        (trials["problem"] == problem) & (trials["status"] == "COMPLETED") & trials["value"].notna()
    ]
    drawn, note = sheet.limit(problem).frame(rows, ("value",))
    panels = [
        panel
        for fact in records(facts[facts["problem"] == problem])
        if (panel := _axis_plot(sheet, drawn, fact, aim)) is not None
    ]
    if not panels:
        return None
    best = rows.iloc[int(rows["loss"].to_numpy().argmin())]
    by = [str(name) for name in rows.loc[rows["loss"] == best["loss"], "method"].unique()]
    return Figure(
        name,
        f"{problem}: the best value is {short(float(best['value']), 4)}, by {named(by)}",
        "Each dot is a trial. A best value at a bound of its range means that the range may be too narrow."
        f"{note}",
        f"n = {plural(len(rows), 'trial')}, at most {_MOST_POINTS} drawn per method.",
        tuple(panels),
        rows[["method", "seed", "number", "value", *(f"config/{f['parameter']}" for f in records(
            facts[facts["problem"] == problem]) if f"config/{f['parameter']}" in rows)]],
        sheet.legend,
    )  # fmt: skip


def _axis_plot(sheet: Sheet, rows: pd.DataFrame, fact: dict[str, object], aim: Aim) -> Panel | None:
    column = f"config/{fact['parameter']}"
    if column not in rows or rows[column].isna().all():
        return None
    found = rows[rows[column].notna()]
    numeric = fact["kind"] != "choice" and pd.api.types.is_numeric_dtype(found[column])
    if numeric:
        axis = Axis(str(fact["parameter"]), "log" if fact["log"] else "linear", _padded(fact))
        place = found[column].astype(float)
    else:
        values = found[column].astype(str)
        categories = tuple(dict.fromkeys(values))
        if len(categories) > _MOST_CATEGORIES:
            return None
        axis = Axis(str(fact["parameter"]), "category", categories=categories)
        # Side by side around the category's place, by number, so that points do not hide each other.
        spread = (found["number"] % 9 - 4) / 9 * 0.6
        place = values.map({name: float(i) for i, name in enumerate(categories)}) + spread
    marks: list[Mark] = []
    for i, method, of_method in sheet.by_method(found.assign(place=place)):
        drawn = of_method.iloc[:: max(1, math.ceil(len(of_method) / _MOST_POINTS))]
        marks.append(Points(floats(drawn, "place"), floats(drawn, "value"), i, method, faint=True))
    best = found.iloc[int(found["loss"].to_numpy().argmin())]
    if numeric:
        marks.append(Rule(float(best[column]), "x", f"best {short(float(best[column]))}"))
    return Panel(axis, value_axis(aim.label, floats(found, "value")), tuple(marks), str(fact["parameter"]))


def _padded(fact: dict[str, object]) -> tuple[float, float] | None:
    """Widen the range of a parameter a little, so that points at its bounds are whole."""
    if fact["low"] is None or fact["high"] is None:
        return None
    low, high = float(fact["low"]), float(fact["high"])  # type: ignore[arg-type]
    if not high > low:
        return None
    if fact["log"]:
        pad = (high / low) ** 0.03
        return low / pad, high * pad
    return low - 0.03 * (high - low), high + 0.03 * (high - low)


def training_curves(sheet: Sheet) -> Iterator[Figure]:
    """Draw the loss after each step of the trials of one run, if a scheduler or steps are used."""
    trials = sheet.comparison.trials
    # The steps of cross-validation are its folds, which are not a training curve unless one was stopped.
    stopped_somewhere = trials.loc[trials["status"] == "STOPPED", "problem"].unique()
    stepped = trials[
        trials["steps"].notna() & (trials["folds"].isna() | trials["problem"].isin(stopped_somewhere))
    ]
    for number, (problem, rows) in enumerate(stepped.groupby("problem", sort=False)):
        run = rows["run"].iloc[0]
        of_run = rows[rows["run"] == run].head(_MOST_CURVES)
        marks: list[Mark] = []
        i = sheet.series(str(of_run["method"].iloc[0]))
        losses_of = [
            np.array([np.nan if v is None else float(v) for v in json.loads(steps)])
            for steps in of_run["steps"]
        ]
        drawn, note = sheet.limit(str(problem), losses=True).fitted(*losses_of)
        for row, losses in zip(records(of_run), drawn, strict=True):
            stopped = row["status"] == "STOPPED"
            steps = np.arange(1, len(losses) + 1, dtype=np.float64)
            marks.append(Line(steps, losses, None if stopped else i, "", False, stopped, False))
        stopped_count = int((of_run["status"] == "STOPPED").sum())
        yield Figure(
            f"12_training_{number + 1}",
            f"{run}: {stopped_count} of {plural(len(of_run), 'trial')} stopped early",
            "Each line is a trial, its loss after each step; dashed ones were stopped by the scheduler."
            f"{note}",
            f"n = {plural(len(of_run), 'trial')} of one run.",
            (Panel(Axis("step"), value_axis("loss, lower is better", *drawn), tuple(marks)),),
            of_run[["run", "number", "status", "steps"]],
        )

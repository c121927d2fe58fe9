"""What the methods cost: where the time goes, how thinking grows, when it pays."""

from __future__ import annotations

import numpy as np

from runner.figures.marks import Axis, Bars, Figure, Mark, Panel
from runner.figures.sheet import LOWER, Sheet, curve, floats, plural, records, value_axis
from runner.wording import duration

_PARTS = (
    ("suggest_seconds", "thinking", 1.0),
    ("evaluation_seconds", "evaluating", 0.45),
    ("queue_seconds", "waiting for a lane", 0.2),
)
_MOST_BARS = 400


def overhead(sheet: Sheet) -> Figure | None:
    """Seconds per trial by what they went into, and thinking over the trial's number."""
    costs = sheet.comparison.costs()
    if not len(costs) or not costs["trials"].sum():
        return None
    columns = [*(name for name, _, _ in _PARTS), "trials"]
    totals = costs.groupby("method", sort=False)[columns].sum(min_count=1)
    totals = totals[totals["trials"] > 0]
    names = [name for name in sheet.shown if name in totals.index]
    totals = totals.loc[names]
    y = np.arange(len(names), dtype=np.float64)
    of = [sheet.series(name) for name in names]
    trials = totals["trials"].to_numpy(dtype=np.float64)
    marks: list[Mark] = []
    start = np.zeros(len(names))
    for column, word, tone in _PARTS:
        part = np.nan_to_num(totals[column].to_numpy(dtype=np.float64)) / trials
        texts = tuple(
            f"{name}: {duration(value)} per trial {word}" for name, value in zip(names, part, strict=True)
        )
        marks.append(Bars(y, start, start + part, of, texts, tone=tone))
        start = start + part
    thinking = totals["suggest_seconds"].to_numpy(dtype=np.float64) / trials
    most = int(np.nanargmax(thinking))
    title = f"{names[most]} thinks for {duration(float(thinking[most]))} per trial"
    if len(names) > 1:
        others = np.delete(thinking, most)
        title += f", the others for at most {duration(float(np.nanmax(others)))}"
    panels = [
        Panel(
            Axis("seconds per trial"),
            Axis("", "category", categories=tuple(names)),
            tuple(marks),
            "Thinking (dark), evaluating, waiting (light)",
        )
    ]
    growth = sheet.comparison.overhead_growth()
    known = growth[growth["suggest_seconds"] > 0].rename(columns={"number": "budget"})
    if len(known):
        lines: list[Mark] = []
        for i, name, rows in sheet.by_method(known):
            lines += curve(rows, "suggest_seconds", i, name, ("q25", "q75"), step=False)
        axis = value_axis(f"seconds of thinking, {LOWER}", floats(known, "suggest_seconds"))
        panels.append(Panel(Axis("number of the trial"), axis, tuple(lines), "Thinking before each trial"))
    return Figure(
        "09_overhead",
        title,
        "Left: what one trial costs on average. Right: median and quartiles of the thinking before the trial "
        "with that number; methods that model the history slow down as it grows.",
        f"n = {plural(int(trials.sum()), 'trial')}.",
        tuple(panels),
        costs,
        sheet.legend,
    )


def timeline(sheet: Sheet) -> Figure | None:
    """When the trials of one run were evaluated: the run with the most trials, on its lanes."""
    trials = sheet.comparison.trials
    trials = trials[trials["started"].notna() & (trials["seconds"] > 0) & (trials["origin"] == "evaluated")]
    if not len(trials):
        return None
    run = trials.groupby("run", sort=True)["seconds"].sum().idxmax()
    rows = trials[trials["run"] == run].sort_values("started").head(_MOST_BARS)
    lanes = [str(name) for name in dict.fromkeys(rows["worker"].fillna(""))]
    y = np.array([float(lanes.index(str(name))) for name in rows["worker"].fillna("")])
    start, seconds = floats(rows, "started"), floats(rows, "seconds")
    method = str(rows["method"].iloc[0])
    span = float((start + seconds).max() - start.min())
    busy = min(1.0, float(seconds.sum()) / (span * len(lanes))) if span > 0 else 1.0
    texts = tuple(
        f"trial {row['number']}: {duration(row['seconds'])}, {row['status']}" for row in records(rows)
    )
    bars = Bars(y, start, start + seconds, [sheet.series(method)] * len(rows), texts)
    return Figure(
        "09_timeline",
        f"{run}: evaluations fill {busy:.0%} of its lanes' time",
        "Each bar is one evaluation; between them the method thinks, or the lane works for other runs.",
        f"n = {plural(len(rows), 'trial')} of one run.",
        (
            Panel(
                Axis("seconds since the run began"),
                Axis("", "category", categories=tuple(f"lane {i + 1}" for i in range(len(lanes)))),
                (bars,),
            ),
        ),
        rows[["run", "number", "worker", "started", "seconds", "status"]],
    )

"""Figures of cost: where the time goes, and how proposal time grows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from runner._text import duration
from runner.report.figures import findings
from runner.report.figures.marks import Axis, Bars, Figure, Mark, Panel
from runner.report.figures.sheet import LOWER, Sheet, curve, floats, plural, records, value_axis
from runner.results.stats import costs as stats

_PARTS = (
    ("suggest_seconds", "proposing", 1.0),
    ("evaluation_seconds", "evaluating", 0.45),
    ("queue_seconds", "waiting for a worker", 0.2),
)
_MOST_BARS = 400  # on a width of 340 px
_LEAST_SHARE = 0.01  # shares below it round to 0 %


def overhead(sheet: Sheet) -> Figure | None:
    """Draw seconds per trial by use, and proposal time over the trial's number."""
    costs = stats.costs(sheet.comparison.trials)
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
    proposing = totals["suggest_seconds"].to_numpy(dtype=np.float64) / trials
    title = _slowest(dict(zip(names, proposing.tolist(), strict=True)))
    panels = [
        Panel(
            Axis("seconds per trial"),
            Axis("", "category", categories=tuple(names)),
            tuple(marks),
            "Proposing (dark), evaluating, waiting (light)",
        )
    ]
    growth = stats.overhead_growth(sheet.comparison.trials)
    known = growth[growth["suggest_seconds"] > 0].rename(columns={"number": "budget"})
    if len(known):
        lines: list[Mark] = []
        for i, name, rows in sheet.by_method(known):
            lines += curve(rows, "suggest_seconds", i, name, ("q25", "q75"), step=False)
        axis = value_axis(f"seconds per proposal, {LOWER}", floats(known, "suggest_seconds"))
        panels.append(Panel(Axis("number of the trial"), axis, tuple(lines), "Proposal time by trial"))
    return Figure(
        "09_overhead",
        title,
        "Left: mean time per trial. Right: median and quartiles of the time to propose the trial with that "
        "number; methods that model the history slow down as it grows.",
        f"n = {plural(int(trials.sum()), 'trial')}.",
        tuple(panels),
        costs,
        sheet.legend,
    )


def _slowest(seconds: dict[str, float]) -> str:
    """Name the methods with the slowest proposals, as far as their times read the same."""
    times = {name: duration(value) for name, value in seconds.items()}
    longest = times[max(seconds, key=lambda name: seconds[name])]
    most = [name for name in times if times[name] == longest]
    title = f"{findings.verb(most, 'takes', 'take')} {longest} per proposal"
    others = [value for name, value in seconds.items() if name not in most]
    return f"{title}, the others at most {duration(max(others))}" if others else title


def timeline(sheet: Sheet) -> Figure | None:
    """Draw when the trials of one run were evaluated: the run that kept its workers busiest."""
    trials = sheet.comparison.trials
    trials = trials[trials["started"].notna() & (trials["seconds"] > 0) & (trials["origin"] == "evaluated")]
    if not len(trials):
        return None
    shares = busy_shares(trials)
    run = str(shares.index[0])
    rows = trials[trials["run"] == run].sort_values("started", kind="stable").head(_MOST_BARS)
    workers = [str(name) for name in dict.fromkeys(rows["worker"].fillna(""))]
    y = np.array([float(workers.index(str(name))) for name in rows["worker"].fillna("")])
    start, seconds = floats(rows, "started"), floats(rows, "seconds")
    texts = tuple(
        f"trial {row['number']}: {duration(row['seconds'])}, {row['status']}" for row in records(rows)
    )
    series = sheet.series(str(rows["method"].iloc[0]))
    bars = Bars(y, start, start + seconds, [series] * len(rows), texts, visible=True)
    title = f"{run}: evaluations fill {_percent(shares.iloc[0])} of its workers' time"
    if len(shares) > 1:
        title += f", the most of {plural(len(shares), 'run')} (median {_percent(shares.median())})"
    return Figure(
        "09_timeline",
        title,
        "Each bar is one evaluation; in the gaps the method makes proposals or the worker serves other runs. "
        "Short bars are drawn wide enough to be seen.",
        f"n = {plural(len(rows), 'trial')} of one run.",
        (
            Panel(
                Axis("seconds since the run began"),
                Axis("", "category", categories=tuple(f"worker {i + 1}" for i in range(len(workers)))),
                (bars,),
            ),
        ),
        rows[["run", "number", "worker", "started", "seconds", "status"]],
    )


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= _LEAST_SHARE else "less than 1%"


def busy_shares(trials: pd.DataFrame) -> pd.Series[float]:
    """Compute the share of each run's worker time that its evaluations fill, the fullest first.

    Of equally full runs the longest comes first. A run of one trial is trivially full, so it counts only if
    all runs are such.
    """
    ended = trials["started"] + trials["seconds"]
    groups = trials.assign(ended=ended).groupby("run", sort=True)
    found = groups.agg(
        first=("started", "min"),
        last=("ended", "max"),
        seconds=("seconds", "sum"),
        workers=("worker", "nunique"),
        trials=("seconds", "size"),
    )
    several = found[found["trials"] > 1]
    found = several if len(several) else found
    span = (found["last"] - found["first"]) * found["workers"].clip(lower=1)
    share = (found["seconds"] / span.where(span > 0, found["seconds"])).clip(upper=1.0)
    order = found.assign(share=share).sort_values(["share", "seconds"], ascending=False, kind="stable")
    return order["share"]

"""Curves over the budget: regret on four axes, ranks, targets reached, each problem's own values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from runner._text import named
from runner.report.figures import findings
from runner.report.figures.marks import Axis, Figure, Line, Mark, Panel, Rule, Shade
from runner.report.figures.scale import short
from runner.report.figures.sheet import LOWER, REGRET, Sheet, curve, floats, plural, rests_on, value_axis
from runner.results.stats import AXES, AXIS_TITLES, Comparison, targets
from runner.results.stats import anytime as stats
from runner.results.stats.curves import Axis as BudgetAxis
from runner.results.stats.verdict import UNITS, budget_text

_BEYOND = "Grey: beyond the budget that every run has reached, where methods cannot be compared."
_LEAST_PLACES = 3  # fewer budgets do not make a curve
_HALF = 0.5
_TIMES = ("seconds", "compute")
_PLACES = 60  # on curves over time; more cannot be seen at 340 px
_FIRST_SHARE = 0.005  # of the common budget, where curves over time begin
_NOTHING_YET = 0.9
"""A regret; if the shortest run ends before any method is below it, all curves lie at the top."""


def anytime(sheet: Sheet, axis: BudgetAxis) -> Figure | None:
    """Draw regret over the budget on one axis, with random search at the same and at twice the budget."""
    common = sheet.comparison.common(axis)
    grid = None
    if axis in _TIMES:
        if not 0 < common < math.inf:
            return None
        # Beyond it, ever fewer problems are left, so that their mean is another quantity at each place.
        grid = np.geomspace(common * _FIRST_SHARE, common, _PLACES)
    frame = stats.anytime(sheet.comparison, axis, grid)
    known = frame[frame["regret"].notna()]
    if known["budget"].nunique() < _LEAST_PLACES or known["regret"].min() > _NOTHING_YET:
        return None
    at_end = known[known["budget"] == known["budget"].max()]
    if axis in _TIMES and at_end["problems"].min() < len(sheet.comparison.problems):
        return None
    marks: list[Mark] = _shade(sheet, axis, known)
    for name, rows in known[known["kind"] == "reference"].groupby("method", sort=False):
        marks += [Line(floats(rows, "budget"), floats(rows, "regret"), None, str(name), True, True, False)]
    for i, name, rows in sheet.by_method(known[known["kind"] == "method"]):
        marks += curve(rows, "regret", i, name, ("lower", "upper"))
    return Figure(
        f"03_anytime_{axis}" if axis == "trials" else f"04_anytime_{axis}",
        _lead(known[known["kind"] == "method"], sheet.comparison.common(axis), UNITS[axis]),
        f"{sheet.average} of the regret at each budget; bands: 95 % intervals over the seeds. "
        + ("Drawn up to the budget that every run has reached." if axis in _TIMES else _BEYOND),
        rests_on(at_end),
        (Panel(_budget_axis(axis, known), value_axis(REGRET, floats(known, "regret")), tuple(marks)),),
        frame,
        sheet.legend,
        "random in expectation, and with twice the budget",
    )


def all_axes(sheet: Sheet) -> list[Figure]:
    """Draw `anytime` on each axis that has something to show."""
    axes = [axis for axis in AXES if differs(sheet.comparison, axis)]
    return [figure for axis in axes if (figure := anytime(sheet, axis)) is not None]


def differs(comparison: Comparison, axis: BudgetAxis) -> bool:
    """Check that an axis adds information: without early stopping, full evaluations are the trials."""
    return axis != "equivalents" or comparison.common(axis) != comparison.common("trials")


def ranks(sheet: Sheet) -> Figure | None:
    """Draw the average rank over the budget."""
    axis = sheet.comparison.axis
    frame = stats.ranks(sheet.comparison, axis)
    known = frame[frame["rank"].notna()]
    if not len(known):
        return None
    marks: list[Mark] = _shade(sheet, axis, known)
    for i, name, rows in sheet.by_method(known):
        marks += curve(rows, "rank", i, name)
    common, pool = sheet.comparison.common(axis), int(known["pool"].max())
    last = known[known["budget"] <= common].sort_values("budget").groupby("method", sort=False)["rank"].last()
    title = "Average ranks over the budget"
    if len(last):
        ranks_at_end = {name: float(last[name]) for name in sheet.names if name in last.index}
        best = findings.lowest(ranks_at_end)
        has = findings.verb(best, "has the best average rank", "share the best average rank")
        title = f"{has} at {budget_text(common, UNITS[axis])}, {last.min():.1f} of {pool}"
    return Figure(
        "05_rank",
        title,
        "Methods are ranked within each problem and seed, 1 is best; ranks depend on the other methods.",
        rests_on(known),
        (Panel(_budget_axis(axis, known), Axis(f"average rank, {LOWER}"), tuple(marks)),),
        frame,
        sheet.legend,
    )


def ecdf(sheet: Sheet) -> Figure | None:
    """Draw the share of targets reached over the budget."""
    axis = sheet.comparison.axis
    frame = targets.ecdf(sheet.comparison, axis)
    known = frame[frame["share"].notna()]
    if not len(known):
        return None
    marks: list[Mark] = []
    for i, name, rows in sheet.by_method(known):
        marks += curve(rows, "share", i, name)
    first = known[known["share"] >= _HALF].groupby("method")["budget"].min()
    methods = set(known["method"])
    half = {name: float(first.get(name, math.inf)) for name in sheet.names if name in methods}
    return Figure(
        "06_ecdf",
        _reach(half, UNITS[axis]),
        "A target is what random search is expected to find in 5, 10, 30 ... trials on the same problem and "
        "seed; the curve is the share of targets reached at each budget.",
        rests_on(known),
        (
            Panel(
                _budget_axis(axis, known),
                Axis("share of targets reached, higher is better", limits=(0, 1)),
                tuple(marks),
            ),
        ),
        frame,
        sheet.legend,
    )


def _reach(half: dict[str, float], unit: str) -> str:
    """Describe who reaches half of the targets first and last; ``half``: the budget that each needs."""
    reached = {name: budget for name, budget in half.items() if math.isfinite(budget)}
    if not reached:
        return "No method reaches half of the targets"
    first = findings.lowest(reached)
    title = findings.verb(first, "reaches", "reach")
    title += f" half of the targets after {budget_text(reached[first[0]], unit)}"
    if never := [name for name in half if name not in reached]:
        return f"{title}, {named(never)} never"
    last = findings.lowest({name: -budget for name, budget in reached.items()})
    return title if last == first else f"{title}, {named(last)} after {short(reached[last[0]])}"


def problem_curves(sheet: Sheet) -> Iterator[tuple[str, Figure]]:
    """Draw each problem's median incumbent values, over the fair axis and over seconds."""
    facts = sheet.comparison.problem_facts.to_dict("records")
    fair = sheet.comparison.axis
    by_fair = sheet.comparison.curves(fair)
    reach = floats(sheet.comparison.reach, "seconds")
    reach = reach[np.isfinite(reach) & (reach > 0)]
    by_seconds = by_fair.iloc[:0]
    if len(reach):
        grid = np.geomspace(reach.min() * _FIRST_SHARE, reach.max(), 2 * _PLACES)
        by_seconds = sheet.comparison.curves("seconds", grid)
    taken: set[str] = set()
    for fact in facts:
        problem = str(fact["problem"])
        sign = 1.0 if fact["direction"] == "minimize" else -1.0
        label = f"{fact['metric']}, {'lower' if sign > 0 else 'higher'} is better"
        of_fair = _quartiles(by_fair[by_fair["problem"] == problem], sign)
        rows = by_seconds[(by_seconds["problem"] == problem) & by_seconds["reached"].astype(bool)]
        of_seconds = _quartiles(rows, sign)
        if not len(of_fair):
            continue
        limit, panels, notes = sheet.limit(problem), [], set()
        for axis, summary in ((fair, of_fair), ("seconds", of_seconds)):
            if len(summary):
                drawn, note = limit.frame(summary, ("lower", "value", "upper"))
                panels.append(_value_panel(sheet, drawn, axis, label, fact["optimum"]))
                notes.add(note)
        yield (
            problem,
            Figure(
                f"curves_{slug(problem, taken)}",
                _best_median(sheet, problem, of_fair, sign),
                "The best value found so far, median and quartiles over the seeds; over seconds up to "
                f"where all runs of the method have come.{max(notes)}",
                f"n = {plural(int(fact['seeds']), 'seed')}.",
                tuple(panels),
                pd.concat([of_fair.assign(axis=fair), of_seconds.assign(axis="seconds")]),
                sheet.legend,
            ),
        )


def _best_median(sheet: Sheet, problem: str, curves: pd.DataFrame, sign: float) -> str:
    """Describe who has the best median value at the common budget."""
    axis = sheet.comparison.axis
    common = sheet.comparison.common(axis)
    inside = curves[curves["budget"] <= common * (1 + 1e-9)].sort_values("budget", kind="stable")
    if not len(inside):
        return f"{problem}: values over the budget"
    at_end = inside.groupby("method")["value"].last()
    best = findings.lowest({name: sign * float(at_end[name]) for name in sheet.names if name in at_end})
    has, at = findings.verb(best, "has", "share"), budget_text(common, UNITS[axis])
    return f"{problem}: {has} the best median at {at}, {short(float(at_end[best[0]]), 4)}"


def _value_panel(sheet: Sheet, summary: pd.DataFrame, axis: str, label: str, optimum: object) -> Panel:
    marks: list[Mark] = []
    for i, name, found in sheet.by_method(summary):
        marks += curve(found, "value", i, name, ("lower", "upper"))
    if isinstance(optimum, float) and math.isfinite(optimum):
        marks.append(Rule(optimum, "y", f"optimum {short(optimum)}"))
    return Panel(_budget_axis(axis, summary), value_axis(label, floats(summary, "value")), tuple(marks))


def slug(name: str, taken: set[str]) -> str:
    """Make a file name for a problem, unlike those in ``taken``, and add it to them."""
    base = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._") or "problem"
    unique, n = base, 1
    while unique.lower() in taken:
        n += 1
        unique = f"{base}_{n}"
    taken.add(unique.lower())
    return unique


def _quartiles(curves: pd.DataFrame, sign: float) -> pd.DataFrame:
    """Compute median and quartiles over the seeds; a run without a valid trial is infinitely bad."""
    losses = curves.assign(loss=curves["loss"].fillna(np.inf))
    counts = losses.groupby(["problem", "method", "budget"], sort=False)["loss"].transform("size")
    losses = losses[counts == losses.groupby(["problem", "method"], sort=False)["seed"].transform("nunique")]
    groups = losses.groupby(["problem", "method", "budget"], sort=False)["loss"]
    # No interpolation, which would be NaN between a finite and an infinite loss.
    if not len(losses):
        return pd.DataFrame(columns=["problem", "method", "budget", "lower", "value", "upper"])
    found = groups.quantile(np.array([0.25, 0.5, 0.75]), interpolation="nearest").unstack()
    found = found.where(np.isfinite(found)) * sign + 0.0
    found.columns = pd.Index(["lower", "value", "upper"] if sign > 0 else ["upper", "value", "lower"])
    return found.reset_index().dropna(subset=["value"])


def _budget_axis(axis: str, frame: pd.DataFrame) -> Axis:
    """Choose a linear axis for trials, and a log axis for seconds of several orders of magnitude."""
    budgets = floats(frame, "budget")
    budgets = budgets[np.isfinite(budgets) & (budgets > 0)]
    wide = len(budgets) > 0 and budgets.max() / budgets.min() > 100
    log = axis in ("seconds", "compute") and wide
    return Axis(AXIS_TITLES[axis], "log" if log else "linear")


def _shade(sheet: Sheet, axis: BudgetAxis, frame: pd.DataFrame) -> list[Mark]:
    """Shade from the common budget to the end of the curves."""
    common, last = sheet.comparison.common(axis), float(floats(frame, "budget").max())
    return [Shade(common, last * 1.1)] if math.isfinite(common) and common < last * (1 - 1e-9) else []


def _lead(curves: pd.DataFrame, common: float, unit: str) -> str:
    """Describe who has the lowest curve at the common budget, and since when."""
    wide = curves.pivot(index="budget", columns="method", values="regret").sort_index()
    wide = wide[list(dict.fromkeys(curves["method"]))]
    wide = wide[wide.index <= common * (1 + 1e-9)].dropna(how="all")
    return findings.lead(wide, unit) if len(wide) else f"Regret over {unit}"

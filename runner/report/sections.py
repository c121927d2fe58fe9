"""The sections of the page: the data that each template shows; a section without data is left out."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pandas as pd

from runner._text import duration, listed
from runner.report import boards
from runner.report.figures import anytime, cost, generalising, pairs, searching, verdict
from runner.report.figures.sheet import Sheet, records
from runner.report.views import Album
from runner.results import Results
from runner.results.stats import AXES, AXIS_TITLES, refused
from runner.results.stats.boundaries import boundaries
from runner.results.stats.costs import break_evens
from runner.results.stats.decision import seeds_needed
from runner.results.stats.fairness import fairness
from runner.results.stats.gates import gates
from runner.results.stats.generalisation import agreement, generalisation, summary
from runner.results.stats.importance import effort, importance
from runner.results.stats.leaderboard import leaderboard
from runner.results.stats.pairs import beats
from runner.results.stats.per_problem import by_problem, coverage, failures
from runner.results.stats.robustness import robustness
from runner.results.stats.significance import friedman, signed_rank, wilcoxon_holm
from runner.results.stats.verdict import UNITS, budget_text, verdicts
from runner.study.yaml import dump

Content = dict[str, Any]
Tables = dict[str, pd.DataFrame]


def sections(sheet: Sheet, results: Results, album: Album, tables: Tables) -> dict[str, Content]:
    """Collect the content of each section that has some, in the order of the page.

    Parameters
    ----------
    album : Album
        Receives the figures.
    tables : dict
        Receives the frames that do not belong to a figure.
    """
    comparison = sheet.comparison
    compared = not comparison.empty
    found: dict[str, Content] = {}
    if compared:
        found["verdict"] = _verdict(sheet, album, tables)
        found["leaderboard"] = _leaderboard(sheet, album, tables)
        found["anytime"] = _anytime(sheet, album)
        found["problems"] = _problems(sheet, album, tables)
        found["pairs"] = _pairs(sheet, album, tables)
    if any_valid(results):
        if len(comparison.methods) == 1:
            found["history"] = _history(sheet, results, album)
        found["cost"] = _cost(sheet, album, tables)
        found["generalisation"] = _generalisation(sheet, album, tables)
        found["search"] = _search(sheet, results, album, tables)
    found["failures"] = _failures(sheet, tables)
    if compared:
        found["robustness"] = _robustness(sheet, tables)
    found["method"] = _method(sheet, tables)
    found["reproduce"] = _reproduce(results)
    return found


def any_valid(results: Results) -> bool:
    """Check for a run with a valid trial."""
    return bool(results.runs["incumbent_loss"].notna().any())


def _verdict(sheet: Sheet, album: Album, tables: Tables) -> Content:
    frame = verdicts(sheet.comparison)
    tables["00_verdict"] = frame
    return {
        "rows": [row | {"at": _budget_at(row)} for row in records(frame)],
        "map": album.add(verdict.decision_map(sheet)),
    }


def _budget_at(verdict: Content) -> str:
    """Format the budget of a verdict: At 30 trials."""
    if verdict["budget"] is None:
        return "No budget"
    return f"At {budget_text(verdict['budget'], UNITS[verdict['axis']])}"


def _leaderboard(sheet: Sheet, album: Album, tables: Tables) -> Content:
    """Make one table for each axis and budget; a selector shows one of them."""
    comparison = sheet.comparison
    picks, frames = [], []
    for axis in AXES:
        if not anytime.differs(comparison, axis):
            continue
        for budget in comparison.budgets(axis):
            board = leaderboard(comparison, budget, axis)
            frames.append(board.assign(axis=axis, budget=budget))
            picks.append(
                {
                    "key": f"{axis} {budget:g}",
                    "axis": AXIS_TITLES[axis],
                    "at": budget_text(budget, UNITS[axis]),
                    "note": AXIS_TITLES[axis].lower() if axis in ("seconds", "compute") else "",
                    "table": boards.leaderboard(sheet, board, comparison.decision(budget, axis)),
                    "why": refused(board),
                }
            )
    if frames:
        tables["02_leaderboards"] = pd.concat(frames, ignore_index=True)
    fair = [pick["key"] for pick in picks if pick["axis"] == AXIS_TITLES[comparison.axis]]
    groups: dict[str, list[Content]] = {}
    for pick in picks:
        groups.setdefault(str(pick["axis"]), []).append(pick)
    return {
        "picks": picks,
        "groups": groups,
        "first": fair[-1] if fair else "",
        "figure": album.add(verdict.leaderboard(sheet)),
    }


def _anytime(sheet: Sheet, album: Album) -> Content:
    drawn = [*anytime.all_axes(sheet), anytime.ranks(sheet), anytime.ecdf(sheet)]
    views = [album.add(figure) for figure in drawn if figure]
    names = {view.name for view in views if view}
    shortest = sheet.comparison.common("seconds")
    apart = "04_anytime_seconds" not in names and 0 < shortest < math.inf
    return {"views": views, "apart": duration(shortest) if apart else ""}


def _problems(sheet: Sheet, album: Album, tables: Tables) -> Content:
    frame = by_problem(sheet.comparison)
    heat = verdict.heat_map(sheet, frame)
    return {
        "heat": album.add(heat, inline=False),
        "table": boards.heat_map(sheet, frame),
        "flips": _flips(frame),
        "curves": [album.add(figure) for _, figure in anytime.problem_curves(sheet)],
        "why": refused(frame),
    }


def _flips(frame: pd.DataFrame) -> dict[str, list[str]]:
    """List the problems that each method leads."""
    led = frame[frame["leads"].fillna(False).astype(bool)]
    return {str(method): [str(name) for name in rows["problem"]] for method, rows in led.groupby("method")}


def _pairs(sheet: Sheet, album: Album, tables: Tables) -> Content:
    comparison = sheet.comparison
    blocks, against = comparison.blocks(), comparison.pairs("reference")
    wilcoxon, tested = wilcoxon_holm(blocks, against), friedman(blocks)
    tables["08_wilcoxon"], tables["08_friedman"] = wilcoxon, tested
    frame = beats(blocks, comparison.pairs(), comparison.plan.gamma)
    columns = [
        ("method", "method", "string"),
        ("against", "against", "string"),
        ("statistic", "W", "number"),
        ("p", "p", "number"),
        ("p_holm", "p after Holm", "number"),
        ("significant", "significant", "flag"),
    ]
    return {
        "figure": album.add(pairs.pairwise(sheet), inline=False),
        "table": boards.pairs(sheet, frame),
        "why": refused(frame),
        "signed": album.add(pairs.signed_ranks(sheet)),
        "signed_why": refused(signed_rank(blocks, against, comparison.plan.rope)),
        "wilcoxon": None if refused(wilcoxon) else boards.plain(wilcoxon, columns, sheet),
        "wilcoxon_why": refused(wilcoxon),
        "cd": album.add(pairs.critical_difference(sheet)),
        "cd_why": _cd_reason(tested),
    }


def _cd_reason(friedman: pd.DataFrame) -> str:
    """Give the reason why there is no critical difference."""
    reasons = friedman["cd_reason"].dropna()
    return refused(friedman) or (str(reasons.iloc[0]) if len(reasons) else "")


def _history(sheet: Sheet, results: Results, album: Album) -> Content:
    drawn, taken = [], set[str]()
    for problem, aim in aims(results).items():
        name = f"curves_{anytime.slug(problem, taken)}"
        drawn.append(album.add(searching.history(sheet, problem, aim, name)))
    return {"figures": [figure for figure in drawn if figure], "best": _best(results)}


def _cost(sheet: Sheet, album: Album, tables: Tables) -> Content:
    pays = break_evens(sheet.comparison)
    tables["09_break_even"] = pays
    return {
        "figure": album.add(cost.overhead(sheet)),
        "timeline": album.add(cost.timeline(sheet)),
        "pays": None if refused(pays) else boards.break_even(sheet, pays),
        "pays_why": refused(pays),
    }


def _generalisation(sheet: Sheet, album: Album, tables: Tables) -> Content:
    runs = generalisation(sheet.comparison)
    frame, orders = summary(runs, sheet.comparison.methods), agreement(runs)
    tables["10_generalisation_summary"], tables["10_agreement"] = frame, orders
    columns = [("problem", "problem", "string"), ("kendall", "Kendall's τ", "number")]
    columns += [("same_winner", "the same winner", "flag")]
    return {
        "figure": album.add(generalising.generalisation(sheet)),
        "table": None if refused(frame) else boards.generalisation(sheet, frame),
        "why": refused(frame),
        "agreement": None if refused(orders) else boards.plain(orders, columns),
    }


def _search(sheet: Sheet, results: Results, album: Album, tables: Tables) -> Content:
    comparison = sheet.comparison
    sides = boundaries(comparison.runs, comparison.parameters)
    tables["11_boundaries"], tables["11_effort"] = sides, effort(comparison.trials, comparison.draws)
    warned = sides[sides["warning"].fillna(False).astype(bool)]
    warnings = [
        {
            "problem": problem,
            "parameter": parameter,
            "side": side,
            "methods": listed([str(m) for m in rows["method"]]),
        }
        for (problem, parameter, side), rows in warned.groupby(["problem", "parameter", "side"], sort=False)
    ]
    facts, taken = comparison.parameters, set[str]()
    plots = [
        album.add(
            searching.parameters(sheet, problem, aim, facts, f"11_parameters_{anytime.slug(problem, taken)}")
        )
        for problem, aim in aims(results).items()
    ]
    return {
        "importance": album.add(searching.importance(sheet)),
        "importance_why": refused(importance(comparison)),
        "plots": [plot for plot in plots if plot],
        "warnings": warnings,
        "best": _best(results),
        "training": [album.add(figure) for figure in searching.training_curves(sheet)],
    }


def aims(results: Results) -> dict[str, searching.Aim]:
    """Describe each problem's values."""
    first = results.runs.drop_duplicates("problem")
    return {
        str(row["problem"]): searching.Aim(str(row["metric"]), row["direction"] == "minimize")
        for row in first.to_dict("records")
    }


def _best(results: Results) -> list[Content]:
    """Write the best trial of each problem, ready to paste."""
    found = []
    for best in results.best():
        found.append(best | {"yaml": dump(best["config"]).rstrip(), "python": f"config = {best['config']!r}"})
    return found


def _failures(sheet: Sheet, tables: Tables) -> Content:
    comparison = sheet.comparison
    failed, runs = failures(comparison.trials), coverage(comparison.reach, comparison.runs)
    tables["13_failures"], tables["13_coverage"] = failed, runs
    what = [
        ("method", "method", "string"),
        ("problem", "problem", "string"),
        ("status", "status", "string"),
        ("trials", "trials", "count"),
        ("share", "of its trials", "share"),
        ("example", "first error", "string"),
    ]
    where = [("method", "method", "string"), ("problem", "problem", "string")]
    where += [
        (name, name, "count") for name in ("planned", "started", "ended", "valid", "trials", "failures")
    ]
    some = failed[failed["trials"] > 0]
    return {
        "failures": boards.plain(some, what, sheet) if len(some) else None,
        "coverage": boards.plain(runs, where, sheet),
    }


def _robustness(sheet: Sheet, tables: Tables) -> Content:
    comparison = sheet.comparison
    sample, plan, decision = comparison.resampled(), comparison.plan, comparison.decision()
    leader = decision.leader if decision is not None else None
    checks, needed = robustness(comparison), seeds_needed(sample, leader, plan.rope, plan.gamma)
    tables["14_robustness"], tables["14_seeds_needed"] = checks, needed
    judged = checks["unchanged"].dropna()
    columns = [
        ("method", "leader", "string"),
        ("against", "against", "string"),
        ("difference", "difference of regret", "number"),
        ("have", "seeds so far", "count"),
        ("needed", "seeds needed", "count"),
    ]
    return {
        "checks": records(checks),
        "held": int(judged.astype(bool).sum()),
        "judged": len(judged),
        "needed": None if refused(needed) else boards.plain(needed, columns, sheet),
        "why": refused(checks),
    }


def _method(sheet: Sheet, tables: Tables) -> Content:
    comparison = sheet.comparison
    checks, allowed = fairness(comparison), gates(comparison)
    tables["15_fairness"], tables["15_gates"] = checks, allowed
    tables["15_instances"], tables["15_problems"] = comparison.instances, comparison.problem_facts
    facts = comparison.problem_facts
    columns = [
        ("problem", "problem", "string"),
        ("metric", "metric", "string"),
        ("direction", "direction", "string"),
        ("n_params", "parameters", "count"),
        ("optimum", "optimum", "number"),
    ]
    sources = comparison.instances
    return {
        "fairness": records(checks),
        "gates": records(allowed),
        "facts": boards.plain(facts, columns),
        "optima": sorted({str(v) for v in sources["f_opt_source"].dropna()}) if len(sources) else [],
        "references": sorted({str(v) for v in sources["f_ref_source"].dropna()}) if len(sources) else [],
    }


def _reproduce(results: Results) -> Content:
    study = results.record.study
    with contextlib.suppress(ValueError, RecursionError):
        study = dump(json.loads(study))
    return {"study": study.strip(), "version": results.record.version}

"""Tables that the command prints. Values are shown in the problem's own direction."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from runner._text import counted, duration
from runner.cli.console import print_line, visible
from runner.cli.progress import number
from runner.errors import clip
from runner.journal.findings import Fault
from runner.journal.verify import Verdict
from runner.methods import METHODS, Method
from runner.problems import PROBLEMS
from runner.results import Results
from runner.results.frames import FAILURES
from runner.study.estimate import ProblemEstimate
from runner.study.gradient_check import Agreement, GradientCheck
from runner.study.resources import available_cpus
from runner.study.study import Study
from runner.trial import GIVEN_UP

_OPTIONAL = ("quartiles", "seeds", "trials", "failed", "eval", "propose")
_MOST_REASONS = 5  # of failures, per study
_MOST_NAMES = 4  # parameters of a problem that fit beside the other columns
_WIDE = 1000  # columns; wider than any table, so that its true width is measured
_MOST_CHARACTERS = 200  # of an error message
_NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


def print_leaderboard(console: Console, results: Results, trials: int | None = None) -> None:
    """Print a table per problem with the methods, best first, and their costs; then the failures."""
    board = results.leaderboard(trials)
    runs = results.runs
    for problem in results.problems:
        rows = board[board["problem"] == problem]
        first = runs[runs["problem"] == problem].iloc[0]
        aim = f"{first['direction']} {first['metric']}"
        if first["optimum"] == first["optimum"]:
            aim += f", optimum {number(first['optimum'])}"
        after = f", after {trials} trials" if trials is not None else ""
        cells = [(str(row["rank"]), str(row["method"]), _cells(row)) for row in rows.to_dict("records")]
        table = fitting(console, f"{problem} ({aim}{after})", "median", _OPTIONAL, cells)
        console.print()
        console.print(table)
    if len(results.methods) > 1 and runs["seed"].nunique() > 1:
        print_line(console, "Ranked by medians over the seeds; the verdict compares average regrets.", "dim")
    console.print()
    print_conclusions(console, results)
    _print_reasons(console, results)


def fitting(
    console: Console,
    title: str,
    first: str,
    optional: Sequence[str],
    rows: Sequence[tuple[str, str, Mapping[str, str]]],
) -> Table:
    """Make a table of methods with as many columns as fit on the console.

    Parameters
    ----------
    first : str
        Column that is always shown.
    optional : sequence of str
        Further columns; the last is dropped first.
    rows : sequence of (str, str, mapping)
        Rank, method, and cells by column.
    """
    for left_out in range(len(optional) + 1):
        names = (first, *optional[: len(optional) - left_out])
        table = plain_table(title, "", "method")
        for name in names:
            table.add_column(visible(name), justify="right", no_wrap=True)
        for place, method, cells in rows:
            table.add_row(place, visible(method), *(cells[name] for name in names))
        wide = console.options.update(max_width=_WIDE)
        if Measurement.get(console, wide, table).maximum <= console.width:
            break
    return table


def _cells(row: Mapping[Hashable, Any]) -> dict[str, str]:
    valid = "" if row["valid_runs"] == row["runs"] else f"{row['valid_runs']} of "
    return {
        "median": number(row["value"], 4),
        "quartiles": f"{number(row['lower'], 4)} .. {number(row['upper'], 4)}",
        "seeds": f"{valid}{row['runs']}",
        "trials": str(row["trials"]),
        "failed": str(row["failures"] or ""),
        "eval": duration(row["evaluation_seconds"]),
        "propose": duration(row["proposal_seconds"]),
    }


def print_conclusions(console: Console, results: Results) -> None:
    """Print the conclusions of methods on their runs."""
    conclusions = results.runs.drop_duplicates(["problem", "method", "conclusion"])
    for run in conclusions.to_dict("records"):
        if run["failed"] or str(run["end_reason"]).startswith(GIVEN_UP):
            print_line(console, f"{run['run']} ended early: {str(run['end_reason']).rstrip('.')}.", "red")
        elif run["conclusion"]:
            print_line(console, f"{run['problem']}, {run['method']}: {run['conclusion']}", "dim")


def _print_reasons(console: Console, results: Results) -> None:
    """Why trials failed, the most frequent reasons first."""
    trials = results.trials
    failed = trials[trials["status"].isin(FAILURES)]
    # Messages that differ in their numbers only are one reason.
    reason = failed["error"].str.replace(_NUMBER, "#", regex=True)
    groups = failed.assign(reason=reason).groupby(["problem", "status", "reason"], sort=False)["error"]
    counts = groups.agg(["size", "first"]).reset_index().sort_values("size", ascending=False, kind="stable")
    for row in counts.head(_MOST_REASONS).to_dict("records"):
        first = clip(str(row["first"]).partition("\n")[0], _MOST_CHARACTERS)
        print_line(console, f"{row['problem']}: {row['size']} {row['status']}: {first}", "yellow")
    if len(counts) > _MOST_REASONS:
        more = len(counts) - _MOST_REASONS
        print_line(console, f"and {more} more reasons, in the column 'error' of the trials.", "dim")


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Print a line per finding, and the extent of the check."""
    for finding in verdict.findings:
        style = {Fault.DAMAGE: "bold red", Fault.LOSS: "yellow", Fault.NOTE: "dim"}[finding.fault]
        print_line(console, f"{finding.fault.value}: {finding}", style)
    held = f"{counted(verdict.trials, 'trial')} in {counted(verdict.runs, 'run')}, {verdict.ended:,} ended"
    live = "; a run is writing, so its log and files were not judged" if verdict.live else ""
    print_line(console, f"{'whole' if verdict.whole else 'not whole'}: {held}{live}.", "bold")


def print_best(console: Console, found: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print the best trial of each problem, as text or as JSON."""
    if as_json:
        console.out(json.dumps(found, indent=2), highlight=False)
        return
    for best in found:
        title = f"{best['problem']}: {number(best['value'])}"
        print_line(console, title, "bold")
        print_line(console, f"by {best['method']}, seed {best['seed']}, trial {best['number']}", "dim")
        if best["test"] is not None:
            print_line(console, f"held-out test: {number(best['test'])}", "dim")
        for name, value in best["config"].items():
            print_line(console, f"  {name}: {json.dumps(value)}")
        if best["note"]:
            print_line(console, f"{best['note']} --seed {best['seed']} chooses within one seed.", "yellow")
    if not found:
        print_line(console, "No trial was valid.", "red")


def print_methods(console: Console) -> None:
    """Print name, summary, settings with their defaults, and reference of each method."""
    for name, method in sorted(METHODS.items()):
        print_line(console, name, "bold")
        print_line(console, f"  {method.summary}")
        for setting, meaning in _settings(method):
            print_line(console, f"  {setting}", "cyan")
            print_line(console, f"      {meaning}")
        print_line(console, f"  {method.reference}", "dim")
    print_line(console, "In a study file: methods: [random, {bayes: {acquisition: ei}}]", "dim")


def _settings(method: type[Method]) -> Iterator[tuple[str, str]]:
    """Yield the settings from the docstring: name and type, and the first sentence of the description."""
    text = inspect.getdoc(method) or ""
    section = text.partition("Parameters\n----------\n")[2]
    names = [field.name for field in dataclasses.fields(method) if field.init]
    for entry in re.split(r"\n(?=\S)", section):
        head, _, body = entry.partition("\n")
        if head.partition(" : ")[0] in names:
            yield head, re.split(r"(?<=[.;])\s", " ".join(body.split()))[0].rstrip(";")


def print_problems(console: Console) -> None:
    """Print the built-in problems with their parameters, metric, optimum and gradient."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("problem", "parameters", "metric", "optimum", "gradient"):
        table.add_column(name, justify="right" if name == "optimum" else "left", no_wrap=name == "problem")
    for name in sorted(PROBLEMS):
        problem = PROBLEMS[name]()
        table.add_row(
            name,
            _names(problem.space.names),
            f"{problem.direction} {problem.metric}",
            number(problem.optimum),
            "yes" if problem.has_gradient else "",
        )
    console.print(table)
    print_line(
        console,
        "Your own: file.py:name, a function with @problem(space={...}); or an estimator, in the file:",
    )
    print_line(
        console,
        "  {estimator: sklearn.svm.SVC, data: digits, cv: 5, space: {C: {float: [0.01, 100], log: true}}}",
    )


def _names(names: Sequence[str]) -> str:
    if len(names) > _MOST_NAMES:
        return f"{names[0]}, {names[1]}, ... {names[-1]} ({len(names)})"
    return ", ".join(names)


def print_estimate(console: Console, study: Study, estimates: Sequence[ProblemEstimate]) -> None:
    """Print the size of a checked study and its estimated time."""
    table = plain_table("", "problem")
    for name in ("runs", "trials", "one evaluation", "all, on one core"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in estimates:
        table.add_row(
            visible(one.problem.name),
            str(one.runs),
            "-" if one.trials is None else f"{one.trials:,}",
            _over(one, one.seconds),
            "-" if one.total is None else _over(one, one.total),
        )
    console.print(table)
    for text in study.notes:
        print_line(console, text, "yellow")
    for (problem, label), text in study.announcements.items():
        if text:
            print_line(console, f"{problem}, {label}: {text}", "dim")
    for one in estimates:
        for failure in one.failures:
            print_line(console, f"{one.problem.name}: a tried config failed: {failure}", "yellow")
    totals = [one.total for one in estimates]
    runs = sum(one.runs for one in estimates)
    if study.budget.seconds is not None:
        print_line(
            console,
            f"Each of {runs} runs ends after {duration(study.budget.seconds)} of evaluations and proposals.",
        )
    known = [total for total in totals if total is not None]
    if len(known) == len(totals):
        cpus = available_cpus()
        seconds = sum(known) / min(cpus, runs * study.parallel)
        print_line(
            console,
            f"{study.name} is valid: at most {sum(one.trials or 0 for one in estimates):,} trials in {runs} "
            f"runs, {'more than' if any(one.cut_off for one in estimates) else 'about'} "
            f"{duration(seconds)} on {counted(cpus, 'CPU')} here.",
            "green",
        )
    else:
        print_line(console, f"{study.name} is valid: {runs} runs.", "green")


def _over(one: ProblemEstimate, seconds: float) -> str:
    return f"over {duration(seconds)}" if one.cut_off else duration(seconds)


def print_gradients(console: Console, checks: Sequence[GradientCheck]) -> None:
    """Print a line per problem: its gradient compared with finite differences."""
    styles = {Agreement.RIGHT: "green", Agreement.WRONG: "bold red", Agreement.UNDECIDED: "yellow"}
    for check in checks:
        print_line(console, f"{check.problem}: {check.message}", styles.get(check.agreement, "dim"))


def plain_table(title: str, *columns: str) -> Table:
    """Make a table with a rule under its head, narrow enough for 80 columns."""
    table = Table(
        title=visible(title, "bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in columns:
        table.add_column(name, no_wrap=True)
    return table

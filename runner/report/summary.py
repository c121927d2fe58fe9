"""The head of the page: size and state of the study, and three lights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runner.journal.files.folder import is_in_use
from runner.report.figures.sheet import plural
from runner.report.views import number, seconds
from runner.results import Results
from runner.results.frames import FAILURES
from runner.results.stats import Comparison
from runner.results.stats.comparison import MOST_SHOWN
from runner.results.stats.fairness import fairness
from runner.results.stats.shape import FEW_SEEDS, LEAST_PROBLEMS


@dataclass(frozen=True)
class Light:
    """One thing to know before reading on: good, warn or bad, with a word and the reason."""

    kind: str
    word: str
    detail: str

    @property
    def mark(self) -> str:
        """A sign for readers who see no colours."""
        return {"good": "✓", "warn": "!", "bad": "✗"}[self.kind]


def about(results: Results, comparison: Comparison) -> dict[str, Any]:
    """Describe the study for the head of the page."""
    runs, trials = results.runs, results.trials
    ended = int((runs["end_reason"] != "").sum())
    running = comparison.unfinished and is_in_use(results.folder)
    failed = int(trials["status"].isin(FAILURES).sum())
    evaluated = trials[trials["origin"] == "evaluated"]
    facts = [
        (plural(len(comparison.methods), "method"), ""),
        (plural(len(comparison.problems), "problem"), ""),
        (plural(int(runs["seed"].nunique()), "seed"), ""),
        (plural(len(trials), "trial"), f"{number(failed, 6)} failed" if failed else "none failed"),
        (seconds(float(evaluated["seconds"].sum())), "of evaluation"),
        (seconds(float(trials["suggest_seconds"].sum())), "of proposals"),
        (
            plural(int(evaluated["worker"].nunique()), "worker"),
            f"{results.record.parallel} in flight per run",
        ),
        (_budget(runs), "per run"),
    ]
    return {
        "name": results.name,
        "facts": [(big, small) for big, small in facts if big],
        "created": results.record.created[:16].replace("T", " "),
        "version": results.record.version,
        "notes": [*results.notes, *_left_out(comparison)],
        "unfinished": _unfinished(comparison, running, ended, len(runs)),
        "progress": _progress(runs),
        "lights": _lights(comparison, ended, runs),
        "alone": len(comparison.methods) == 1,
    }


def _left_out(comparison: Comparison) -> list[str]:
    """Note that figures do not show all of many methods."""
    shown, methods = len(comparison.foremost), len(comparison.methods)
    if shown == methods:
        return []
    return [
        f"Figures and pairs show {shown} of {methods} methods: the {MOST_SHOWN} with the lowest regrets at "
        "the common budget, the reference, and those that a verdict names. Leaderboards and tables/ show all."
    ]


def _budget(runs: Any) -> str:
    limits = []
    trials, spent = runs["budget_trials"].dropna(), runs["budget_seconds"].dropna()
    if len(trials):
        limits.append(plural(int(trials.max()), "trial"))
    if len(spent):
        limits.append(seconds(float(spent.max())))
    return " or ".join(limits)


def _progress(runs: Any) -> dict[str, Any] | None:
    """Compute the share of planned trials that are done; None if all are, or the budget is not in trials."""
    if runs["budget_trials"].isna().any() or (runs["end_reason"] != "").all():
        return None
    done = runs["equivalents"].where(runs["end_reason"] == "", runs["budget_trials"].astype(float))
    total = float(runs["budget_trials"].sum())
    share = min(1.0, float(done.sum()) / total) if total else 1.0
    return {"share": f"{share:.1%}", "text": f"{share:.0%} of {number(total, 9)} trials"}


def _unfinished(comparison: Comparison, running: bool, ended: int, runs: int) -> str:
    if not comparison.unfinished:
        return ""
    what = "The study is running" if running else "The study is unfinished and not running"
    return f"{what}: {ended} of {plural(runs, 'run')} have ended. All below rests on the trials so far."


def _lights(comparison: Comparison, ended: int, runs: Any) -> list[Light]:
    failed = int(runs["failed"].sum())
    done = "good" if ended == len(runs) and not failed else "warn"
    detail = f"{ended} of {len(runs)} runs ended"
    if failed:
        detail += f", {plural(failed, 'run')} because the method failed"
    lights = [Light(done, "complete" if done == "good" else "incomplete", detail)]
    if len(comparison.methods) > 1:
        checks = fairness(comparison)
        judged = int(checks["passed"].notna().sum())
        wrong = [str(check) for check in checks.loc[checks["passed"].eq(False).fillna(False), "check"]]
        lights.append(
            Light("warn", f"{len(wrong)} of {judged} fairness checks fail", "; ".join(wrong))
            if wrong
            else Light("good", "fair", f"{judged} checks passed")
        )
        seeds, problems = int(runs.groupby("problem")["seed"].nunique().min()), len(comparison.problems)
        few = []
        if seeds < FEW_SEEDS:
            few.append(f"{plural(seeds, 'seed')}, at least {FEW_SEEDS} are needed")
        if problems < LEAST_PROBLEMS:
            few.append(f"{plural(problems, 'problem')}: valid for {'it' if problems == 1 else 'these'} only")
        lights.append(
            Light("warn", "little data", "; ".join(few))
            if few
            else Light("good", "enough data", f"{plural(problems, 'problem')} × {plural(seeds, 'seed')}")
        )
    return lights

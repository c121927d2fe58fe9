"""Measurements of `benchmarks/RESULTS.md`, as the advice quotes them.

``python -m benchmarks.advice --read`` makes ``measured.json`` from that file; a test keeps the two equal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from runner.errors import FivefoldError

_NUMBER = re.compile(r"^(-?[\d,]*\.?\d+(?:e[-+]?\d+)?)")
_BETTER = re.compile(r"better on (\d+) of (\d+)")


@dataclass(frozen=True)
class Figure:
    """One comparison of the results.

    Attributes
    ----------
    ours, other : float
        Medians of the method and of its rival.
    better, of : int
        Number of paired runs that it won, and of all.
    """

    problem: str
    method: str
    ours: float
    other: float
    better: int = 0
    of: int = 0

    @property
    def ratio(self) -> float:
        """Ratio of the other median to ours."""
        return self.other / self.ours


@lru_cache(maxsize=1)
def rows() -> tuple[dict[str, str], ...]:
    """Read all rows."""
    return tuple(
        json.loads(files("runner.study.advice").joinpath("measured.json").read_text(encoding="utf-8"))
    )


def regrets(benchmark: str, method: str, against: str = "random") -> list[Figure]:
    """Select a method's regrets in a benchmark, beside those of another one."""
    found = []
    for row in rows():
        problem, _, what = row["what"].partition(": ")
        if row["benchmark"] == benchmark and row["against"] == against and what == f"{method}, regret":
            found.append(_figure(row, problem, method))
    return found


def after(benchmark: str, method: str, trials: int) -> list[Figure]:
    """Select a method's best values after this number of trials, beside those of random search."""
    found = []
    for row in rows():
        problem, _, what = row["what"].partition(": ")
        if row["benchmark"] == benchmark and what == f"{method}, after {trials} trials":
            found.append(_figure(row, problem, method))
    return found


def proposal_seconds(method: str, trials: int) -> float:
    """Estimate the seconds that a method computes in a run, from its measured proposals.

    Up to 100 trials the measured mean counts; from there on the proposals after 100, 300 and 1,000
    trials are interpolated linearly, and the last value is kept.
    """
    if method not in ("bayes", "tpe"):
        return 0.0
    mean = _milliseconds("functions", f"{method}: mean time per proposal, 100 trials of these functions")
    points = [
        (count, _milliseconds("proposal", f"{method}: a proposal after {count:,} trials"))
        for count in (100, 300, 1000)
    ]
    total, before = min(trials, 100) * mean, points[0]
    for after_, cost in points[1:]:
        count = min(trials, after_) - before[0]
        if count <= 0:
            return total / 1000.0
        end = before[1] + (cost - before[1]) * count / (after_ - before[0])
        total, before = total + count * (before[1] + end) / 2, (after_, cost)
    return (total + max(0, trials - before[0]) * before[1]) / 1000.0


def in_all(found: Sequence[Figure]) -> tuple[int, int]:
    """Count the paired runs that the method won, and all of them, over all problems."""
    return sum(figure.better for figure in found), sum(figure.of for figure in found)


def _figure(row: dict[str, str], problem: str, method: str) -> Figure:
    better = _BETTER.search(row["ratio"])
    wins = (int(better[1]), int(better[2])) if better else (0, 0)
    return Figure(problem, method, _number(row["ours"]), _number(row["other"]), *wins)


def _milliseconds(benchmark: str, what: str) -> float:
    for row in rows():
        if row["benchmark"] == benchmark and row["what"] == what:
            return _number(row["ours"])
    raise FivefoldError(f"'{what}' was not measured.", where="runner/study/advice/measured.json")


def _number(text: str) -> float:
    found = _NUMBER.match(text)
    return float(found[1].replace(",", "")) if found else float("nan")

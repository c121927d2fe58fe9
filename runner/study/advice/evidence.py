"""Evidence from the user's own finished studies: the best method, and on how many seeds."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import ResultsError
from runner.journal.reader import Record, read_journal
from runner.journal.schema import DATABASE
from runner.space import Space
from runner.space.formats.json import space_to_json
from runner.trial import Status

SIGNIFICANCE = 0.05
"""Significance level of the sign test: the usual 5 %."""


@dataclass(frozen=True)
class Evidence:
    """Results of one problem of one finished study.

    Attributes
    ----------
    same_space : bool
        True where its space is that of the problem to be advised on.
    losses : mapping of str to dict of int to float
        By method (its registered name), then by seed: the best loss of the run.
    best : str
        The method with the lowest median.
    """

    study: str
    problem: str
    same_space: bool
    losses: dict[str, dict[int, float]]
    best: str

    def beats(self, other: str) -> tuple[int, int, float]:
        """Count the seeds on which the best method won, and all seeds; with the p-value of a sign test."""
        from scipy.stats import binomtest  # takes half a second to import, and most studies ask for no advice

        own, theirs = self.losses[self.best], self.losses.get(other, {})
        pairs = [(own[seed], theirs[seed]) for seed in own if seed in theirs]
        won = sum(a < b for a, b in pairs)
        decided = sum(a != b for a, b in pairs)
        p = float(binomtest(won, decided).pvalue) if decided else 1.0
        return won, len(pairs), p


def gather_evidence(folders: Sequence[Path], space: Space) -> list[Evidence]:
    """Collect the evidence of the studies in some directories, those with the same space first.

    Parameters
    ----------
    folders : sequence of Path
        Study directories, or directories of study directories.
    space : Space
        Space of the problem to be advised on.

    Raises
    ------
    ResultsError
        Where a directory holds no study.
    JournalError
        Where one is damaged.
    """
    found: list[Evidence] = []
    for folder in folders:
        inside = (
            [folder]
            if (folder / DATABASE).exists()
            else sorted(p.parent for p in folder.glob(f"*/{DATABASE}"))
        )
        if not inside:
            raise ResultsError(
                "expected a study directory, got one without a study.",
                where=str(folder),
                hint="Name one, or a folder of them.",
            )
        for place in inside:
            found += _of(read_journal(place), space)
    return sorted(found, key=lambda finding: not finding.same_space)


def _of(record: Record, space: Space) -> list[Evidence]:
    columns = (record.trials[name] for name in ("run", "status", "loss"))
    best = [math.inf] * len(record.runs)
    for run, status, loss in zip(*columns, strict=True):
        if status == Status.COMPLETED and loss is not None:
            best[run] = min(best[run], loss)
    found = []
    for problem in dict.fromkeys(run.problem for run in record.runs):
        losses: dict[str, dict[int, float]] = {}
        same = False
        for run, loss in zip(record.runs, best, strict=True):
            if run.problem == problem and run.end_reason and not run.failed and math.isfinite(loss):
                seeds = losses.setdefault(run.method, {})
                seeds[run.seed] = min(seeds.get(run.seed, math.inf), loss)
                same = same or _space_in(run.identity) == _as_json(space)
        if len(losses) >= 2:
            medians = {method: statistics.median(values.values()) for method, values in losses.items()}
            found.append(Evidence(record.name, problem, same, losses, min(medians, key=lambda m: medians[m])))
    return found


def _space_in(identity: str) -> Any:
    recorded = json.loads(identity)
    return recorded.get("space"), recorded.get("forbid")


def _as_json(space: Space) -> Any:
    form = json.loads(json.dumps(space_to_json(space)))
    return dict(form["params"]), form["forbid"]

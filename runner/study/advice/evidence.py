"""What the user's own finished studies tell: which method was best, on how many seeds."""

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

MOST_CHANCE = 0.05
"""Of a difference that is taken for one: how often seeds alone would make it as large."""


@dataclass(frozen=True)
class Evidence:
    """One problem of one finished study.

    Attributes
    ----------
    study, problem : str
    same_space : bool
        Whether its space is that of the problem that advice is asked for.
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
        """How often the best one was better than another, of how many seeds, and the p of a sign test."""
        from scipy.stats import binomtest  # takes half a second, and most studies ask for no advice

        own, theirs = self.losses[self.best], self.losses.get(other, {})
        pairs = [(own[seed], theirs[seed]) for seed in own if seed in theirs]
        won = sum(a < b for a, b in pairs)
        decided = sum(a != b for a, b in pairs)
        p = float(binomtest(won, decided).pvalue) if decided else 1.0
        return won, len(pairs), p


def gather_evidence(folders: Sequence[Path], space: Space) -> list[Evidence]:
    """What the studies in some directories found, those with the same space first.

    Parameters
    ----------
    folders : sequence of Path
        Study directories, or directories that hold such.
    space : Space
        Of the problem that advice is asked for.

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
            raise ResultsError("it holds no study.", where=str(folder), hint="Name one, or what holds some.")
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
    told = json.loads(identity)
    return told.get("space"), told.get("forbid")


def _as_json(space: Space) -> Any:
    told = json.loads(json.dumps(space_to_json(space)))
    return dict(told["params"]), told["forbid"]

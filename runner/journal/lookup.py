"""Recorded outcomes of one problem, block by block, to be looked up by config.

A block is a problem with a seed, the same for all methods. Its key is the seed that the problem was
called with, which is derived from the study's seed, the problem's name and the seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.errors import ResultsError, SpaceError, nearest
from runner.journal.reader import Record, RunRecord
from runner.journal.schema import OUTCOME_COLUMNS, Row
from runner.seeds import seed_for
from runner.space import Space
from runner.space.formats.json import space_from_json

STATUS, LOSS, VALUE, GRADIENT, STEPS = map(
    OUTCOME_COLUMNS.index, ("status", "loss", "value", "gradient", "steps")
)

Block = dict[str, Row]
"""Values of `OUTCOME_COLUMNS` by config, in the journal's JSON; in the order of run and number."""


@dataclass(frozen=True)
class Recording:
    """One problem of a study and its recorded outcomes.

    Attributes
    ----------
    blocks : dict of int to Block
        By the seed that the problem was called with, in the order of the study's own seeds; no
        block is empty.
    """

    problem: str
    space: Space
    direction: str
    metric: str
    blocks: dict[int, Block]


def recording_of(record: Record, problem: str | None = None) -> Recording:
    """Collect the recorded outcomes of a problem.

    The first outcome counts where a config was evaluated twice in a block. Trials that were
    stopped early are left out; a crash counts only where nothing else is known.

    Parameters
    ----------
    problem : str, optional
        Needed where the study has several.

    Raises
    ------
    ResultsError
        Where there is no such problem, the choice is ambiguous, its runs do not fit together, or
        none of its trials has ended.
    """
    runs = _runs_of(record, problem)
    first = next(iter(runs.values()))
    blocks = _blocks(record, runs)
    if not blocks:
        raise ResultsError(
            f"expected finished trials of '{first.problem}', got none.",
            where=str(record.folder),
            hint="Run that study first.",
        )
    return Recording(first.problem, _space(record, first), first.direction, first.metric, blocks)


def best_of(block: Block) -> tuple[str, Row] | None:
    """Find the config with the least loss, the first of several; None where all have failed."""
    found = [item for item in block.items() if item[1][STATUS] == "COMPLETED" and item[1][LOSS] is not None]
    return min(found, key=lambda item: float(item[1][LOSS]), default=None)


def _runs_of(record: Record, problem: str | None) -> dict[int, RunRecord]:
    """Map the positions of the problem's runs to the runs."""
    names = list(dict.fromkeys(run.problem for run in record.runs))
    if not names:
        raise ResultsError(
            "expected at least one run, got none.", where=str(record.folder), hint="Run that study first."
        )
    if problem is None and len(names) > 1:
        raise ResultsError(
            f"the study has {len(names)} problems: {', '.join(names)}.",
            where=str(record.folder),
            hint=f"Choose one with the key problem, such as 'problem: {names[0]}'.",
        )
    problem = names[0] if problem is None else problem
    if problem not in names:
        raise ResultsError(
            f"the study has no problem '{problem}'.", where=str(record.folder), hint=nearest(problem, names)
        )
    runs = {i: run for i, run in enumerate(record.runs) if run.problem == problem}
    _check_equal([run.identity for run in runs.values()], problem, record)
    return runs


def _check_equal(identities: Sequence[str], problem: str, record: Record) -> None:
    """Raise ResultsError for runs of two problems with one name, as in an extended directory."""
    first, *others = [json.loads(text) for text in dict.fromkeys(identities)]
    for other in others:
        for key in ("space", "forbid", "direction", "metric", "objective"):
            if json.dumps(first[key]) != json.dumps(other[key]):
                raise ResultsError(
                    f"its runs of '{problem}' differ in {key}, so they are of two problems.",
                    where=str(record.folder),
                    hint="Run the study again into another directory.",
                )


def _space(record: Record, run: RunRecord) -> Space:
    identity = json.loads(run.identity)
    params = [[name, form] for name, form in identity["space"].items()]
    try:
        return space_from_json({"params": params, "forbid": identity["forbid"]})
    except SpaceError as error:
        raise error.at(str(record.folder)) from None


def _blocks(record: Record, runs: Mapping[int, RunRecord]) -> dict[int, Block]:
    names = {run.seed: run.problem for run in runs.values()}
    seeds = {seed: seed_for(record.seed, names[seed], seed, "problem") for seed in sorted(names)}
    blocks: dict[int, Block] = {seed: {} for seed in seeds.values()}
    of_run = {position: blocks[seeds[run.seed]] for position, run in runs.items()}
    rows = zip(*(record.trials[name] for name in OUTCOME_COLUMNS), strict=True)
    for position, text, row in zip(record.trials["run"], record.trials["config"], rows, strict=True):
        block, status = of_run.get(position), row[STATUS]
        if block is None or status == "STOPPED":
            continue
        known = block.get(text)
        if known is None:
            block[text] = row
        elif known[STATUS] == "CRASHED" and status != "CRASHED":
            del block[text]  # so that it takes its own trial's position
            block[text] = row
    return {seed: block for seed, block in blocks.items() if block}

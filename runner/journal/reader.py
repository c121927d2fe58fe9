"""Content of a study directory: its runs, and its trials column by column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.errors import ResultsError, nearest
from runner.journal.environments import ENVIRONMENTS, Environments, changes
from runner.journal.files.folder import check_journal_is_there
from runner.journal.findings import explained
from runner.journal.schema import DATABASE, RUN_COLUMNS, TRIAL_COLUMNS, from_number, from_row
from runner.journal.snapshot import read_snapshot
from runner.trial import Trial


@dataclass(frozen=True)
class RunRecord:
    """One run, as the journal has it.

    Attributes
    ----------
    id, label, method, problem, seed
        As in `runner.study.study.RunSpec`; ``method`` is the registered name.
    budget : mapping
        ``trials`` and ``seconds``, each a number or None.
    announcement, conclusion : str
        Remarks of the method before and after.
    end_reason : str
        Empty while the run has not ended.
    failed : bool
        True where its method failed.
    identity : str
        JSON that must stay equal for the run to be resumed; see `runner.study.identity.identity`.
        It includes the problem's space.
    """

    id: str
    label: str
    method: str
    settings: Mapping[str, Any]
    problem: str
    seed: int
    direction: str
    metric: str
    optimum: float | None
    budget: Mapping[str, float | None]
    announcement: str
    end_reason: str
    failed: bool
    conclusion: str
    identity: str = field(repr=False)


@dataclass(frozen=True)
class Record:
    """Content of a journal at one moment.

    Attributes
    ----------
    seed : int
        The study's own.
    created : str
        Creation time of the directory, ISO 8601 in UTC.
    version : str
        Version of the package that made it.
    runs : tuple of RunRecord
        In the order in which they were planned.
    trials : mapping of str to list
        Column by column, ordered by run and number. ``run`` is a position in ``runs``; the
        others are named as in the table ``trials``; config, gradient, metrics and folds are JSON
        (see `decoded`).
    notes : tuple of str
        Warnings, such as what is missing or may be.
    parallel : int
        Trials of one run in flight.
    study : str
        The study file, as run.
    probes : mapping of str to mapping
        By "problem/seed": the config of a trial that was evaluated again after the runs (``config``)
        and its second loss (``loss``), or ``noisy``.
    environments : sequence of mapping
        Versions under which the trials were evaluated; see `runner.journal.environments`.
    """

    folder: Path
    name: str
    seed: int
    created: str
    version: str
    runs: tuple[RunRecord, ...]
    trials: Mapping[str, list[Any]] = field(repr=False)
    notes: tuple[str, ...] = ()
    parallel: int = 1
    study: str = field(default="", repr=False)
    probes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    environments: Environments = ()

    def with_notes(self, earlier: tuple[str, ...]) -> Record:
        """Prepend notes from before it was read."""
        return replace(self, notes=(*earlier, *self.notes))

    def decoded(self, column: str) -> list[Any]:
        """Decode a column of trials from JSON, None where a cell is empty.

        Raises
        ------
        JournalError
            Where it is not JSON.
        """
        with explained(self.folder / DATABASE):
            # One string for all rows: a hundred thousand calls of the parser cost more than its work.
            found: list[Any] = json.loads(f"[{','.join(text or 'null' for text in self.trials[column])}]")
            if len(found) != len(self.trials[column]):
                raise ValueError(f"the column {column} is not JSON")
            return found

    def history(self, run_id: str) -> list[Trial]:
        """List the completed trials of a run, by number."""
        position = [run.id for run in self.runs].index(run_id)
        columns = [self.trials[name] for name in TRIAL_COLUMNS]
        with explained(self.folder / DATABASE):
            rows = zip(self.trials["run"], zip(*columns, strict=True), strict=True)
            return [from_row(row) for run, row in rows if run == position]


def read_journal(folder: Path) -> Record:
    """Read a study directory as it is now.

    Works while a run is live, and in a read-only directory; takes no lock.

    Raises
    ------
    ResultsError
        Where there is no study directory; suggests those that are near.
    JournalError
        Where the journal is damaged, of another program or of another version.
    """
    folder = Path(folder)
    path = find_journal(folder)
    with explained(path):
        try:
            seen = read_snapshot(folder).undamaged(path)
        except OSError as error:
            raise ResultsError(f"cannot be read: {error.strerror}.", where=str(folder)) from None
        facts, runs, trials = seen.content.facts(), seen.content.runs, seen.content.trials
        environments = facts.get(ENVIRONMENTS, ())
        columns: dict[str, list[Any]] = {name: [] for name in ("run", *TRIAL_COLUMNS)}
        if trials:
            columns = dict(zip((*columns, "checksum"), map(list, zip(*trials, strict=True)), strict=True))
            del columns["checksum"]
        columns["run"] = [key - 1 for key in columns["run"]]
        for name in ("loss", "value", "test", "suggest_seconds", "queue_seconds", "seconds", "started"):
            columns[name] = [from_number(x) for x in columns[name]]
        return Record(
            folder,
            facts["name"],
            facts["seed"],
            facts["created"],
            facts["version"],
            tuple(map(to_run, runs)),
            columns,
            (*seen.notes, *(f"{change}." for change in changes(environments, len(trials)))),
            facts["parallel"],
            facts["study"],
            facts.get("probes", {}),
            environments,
        )


def find_journal(folder: Path) -> Path:
    """Find the journal of a study directory.

    Raises
    ------
    ResultsError
        Where there is no study directory; suggests those that are near.
    JournalError
        Where only the journal is missing.
    """
    path = folder / DATABASE
    try:
        if path.is_file():
            return path
        check_journal_is_there(folder)
    except OSError as error:
        raise ResultsError(f"cannot be read: {error.strerror}.", where=str(folder)) from None
    raise _nothing(folder)


def to_run(row: tuple[Any, ...]) -> RunRecord:
    """Decode a row of `runner.journal.schema.RUN_COLUMNS` and its checksum."""
    values: dict[str, Any] = dict(zip(RUN_COLUMNS, row, strict=False))  # without the checksum
    del values["key"]
    values |= {
        "settings": json.loads(values["settings"]),
        "budget": json.loads(values["budget"]),
        "optimum": from_number(values["optimum"]),
        "failed": bool(values["failed"]),
    }
    return RunRecord(**values)


def _nothing(folder: Path) -> ResultsError:
    """Describe what is there instead, and name study directories nearby."""
    inside, beside = _studies(folder), _studies(folder.parent)
    if inside:
        names = ", ".join(f"'{folder / name}'" for name in inside[:5])
        return ResultsError(
            "expected a study directory, got a directory of studies.",
            where=str(folder),
            hint=f"Did you mean {names}?",
        )
    hint = nearest(folder.name, beside) if beside else "'fivefold run' makes one."
    if not folder.exists():
        return ResultsError("no such directory.", where=str(folder), hint=hint)
    found = "a file" if folder.is_file() else "a directory without a study"
    return ResultsError(f"expected a study directory, got {found}.", where=str(folder), hint=hint)


def _studies(folder: Path) -> Sequence[str]:
    try:
        return sorted(path.parent.name for path in folder.glob(f"*/{DATABASE}"))
    except OSError:
        return ()

"""Verification of a study directory, as far as it can be checked without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from runner.errors import JournalError, ResultsError
from runner.journal.environments import ENVIRONMENTS, changes
from runner.journal.files.folder import check_names, is_in_use
from runner.journal.findings import Fault, Finding, explained
from runner.journal.reader import RunRecord, find_journal, to_run
from runner.journal.schema import DATABASE, RUN_COLUMNS, from_row
from runner.journal.snapshot import Snapshot, read_snapshot

_MOST_NAMED = 5  # trials, which fit into one line
_END_REASON = RUN_COLUMNS.index("end_reason")


@dataclass(frozen=True)
class Verdict:
    """Result of `verify`.

    Attributes
    ----------
    findings : tuple of Finding
        The worst first.
    runs, ended, trials : int
        Numbers of runs, of runs that have ended, and of trials.
    live : bool
        True where a run was writing meanwhile; its log and the files beside it are then not judged.
    """

    findings: tuple[Finding, ...]
    runs: int
    ended: int
    trials: int
    live: bool

    @property
    def whole(self) -> bool:
        """True where nothing is damaged or lost."""
        return all(finding.fault is Fault.NOTE for finding in self.findings)


def verify(folder: str | Path) -> Verdict:
    """Check a study directory: header, pages, log, rows, counts, sequences and files.

    Nothing is changed, and a live run is not disturbed.

    Raises
    ------
    ResultsError
        Where there is no study directory.
    """
    folder = Path(folder)
    path = find_journal(folder)
    live = is_in_use(folder)
    seen: Snapshot | None = None
    found: list[Finding] = []
    try:
        with explained(path):
            seen = read_snapshot(folder, deep=True)
            found.extend(seen.findings)
            found.extend(_check_runs(seen))
    except JournalError as error:
        found.append(Finding(Fault.DAMAGE, DATABASE, f"{error.message} {error.hint}".rstrip(". ")))
    except OSError as error:
        raise ResultsError(f"cannot be read: {error.strerror}.", where=str(folder)) from None
    found.extend(check_names(folder))
    if seen is not None and not found_damage(found):
        facts = seen.content.facts()
        found.extend(
            Finding(Fault.NOTE, DATABASE, change)
            for change in changes(facts.get(ENVIRONMENTS, ()), len(seen.content.trials))
        )
    found.sort(key=lambda finding: list(Fault).index(finding.fault))
    content = seen.content if seen is not None else None
    runs = content.runs if content is not None else ()
    return Verdict(
        tuple(found),
        len(runs),
        sum(1 for run in runs if run[_END_REASON]),
        len(content.trials) if content is not None else 0,
        live,
    )


def found_damage(findings: Iterable[Finding]) -> bool:
    """Test for damage among the findings."""
    return any(finding.fault is Fault.DAMAGE for finding in findings)


def _check_runs(seen: Snapshot) -> Iterator[Finding]:
    """Check that every row can be decoded, and that every run has its trials from 0 on."""
    if found_damage(seen.findings):
        return  # these rows have been reported already
    numbers: dict[int, list[int]] = {}
    for row in seen.content.trials:
        numbers.setdefault(row[0], []).append(from_row(row[1:-1]).number)
    for row in seen.content.runs:
        run, there = to_run(row), numbers.get(row[0], [])
        if missing := _missing(there):
            yield _gap(run, missing, there[-1])


def _missing(there: Sequence[int]) -> list[int]:
    """List the first missing numbers before the last one."""
    gaps = (number for before, after in pairwise((-1, *there)) for number in range(before + 1, after))
    return list(islice(gaps, _MOST_NAMED + 1))


def _gap(run: RunRecord, missing: Sequence[int], last: int) -> Finding:
    """Describe a gap: an interruption leaves some, but a run that has ended has none."""
    listed = ", ".join(map(str, missing[:_MOST_NAMED])) + (", ..." if len(missing) > _MOST_NAMED else "")
    what = f"the run '{run.id}' lacks trial {listed} before its last, {last}"
    limit = run.budget["trials"]
    if run.end_reason and not run.failed and limit is not None and last < limit:
        return Finding(Fault.DAMAGE, DATABASE, what)
    return Finding(Fault.NOTE, DATABASE, f"{what}; the next run evaluates what its budget allows")

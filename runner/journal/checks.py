"""Checks that a journal holds exactly what was recorded: nothing changed, missing or added."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from runner.errors import clip
from runner.journal.findings import Fault, Finding
from runner.journal.kinds import check_meta, check_runs, check_trials
from runner.journal.schema import DATABASE, META, Row, checksum, salt_of, trial_checksum

_MOST_NAMED = 3  # trials, before a message counts them instead
_MOST_LETTERS = 300  # of a message: names in a forged journal may be of any length


class Content(NamedTuple):
    """The rows of all tables at one moment, with their checksums, in the order of their keys."""

    meta: Sequence[Row]
    runs: Sequence[Row]
    counts: Sequence[Row]
    trials: Sequence[Row]

    def facts(self) -> dict[str, Any]:
        """Decode ``meta`` by its keys."""
        return {row[0]: json.loads(row[1]) for row in self.meta}

    @property
    def salt(self) -> int:
        """Salt of the journal's checksums."""
        return salt_of(str(self.facts()["journal"]))


def check_content(content: Content) -> list[Finding]:
    """List the damage in a journal's content."""
    wrong = list(_meta(content)) or [*_runs(content), *_trials(content)] or list(_kinds(content))
    return [Finding(Fault.DAMAGE, DATABASE, clip(" ".join(what.split()), _MOST_LETTERS)) for what in wrong]


def meta_is_whole(rows: Sequence[Row]) -> bool:
    """Test for all rows of ``meta``, as they were written."""
    return not any(_meta(Content(rows, (), (), ())))


def _meta(content: Content) -> Iterator[str]:
    for row in _changed(content.meta):
        yield f"the row '{row[0]}' of meta has changed since it was written"
    if missing := sorted(set(META) - {row[0] for row in content.meta}):
        yield f"meta lacks {', '.join(missing)}"
    yield from check_meta(content.meta)


def _runs(content: Content) -> Iterator[str]:
    for row in _changed(content.runs, content.salt):
        yield f"the row of the run '{row[1]}' has changed since it was written"
    keys = [row[0] for row in content.runs]
    count = content.facts()["runs"]
    if keys != list(range(1, len(keys) + 1)) or len(keys) != count:
        yield f"expected {count} runs, got {len(keys)}"
    for row in _changed(content.counts, content.salt):
        yield f"the count of the trials of run {row[0]} has changed since it was written"
    if [row[0] for row in content.counts] != keys:
        yield "its counts of trials do not match its runs"


def _trials(content: Content) -> Iterator[str]:
    names = {row[0]: row[1] for row in content.runs}
    changed: dict[Any, list[Any]] = {}
    for row in _changed(content.trials, content.salt, trial_checksum):
        changed.setdefault(row[0], []).append(row[1])
    for run, numbers in changed.items():
        yield f"in the run '{names.get(run, run)}' {_subject(numbers)} changed since it was written"
    if any(a >= b for a, b in pairwise((row[0], row[1]) for row in content.trials)):
        yield "its trials are out of order"
    found = Counter([row[0] for row in content.trials])
    for run, count, _ in content.counts:
        there = found.pop(run, 0)
        if there != count:
            yield f"the run '{names.get(run, run)}' has {there:,} of its {count:,} trials"
    if found:
        yield f"{found.total():,} trials belong to no run"


def _kinds(content: Content) -> Iterator[str]:
    wrong = list(check_runs(content.runs))
    yield from wrong or check_trials(content.trials, content.runs)


def _changed(rows: Sequence[Row], salt: int = 0, of: Callable[[Row, int], int] = checksum) -> Iterator[Row]:
    return (row for row in rows if of(row[:-1], salt) != row[-1])


def _subject(numbers: Sequence[Any]) -> str:
    if len(numbers) == 1:
        return f"trial {numbers[0]} has"
    if len(numbers) > _MOST_NAMED:
        return f"each of {len(numbers):,} trials has"
    return f"each of the trials {', '.join(map(str, numbers))} has"

"""Under which versions the trials of a study were evaluated, as its journal keeps it.

``meta`` holds a list: each environment with the number of trials that were there before it. Where parts of
a study were joined, the environments of each part follow those of the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from runner._text import counted

ENVIRONMENTS: Final = "environments"
"""The key of ``meta``."""
VERSIONS: Final = "versions"
BEFORE: Final = "before"
PART: Final = "part"

Environments = Sequence[Mapping[str, Any]]


def differences(was: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What has changed, such as "numpy was 2.1.0 and is 2.2.0", of packages that both name."""
    both = [name for name in was if name in now]
    return [f"{name} was {was[name]} and is {now[name]}" for name in both if was[name] != now[name]]


def extended(kept: Environments, now: Mapping[str, str], trials: int) -> list[Mapping[str, Any]]:
    """The environments of a study that is continued under these versions after so many trials."""
    if not kept:
        return [{VERSIONS: dict(now), BEFORE: trials}]
    *earlier, last = kept
    versions = {**last[VERSIONS], **now}
    if versions == last[VERSIONS]:
        return list(kept)
    if last[BEFORE] == trials or not differences(last[VERSIONS], now):
        return [*earlier, {**last, VERSIONS: versions}]
    return [*kept, {VERSIONS: versions, BEFORE: trials}]


def of_parts(parts: Sequence[tuple[Environments, int]]) -> list[Mapping[str, Any]]:
    """The environments of a study that is joined from parts, each with its environments and trials."""
    found: list[Mapping[str, Any]] = []
    before = 0
    for number, (kept, trials) in enumerate(parts):
        found += [{**one, BEFORE: one[BEFORE] + before, PART: number} for one in kept]
        before += trials
    return found


def changes(kept: Environments, trials: int) -> Iterator[str]:
    """Say where versions changed between trials, of which there are so many."""
    for last, new in pairwise(kept):
        changed = differences(last[VERSIONS], new[VERSIONS])
        if not changed or not 0 < new[BEFORE] < trials:
            continue
        told = "; ".join(changed)
        if last.get(PART) == new.get(PART):
            yield f"versions changed after {counted(new[BEFORE], 'trial')}: {told}"
        else:
            yield f"parts of it were evaluated with different versions: {told}"

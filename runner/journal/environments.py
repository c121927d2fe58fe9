"""Versions under which the trials of a study were evaluated, as its journal records them.

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
    """List the changes, such as "numpy was 2.1.0 and is 2.2.0", of packages that both name."""
    both = [name for name in was if name in now]
    return [f"{name} was {was[name]} and is {now[name]}" for name in both if was[name] != now[name]]


def extended(earlier: Environments, now: Mapping[str, str], trials: int) -> list[Mapping[str, Any]]:
    """Add the versions under which a study with ``trials`` trials continues."""
    if not earlier:
        return [{VERSIONS: dict(now), BEFORE: trials}]
    *others, last = earlier
    versions = {**last[VERSIONS], **now}
    if versions == last[VERSIONS]:
        return list(earlier)
    if last[BEFORE] == trials or not differences(last[VERSIONS], now):
        return [*others, {**last, VERSIONS: versions}]
    return [*earlier, {VERSIONS: versions, BEFORE: trials}]


def of_parts(parts: Sequence[tuple[Environments, int]]) -> list[Mapping[str, Any]]:
    """Join the environments of a study's parts, each with its environments and its number of trials."""
    found: list[Mapping[str, Any]] = []
    before = 0
    for number, (environments, trials) in enumerate(parts):
        found += [{**one, BEFORE: one[BEFORE] + before, PART: number} for one in environments]
        before += trials
    return found


def changes(environments: Environments, trials: int) -> Iterator[str]:
    """Describe each change of versions between the first and the last trial."""
    for last, new in pairwise(environments):
        changed = differences(last[VERSIONS], new[VERSIONS])
        if not changed or not 0 < new[BEFORE] < trials:
            continue
        message = "; ".join(changed)
        if last.get(PART) == new.get(PART):
            yield f"versions changed after {counted(new[BEFORE], 'trial')}: {message}"
        else:
            yield f"parts of it were evaluated with different versions: {message}"

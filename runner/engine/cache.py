"""Shared outcomes of a block: a config is evaluated once for all runs that propose it.

A block is a problem with a seed. The first run that proposes a config has it evaluated; runs that propose it
meanwhile wait for the outcome, later ones find it. An outcome that was stopped early is not shared, because
the rule may decide otherwise for another run.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.engine.messages import Job
from runner.journal.schema import to_json
from runner.trial import Config, Origin, Outcome, Status, Trial

CacheKey = tuple[int, str]
"""A block, and a config as JSON, in which 1, 1.0 and true are three configs."""


def key_of(block: int, config: Config) -> CacheKey:
    """Key of a config in a block."""
    return block, to_json(sorted(config.items()))


class OutcomeCache:
    """The outcomes of a study's blocks."""

    def __init__(self) -> None:
        self._outcomes: dict[CacheKey, Outcome] = {}
        self._waiting: dict[CacheKey, list[Job]] = {}

    def remember(self, block: int, trials: Iterable[Trial]) -> None:
        """Enter the trials of earlier sessions."""
        for trial in trials:
            if trial.origin is Origin.EVALUATED and trial.status is not Status.STOPPED:
                self._outcomes.setdefault(key_of(block, trial.config), trial.outcome)

    def find(self, key: CacheKey) -> Outcome | None:
        """Look an outcome up."""
        return self._outcomes.get(key)

    def claim(self, key: CacheKey, job: Job) -> bool:
        """Return True if the job must be evaluated; else it waits for a job with the same key."""
        if key in self._waiting:
            self._waiting[key].append(job)
            return False
        self._waiting[key] = []
        return True

    def settle(self, key: CacheKey, outcome: Outcome) -> list[Job]:
        """Enter the outcome of a job that had the claim; return the jobs that waited for it."""
        if outcome.status is not Status.STOPPED:
            self._outcomes[key] = outcome
        return self._waiting.pop(key, [])

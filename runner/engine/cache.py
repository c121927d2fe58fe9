"""What the runs of a block share: a config is evaluated once, for all who want it.

A block is a problem with a seed. Whoever comes first with a config has it evaluated; those who
come while that is on its way wait for it; later ones find the outcome. An outcome that was stopped
early is not shared: for another run the rules may say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.engine.messages import Job
from runner.journal.schema import to_json
from runner.trial import Config, Origin, Outcome, Status, Trial

Key = tuple[int, str]
"""A block, and a config as text: 1, 1.0 and true are three configs."""


def key_of(block: int, config: Config) -> Key:
    """The key of a config in a block."""
    return block, to_json(sorted(config.items()))


class Shared:
    """The outcomes of a study's blocks."""

    def __init__(self) -> None:
        self._outcomes: dict[Key, Outcome] = {}
        self._waiting: dict[Key, list[Job]] = {}

    def remember(self, block: int, trials: Iterable[Trial]) -> None:
        """Enter what earlier sessions evaluated."""
        for trial in trials:
            if trial.origin is Origin.EVALUATED and trial.status is not Status.STOPPED:
                self._outcomes.setdefault(key_of(block, trial.config), trial.outcome)

    def find(self, key: Key) -> Outcome | None:
        """The outcome, where it is known."""
        return self._outcomes.get(key)

    def claim(self, key: Key, job: Job) -> bool:
        """Whether the job is to be evaluated; else it waits for one that is on its way."""
        if key in self._waiting:
            self._waiting[key].append(job)
            return False
        self._waiting[key] = []
        return True

    def settle(self, key: Key, outcome: Outcome) -> list[Job]:
        """Enter the outcome of a job that had its claim; the jobs that have waited for it."""
        if outcome.status is not Status.STOPPED:
            self._outcomes[key] = outcome
        return self._waiting.pop(key, [])

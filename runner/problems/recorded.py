"""Finished studies as problems: recorded outcomes are looked up, not evaluated again.

Methods can thus be compared on an expensive objective in seconds, and are charged the seconds that it took.
A config that was not recorded fails, or has the outcome of its nearest neighbour.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from runner._text import shown
from runner.errors import Faults, ProblemError, ResultsError, SpaceError, clip, nearest
from runner.errors.validation import meant_keys
from runner.journal.lookup import (
    GRADIENT,
    LOSS,
    STATUS,
    STEPS,
    VALUE,
    Recording,
    best_of,
    recording_of,
)
from runner.journal.reader import read_journal
from runner.journal.schema import DATABASE, Row, to_json, to_outcome
from runner.problems.answers import sign_of
from runner.problems.base import Direction, Problem
from runner.trial import Config, Outcome, Status

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

MISSING: Final = ("refuse", "nearest")
"""Ways to treat a config that was not recorded."""

_NEEDED = {
    "recorded": "Write the directory of a study that has been run, such as results/digits.",
    "problem": "Write the name of one of that study's problems.",
    "missing": "Write refuse or nearest.",
    "name": "Write its name in tables.",
}
_TIE = 1e-9  # distances that differ by less are equal: sums round differently on other machines
_MOST_CHARACTERS = 200  # of a config within a message


class RecordedProblem(Problem):
    """A problem of a finished study, answered from its journal.

    Parameters
    ----------
    recorded : str or Path
        The study directory, relative to ``folder`` or to the current directory.
    problem : str, optional
        A problem of that study; required if it has several.
    missing : "refuse" or "nearest", default "refuse"
        Fail a config that was not recorded, or use the outcome of the nearest recorded
        one, by Euclidean distance in the encoded cube.
    name : str, optional
        Default: the name that the problem had.
    folder : str or Path, default "."
        Start of relative paths.

    Attributes
    ----------
    record_digest : str
        Digest of all recorded outcomes: unchanged if the directory moves, different if it grows.

    Raises
    ------
    ProblemError
        If there is no such study, problem or option, or nothing of it can be replayed.
    JournalError
        If the journal is damaged, of another program or of another version.

    Notes
    -----
    The seed names the block. The study's own seed, problem names and seeds give its own blocks, so its
    methods reproduce its table. Any other seed selects one of the recorded blocks by its remainder.

    Outcomes without a loss are replayed too; see `runner.journal.lookup.recording_of`.
    """

    recalls_all = True

    def __init__(
        self,
        recorded: str | Path,
        problem: str | None = None,
        missing: str = "refuse",
        name: str | None = None,
        folder: str | Path = ".",
    ) -> None:
        if missing not in MISSING:
            raise ProblemError(
                f"expected {' or '.join(map(repr, MISSING))}, got {shown(missing)}.",
                where="missing",
                hint=nearest(str(missing), MISSING),
            )
        recording = _recording(Path(folder), Path(recorded), problem)
        self.name = name or recording.problem
        self.missing = missing
        self.space = recording.space
        self.direction: Direction = "maximize" if recording.direction == "maximize" else "minimize"
        self.metric = recording.metric
        self._blocks = recording.blocks
        self._order = tuple(recording.blocks)
        self._best = {seed: best_of(block) for seed, block in recording.blocks.items()}
        if bests := [best for best in self._best.values() if best is not None]:
            config, row = min(bests, key=lambda best: float(best[1][LOSS]))
            self.optimum = row[VALUE]
            if len(self._blocks) == 1:  # with several, each may have another minimiser
                self.minimisers = (json.loads(config),)
        rows = [row for block in recording.blocks.values() for row in block.values()]
        self.has_gradient = any(row[GRADIENT] is not None for row in rows)
        # The length of a list in JSON; 1 if it is empty.
        self.steps = max((row[STEPS].count(",") + 1 for row in rows if row[STATUS] == "COMPLETED"), default=1)
        content = json.dumps([[seed, *block.items()] for seed, block in recording.blocks.items()])
        self.record_digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        self._trees: dict[int, tuple[cKDTree, list[Row]]] = {}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], folder: Path) -> RecordedProblem:
        """Make the problem of a mapping in a study file; ProblemError also for bad keys and values."""
        faults = Faults()
        meant = meant_keys(mapping, _NEEDED, {"recorded": _NEEDED["recorded"]}, faults)
        for key, value in meant.items():
            if not isinstance(value, str) or not value:
                message = f"expected a string, got {shown(value)}."
                faults.add(ProblemError(message, where=key, hint=_NEEDED[key]))
        faults.check()
        return cls(**meant, folder=folder)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_trees": {}}  # built again when needed

    def recall(self, config: Config, seed: int) -> Outcome:
        """Look up the outcome in the block of the seed; FAILED, without seconds, if not recorded."""
        seed = self._block(seed)
        block = self._blocks[seed]
        try:
            row = block.get(to_json(config))  # as the journal writes it: 1, 1.0 and true are three values
        except TypeError:  # NumPy's scalars, which JSON does not know
            row = None
        if row is not None:
            return to_outcome(row)
        try:
            config = self.space.canonical(config)
        except SpaceError as error:
            return Outcome(Status.FAILED, error=str(error))
        key = to_json(config)
        if key in block:
            return to_outcome(block[key])
        if self.missing == "nearest":
            return to_outcome(self._nearest(seed, config))
        return Outcome(
            Status.FAILED,
            error=f"the config {clip(key, _MOST_CHARACTERS)} was not recorded. "
            "Write 'missing: nearest', or record more.",
        )

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """Get the recorded answer; ProblemError if it is a failure, or nothing is recorded."""
        outcome = self.recall(config, seed)
        if outcome.status is not Status.COMPLETED:
            raise ProblemError(outcome.error, where=self.name)
        # A recorded outcome is minimised; an answer has the problem's direction.
        sign = sign_of(self)
        answer: dict[str, Any] = {**outcome.metrics, self.metric: outcome.value}
        if outcome.gradient is not None:
            answer["gradient"] = {name: sign * slope for name, slope in outcome.gradient.items()}
        if outcome.test is not None:
            answer["test"] = outcome.test
        if outcome.folds:
            answer["folds"] = [sign * fold for fold in outcome.folds]
        return answer

    def optimum_for(self, seed: int) -> float | None:
        """Get the best recorded value of the block that the seed names."""
        best = self._best[self._block(seed)]
        return None if best is None else best[1][VALUE]

    def _block(self, seed: int) -> int:
        return seed if seed in self._blocks else self._order[seed % len(self._order)]

    def _nearest(self, seed: int, config: Config) -> Row:
        from scipy.spatial import cKDTree  # most problems never need it

        if seed not in self._trees:
            block = self._blocks[seed]
            places = np.array([self.space.encode(json.loads(config)) for config in block])
            self._trees[seed] = cKDTree(places), list(block.values())
        tree, rows = self._trees[seed]
        place = self.space.encode(config)
        distance, _ = tree.query(place)
        return rows[min(tree.query_ball_point(place, distance + _TIE))]


def _recording(folder: Path, recorded: Path, problem: str | None) -> Recording:
    """Read a recorded study from one of two places; if neither has one, raise for the likelier place."""
    recorded = recorded.expanduser()
    places = [folder / recorded, recorded]
    for likely in (lambda path: (path / DATABASE).is_file(), Path.exists, lambda path: path.parent.is_dir()):
        if found := [path for path in places if likely(path)]:
            places = found
            break
    try:
        return recording_of(read_journal(places[0]), problem)
    except ResultsError as error:
        raise ProblemError(error.message, where=error.where, hint=error.hint) from None

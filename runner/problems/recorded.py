"""Any finished study as a problem: what it recorded is looked up, not evaluated again.

Methods can so be compared on a costly objective in seconds, at the seconds that it did cost.
A config that was not recorded is a failure, or has the outcome of its nearest neighbour.
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
"""What may be done where a config was not recorded."""

_NEEDED = {
    "recorded": "Write the directory of a study that has been run, such as results/digits.",
    "problem": "Write the name of one of that study's problems.",
    "missing": "Write refuse or nearest.",
    "name": "Write what tables shall call it.",
}
_TIE = 1e-9  # distances that differ by less are equal: sums round differently on other machines
_MOST_CHARACTERS = 200


class RecordedProblem(Problem):
    """A problem of a finished study, answered from its journal.

    Parameters
    ----------
    recorded : str or Path
        The study directory; looked for in ``folder``, then in the current directory.
    problem : str, optional
        Which problem of that study; needed where it has several.
    missing : "refuse" or "nearest", default "refuse"
        Whether a config that was not recorded fails, or has the outcome of the nearest recorded
        one, by Euclidean distance in the encoded cube.
    name : str, optional
        Default: the name that the problem had.
    folder : str or Path, default "."
        Where relative paths start.

    Attributes
    ----------
    missing : str
    record_digest : str
        Of all that it can answer: the same where the directory has moved, another where it has
        grown.

    Raises
    ------
    ProblemError
        Where there is no such study, problem or option, or nothing of it can be replayed.
    JournalError
        Where the journal is damaged, of another program or of another version.

    Notes
    -----
    The seed names the block. The blocks of the study itself are found again under the same study
    seed, problem name and seeds, so its methods then give the same table again. Any other seed
    takes one of the recorded blocks, by its remainder.

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
        if found := [best for best in self._best.values() if best is not None]:
            text, row = min(found, key=lambda best: float(best[1][LOSS]))
            self.optimum = row[VALUE]
            if len(self._blocks) == 1:  # else another block may have another one
                self.minimisers = (json.loads(text),)
        rows = [row for block in recording.blocks.values() for row in block.values()]
        self.has_gradient = any(row[GRADIENT] is not None for row in rows)
        # As many numbers as a list in JSON holds; 1 where it is empty.
        self.steps = max((row[STEPS].count(",") + 1 for row in rows if row[STATUS] == "COMPLETED"), default=1)
        told = json.dumps([[seed, *block.items()] for seed, block in recording.blocks.items()])
        self.record_digest = hashlib.sha256(told.encode()).hexdigest()[:16]
        self._trees: dict[int, tuple[cKDTree, list[Row]]] = {}

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], folder: Path) -> RecordedProblem:
        """The problem of a mapping in a study file.

        Raises
        ------
        ProblemError
            For unknown keys, and values that are no strings, too.
        """
        faults = Faults()
        meant = meant_keys(given, _NEEDED, {"recorded": _NEEDED["recorded"]}, faults)
        for key, value in meant.items():
            if not isinstance(value, str) or not value:
                message = f"expected a string, got {shown(value)}."
                faults.add(ProblemError(message, where=key, hint=_NEEDED[key]))
        faults.check()
        return cls(**meant, folder=folder)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_trees": {}}  # grown again where they are asked

    def recall(self, config: Config, seed: int) -> Outcome:
        """What was recorded of the config in the block that the seed names; never None.

        Parameters
        ----------
        config, seed
            As in `evaluate`.

        Returns
        -------
        Outcome
            FAILED, with a sentence and no seconds, for what is not in the record or the space.
        """
        seed = self._block(seed)
        block = self._blocks[seed]
        try:
            row = block.get(to_json(config))  # the journal's text: 1, 1.0 and true are three values
        except TypeError:  # NumPy's scalars, which JSON does not know
            row = None
        if row is not None:
            return to_outcome(row)
        try:
            config = self.space.canonical(config)
        except SpaceError as error:
            return Outcome(Status.FAILED, error=str(error))
        text = to_json(config)
        if text in block:
            return to_outcome(block[text])
        if self.missing == "nearest":
            return to_outcome(self._nearest(seed, config))
        return Outcome(
            Status.FAILED,
            error=f"the config {clip(text, _MOST_CHARACTERS)} was not recorded. "
            "Write 'missing: nearest', or record more.",
        )

    def evaluate(self, config: Config, seed: int) -> dict[str, Any]:
        """The recorded answer.

        Raises
        ------
        ProblemError
            Where the record has a failure, or nothing, of the config.
        """
        outcome = self.recall(config, seed)
        if outcome.status is not Status.COMPLETED:
            raise ProblemError(outcome.error, where=self.name)
        # A recorded outcome is a loss, minimised; an answer is as the problem says it.
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
        """The best recorded value of the block that the seed names."""
        best = self._best[self._block(seed)]
        return None if best is None else best[1][VALUE]

    def _block(self, seed: int) -> int:
        return seed if seed in self._blocks else self._order[seed % len(self._order)]

    def _nearest(self, seed: int, config: Config) -> Row:
        from scipy.spatial import cKDTree  # most problems never need it

        if seed not in self._trees:
            block = self._blocks[seed]
            places = np.array([self.space.encode(json.loads(text)) for text in block])
            self._trees[seed] = cKDTree(places), list(block.values())
        tree, rows = self._trees[seed]
        place = self.space.encode(config)
        distance, _ = tree.query(place)
        return rows[min(tree.query_ball_point(place, distance + _TIE))]


def _recording(folder: Path, recorded: Path, problem: str | None) -> Recording:
    """What was recorded; of two places the one that holds a study, or else the one that tells more."""
    recorded = recorded.expanduser()
    places = [folder / recorded, recorded]
    for told in (lambda path: (path / DATABASE).is_file(), Path.exists, lambda path: path.parent.is_dir()):
        if found := [path for path in places if told(path)]:
            places = found
            break
    try:
        return recording_of(read_journal(places[0]), problem)
    except ResultsError as error:
        raise ProblemError(error.message, where=error.where, hint=error.hint) from None

"""TensorBoard: a directory per run, a step per trial, by tensorboardX, which comes with Ray Tune."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

from tensorboardX import SummaryWriter

from runner.integrations.trackers.tracker import Ended, Incumbents, Tracker, figures_of
from runner.journal.files.places import Root
from runner.study.study import Study
from runner.trial import Trial


class TensorboardTracker(Tracker):
    """Tracker that writes event files.

    Parameters
    ----------
    folder : str
        The log directory; each run has its own below it, ``STUDY/PROBLEM/METHOD/SEED``. A new one begins
        with the trials of earlier sessions.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._writers: list[SummaryWriter] = []
        self._incumbents = Incumbents()

    def begin(self, study: Study, history: list[list[Trial]]) -> None:
        """See `Tracker`."""
        self._study = study
        for index, spec in enumerate(study.runs):
            parts = (study.name, spec.problem.name, spec.label, str(spec.seed))
            name = "/".join(re.sub(r"[^\w.-]+", "-", part) for part in parts)
            Root(self._folder).make_folder(name)
            folder = self._folder / name
            known = any(folder.glob("events.*"))
            # By default the suffix is the time in seconds: two sessions in one second would share a file.
            self._writers.append(
                SummaryWriter(logdir=str(folder), filename_suffix=f".{uuid.uuid4().hex[:8]}")
            )
            for trial in history[index]:
                if known:
                    self._incumbents.after(index, trial)
                else:
                    self.trials(index, [trial])

    def trials(self, index: int, ended: list[Trial]) -> None:
        """See `Tracker`."""
        writer, spec = self._writers[index], self._study.runs[index]
        for trial in ended:
            for name, value in figures_of(spec, trial).items():
                writer.add_scalar(name, value, trial.number)
            best = self._incumbents.after(index, trial)
            if best is not None:
                writer.add_scalar("incumbent", best, trial.number)
            writer.add_text("config", json.dumps(trial.config), trial.number)

    def finished(self, index: int, ended: Ended) -> None:
        """See `Tracker`."""
        writer = self._writers[index]
        if ended.best is not None:
            writer.add_text("best", json.dumps(ended.best.config), ended.best.number)
        writer.flush()

    def close(self) -> None:
        """See `Tracker`."""
        for writer in self._writers:
            writer.close()

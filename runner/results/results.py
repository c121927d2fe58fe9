"""The results of a study as pandas frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from runner._text import first_of
from runner.errors import ResultsError, StudyError, nearest
from runner.journal.reader import Record, read_journal
from runner.results.export import write_frames
from runner.results.finalists import best_of
from runner.results.frames import runs_frame, trials_frame
from runner.results.incumbents import incumbents_frame, reach_frame
from runner.results.optuna.storage import write_optuna
from runner.results.ranking import leaderboard
from runner.study.file import StudyFile
from runner.study.keys import parse_study
from runner.study.yaml import load_text

_MOST_SEEDS = 10  # named in a message


class Results:
    """A snapshot of a study directory, taken when it was opened.

    Open it again to see what a running study has added since.

    Parameters
    ----------
    record : Record
        Read by `runner.journal.reader.read_journal`.

    Attributes
    ----------
    name : str
        The name of the study.
    folder : Path
        The study directory.
    problems, methods : list of str
        In the order in which the study was planned; methods by their labels.
    notes : tuple of str
        Remarks on the directory: data that it has lost, or may have lost.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self.name, self.folder, self.notes = record.name, record.folder, record.notes
        self.problems = list(dict.fromkeys(run.problem for run in record.runs))
        self.methods = list(dict.fromkeys(run.label for run in record.runs))

    @classmethod
    def open(cls, folder: str | Path) -> Results:
        """Open a study directory.

        Raises
        ------
        ResultsError
            If there is no study; names those that are near.
        JournalError
            If the journal is damaged, of another program or of another version.
        """
        return cls(read_journal(Path(folder)))

    def __repr__(self) -> str:
        runs, trials = len(self._record.runs), len(self._record.trials["run"])
        return f"Results({str(self.folder)!r}: {runs:,} runs, {trials:,} trials)"

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row per trial, ordered by run and number.

        Columns: study, run, method (its label), problem, seed, number, status, loss (minimised),
        value (as the problem reports it), test, origin, config (JSON), ``config/<name>``,
        ``metrics/<name>``, folds (JSON, losses), steps (JSON, the loss after each step), share (of
        a full evaluation), gradient (JSON, of the loss), suggest_seconds, queue_seconds, seconds
        (of the evaluation), started (seconds since the run's start), worker, attempts, earlier (JSON,
        the outcomes of the attempts before the last), known, error.

        Missing values are NaN in a float column, NA elsewhere. A metric that was itself NaN looks the
        same; infinities stay. ``config/<name>`` is ``Int64``, ``float64``,
        ``boolean`` or ``string`` (also for mixtures), missing if the parameter is not
        active. A parameter that is None is missing among numbers and booleans, and "None" in a
        string column; ``config`` tells the two apart.
        """
        return trials_frame(self._record)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run, in the order in which they were planned.

        Columns: study, run, method (its label), method_name (as registered), settings (JSON),
        problem, seed, direction, metric, optimum, budget_trials, budget_seconds, trials,
        failures, equivalents (full evaluations, of all trials together), incumbent_loss,
        incumbent_value, incumbent_test, incumbent_number, incumbent_config (JSON),
        evaluation_seconds, proposal_seconds (of the proposals), end_reason (empty while the run has not
        ended), failed (its method), announcement, conclusion.

        Without a valid trial the incumbent's columns are missing.
        """
        return runs_frame(self._record, self.trials)

    @property
    def ok(self) -> bool:
        """True if every run has a valid trial and no method failed."""
        return bool(self.runs["incumbent_loss"].notna().all() and not self.runs["failed"].any())

    @cached_property
    def plan(self) -> StudyFile | None:
        """The study file as run; None if this version cannot read it."""
        try:
            return parse_study(load_text(self._record.study, str(self.folder)), str(self.folder))
        except (StudyError, RecursionError):
            return None

    @property
    def record(self) -> Record:
        """The record behind the frames."""
        return self._record

    def incumbents(self) -> pd.DataFrame:
        """Tabulate the incumbent of each run after each of its trials.

        Returns
        -------
        pandas.DataFrame
            run, method, problem, seed, number; of the best trial up to and including that number: loss,
            value, regret (loss above the optimum's; NaN if no optimum is known), all NaN before the
            first valid trial; the budget that these trials have spent: seconds (of evaluation and
            proposals, as on one worker), equivalents (full evaluations), compute (seconds of evaluation
            times CPUs) and trials; incumbent, its number, and test, its held-out metric, if known.
        """
        return self._incumbents.copy()

    @cached_property
    def _incumbents(self) -> pd.DataFrame:
        cpus = self.plan.trial.cpus if self.plan is not None else 1.0
        return incumbents_frame(self._record, self.trials, cpus)

    def reach(self) -> pd.DataFrame:
        """Tabulate the progress of each run.

        Returns
        -------
        pandas.DataFrame
            One row per run: run, method, problem, seed, ended, exhausted (the method had nothing
            more to propose), failed (the method did), settled (number of trials 0, 1, ... that have ended
            without a gap), and the budget spent on those: trials, equivalents, seconds, compute.
            Infinite if the run was exhausted, failed or given up: it keeps its last incumbent, if any.
        """
        return reach_frame(self._record, self._incumbents)

    def leaderboard(self, trials: int | None = None) -> pd.DataFrame:
        """Rank the methods of each problem by their median incumbent over the seeds, best first.

        A run without a valid trial counts as infinitely bad, and is never left out; so does one
        that has not started.

        Parameters
        ----------
        trials : int, optional
            Number of first trials of each run that count. Default: all.

        Returns
        -------
        pandas.DataFrame
            problem, rank (equal medians share one, in the order of names), method, value (the
            median, in the problem's own direction), lower and upper (its quartiles), loss (the
            median), runs, valid_runs (with a valid trial), trials, failures,
            evaluation_seconds, proposal_seconds (sums over the runs).

        Raises
        ------
        ResultsError
            If ``trials`` is below 1.
        """
        if trials is not None and trials < 1:
            raise ResultsError(f"expected a positive integer, got {trials}.", where="trials")
        return leaderboard(self._record, self.trials, trials)

    def best(self, problem: str | None = None, seed: int | None = None) -> list[dict[str, Any]]:
        """Find the best trial of each problem, over all methods and seeds.

        Seeds have splits of their own, so the effect of a seed's splits on all configs is subtracted from a
        loss, if it can be estimated (see `runner.results.finalists`). Of equal trials the one with the
        lower number counts, then the run that was planned first.

        Parameters
        ----------
        problem : str, optional
            Default: all.
        seed : int, optional
            Consider only the runs with this seed, whose losses are comparable as they are.

        Returns
        -------
        list of dict
            problem, value, loss, test (None if it was not reported), config (a dict), method,
            seed, number, median (the method's median incumbent over the seeds, as a value), note (a
            caveat on scores of different seeds; may be empty). A problem without a valid trial is left
            out.

        Raises
        ------
        ResultsError
            If there is no such problem or seed.
        """
        if problem is not None and problem not in self.problems:
            raise ResultsError(
                f"the study has no problem '{problem}'.",
                where=str(self.folder),
                hint=nearest(problem, self.problems),
            )
        seeds = sorted(set(self.runs["seed"].tolist()))
        if seed is not None and seed not in seeds:
            raise ResultsError(
                f"the study has no seed {seed}.",
                where=str(self.folder),
                hint=f"The study has seeds {first_of([str(one) for one in seeds], _MOST_SEEDS)}.",
            )
        runs, trials = self.runs, self.trials
        names = self.problems if problem is None else [problem]
        found = [
            best_of(runs[runs["problem"] == name], trials[trials["problem"] == name], seed) for name in names
        ]
        return [best for best in found if best is not None]

    def export(
        self, folder: str | Path | None = None, format: Literal["csv", "parquet", "json"] = "parquet"
    ) -> list[Path]:
        """Write ``trials`` and ``runs`` to files, each of which appears as a whole.

        Parameters
        ----------
        folder : str or Path, optional
            Made if it does not exist. Default: the study directory.
        format : "parquet", "csv" or "json", default "parquet"
            Parquet keeps all types. CSV has empty fields for missing values. JSON is a list of records, one
            per line, with null for missing values and for infinities.

        Returns
        -------
        list of Path
            The files of trials and of runs.

        Raises
        ------
        ResultsError
            If there is no such format, or the folder cannot be written.
        """
        frames = {"trials": self.trials, "runs": self.runs}
        return write_frames(frames, self.folder if folder is None else Path(folder), format)

    def to_optuna(
        self,
        to: str | Path | None = None,
        progress: Callable[[int, int], None] = lambda written, trials: None,
    ) -> str:
        """Write every run to an Optuna storage; see `runner.results.optuna.storage.write_optuna`.

        Parameters
        ----------
        to : str or Path, optional
            A storage URL, or a folder or file for SQLite. Default: ``optuna.db`` in the study directory.
        progress : callable, optional
            Called repeatedly with the number of trials written and their total.

        Returns
        -------
        str
            The URL.
        """
        return write_optuna(self._record, to, progress)

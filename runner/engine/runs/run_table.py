"""Who is who in a study: its runs by their numbers, and what travels in their names.

Where a study is worked on, a run is a number, the position of its row among the study's. A lane knows
nothing of runs, only of problems and methods by theirs. A `Roster` holds the runs and turns one into the
other: a proposal into a job, jobs and questions into the lines that a lane gets, an outcome into a trial.
It decides nothing; that is the affair of `runner.engine.dispatch.dispatcher`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Sequence

from runner.engine.cache import key_of
from runner.engine.codec import pack_request, pack_tasks, pack_trial
from runner.engine.messages import Bundle, Job, Task, Thought
from runner.engine.runs.run import Run
from runner.methods.base import Method
from runner.space import Space
from runner.study.study import RunSpec, Study
from runner.trial import Origin, Outcome, Pending, Trial

_KEY_LETTERS = 24


class Roster:
    """The runs of a study.

    Parameters
    ----------
    study : Study
    history : callable
        The trials of a run that have ended, by the run's id.

    Attributes
    ----------
    specs : tuple of RunSpec
    runs : list of Run
        In the same order.
    problem : list of int
        Of each run the position of its problem among the study's.
    block : list of int
        Of each run the number of its block.
    minds : list of (Method, Space)
        Each method as it is prepared for a problem, with the space.
    """

    def __init__(self, study: Study, history: Callable[[str], Sequence[Trial]]) -> None:
        self.specs: tuple[RunSpec, ...] = study.runs
        self.runs = [_start(study, spec, history(spec.id)) for spec in self.specs]
        positions = {id(problem): i for i, problem in enumerate(study.problems)}
        self.problem = [positions[id(spec.problem)] for spec in self.specs]
        self.block = _blocks(self.specs)
        self.minds, self._mind = _minds(self.specs)
        self._caches = study.cache
        self._lines: dict[int, dict[int, str]] = {}  # run -> its trials as `pack_trial` has them
        self._zero = [time.monotonic() - _elapsed(run) for run in self.runs]

    def job(self, run: int, pending: Pending) -> Job:
        """A proposal as something to be evaluated; with a key, where its outcome may be shared."""
        shares = self._caches and not self.specs[run].problem.noisy
        key = key_of(self.block[run], pending.config) if shares else None
        return Job(run, pending, time.monotonic(), key=key)

    def task(self, job: Job) -> Task:
        """What a lane needs to know of a job."""
        spec, run = self.specs[job.run], self.runs[job.run]
        known = run.known_steps(job.pending.known) if run.staged else None
        key = _checkpoint_key(spec, job.pending.number) if spec.problem.checkpoints else ""
        return Task(self.problem[job.run], spec.problem_seed, job.pending.config, known, key)

    def message(self, bundle: Bundle) -> str:
        """The lines that a lane gets of a bundle."""
        if bundle.thoughts:
            return "\n".join(map(self._question, bundle.thoughts))
        return pack_tasks([self.task(job) for job in bundle.jobs])

    def trial(
        self, job: Job, outcome: Outcome, started: float, worker: str, origin: Origin = Origin.EVALUATED
    ) -> Trial:
        """What a job has become.

        Parameters
        ----------
        started : float
            By the monotonic clock; the trial has it by that of its run.
        worker : str
            Which lane evaluated it; empty where none did.
        """
        return Trial(
            job.pending.number,
            job.pending.config,
            outcome,
            origin,
            suggest_seconds=job.pending.suggest_seconds,
            queue_seconds=max(0.0, started - job.asked),
            started=max(0.0, started - self._zero[job.run]),
            worker=worker,
            earlier=job.earlier,
            known=job.pending.known,
        )

    def _question(self, thought: Thought) -> str:
        lines = self._lines.setdefault(thought.run, {})
        told = []
        for trial in thought.question.completed:
            if trial.number not in lines:
                lines[trial.number] = pack_trial(trial)
            told.append(lines[trial.number])
        then = (self.problem[thought.run], self.specs[thought.run].problem_seed) if thought.goes_on else None
        return pack_request(self._mind[thought.run], thought.run, thought.question, told, then)


def _start(study: Study, spec: RunSpec, history: Sequence[Trial]) -> Run:
    if spec.problem.has_test:  # what was scored after an earlier session is not for methods to see
        history = [_untested(trial) for trial in history]
    return Run(
        spec.problem.space,
        spec.method,
        spec.entropy,
        study.budget,
        study.parallel,
        study.order,
        history,
        known=spec.start.known,
        staged=study.staged(spec.problem),
        first=spec.start.first,
        give_up_after=study.trial.give_up_after,
    )


def _untested(trial: Trial) -> Trial:
    return dataclasses.replace(trial, outcome=dataclasses.replace(trial.outcome, test=None))


def _minds(specs: Sequence[RunSpec]) -> tuple[list[tuple[Method, Space]], list[int]]:
    """Each method as it is prepared for a problem, with the space; and for each run which it has."""
    found = {(spec.problem.name, spec.label): (spec.method, spec.problem.space) for spec in specs}
    positions = {key: i for i, key in enumerate(found)}
    return list(found.values()), [positions[spec.problem.name, spec.label] for spec in specs]


def _blocks(specs: Sequence[RunSpec]) -> list[int]:
    """For each run the number of its block."""
    numbers: dict[tuple[str, int], int] = {}
    return [numbers.setdefault((spec.problem.name, spec.seed), len(numbers)) for spec in specs]


def _elapsed(run: Run) -> float:
    """How far the clock of a run had come in earlier sessions."""
    return max((trial.started + trial.outcome.seconds for trial in run.ended.values()), default=0.0)


def _checkpoint_key(spec: RunSpec, number: int) -> str:
    """What a trial's checkpoints are found by, in the study's part of a store."""
    return hashlib.sha256(f"{spec.id}/{number}".encode()).hexdigest()[:_KEY_LETTERS]

"""The runs of a study by their positions.

Inside the engine a run is a number: the position of its row among the study's. A worker knows nothing of
runs, only the positions of problems and methods. A `RunTable` holds the runs and converts between the two:
proposals into jobs, jobs and proposal requests into the text that a worker gets, outcomes into trials. It
decides nothing; `runner.engine.dispatch.dispatcher` does.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Sequence

from runner.engine.cache import key_of
from runner.engine.codec import pack_request, pack_tasks, pack_trial
from runner.engine.messages import Batch, Job, ProposalJob, Task
from runner.engine.runs.run import Run
from runner.methods.base import Method
from runner.space import Space
from runner.study.study import RunSpec, Study
from runner.trial import Origin, Outcome, Pending, Trial

_KEY_LETTERS = 24  # 96 bits of the hash: no two trials of a store collide, and file names stay short


class RunTable:
    """The runs of a study.

    Parameters
    ----------
    specs : sequence of RunSpec
        The runs; their problems are among the study's.
    history : callable
        Returns the trials of a run that have ended, by the run's id.

    Attributes
    ----------
    runs : list of Run
        In the order of ``specs``.
    problem : list of int
        Position of each run's problem in the study.
    block : list of int
        Number of each run's block.
    proposers : list of (Method, Space)
        Each method as it is prepared for a problem, with the space.
    """

    def __init__(
        self, study: Study, specs: Sequence[RunSpec], history: Callable[[str], Sequence[Trial]]
    ) -> None:
        self.specs = tuple(specs)
        self.runs = [_start(study, spec, history(spec.id)) for spec in self.specs]
        positions = {id(problem): i for i, problem in enumerate(study.problems)}
        self.problem = [positions[id(spec.problem)] for spec in self.specs]
        blocks: dict[tuple[str, int], int] = {}
        self.block = [blocks.setdefault((spec.problem.name, spec.seed), len(blocks)) for spec in self.specs]
        self.proposers, self._proposer_of_run = _proposers(self.specs)
        self._caches = study.cache
        self._lines: dict[int, dict[int, str]] = {}  # run -> its trials as `pack_trial` has them
        self._zero = [time.monotonic() - _elapsed(run) for run in self.runs]

    def job(self, run: int, pending: Pending) -> Job:
        """Make a job of a proposal; with a key if its outcome may be shared."""
        shares = self._caches and not self.specs[run].problem.noisy
        key = key_of(self.block[run], pending.config) if shares else None
        return Job(run, pending, time.monotonic(), key=key)

    def task(self, job: Job) -> Task:
        """Reduce a job to what a worker needs."""
        spec, run = self.specs[job.run], self.runs[job.run]
        known = run.known_steps(job.pending.known) if run.staged else None
        key = _checkpoint_key(spec, job.pending.number) if spec.problem.checkpoints else ""
        return Task(self.problem[job.run], spec.problem_seed, job.pending.config, known, key)

    def message(self, batch: Batch) -> str:
        """Write a batch as the lines that a worker gets."""
        if batch.proposals:
            return "\n".join(map(self._request, batch.proposals))
        return pack_tasks([self.task(job) for job in batch.jobs])

    def trial(
        self, job: Job, outcome: Outcome, started: float, worker: str, origin: Origin = Origin.EVALUATED
    ) -> Trial:
        """Make a trial of a job and its outcome.

        Parameters
        ----------
        started : float
            By the monotonic clock; the trial has it by the clock of its run.
        worker : str
            Name of the worker that evaluated it; empty if none did.
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

    def _request(self, proposal: ProposalJob) -> str:
        lines = self._lines.setdefault(proposal.run, {})
        completed = []
        for trial in proposal.request.completed:
            if trial.number not in lines:
                lines[trial.number] = pack_trial(trial)
            completed.append(lines[trial.number])
        then = None
        if proposal.then_evaluate:
            then = self.problem[proposal.run], self.specs[proposal.run].problem_seed
        method = self._proposer_of_run[proposal.run]
        return pack_request(method, proposal.run, proposal.request, completed, then)


def _start(study: Study, spec: RunSpec, history: Sequence[Trial]) -> Run:
    if spec.problem.has_test:  # methods must not see test values of an earlier session
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


def _proposers(specs: Sequence[RunSpec]) -> tuple[list[tuple[Method, Space]], list[int]]:
    """List the prepared methods with their spaces, and for each run the position of its method."""
    proposers = {(spec.problem.name, spec.label): (spec.method, spec.problem.space) for spec in specs}
    positions = {key: i for i, key in enumerate(proposers)}
    return list(proposers.values()), [positions[spec.problem.name, spec.label] for spec in specs]


def _elapsed(run: Run) -> float:
    """Time on the clock of a run at the end of earlier sessions."""
    return max((trial.started + trial.outcome.seconds for trial in run.ended.values()), default=0.0)


def _checkpoint_key(spec: RunSpec, number: int) -> str:
    """Key of a trial's checkpoints in the study's part of a store."""
    return hashlib.sha256(f"{spec.id}/{number}".encode()).hexdigest()[:_KEY_LETTERS]

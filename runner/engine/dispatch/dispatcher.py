"""Dispatching of trials: the part of the engine that knows no Ray.

A `Dispatcher` holds all runs of a study. It hands out batches, enters each result into the journal and
then into its run, and decides what the loss of a worker means. Both engines, on Ray and in-process, drive
it by the same three calls: `Dispatcher.ask`, `Dispatcher.tell`, `Dispatcher.lose`.

Not every proposal is evaluated: another run of its block may have evaluated the config
(`runner.engine.cache`), or the problem may have it on record. Not every method is asked here: an expensive
one is asked on a worker, while the driver serves the other runs.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from runner.engine.batching import MOST_JOBS, Pace
from runner.engine.cache import OutcomeCache
from runner.engine.dispatch.queue import WorkQueue
from runner.engine.dispatch.recovery import Cause, attribute, ended_everything, retried, times
from runner.engine.early_stopping import stopper_maker
from runner.engine.messages import (
    Batch,
    Job,
    ProposalJob,
    ProposalRequest,
    Report,
    Rescued,
    Task,
    overdue_message,
)
from runner.engine.monitor import Guarded, Monitor
from runner.engine.runs.run import Run
from runner.engine.runs.run_set import RunSet
from runner.engine.runs.run_table import RunTable
from runner.engine.supervisor import say_begun
from runner.errors import StudyInterrupted, describe
from runner.journal.begun import Key, Suspect
from runner.problems.evaluation import cut
from runner.study.identity.code import is_ours
from runner.study.resources import Needs
from runner.study.study import RunSpec, Study
from runner.trial import DONE, WAIT, Answer, Origin, Outcome, Status, Trial

INTERRUPTED = "interrupted; every finished trial is saved."
EXPENSIVE_SECONDS = 0.003
"""A method whose last proposals took longer is asked on a worker; for faster ones the message costs more."""
SHORT_SECONDS = 0.05
"""A trial shorter than this is evaluated by the worker that proposed it; for longer ones a second round trip
is a small share."""
_BUSY_SECONDS = (
    0.05  # the driver may enter known outcomes for so long while workers wait; chosen, not measured
)
_FEW_SUSPECTS = (
    4  # up to so many are isolated at once; with more, the next loss has to narrow them down first
)


class JournalProtocol(Protocol):
    """Storage that a dispatcher needs; the defaults are those of a journal that keeps no runs."""

    @property
    def suspects(self) -> Mapping[Key, Suspect]:
        """Trials that may have ended the whole study before; see `runner.journal.begun`."""

    def begin(self, batch: int, trials: Sequence[Key]) -> None:
        """Make durable which trials a batch is about to evaluate."""

    def record(self, ended: Sequence[tuple[str, Trial]], batches: Sequence[int] = ()) -> None:
        """Make trials durable, and that these batches are no longer being evaluated."""

    def history(self, run_id: str) -> list[Trial]:
        """Return the trials of a run that have ended."""
        return []

    def announce(self, run_id: str, announcement: str, /) -> None:
        """Keep the announcement of a run's method."""
        return

    def end_run(self, run_id: str, reason: str, failed: bool, conclusion: str) -> None:
        """Keep that a run has ended."""
        return


class Dispatcher:
    """The runs of a study, from proposal to journal.

    Parameters
    ----------
    journal : JournalProtocol
        A `runner.journal.Journal` that is open for writing; its trials are not evaluated again.
    specs : sequence of RunSpec, optional
        Default: the runs of the study.

    Attributes
    ----------
    workers : int
        Number of workers that share the work; on Ray it follows the size of the cluster. Batches are
        kept small enough for all of them.
    stopper_for : callable or None
        Makes the early-stopping rule of a trial, where the study has a scheduler.
    proposes_on_workers : bool
        The workers are separate processes, so expensive methods are asked there.
    """

    def __init__(
        self,
        study: Study,
        journal: JournalProtocol,
        monitor: Monitor | None = None,
        specs: Sequence[RunSpec] | None = None,
    ) -> None:
        self.study = study
        self._table = RunTable(study, study.runs if specs is None else specs, journal.history)
        self.specs, self.runs, self.proposers = self._table.specs, self._table.runs, self._table.proposers
        self.interrupted = False
        self.workers = 1
        self.proposes_on_workers = False
        staged = any(map(study.staged, study.problems))
        steps = [problem.steps for problem in study.problems]
        self.stopper_for = stopper_maker(study.scheduler, steps) if staged else None
        self._journal = journal
        self._monitor = Guarded(monitor or Monitor())
        self._set = self._choose(range(len(self.runs)))
        self._hits: list[tuple[Job, Trial]] = []  # known without an evaluation
        self._held: Batch | None = None
        self._party = study.needs[0]
        self._in_flight = 0  # jobs and proposal jobs that are with workers
        self._isolating = False  # one of them must be evaluated by itself
        self._pace = Pace(self._table.problem)
        self._queue = WorkQueue(
            lambda job: self._pace.expected(job.run),
            lambda proposal: self.runs[proposal.run].proposal_seconds,
            study.trial.timeout,
            study.trial.proposal_timeout,
        )
        self._cache = OutcomeCache()
        if study.cache:
            for index, run in enumerate(self.runs):
                self._cache.remember(self._table.block[index], run.ended.values())

    def begin(self, workers: int, where: str, apart: bool = False) -> None:
        """Tell monitor and journal that the study starts or resumes.

        Parameters
        ----------
        workers : int
            Number of workers at the start.
        where : str
            Location for the user, such as "in this process".
        apart : bool
            True if the workers are separate processes.
        """
        self.workers, self.proposes_on_workers = max(1, workers), apart
        self._monitor.begin(self.study, self.runs, where)
        announced = {key: text for key, text in self.study.announcements.items() if text}
        for spec in self.specs:
            if text := announced.get((spec.problem.name, spec.label)):
                self._journal.announce(spec.id, text)
        for (problem, label), text in announced.items():
            self._monitor.note(f"{problem}, {label}: {text}")
        self._close_finished()

    def anything_left(self) -> bool:
        """Return True if there is work to do; to be called before the first `ask`."""
        answer = self._fill()
        if isinstance(answer, Batch):
            self._held = answer
        return answer is not DONE

    @property
    def width(self) -> int:
        """Number of trials and proposal requests that workers could have at once, as things are."""
        return self._set.slots + len(self._queue) + self._in_flight

    def next_needs(self) -> Needs | None:
        """Select the problems whose trials need the same resources; None when all is done.

        To be called when no batch is with a worker. From then on `ask` serves these runs only: workers that
        hold other resources would have to go before these could come.
        """
        if self._held is not None:  # called before, and `ask` not yet
            return self._party
        needs = self.study.needs
        parties = list(dict.fromkeys(needs))
        for party in parties:
            if len(parties) > 1:
                self._set = self._choose(
                    i
                    for i, problem in enumerate(self._table.problem)
                    if needs[problem] == party and not self.runs[i].finished
                )
            if self.anything_left():
                self._party = party
                return party
        return None

    def _choose(self, runs: Iterable[int]) -> RunSet:
        return RunSet(self.runs, self._is_expensive, self.study.trial.proposal_timeout, runs)

    # -- the three calls of an engine -----------------------------------------------------------

    def ask(self) -> Batch | Answer:
        """Return the next batch; WAIT while all that is left is with workers; DONE.

        Raises
        ------
        StudyInterrupted
            After `interrupt`.
        JournalError
            If the journal cannot be written.
        """
        start = time.monotonic()
        answer: Batch | Answer | None = self._held
        self._held = None
        while answer is None or (isinstance(answer, Answer) and self._hits):
            if self.interrupted:
                raise StudyInterrupted(INTERRUPTED)
            if self._in_flight and time.monotonic() - start > _BUSY_SECONDS:
                return WAIT
            self._enter_hits()
            answer = self._fill()
        self._enter_hits()
        self._close_finished()
        if isinstance(answer, Batch):
            self._in_flight += len(answer)
            self._isolating = answer.isolated
        return answer

    def sending(self, batch: Batch) -> None:
        """Make durable that a batch is about to be sent to a worker."""
        begun = [(self.specs[job.run].id, job.pending.number) for job in batch.jobs]
        begun += [self._key(one.run, one.request) for one in batch.proposals if one.then_evaluate]
        if begun:
            self._journal.begin(batch.number, begun)
            say_begun()

    def tell(self, batch: Batch, report: Report) -> None:
        """Enter a worker's report: into the journal, then into the runs."""
        self._returned(batch)
        ended = []
        for proposal, reply in zip(batch.proposals, report.replies, strict=True):
            pending = self._set.reply(proposal.run, reply)
            if pending is None:
                continue
            job = self._table.job(proposal.run, pending)
            if reply.outcome is None:
                self._admit(job)
            else:
                started = time.monotonic() - reply.outcome.seconds
                ended.append((job, self._table.trial(job, reply.outcome, started, report.worker)))
        begun = batch.jobs[: len(report.outcomes)]
        self._queue.put_first(batch.jobs[len(begun) :])
        self._enter_evaluated([*ended, *self._ended(begun, report, report.seconds)], batch)

    def lose(self, batch: Batch, cause: Cause, seconds: float, rescued: Rescued | None = None) -> None:
        """Enter the loss of a worker with its batch; see `runner.engine.dispatch.recovery`."""
        self._returned(batch)
        if batch.proposals:
            self._journal.record([], [batch.number])
            self._lose_proposals(batch.proposals, cause)
            return
        recovery = attribute(batch.jobs, cause, seconds, rescued, self.study.trial)
        saved: list[tuple[Job, Trial]] = []
        if rescued is not None and recovery.use_rescued:
            saved = self._ended(batch.jobs[: len(rescued.outcomes)], rescued, seconds)
        self._enter_evaluated(saved, batch)
        self._queue.put_first(recovery.first)
        self._queue.put_alone(recovery.alone)
        if recovery.ended is not None:
            job, outcome = recovery.ended
            self._enter([(job, self._table.trial(job, outcome, time.monotonic() - outcome.seconds, ""))])
        self._close_finished()

    # -- what engines need beside them ----------------------------------------------------------

    def message(self, batch: Batch) -> str:
        """Write a batch as text for a worker."""
        return self._table.message(batch)

    def task(self, job: Job) -> Task:
        """Reduce a job to what a worker needs."""
        return self._table.task(job)

    def note(self, text: str) -> None:
        """Pass a message to the user."""
        self._monitor.note(text)

    def interrupt(self) -> None:
        """Make the next `ask` raise StudyInterrupted; safe to call from a signal handler."""
        self.interrupted = True

    # -- what goes out --------------------------------------------------------------------------

    def _fill(self) -> Batch | Answer:
        """Fill a batch; WAIT, also where known outcomes must be entered first; DONE.

        A batch takes half of a worker's share: of the work that exists now (with workers, queued or ready to
        be proposed), and of all that will ever be proposed, so that batches shrink towards the end.
        """
        if self._isolating:
            return WAIT
        waiting = len(self._queue)
        now = self.width
        in_all = self._set.remaining(now) + waiting
        most = max(1, min(now, in_all) // (2 * self.workers))
        return self._queue.fill(self._propose, lambda: bool(self._hits), most, busy=self._in_flight > 0)

    def _propose(self) -> Answer | None:
        """Queue one more proposal or proposal request; WAIT or DONE if there is none."""
        if len(self._hits) >= MOST_JOBS:
            return WAIT
        answer = self._set.ask()
        if isinstance(answer, Answer):
            return answer
        index, asked = answer
        if isinstance(asked, ProposalRequest):
            suspect = self._key(index, asked) in self._journal.suspects
            then_evaluate = self._evaluates_at_once(index) and not suspect
            self._queue.proposals.append(ProposalJob(index, asked, then_evaluate=then_evaluate))
        else:
            self._admit(self._table.job(index, asked))
        return None

    def _admit(self, job: Job) -> None:
        """Look the outcome of a proposal up, have it evaluated, or wait for the run that has it evaluated."""
        spec, config = self.specs[job.run], job.pending.config
        outcome, origin = spec.problem.recall(config, spec.problem_seed), Origin.REPLAYED
        if outcome is None and job.key is not None:
            outcome, origin = self._cache.find(job.key), Origin.CACHED
            if outcome is None and not self._cache.claim(job.key, job):
                return
        if outcome is None:
            self._enqueue(job)
            return
        task = self._table.task(job)
        if task.known is not None and self.stopper_for is not None:
            outcome = cut(spec.problem, outcome, self.stopper_for(task.problem, task.known))
        self._hits.append((job, self._table.trial(job, outcome, time.monotonic(), "", origin)))

    def _enqueue(self, job: Job) -> None:
        """Queue a trial: isolated if it is suspect; end it as CRASHED if it is the cause of losses."""
        suspects = self._journal.suspects
        suspect = suspects.get((self.specs[job.run].id, job.pending.number)) if suspects else None
        if suspect is None:
            self._queue.jobs.append(job)
        elif suspect.is_cause(self.study.trial.retries):
            outcome = Outcome(Status.CRASHED, error=ended_everything(suspect.losses))
            self._hits.append((job, self._table.trial(job, outcome, time.monotonic(), "")))
        else:
            isolated = suspect.losses > 1 or len(suspects) <= _FEW_SUSPECTS
            earlier = (ended_everything(1),) * suspect.losses
            self._queue.put_alone([dataclasses.replace(job, earlier=earlier, isolated=isolated)])

    def _key(self, run: int, request: ProposalRequest) -> Key:
        """Key of the trial that the answer to a request becomes."""
        return self.specs[run].id, request.number + len(self.runs[run].first)

    def _evaluates_at_once(self, run: int) -> bool:
        """Decide if a worker that proposes for a run should evaluate the config, too.

        Not if the evaluation is long, or has a limit, which a batch of proposals does not have; nor if its
        outcome may be known: in a finite space other runs may have evaluated the config.
        """
        expected, problem = self._pace.expected(run), self.specs[run].problem
        return (
            expected is not None
            and expected < SHORT_SECONDS
            and self.study.trial.timeout is None
            and self.study.needs[self._table.problem[run]].memory_gb is None
            and bool(problem.space.continuous)
            and not problem.recalls_all
            and not problem.checkpoints
            and not self.runs[run].staged
        )

    def _is_expensive(self, run: Run) -> bool:
        """Decide if asking a run's method here would hold up the other runs, or might never end."""
        expensive = run.proposal_seconds > EXPENSIVE_SECONDS or not is_ours(type(run.method))
        return self.proposes_on_workers and expensive

    # -- what comes back ------------------------------------------------------------------------

    def _returned(self, batch: Batch) -> None:
        self._in_flight -= len(batch)
        self._isolating = False

    def _retries(self, job: Job, outcome: Outcome) -> bool:
        """Queue a job whose objective raised once more, if the study asks for that; return True if so."""
        settings = self.study.trial
        if outcome.status is not Status.FAILED or not settings.retry_failed:
            return False
        if len(job.earlier) >= settings.retries:
            return False
        self._queue.put_first([retried(job, outcome.error)])
        return True

    def _ended(
        self, jobs: Sequence[Job], report: Report | Rescued, seconds: float
    ) -> list[tuple[Job, Trial]]:
        """Make trials of jobs, of a batch that began that many seconds ago."""
        start = time.monotonic() - seconds
        return [
            (job, self._table.trial(job, outcome, start + offset, report.worker))
            for job, outcome, offset in zip(jobs, report.outcomes, report.offsets, strict=True)
        ]

    def _enter_evaluated(self, ended: list[tuple[Job, Trial]], batch: Batch) -> None:
        final = [(job, trial) for job, trial in ended if not self._retries(job, trial.outcome)]
        self._enter(final, [batch.number])

    def _lose_proposals(self, proposals: Sequence[ProposalJob], cause: Cause) -> None:
        """Send requests again, each alone and without an evaluation; or end their runs."""
        if cause == "node":
            self._queue.proposals.extendleft(proposals)
        elif len(proposals) > 1 or proposals[0].then_evaluate:
            self._queue.alone.extend(dataclasses.replace(one, then_evaluate=False) for one in proposals)
        else:
            self._lose_proposal(proposals[0], cause)
            self._close_finished()

    def _lose_proposal(self, proposal: ProposalJob, cause: Cause) -> None:
        crashes = proposal.crashes + 1
        if cause == "timeout":
            self._set.give_up(proposal.run, overdue_message(self.study.trial.proposal_timeout))
        elif crashes <= self.study.trial.retries:
            self._queue.alone.append(dataclasses.replace(proposal, crashes=crashes))
        else:
            reason = f"the worker process died {times(crashes)} while the method computed a proposal"
            self._set.give_up(proposal.run, reason)

    def _enter_hits(self) -> None:
        hits, self._hits = self._hits, []
        if hits:
            self._enter(hits)

    def _enter(self, ended: list[tuple[Job, Trial]], batches: Sequence[int] = ()) -> None:
        self._journal.record([(self.specs[job.run].id, trial) for job, trial in ended], batches)
        for job, trial in ended:
            self._set.tell(job.run, trial)
            self._monitor.ended(job.run, trial)
            if trial.origin is Origin.EVALUATED:
                if trial.outcome.seconds > 0.0:
                    self._pace.learn(job.run, trial.outcome.seconds)
                if job.key is not None:
                    for waiting in self._cache.settle(job.key, trial.outcome):
                        self._admit(waiting)
        self._close_finished()

    def _close_finished(self) -> None:
        for index in self._set.take_finished():
            run = self.runs[index]
            try:
                conclusion = run.conclude()
            except Exception as error:  # whatever a method raises ends its own run only
                conclusion = f"its conclusion raised {describe(error)}"
            self._journal.end_run(self.specs[index].id, run.end_reason, run.failed, conclusion)
            self._monitor.finished(index)

"""What is evaluated next and what becomes of it: the part of the engine that knows no Ray.

A `Dispatcher` holds every run of a study. It hands out bundles (see `runner.engine.batching` for their size);
it enters what comes back, first into the journal and then into the run; and it decides what a lost
lane means. Both engines, on Ray and in-process, drive it by the same three calls:
`Dispatcher.ask`, `Dispatcher.tell`, `Dispatcher.lose`.

Which run is whose, and what travels in its name, is the `runner.engine.runs.run_table`'s affair. Not every proposal
is evaluated: another run of its block may have had it (`runner.engine.cache`), or
its problem may recall it. Not every method is asked here: one that thinks for long does so on a
lane, while the driver serves the other runs.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from runner.engine.batching import MOST_JOBS, Pace
from runner.engine.cache import Shared
from runner.engine.dispatch.queue import Outbox
from runner.engine.dispatch.recovery import Cause, again, blame, ended_everything, times
from runner.engine.messages import Bundle, Job, Report, Rescued, Task, Thought
from runner.engine.monitor import Guarded, Monitor
from runner.engine.requests import Question, overdue
from runner.engine.runs.run import Run
from runner.engine.runs.run_set import RunSet
from runner.engine.runs.run_table import Roster
from runner.engine.supervisor import say_begun
from runner.engine.worker.evaluate import StopperFor
from runner.errors import StudyInterrupted, describe
from runner.journal.begun import Key, Suspect
from runner.problems.evaluation import cut
from runner.study.resources import Needs
from runner.study.study import Study
from runner.trial import DONE, WAIT, Answer, Origin, Outcome, Status, Trial

INTERRUPTED = "interrupted; every finished trial is saved."
DEAR_SECONDS = 0.003
"""A method whose last proposal took longer is asked on a lane."""
SHORT_SECONDS = 0.05
"""A trial that is shorter is evaluated by the lane that has thought of it."""
_BUSY_SECONDS = 0.05  # for so long the driver may be busy with known outcomes while lanes wait
_FEW_SUSPECTS = 4  # so many are isolated at once; of more it would take long, so the next loss says of whom


class Keeps(Protocol):
    """What a dispatcher asks of a journal."""

    def history(self, run_id: str) -> list[Trial]:
        """The trials of a run that have ended."""

    @property
    def suspects(self) -> Mapping[Key, Suspect]:
        """The trials that may have ended everything before; see `runner.journal.begun`."""

    def begin(self, batch: int, trials: Sequence[Key]) -> None:
        """Make durable which trials a batch is about to evaluate."""

    def record(self, ended: Sequence[tuple[str, Trial]], batches: Sequence[int] = ()) -> None:
        """Make trials durable, and that these batches are not being evaluated any more."""

    def announce(self, run_id: str, sentence: str) -> None:
        """Keep what a method says before its run."""

    def end_run(self, run_id: str, reason: str, failed: bool, conclusion: str) -> None:
        """Keep that a run has ended."""


class Dispatcher:
    """The runs of a study, from proposal to journal.

    Parameters
    ----------
    study : Study
    journal : Keeps
        A `runner.journal.Journal`, as a rule.
        Open for writing; trials that it holds are not evaluated again.
    monitor : Monitor, optional
    stopper_for : callable, optional
        Makes what stops trials early; needed where the study has a scheduler.

    Attributes
    ----------
    lanes : int
        How many lanes share the work; bundles are kept small enough for all of them.
    stopper_for : callable or None
        See above.
    thinks_elsewhere : bool
        Whether the lanes are apart from this process, so that dear thinking is handed out.
    """

    def __init__(
        self,
        study: Study,
        journal: Keeps,
        monitor: Monitor | None = None,
        stopper_for: StopperFor | None = None,
    ) -> None:
        self.study = study
        self._roster = Roster(study, journal.history)
        self.specs, self.runs, self.minds = self._roster.specs, self._roster.runs, self._roster.minds
        self.interrupted = False
        self.lanes = 1
        self.thinks_elsewhere = False
        self._journal = journal
        self._monitor = Guarded(monitor or Monitor())
        self.stopper_for = stopper_for
        self._set = self._choose(range(len(self.runs)))
        self._hits: list[tuple[Job, Trial]] = []  # known without an evaluation
        self._held: Bundle | None = None
        self._party = study.needs[0]
        self._flying = 0  # jobs and thoughts that are with lanes
        self._isolating = False  # one of them is to be by itself
        self._pace = Pace(self._roster.problem)
        self._outbox = Outbox(
            lambda job: self._pace.expected(job.run),
            lambda thought: self.runs[thought.run].thought_seconds,
            study.trial.timeout,
            study.trial.proposal_timeout,
        )
        self._shared = Shared()
        if study.cache:
            for index, run in enumerate(self.runs):
                self._shared.remember(self._roster.block[index], run.ended.values())

    def begin(self, lanes: int, where: str, apart: bool = False) -> None:
        """Tell monitor and journal that the study starts or goes on.

        Parameters
        ----------
        lanes : int
            How many lanes there are at the start.
        where : str
            Where they run, for the user, such as "in this process".
        apart : bool
            Whether they are processes of their own.
        """
        self.lanes, self.thinks_elsewhere = max(1, lanes), apart
        self._monitor.begin(self.study, self.runs, where)
        announced = self.study.announcements
        for spec in self.specs:
            if text := announced[spec.problem.name, spec.label]:
                self._journal.announce(spec.id, text)
        for (problem, label), text in announced.items():
            if text:
                self._monitor.note(f"{problem}, {label}: {text}")
        self._close_finished()

    def anything_left(self) -> bool:
        """Whether there is anything to do; to be asked before the first `ask`."""
        answer = self._fill()
        if isinstance(answer, Bundle):
            self._held = answer
        return answer is not DONE

    @property
    def width(self) -> int:
        """How many trials and questions could be with lanes at once, as things stand."""
        return self._set.slots + len(self._outbox) + self._flying

    def next_needs(self) -> Needs | None:
        """Turn to the problems whose trials need the same; what they need, or None where all is done.

        To be called when nothing is on its way. From here on `ask` knows of no other runs: lanes
        that hold something else would have to go before these could come.
        """
        if self._held is not None:  # it was asked before, and `ask` not yet
            return self._party
        needs = self.study.needs
        parties = list(dict.fromkeys(needs))
        for party in parties:
            if len(parties) > 1:
                self._set = self._choose(
                    i
                    for i, problem in enumerate(self._roster.problem)
                    if needs[problem] == party and not self.runs[i].finished
                )
            if self.anything_left():
                self._party = party
                return party
        return None

    def _choose(self, runs: Iterable[int]) -> RunSet:
        return RunSet(self.runs, self._is_dear, self.study.trial.proposal_timeout, runs)

    # -- the three calls of an engine -----------------------------------------------------------

    def ask(self) -> Bundle | Answer:
        """The next bundle; WAIT while all that is left is on its way; DONE.

        Raises
        ------
        StudyInterrupted
            After `interrupt`.
        JournalError
            Where the journal cannot be written.
        """
        start = time.monotonic()
        answer: Bundle | Answer | None = self._held
        self._held = None
        while answer is None or (isinstance(answer, Answer) and self._hits):
            if self.interrupted:
                raise StudyInterrupted(INTERRUPTED)
            if self._flying and time.monotonic() - start > _BUSY_SECONDS:
                return WAIT
            self._enter_hits()
            answer = self._fill()
        self._enter_hits()
        self._close_finished()
        if isinstance(answer, Bundle):
            self._flying += len(answer)
            self._isolating = answer.isolated
        return answer

    def sending(self, bundle: Bundle) -> None:
        """Make durable that a bundle is about to be with a lane."""
        begun = [(self.specs[job.run].id, job.pending.number) for job in bundle.jobs]
        begun += [self._key(one.run, one.question) for one in bundle.thoughts if one.goes_on]
        if begun:
            self._journal.begin(bundle.number, begun)
            say_begun()

    def tell(self, bundle: Bundle, report: Report) -> None:
        """Enter what a lane says of a bundle: into the journal, then into the runs."""
        self._back(bundle)
        ended = []
        for thought, reply in zip(bundle.thoughts, report.replies, strict=True):
            pending = self._set.reply(thought.run, reply)
            if pending is None:
                continue
            job = self._roster.job(thought.run, pending)
            if reply.outcome is None:
                self._admit(job)
            else:
                started = time.monotonic() - reply.outcome.seconds
                ended.append((job, self._roster.trial(job, reply.outcome, started, report.worker)))
        begun = bundle.jobs[: len(report.outcomes)]
        self._outbox.put_first(bundle.jobs[len(begun) :])
        self._enter_evaluated([*ended, *self._ended(begun, report, report.seconds)], bundle)

    def lose(self, bundle: Bundle, cause: Cause, seconds: float, rescued: Rescued | None = None) -> None:
        """A lane died with a bundle, or was killed for what it did; see `runner.engine.dispatch.recovery`."""
        self._back(bundle)
        if bundle.thoughts:
            self._journal.record([], [bundle.number])
            self._lose_thoughts(bundle.thoughts, cause)
            return
        found = blame(bundle.jobs, cause, seconds, rescued, self.study.trial)
        kept: list[tuple[Job, Trial]] = []
        if rescued is not None and found.keeps:
            kept = self._ended(bundle.jobs[: len(rescued.outcomes)], rescued, seconds)
        self._enter_evaluated(kept, bundle)
        self._outbox.put_first(found.first)
        self._outbox.put_alone(found.alone)
        if found.ended is not None:
            job, outcome = found.ended
            self._enter([(job, self._roster.trial(job, outcome, time.monotonic() - outcome.seconds, ""))])
        self._close_finished()

    # -- what engines need beside them ----------------------------------------------------------

    def message(self, bundle: Bundle) -> str:
        """The lines that a lane gets of a bundle."""
        return self._roster.message(bundle)

    def task(self, job: Job) -> Task:
        """What a lane needs to know of a job."""
        return self._roster.task(job)

    def note(self, text: str) -> None:
        """A sentence for the user."""
        self._monitor.note(text)

    def interrupt(self) -> None:
        """Make the next `ask` raise StudyInterrupted; safe to call from a signal handler."""
        self.interrupted = True

    # -- what goes out --------------------------------------------------------------------------

    def _fill(self) -> Bundle | Answer:
        """A bundle; WAIT, also where known outcomes must be entered first; DONE.

        It takes the share that leaves two for every lane: of what there is to do at a time, which
        is with the lanes, waits, or can be proposed; and of all that will ever be proposed, so that
        bundles shrink towards the end of the study.
        """
        if self._isolating:
            return WAIT
        waiting = len(self._outbox)
        at_a_time = self.width
        at_all = self._set.remaining(at_a_time) + waiting
        most = max(1, min(at_a_time, at_all) // (2 * self.lanes))
        return self._outbox.fill(self._propose, lambda: bool(self._hits), most, busy=self._flying > 0)

    def _propose(self) -> Answer | None:
        """Make one more proposal or question; WAIT or DONE where there is none."""
        if len(self._hits) >= MOST_JOBS:
            return WAIT
        answer = self._set.ask()
        if isinstance(answer, Answer):
            return answer
        index, asked = answer
        if isinstance(asked, Question):
            goes_on = self._goes_on(index) and self._key(index, asked) not in self._journal.suspects
            self._outbox.thoughts.append(Thought(index, asked, goes_on=goes_on))
        else:
            self._admit(self._roster.job(index, asked))
        return None

    def _admit(self, job: Job) -> None:
        """Find the outcome of a proposal, or have it evaluated, or wait for who has it evaluated."""
        spec, config = self.specs[job.run], job.pending.config
        outcome, origin = spec.problem.recall(config, spec.problem_seed), Origin.REPLAYED
        if outcome is None and job.key is not None:
            outcome, origin = self._shared.find(job.key), Origin.CACHED
            if outcome is None and not self._shared.claim(job.key, job):
                return
        if outcome is None:
            self._queue(job)
            return
        task = self._roster.task(job)
        if task.known is not None and self.stopper_for is not None:
            outcome = cut(spec.problem, outcome, self.stopper_for(task.problem, task.known))
        self._hits.append((job, self._roster.trial(job, outcome, time.monotonic(), "", origin)))

    def _queue(self, job: Job) -> None:
        """Have a trial evaluated: by itself where it is suspect, and not at all where it is the cause."""
        suspects = self._journal.suspects
        suspect = suspects.get((self.specs[job.run].id, job.pending.number)) if suspects else None
        if suspect is None:
            self._outbox.jobs.append(job)
        elif suspect.is_cause(self.study.trial.retries):
            outcome = Outcome(Status.CRASHED, error=ended_everything(suspect.losses))
            self._hits.append((job, self._roster.trial(job, outcome, time.monotonic(), "")))
        else:
            isolated = suspect.losses > 1 or len(suspects) <= _FEW_SUSPECTS
            earlier = (ended_everything(1),) * suspect.losses
            self._outbox.put_alone([dataclasses.replace(job, earlier=earlier, isolated=isolated)])

    def _key(self, run: int, question: Question) -> Key:
        """The trial that the answer to a question would be."""
        return self.specs[run].id, question.number + len(self.runs[run].first)

    def _goes_on(self, run: int) -> bool:
        """Whether a lane that thinks for a run should evaluate the answer, too: it would be waited for.

        Not where the evaluation is long, or has a limit, which thinking has not; nor where it may be
        known: in a finite space others may have wanted the config.
        """
        expected, problem = self._pace.expected(run), self.specs[run].problem
        return (
            expected is not None
            and expected < SHORT_SECONDS
            and self.study.trial.timeout is None
            and self.study.needs[self._roster.problem[run]].memory_gb is None
            and bool(problem.space.continuous)
            and not problem.recalls_all
            and not problem.checkpoints
            and not self.runs[run].staged
        )

    def _is_dear(self, run: Run) -> bool:
        """Whether its thinking would hold up the other runs, or might never end."""
        ours = type(run.method).__module__.startswith("runner.")
        return self.thinks_elsewhere and (run.thought_seconds > DEAR_SECONDS or not ours)

    # -- what comes back ------------------------------------------------------------------------

    def _back(self, bundle: Bundle) -> None:
        self._flying -= len(bundle)
        self._isolating = False

    def _retried(self, job: Job, outcome: Outcome) -> bool:
        """Whether an objective that raised is asked again, where the study wants that."""
        settings = self.study.trial
        if outcome.status is not Status.FAILED or not settings.retry_failed:
            return False
        if len(job.earlier) >= settings.retries:
            return False
        self._outbox.put_first([again(job, outcome.error)])
        return True

    def _ended(self, jobs: Sequence[Job], told: Report | Rescued, seconds: float) -> list[tuple[Job, Trial]]:
        """The trials that jobs have become, of a bundle that was begun so many seconds ago."""
        start = time.monotonic() - seconds
        return [
            (job, self._roster.trial(job, outcome, start + offset, told.worker))
            for job, outcome, offset in zip(jobs, told.outcomes, told.offsets, strict=True)
        ]

    def _enter_evaluated(self, ended: list[tuple[Job, Trial]], bundle: Bundle) -> None:
        final = [(job, trial) for job, trial in ended if not self._retried(job, trial.outcome)]
        self._enter(final, [bundle.number])

    def _lose_thoughts(self, thoughts: Sequence[Thought], cause: Cause) -> None:
        """Ask again, each alone and without evaluating; or give up."""
        if cause == "node":
            self._outbox.thoughts.extendleft(thoughts)
            return
        if len(thoughts) > 1 or thoughts[0].goes_on:
            self._outbox.alone.extend(dataclasses.replace(thought, goes_on=False) for thought in thoughts)
            return
        self._lose_thought(thoughts[0], cause)
        self._close_finished()

    def _lose_thought(self, thought: Thought, cause: Cause) -> None:
        crashes = thought.crashes + 1
        if cause == "timeout":
            self._set.give_up(thought.run, overdue(self.study.trial.proposal_timeout))
        elif crashes <= self.study.trial.retries:
            self._outbox.alone.append(dataclasses.replace(thought, crashes=crashes))
        else:
            reason = f"the worker process died {times(crashes)} while the method was thinking"
            self._set.give_up(thought.run, reason)

    def _enter_hits(self) -> None:
        hits, self._hits = self._hits, []
        if hits:
            self._enter(hits)

    def _enter(self, ended: list[tuple[Job, Trial]], bundles: Sequence[int] = ()) -> None:
        self._journal.record([(self.specs[job.run].id, trial) for job, trial in ended], bundles)
        for job, trial in ended:
            self._set.tell(job.run, trial)
            self._monitor.ended(job.run, trial)
            if trial.origin is Origin.EVALUATED:
                if trial.outcome.seconds > 0.0:
                    self._pace.learn(job.run, trial.outcome.seconds)
                if job.key is not None:
                    for waiting in self._shared.settle(job.key, trial.outcome):
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

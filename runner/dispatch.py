"""What is evaluated next and what becomes of it: the part of the engine that knows no Ray.

A `Dispatcher` holds every run of a study. It hands out bundles, trials that travel to a lane
together; it enters what comes back, first into the journal and then into the run; and it decides
what a lost lane means. Both engines, on Ray and in-process, drive it by the same three calls:
`Dispatcher.ask`, `Dispatcher.tell`, `Dispatcher.lose`.

Bundles exist because one round trip through Tune costs 10 to 20 ms and a lane is idle meanwhile.
A bundle is filled up to about `TARGET_SECONDS` of work, estimated from the problem's trials so
far; where nothing is known yet, a trial travels alone.
"""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from runner.asktell import Run
from runner.bundles import Bundle, Job, Report, Task
from runner.errors import StudyInterrupted, describe
from runner.journal import Journal
from runner.runset import RunSet
from runner.study import RunSpec, Study
from runner.trial import DONE, Answer, Outcome, Status, Trial

TARGET_SECONDS = 0.5
"""How much work a bundle holds; 25 to 50 times what its round trip costs."""
MOST_JOBS = 1000
INTERRUPTED = "interrupted; every finished trial is saved."
_MEMORY = 0.2  # weight of the newest trial in the running mean of a problem's seconds

Cause = Literal["crash", "timeout"]


class Monitor:
    """Hears what happens in a study; every method may be left out.

    The methods are called in the driver between two trials, so they must be quick.
    """

    def begin(self, study: Study, runs: Sequence[Run], where: str) -> None:
        """The study starts or goes on; ``where`` says where it runs."""

    def note(self, text: str) -> None:
        """A sentence for the user."""

    def ended(self, index: int, trial: Trial) -> None:
        """A trial of the run at this position has ended, is in the journal and was told."""

    def finished(self, index: int) -> None:
        """The run at this position has ended."""

    def close(self) -> None:
        """Nothing more will come, whatever the reason."""


class Dispatcher:
    """The runs of a study, from proposal to journal.

    Parameters
    ----------
    study : Study
    journal : Journal
        Open for writing; trials that it holds are not evaluated again.
    monitor : Monitor, optional
    """

    def __init__(self, study: Study, journal: Journal, monitor: Monitor | None = None) -> None:
        self.study = study
        self.specs: tuple[RunSpec, ...] = study.runs
        self.runs = [_start(study, spec, journal.history(spec.id)) for spec in self.specs]
        self.interrupted = False
        self._journal = journal
        self._monitor = _Guarded(monitor or Monitor())
        self._lanes = 1
        self._set = RunSet(self.runs)
        self._again: deque[Job] = deque()
        self._held: Bundle | None = None
        self._problem_index = {id(problem): i for i, problem in enumerate(study.problems)}
        self._mean: dict[int, float] = {}  # problem's position -> running mean of seconds per trial
        self._zero = [time.monotonic() - _elapsed(run) for run in self.runs]

    def begin(self, lanes: int, where: str) -> None:
        """Tell monitor and journal that the study starts or goes on.

        Parameters
        ----------
        lanes : int
            How many lanes share the work; bundles are kept small enough for all of them.
        where : str
            Where they run, for the user, such as "in this process".
        """
        self._lanes = max(1, lanes)
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
        """Whether there is anything to evaluate; to be asked before the first `ask`."""
        answer = self._next()
        if isinstance(answer, Bundle):
            self._held = answer
        return answer is not DONE

    # -- the three calls of an engine -----------------------------------------------------------

    def ask(self) -> Bundle | Answer:
        """The next bundle; WAIT while all that is left is on its way; DONE.

        Raises
        ------
        StudyInterrupted
            After `interrupt`.
        JournalError
            Where the end of a run cannot be written.
        """
        if self.interrupted:
            raise StudyInterrupted(INTERRUPTED)
        if self._held is not None:
            bundle, self._held = self._held, None
            return bundle
        answer = self._next()
        self._close_finished()
        return answer

    def tell(self, bundle: Bundle, report: Report) -> None:
        """Enter what a lane says of a bundle: into the journal, then into the runs."""
        start = time.monotonic() - report.seconds
        self._enter(
            [
                (job, self._trial(job, outcome, start + offset, report.worker))
                for job, outcome, offset in zip(bundle.jobs, report.outcomes, report.offsets, strict=True)
            ]
        )

    def lose(self, bundle: Bundle, cause: Cause, seconds: float) -> None:
        """A lane died with a bundle, or was killed at the bundle's deadline.

        Of several jobs nobody knows which did it, so each goes again alone; a job that was alone
        has timed out, or crashed once more.
        """
        if len(bundle.jobs) > 1:
            self._again.extend(dataclasses.replace(job, attempts=job.attempts + 1) for job in bundle.jobs)
            return
        (job,) = bundle.jobs
        crashes = job.crashes + 1
        if cause == "crash" and crashes <= self.study.trial.retries:
            self._again.append(dataclasses.replace(job, attempts=job.attempts + 1, crashes=crashes))
            return
        if cause == "timeout":
            limit = f"{self.study.trial.timeout:g} s" if self.study.trial.timeout else "the time limit"
            outcome = Outcome(Status.TIMEOUT, error=f"killed after {limit}.", seconds=seconds)
        else:
            times = "once" if crashes == 1 else f"{crashes} times"
            text = f"the worker process died {times} during this trial."
            outcome = Outcome(Status.CRASHED, error=text, seconds=seconds)
        self._enter([(job, self._trial(job, outcome, time.monotonic() - seconds, ""))])

    # -- what engines need beside them ----------------------------------------------------------

    def task(self, job: Job) -> Task:
        """What a lane needs to know of a job."""
        spec = self.specs[job.run]
        return Task(self._problem_of(job.run), spec.problem_seed, job.pending.config)

    def note(self, text: str) -> None:
        """A sentence for the user."""
        self._monitor.note(text)

    def interrupt(self) -> None:
        """Make the next `ask` raise StudyInterrupted; safe to call from a signal handler."""
        self.interrupted = True

    # -- inside ---------------------------------------------------------------------------------

    def _next(self) -> Bundle | Answer:
        if self._again:
            return self._bundle([self._again.popleft()])
        start = time.perf_counter()
        most = min(MOST_JOBS, max(1, self._set.slots // (2 * self._lanes)))
        jobs: list[Job] = []
        work = 0.0
        while len(jobs) < most:
            answer = self._set.ask()
            if isinstance(answer, Answer):
                if jobs:
                    break
                return answer
            index, pending = answer
            jobs.append(Job(index, pending, time.monotonic()))
            cost = self._mean.get(self._problem_of(index))
            work += TARGET_SECONDS if cost is None else cost
            # Lanes wait while methods think, so thinking counts like work.
            if work + (time.perf_counter() - start) >= TARGET_SECONDS:
                break
        return self._bundle(jobs)

    def _problem_of(self, index: int) -> int:
        return self._problem_index[id(self.specs[index].problem)]

    def _bundle(self, jobs: list[Job]) -> Bundle:
        deadline = self.study.trial.timeout
        if deadline is not None and len(jobs) > 1:
            # Together they hold little work, so one that outlasts a whole time limit holds a trial
            # that does too. Its members then go alone: only a trial that is alone can time out.
            deadline += TARGET_SECONDS
        return Bundle(tuple(jobs), deadline)

    def _trial(self, job: Job, outcome: Outcome, started: float, worker: str) -> Trial:
        return Trial(
            job.pending.number,
            job.pending.config,
            outcome,
            suggest_seconds=job.pending.suggest_seconds,
            queue_seconds=max(0.0, started - job.asked),
            started=max(0.0, started - self._zero[job.run]),
            worker=worker,
            attempts=job.attempts,
            known=job.pending.known,
        )

    def _enter(self, ended: list[tuple[Job, Trial]]) -> None:
        self._journal.record([(self.specs[job.run].id, trial) for job, trial in ended])
        for job, trial in ended:
            problem, seconds = self._problem_of(job.run), trial.outcome.seconds
            mean = self._mean.get(problem, seconds)
            self._mean[problem] = mean + _MEMORY * (seconds - mean)
            self._set.tell(job.run, trial)
            self._monitor.ended(job.run, trial)
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


class _Guarded(Monitor):
    """A monitor whose output may go away: a study does not end because nobody listens."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def begin(self, study: Study, runs: Sequence[Run], where: str) -> None:
        self._pass_on(lambda: self._monitor.begin(study, runs, where))

    def note(self, text: str) -> None:
        self._pass_on(lambda: self._monitor.note(text))

    def ended(self, index: int, trial: Trial) -> None:
        self._pass_on(lambda: self._monitor.ended(index, trial))

    def finished(self, index: int) -> None:
        self._pass_on(lambda: self._monitor.finished(index))

    def _pass_on(self, call: Callable[[], None]) -> None:
        try:
            call()
        except OSError:
            self._monitor = Monitor()


def _start(study: Study, spec: RunSpec, history: Sequence[Trial]) -> Run:
    return Run(
        spec.problem.space,
        spec.method,
        spec.entropy,
        study.budget,
        study.parallel,
        study.order,
        history,
    )


def _elapsed(run: Run) -> float:
    """How far the clock of a run had come in earlier sessions."""
    return max((trial.started + trial.outcome.seconds for trial in run.ended.values()), default=0.0)

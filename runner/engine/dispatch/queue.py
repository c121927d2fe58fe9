"""The queue of work for workers, and the batches that are made of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from runner.engine.batching import LONGEST_SECONDS, Load
from runner.engine.messages import Batch, Job, ProposalJob
from runner.trial import WAIT, Answer

_GRACE_SECONDS = 0.5  # the worker's watchdog looks every 0.05 s and should act before the driver does


class WorkQueue:
    """Trials and proposal requests that wait for a worker.

    Parameters
    ----------
    expected : callable
        Expected seconds of a job's evaluation; None if unknown.
    proposal_seconds : callable
        Expected seconds of a proposal; None if unknown.
    timeout : float or None
        Time limit of a trial, in seconds.
    proposal_timeout : float
        Time limit of a proposal, in seconds.

    Attributes
    ----------
    alone : deque of Job or ProposalJob
        Those that were with a worker that died: they go first, each in a batch of its own.
    isolated : deque of Job
        Those that go before all others, when nothing is being evaluated.
    """

    def __init__(
        self,
        expected: Callable[[Job], float | None],
        proposal_seconds: Callable[[ProposalJob], float | None],
        timeout: float | None,
        proposal_timeout: float,
    ) -> None:
        self.jobs: deque[Job] = deque()
        self.proposals: deque[ProposalJob] = deque()
        self.alone: deque[Job | ProposalJob] = deque()
        self.isolated: deque[Job] = deque()
        self._count = 0
        self._expected, self._proposal_seconds = expected, proposal_seconds
        self._timeout, self._proposal_timeout = timeout, proposal_timeout

    def __len__(self) -> int:
        return len(self.jobs) + len(self.proposals) + len(self.alone) + len(self.isolated)

    def put_first(self, jobs: Sequence[Job]) -> None:
        """Take back the jobs that a worker has not started."""
        self.isolated.extendleft(job for job in reversed(jobs) if job.isolated)
        self.jobs.extendleft(job for job in reversed(jobs) if not job.isolated)

    def put_alone(self, jobs: Sequence[Job]) -> None:
        """Take jobs that must be sent alone, before others."""
        self.isolated.extend(job for job in jobs if job.isolated)
        self.alone.extend(job for job in jobs if not job.isolated)

    def fill(
        self, propose: Callable[[], Answer | None], known: Callable[[], bool], most: int, busy: bool
    ) -> Batch | Answer:
        """Fill a batch as far as `runner.engine.batching` allows; WAIT or DONE if there is nothing to send.

        Parameters
        ----------
        propose : callable
            Makes one more proposal, which adds to the queue or to the known outcomes; returns WAIT or
            DONE if it cannot.
        known : callable
            Returns True if outcomes are known that must be entered before a batch that is not full may
            go: they may set free more work for it.
        most : int
            Largest number of items in the batch.
        busy : bool
            True if anything is with a worker.
        """
        start = time.perf_counter()
        jobs = Load(self.jobs, self._expected, most)
        proposals = Load(self.proposals, self._proposal_seconds, most)
        answer = None
        while answer is None:
            if self.isolated or self.alone:
                jobs.put_back()
                proposals.put_back()
                return self._by_itself(busy)
            waited = time.perf_counter() - start
            if jobs.draw(waited):
                proposals.put_back()
                return self._batch(jobs.items)
            if proposals.draw(waited):
                jobs.put_back()
                return self._batch(proposals.items)
            answer = propose()
        if known():
            jobs.put_back()
            proposals.put_back()
            return WAIT
        if proposals.items:
            jobs.put_back()
            return self._batch(proposals.items)
        return self._batch(jobs.items) if jobs.items else answer

    def _by_itself(self, busy: bool) -> Batch | Answer:
        if self.isolated:
            return WAIT if busy else self._batch([self.isolated.popleft()])
        return self._batch([self.alone.popleft()])

    def _batch(self, items: Sequence[Job | ProposalJob]) -> Batch:
        jobs = tuple(item for item in items if isinstance(item, Job))
        proposals = tuple(item for item in items if isinstance(item, ProposalJob))
        deadline = self._timeout if jobs else self._proposal_timeout * len(proposals)
        if jobs and deadline is not None:
            deadline += _GRACE_SECONDS
            if len(jobs) > 1:
                # After LONGEST_SECONDS a worker returns the jobs that it has not started, so one that is
                # still busy is at a trial that has exceeded the limit.
                deadline += LONGEST_SECONDS
        self._count += 1
        return Batch(jobs, proposals, deadline, self._count)

"""What waits to go to a lane, and the bundles that are made of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from runner.engine.batching import LONGEST_SECONDS, Load
from runner.engine.messages import Bundle, Job, Thought
from runner.trial import WAIT, Answer

_GRACE_SECONDS = 0.5  # in which the lane's own warden may act


class Outbox:
    """Trials and questions that wait for a lane.

    Parameters
    ----------
    expected : callable
        How long the evaluation of a job will take; None for no idea.
    dear : callable
        How long a thought will take.
    timeout : float or None
        Seconds that a trial may take.
    thinking : float
        Seconds that a thought may take.

    Attributes
    ----------
    jobs : deque of Job
    thoughts : deque of Thought
    alone : deque of Job or Thought
        Those that were with a lane that died: they go first, each by itself.
    isolated : deque of Job
        Those that go before all others, when nothing is being evaluated.
    """

    def __init__(
        self,
        expected: Callable[[Job], float | None],
        dear: Callable[[Thought], float | None],
        timeout: float | None,
        thinking: float,
    ) -> None:
        self.jobs: deque[Job] = deque()
        self.thoughts: deque[Thought] = deque()
        self.alone: deque[Job | Thought] = deque()
        self.isolated: deque[Job] = deque()
        self._count = 0
        self._expected, self._dear, self._timeout, self._thinking = expected, dear, timeout, thinking

    def __len__(self) -> int:
        return len(self.jobs) + len(self.thoughts) + len(self.alone) + len(self.isolated)

    def put_first(self, jobs: Sequence[Job]) -> None:
        """Take back what a lane has not begun."""
        self.isolated.extendleft(job for job in reversed(jobs) if job.isolated)
        self.jobs.extendleft(job for job in reversed(jobs) if not job.isolated)

    def put_alone(self, jobs: Sequence[Job]) -> None:
        """Take what is to go by itself, before others."""
        self.isolated.extend(job for job in jobs if job.isolated)
        self.alone.extend(job for job in jobs if not job.isolated)

    def fill(
        self, propose: Callable[[], Answer | None], known: Callable[[], bool], most: int, busy: bool
    ) -> Bundle | Answer:
        """A bundle, as large as `runner.engine.batching` says; WAIT or DONE where there is nothing to go.

        Parameters
        ----------
        propose : callable
            Makes one more proposal, which adds to what waits, or to what is known; WAIT or DONE
            where it cannot.
        known : callable
            Whether outcomes are known that must be entered before there is a bundle that is not
            full: they may set free what belongs into it.
        most : int
            How many the bundle may hold.
        busy : bool
            Whether anything is with a lane.
        """
        start = time.perf_counter()
        jobs, thoughts = Load(self.jobs, self._expected, most), Load(self.thoughts, self._dear, most)
        answer = None
        while answer is None:
            if self.isolated or self.alone:
                jobs.put_back()
                thoughts.put_back()
                return self._by_itself(busy)
            waited = time.perf_counter() - start
            if jobs.draw(waited):
                thoughts.put_back()
                return self._bundle(jobs.items)
            if thoughts.draw(waited):
                jobs.put_back()
                return self._bundle(thoughts.items)
            answer = propose()
        if known():
            jobs.put_back()
            thoughts.put_back()
            return WAIT
        if thoughts.items:
            jobs.put_back()
            return self._bundle(thoughts.items)
        return self._bundle(jobs.items) if jobs.items else answer

    def _by_itself(self, busy: bool) -> Bundle | Answer:
        if self.isolated:
            return WAIT if busy else self._bundle([self.isolated.popleft()])
        return self._bundle([self.alone.popleft()])

    def _bundle(self, items: Sequence[Job | Thought]) -> Bundle:
        jobs = tuple(item for item in items if isinstance(item, Job))
        thoughts = tuple(item for item in items if isinstance(item, Thought))
        deadline = self._timeout if jobs else self._thinking * len(thoughts)
        if jobs and deadline is not None:
            deadline += _GRACE_SECONDS
            if len(jobs) > 1:
                # After that a lane gives back what it has not begun, so one that is still at it is at
                # a trial that has outlasted the limit.
                deadline += LONGEST_SECONDS
        self._count += 1
        return Bundle(jobs, thoughts, deadline, self._count)

"""Batch sizes: about a second of work per message, as far as the duration of trials is known.

One round trip through Tune costs some milliseconds, during which the worker is idle; a batch of short trials
makes that a small share. A batch is filled by the running mean of each run's trials: up to `TARGET_SECONDS`,
never past `LONGEST_SECONDS`. A trial of unknown duration, or a long one, travels alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

LONG_SECONDS = 0.5
"""A trial that takes longer travels alone: the round trip is below 2 % of it."""
TARGET_SECONDS = 0.8
"""A batch is filled up to this; about a hundred times the cost of its round trip."""
LONGEST_SECONDS = 1.0
"""Limit of a batch, after which a worker returns what it has not started: the most that its loss can cost."""
MOST_JOBS = 1000
"""Limit of jobs in a batch, which bounds the size of its message; chosen, not measured."""

_MEMORY = 0.2  # weight of the newest trial in a running mean, so that it follows within about five trials

Item = TypeVar("Item")


class Pace:
    """Running means of the seconds that evaluations take, per run and per problem.

    Parameters
    ----------
    problems : sequence of int
        Position of each run's problem.
    """

    def __init__(self, problems: Sequence[int]) -> None:
        self._problems = problems
        self._of_run: dict[int, float] = {}
        self._of_problem: dict[int, float] = {}

    def learn(self, run: int, seconds: float) -> None:
        """Enter the duration of an evaluation."""
        for means, key in ((self._of_run, run), (self._of_problem, self._problems[run])):
            mean = means.get(key, seconds)
            means[key] = mean + _MEMORY * (seconds - mean)

    def expected(self, run: int) -> float | None:
        """Predict the next duration by the run's own mean, else the problem's; None if nothing is known."""
        return self._of_run.get(run, self._of_problem.get(self._problems[run]))


class Load(Generic[Item]):
    """A batch that is being filled from a queue.

    Parameters
    ----------
    seconds : callable
        Expected duration of an item; None if unknown.
    most : int
        Largest number of items.
    """

    def __init__(self, queue: deque[Item], seconds: Callable[[Item], float | None], most: int) -> None:
        self.items: list[Item] = []
        self._queue, self._seconds, self._most = queue, seconds, min(most, MOST_JOBS)
        self._work = 0.0

    def draw(self, waited: float = 0.0) -> bool:
        """Take items from the queue while they fit; return True if the batch should go.

        Parameters
        ----------
        waited : float
            Seconds for which workers have waited for it, which count like work.
        """
        while self._queue and not self._goes(waited):
            seconds = self._seconds(self._queue[0])
            alone = seconds is None or seconds > LONG_SECONDS
            if self.items and (alone or self._work + (seconds or 0.0) > LONGEST_SECONDS):
                return True
            self.items.append(self._queue.popleft())
            self._work += LONGEST_SECONDS if seconds is None or alone else seconds
        return self._goes(waited)

    def _goes(self, waited: float) -> bool:
        full = len(self.items) >= self._most or self._work + waited >= TARGET_SECONDS
        return full and bool(self.items)

    def put_back(self) -> None:
        """Return all items to the queue."""
        self._queue.extendleft(reversed(self.items))
        self.items.clear()

"""How much travels to a lane at a time: about a second of work, as far as is known.

One round trip through Tune costs some milliseconds, and a lane is idle meanwhile; a bundle of
short trials makes that a small share. A bundle is filled by what the trials of each run have taken
so far: up to `TARGET_SECONDS`, never past `LONGEST_SECONDS`. A trial of which nothing is known, or that is
long by itself, goes alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

LONG_SECONDS = 0.5
"""A trial that takes longer travels alone."""
TARGET_SECONDS = 0.8
"""How much work a bundle is filled up to; about a hundred times what its round trip costs."""
LONGEST_SECONDS = 1.0
"""How much it may hold, and after which a lane gives back what it has not begun."""
MOST_JOBS = 1000
"""How many trials it may hold."""

_MEMORY = 0.2  # weight of the newest trial in a running mean

Item = TypeVar("Item")


class Pace:
    """The running means of the seconds that evaluations take, per run and per problem.

    Parameters
    ----------
    problems : sequence of int
        For each run its problem.
    """

    def __init__(self, problems: Sequence[int]) -> None:
        self._problems = problems
        self._of_run: dict[int, float] = {}
        self._of_problem: dict[int, float] = {}

    def learn(self, run: int, seconds: float) -> None:
        """An evaluation of this run took so long."""
        for means, key in ((self._of_run, run), (self._of_problem, self._problems[run])):
            mean = means.get(key, seconds)
            means[key] = mean + _MEMORY * (seconds - mean)

    def expected(self, run: int) -> float | None:
        """What the next one will take: by the run's own, else the problem's; None for no idea."""
        return self._of_run.get(run, self._of_problem.get(self._problems[run]))


class Load(Generic[Item]):
    """A bundle that is being filled from a queue.

    Parameters
    ----------
    queue : deque
    seconds : callable
        How long an item will take; None for no idea.
    most : int
        How many items it may hold.
    """

    def __init__(self, queue: deque[Item], seconds: Callable[[Item], float | None], most: int) -> None:
        self.items: list[Item] = []
        self._queue, self._seconds, self._most = queue, seconds, min(most, MOST_JOBS)
        self._work = 0.0

    def draw(self, waited: float = 0.0) -> bool:
        """Take from the queue what belongs into it; whether it should go.

        Parameters
        ----------
        waited : float
            Seconds for which lanes have waited for it, which count like work.
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
        """Give everything back to the queue."""
        self._queue.extendleft(reversed(self.items))
        self.items.clear()

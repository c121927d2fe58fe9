"""Many runs by ask and tell: which of them is asked next."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from runner.asktell import Run
from runner.trial import DONE, WAIT, Answer, Pending, Trial


class RunSet:
    """Many runs that share the same lanes: the run that is furthest behind is asked first.

    Parameters
    ----------
    runs : sequence of Run
        Their positions are what `ask` and `tell` name them by.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        self._ready = [(run.progress, index) for index, run in enumerate(self.runs)]
        heapq.heapify(self._ready)
        self._parked: set[int] = set()
        self._in_flight = 0
        self._just_finished: list[int] = []

    @property
    def slots(self) -> int:
        """How many proposals could be made at once, at the most."""
        return sum(self.runs[index].slots for _, index in self._ready)

    def ask(self) -> tuple[int, Pending] | Answer:
        """A run's position and its next trial; WAIT while only pending ones are left; DONE."""
        while self._ready:
            _, index = heapq.heappop(self._ready)
            run = self.runs[index]
            answer = run.ask()
            if isinstance(answer, Pending):
                heapq.heappush(self._ready, (run.progress, index))
                self._in_flight += 1
                return index, answer
            if answer is WAIT:
                self._parked.add(index)
            elif run.finished:
                self._just_finished.append(index)
        return WAIT if self._in_flight else DONE

    def tell(self, index: int, trial: Trial) -> None:
        """Enter a trial of a run that has ended."""
        run = self.runs[index]
        run.tell(trial)
        self._in_flight -= 1
        if index in self._parked:
            self._parked.remove(index)
            heapq.heappush(self._ready, (run.progress, index))
        elif run.finished:
            self._just_finished.append(index)

    def take_finished(self) -> list[int]:
        """The positions of the runs that have finished since the last call."""
        taken, self._just_finished = self._just_finished, []
        return taken

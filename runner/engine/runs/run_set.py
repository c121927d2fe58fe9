"""Many runs by ask and tell."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence

from runner.engine.messages import ProposalRequest, Reply
from runner.engine.runs.run import Run
from runner.engine.worker.propose import propose
from runner.trial import DONE, WAIT, Answer, Pending, Trial


class RunSet:
    """Runs that share the same workers: the run that is furthest behind is asked first.

    Parameters
    ----------
    runs : sequence of Run
        `ask` and `tell` name them by their positions.
    elsewhere : callable, optional
        Decides if a run's next proposal request is handed out instead of being answered here.
    limit : float, optional
        Seconds after which a method that is asked here is interrupted.
    chosen : iterable of int, optional
        Positions of the runs that are asked; default: all.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        elsewhere: Callable[[Run], bool] = lambda run: False,
        limit: float | None = None,
        chosen: Iterable[int] | None = None,
    ) -> None:
        self.runs = list(runs)
        self._elsewhere, self._limit = elsewhere, limit
        self._chosen = list(range(len(self.runs)) if chosen is None else chosen)
        self._ready = [(self.runs[index].progress, index) for index in self._chosen]
        heapq.heapify(self._ready)
        self._parked: set[int] = set()
        self._in_flight = 0  # pending trials, and requests that were handed out
        self._just_finished: list[int] = []

    @property
    def slots(self) -> int:
        """Largest number of proposals that could be made at once."""
        return sum(self.runs[index].slots for _, index in self._ready)

    def remaining(self, enough: int) -> int:
        """Count the proposals that could be made until all runs have ended.

        Parameters
        ----------
        enough : int
            Counting may stop once it has reached this number.
        """
        count = 0
        for index in self._chosen:
            if count >= enough:
                break
            count += self.runs[index].remaining
        return count

    def ask(self) -> tuple[int, Pending | ProposalRequest] | Answer:
        """Return a run's position and its next trial, or its proposal request to be answered elsewhere.

        WAIT while only pending trials are left; DONE. After a request the run is not asked again
        before its `reply`.
        """
        while self._ready:
            _, index = heapq.heappop(self._ready)
            run = self.runs[index]
            request = run.request()
            if isinstance(request, Answer):
                self._rest(index, request)
                continue
            if request.given is None and self._elsewhere(run):
                self._in_flight += 1
                return index, request
            pending = self._entered(index, propose(run.method, run.space, request, self._limit))
            if pending is not None:
                self._in_flight += 1
                return index, pending
        return WAIT if self._in_flight else DONE

    def reply(self, index: int, reply: Reply) -> Pending | None:
        """Enter the reply to a request that was handed out; return the proposed trial, if any."""
        pending = self._entered(index, reply)
        if pending is None:
            self._in_flight -= 1
        return pending

    def give_up(self, index: int, reason: str) -> None:
        """End a run whose request cannot be answered."""
        self.runs[index].give_up(reason)
        self._in_flight -= 1
        self._rest(index, DONE)

    def tell(self, index: int, trial: Trial) -> None:
        """Enter a trial of a run that has ended."""
        run = self.runs[index]
        run.tell(trial)
        self._in_flight -= 1
        if index in self._parked:
            self._parked.remove(index)
            self._push(index)
        elif run.finished:
            self._just_finished.append(index)

    def take_finished(self) -> list[int]:
        """Return the positions of the runs that have finished since the last call."""
        taken, self._just_finished = self._just_finished, []
        return taken

    def _push(self, index: int) -> None:
        heapq.heappush(self._ready, (self.runs[index].progress, index))

    def _entered(self, index: int, reply: Reply) -> Pending | None:
        answer = self.runs[index].answer(reply)
        if isinstance(answer, Answer):
            self._rest(index, answer)
            return None
        self._push(index)
        return answer

    def _rest(self, index: int, answer: Answer) -> None:
        """Stop asking a run: until one of its trials has ended, or for good."""
        if answer is WAIT:
            self._parked.add(index)
        elif self.runs[index].finished:
            self._just_finished.append(index)

"""Many runs by ask and tell: which of them is asked next."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence

from runner.engine.requests import Question, Reply
from runner.engine.runs.run import Run
from runner.engine.worker.propose import think
from runner.trial import DONE, WAIT, Answer, Pending, Trial


class RunSet:
    """Many runs that share the same lanes: the run that is furthest behind is asked first.

    Parameters
    ----------
    runs : sequence of Run
        Their positions are what `ask` and `tell` name them by.
    elsewhere : callable, optional
        Run to whether its next question is to be handed out, instead of being answered here.
    limit : float, optional
        Seconds after which a method that is asked here is given up.
    chosen : iterable of int, optional
        The positions of those that are asked; by default all are.
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
        self._in_flight = 0  # pending trials, and questions that are out
        self._just_finished: list[int] = []

    @property
    def slots(self) -> int:
        """How many proposals could be made at once, at the most."""
        return sum(self.runs[index].slots for _, index in self._ready)

    def remaining(self, enough: int) -> int:
        """How many proposals could be made until all runs have ended, at the most.

        Parameters
        ----------
        enough : int
            Where there are more, any number from here on will do: runs are not counted further.
        """
        found = 0
        for index in self._chosen:
            if found >= enough:
                break
            found += self.runs[index].remaining
        return found

    def ask(self) -> tuple[int, Pending | Question] | Answer:
        """A run's position and its next trial, or what its method is to be asked elsewhere.

        WAIT while only pending ones are left; DONE. After a question the run is not asked again
        before its `reply`.
        """
        while self._ready:
            _, index = heapq.heappop(self._ready)
            run = self.runs[index]
            question = run.question()
            if isinstance(question, Answer):
                self._rest(index, question)
                continue
            if question.given is None and self._elsewhere(run):
                self._in_flight += 1
                return index, question
            pending = self._entered(index, think(run.method, run.space, question, self._limit))
            if pending is not None:
                self._in_flight += 1
                return index, pending
        return WAIT if self._in_flight else DONE

    def reply(self, index: int, reply: Reply) -> Pending | None:
        """Enter the reply to a question that was handed out; the trial that was proposed, if any."""
        pending = self._entered(index, reply)
        if pending is None:
            self._in_flight -= 1
        return pending

    def give_up(self, index: int, reason: str) -> None:
        """End a run whose question cannot be answered."""
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
        """The positions of the runs that have finished since the last call."""
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
        """Leave a run alone: until one of its trials has ended, or for good."""
        if answer is WAIT:
            self._parked.add(index)
        elif self.runs[index].finished:
            self._just_finished.append(index)

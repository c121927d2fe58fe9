"""Asking methods: here, or on a lane, which has all methods of a study and hears of their runs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

from runner.engine.codec import unpack_requests, unpack_trial
from runner.engine.messages import Report
from runner.engine.requests import Question, Reply, overdue
from runner.errors import SpaceError, describe
from runner.errors.time_limit import Overdue, interrupted_after
from runner.methods.base import Method
from runner.seeds import proposal_rng
from runner.space import Space
from runner.trial import Answer, Config, Outcome, Trial

Evaluate = Callable[[int, int, Config], Outcome]


def think(method: Method, space: Space, question: Question, limit: float | None = None) -> Reply:
    """Ask a method; whatever it raises is an error of the reply.

    Parameters
    ----------
    method, space, question
    limit : float, optional
        Seconds after which it is interrupted, where this is the main thread and the method uses
        its history: others have nothing to think about.
    """
    if question.given is not None:
        return Reply(question.given, 0.0)
    start = time.perf_counter()
    answer: Config | Answer | None = None
    error = ""
    try:
        with interrupted_after(limit if method.uses_history else None):
            given = method.propose(
                space,
                question.completed,
                question.pending,
                question.number,
                proposal_rng(question.entropy, question.number),
            )
        answer = given if isinstance(given, Answer) else _settled(space, given)
    except Overdue:
        error = overdue(limit or 0.0)
    except KeyboardInterrupt:
        raise
    except BaseException as failure:  # whatever a method raises ends its own run only
        error = f"the method raised {describe(failure)}"
    return Reply(answer, time.perf_counter() - start, error)


def _settled(space: Space, config: Config) -> Config:
    try:
        return space.canonical(config)
    except SpaceError as error:
        raise SpaceError(f"a proposal outside the space: {error}") from None


class Minds:
    """The methods of a study on a lane, and the trials that their questions have told of.

    Parameters
    ----------
    methods : sequence of (Method, Space)
        By the positions that the questions name.
    """

    def __init__(self, methods: Sequence[tuple[Method, Space]]) -> None:
        self._methods = methods
        self._told: dict[int, dict[int, tuple[str, Trial]]] = {}

    def think(self, lines: Sequence[str], worker: str, evaluate: Evaluate) -> Report:
        """Answer the questions of `runner.engine.codec.pack_request`.

        Parameters
        ----------
        lines : sequence of str
        worker : str
            Who thinks.
        evaluate : callable
            From a problem's position, a seed and a config to the outcome; for answers that are to
            be evaluated at once.
        """
        start = time.perf_counter()
        replies = []
        for asked in unpack_requests(lines):
            method, space = self._methods[asked.method]
            known = self._trials(asked.run, asked.completed)
            reply = think(method, space, dataclasses.replace(asked.question, completed=known))
            if asked.then is not None and isinstance(reply.answer, dict):
                reply = dataclasses.replace(reply, outcome=evaluate(*asked.then, reply.answer))
            replies.append(reply)
        return Report(seconds=time.perf_counter() - start, worker=worker, replies=tuple(replies))

    def _trials(self, run: int, lines: Sequence[str]) -> list[Trial]:
        """The trials of a run; one that was told of before is the same object again."""
        told = self._told.setdefault(run, {})
        trials = []
        for i, line in enumerate(lines):
            if i not in told or told[i][0] != line:
                told[i] = line, unpack_trial(line)
            trials.append(told[i][1])
        return trials

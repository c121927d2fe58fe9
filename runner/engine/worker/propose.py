"""Asking methods for proposals: in the driver, or on a worker, which has all methods of a study."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

from runner.engine.codec import unpack_requests, unpack_trial
from runner.engine.messages import ProposalRequest, Reply, Report, overdue_message
from runner.errors import SpaceError, describe
from runner.errors.time_limit import Overdue, interrupted_after
from runner.methods.base import Method
from runner.seeds import proposal_rng
from runner.space import Space
from runner.trial import Answer, Config, Outcome, Trial

EvaluateConfig = Callable[[int, int, Config], Outcome]


def propose(method: Method, space: Space, request: ProposalRequest, limit: float | None = None) -> Reply:
    """Ask a method; whatever it raises becomes the error of the reply.

    Parameters
    ----------
    limit : float, optional
        Seconds after which the method is interrupted, if this is the main thread and the method uses
        its history; others have nothing to compute.
    """
    if request.given is not None:
        return Reply(request.given, 0.0)
    start = time.perf_counter()
    answer: Config | Answer | None = None
    error = ""
    try:
        with interrupted_after(limit if method.uses_history else None):
            proposed = method.propose(
                space,
                request.completed,
                request.pending,
                request.number,
                proposal_rng(request.entropy, request.number),
            )
        answer = proposed if isinstance(proposed, Answer) else _canonical(space, proposed)
    except Overdue:
        error = overdue_message(limit or 0.0)
    except KeyboardInterrupt:
        raise
    except BaseException as failure:  # whatever a method raises ends its own run only
        error = f"the method raised {describe(failure)}"
    return Reply(answer, time.perf_counter() - start, error)


def _canonical(space: Space, config: Config) -> Config:
    try:
        return space.canonical(config)
    except SpaceError as error:
        raise SpaceError(f"a proposal outside the space: {error}") from None


class Proposers:
    """The methods of a study on a worker, and the trials that earlier requests contained.

    Parameters
    ----------
    methods : sequence of (Method, Space)
        Requests name them by their positions.
    """

    def __init__(self, methods: Sequence[tuple[Method, Space]]) -> None:
        self._methods = methods
        self._trials_of_run: dict[int, dict[int, tuple[str, Trial]]] = {}

    def propose(self, lines: Sequence[str], worker: str, evaluate: EvaluateConfig) -> Report:
        """Answer the requests of `runner.engine.codec.pack_request`.

        Parameters
        ----------
        worker : str
            Name of this worker.
        evaluate : callable
            From a problem's position, a seed and a config to the outcome; for proposals that are
            evaluated at once.
        """
        start = time.perf_counter()
        replies = []
        for asked in unpack_requests(lines):
            method, space = self._methods[asked.method]
            completed = self._trials(asked.run, asked.completed)
            reply = propose(method, space, dataclasses.replace(asked.request, completed=completed))
            if asked.then is not None and isinstance(reply.answer, dict):
                reply = dataclasses.replace(reply, outcome=evaluate(*asked.then, reply.answer))
            replies.append(reply)
        return Report(seconds=time.perf_counter() - start, worker=worker, replies=tuple(replies))

    def _trials(self, run: int, lines: Sequence[str]) -> list[Trial]:
        """Read the trials of a run; one that was read before is the same object again."""
        known = self._trials_of_run.setdefault(run, {})
        trials = []
        for i, line in enumerate(lines):
            if i not in known or known[i][0] != line:
                known[i] = line, unpack_trial(line)
            trials.append(known[i][1])
        return trials

"""Asking methods: here, or on a lane, which has all methods of a study and hears of their runs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from runner.bundles import Report
from runner.errors import SpaceError, describe
from runner.methods.base import Method
from runner.seeds import proposal_rng
from runner.space import Space
from runner.thinking import Question, Reply
from runner.trial import Answer, Config, Pending, Trial
from runner.wire import trial_of


def think(method: Method, space: Space, question: Question) -> Reply:
    """Ask a method; whatever it raises is an error of the reply."""
    start = time.perf_counter()
    answer: Config | Answer | None = None
    error = ""
    try:
        given = method.propose(
            space,
            question.completed,
            question.pending,
            question.number,
            proposal_rng(question.entropy, question.number),
        )
        answer = given if isinstance(given, Answer) else _settled(space, given)
    except Exception as failure:  # whatever a method raises ends its own run only
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

    def think(self, lines: Sequence[str], worker: str) -> Report:
        """Answer the questions of `pack_thoughts`."""
        start = time.perf_counter()
        replies: list[Reply] = []
        at = 0
        while at < len(lines):
            position, run, number, entropy, completed, pending = json.loads(lines[at])
            told = lines[at + 1 : at + 1 + completed]
            open_ = lines[at + 1 + completed : at + 1 + completed + pending]
            at += 1 + completed + pending
            question = Question(
                number, self._trials(run, told), [Pending(*json.loads(line)) for line in open_], entropy
            )
            method, space = self._methods[position]
            replies.append(think(method, space, question))
        return Report(seconds=time.perf_counter() - start, worker=worker, replies=tuple(replies))

    def _trials(self, run: int, lines: Sequence[str]) -> list[Trial]:
        """The trials of a run; one that was told of before is the same object again."""
        told = self._told.setdefault(run, {})
        trials = []
        for i, line in enumerate(lines):
            if i not in told or told[i][0] != line:
                told[i] = line, trial_of(line)
            trials.append(told[i][1])
        return trials

"""Batches and reports as lines of text, one JSON value each: nothing is unpickled on the way.

A completed trial of a proposal request is one line, the same each time, so that neither side has to
write or read it twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.engine.messages import ProposalRequest, Reply, Report, Task
from runner.journal.schema import to_json
from runner.trial import (
    Answer,
    Outcome,
    Trial,
    outcome_from_json,
    outcome_to_json,
    pending_from_json,
    pending_to_json,
    trial_from_json,
    trial_to_json,
)


def pack_tasks(tasks: Sequence[Task]) -> str:
    """Write tasks as lines."""
    return "\n".join(
        to_json([task.problem, task.seed, task.config, task.known, *([task.key] if task.key else ())])
        for task in tasks
    )


def unpack_tasks(text: str) -> list[Task]:
    """Read the tasks of `pack_tasks`."""
    return [Task(*json.loads(line)) for line in text.split("\n")]


def pack_request(
    method: int,
    run: int,
    request: ProposalRequest,
    completed: Sequence[str],
    then: tuple[int, int] | None = None,
) -> str:
    """Write a proposal request as lines; those of its completed trials come from `pack_trial`.

    Parameters
    ----------
    then : (int, int), optional
        Problem and seed, where the proposal is to be evaluated at once.
    """
    pending = [to_json(pending_to_json(one)) for one in request.pending]
    head = [method, run, request.number, request.entropy, len(completed), len(pending), then]
    return "\n".join((to_json(head), *completed, *pending))


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A proposal request as a worker reads it.

    Attributes
    ----------
    method, run : int
        Positions in the study.
    request : ProposalRequest
        Without the trials that have ended.
    completed : sequence of str
        These, one per line.
    then : (int, int) or None
        Problem and seed, where the proposal is to be evaluated at once.
    """

    method: int
    run: int
    request: ProposalRequest
    completed: Sequence[str]
    then: tuple[int, int] | None


def unpack_requests(lines: Sequence[str]) -> Iterator[ReceivedRequest]:
    """Read the proposal requests of `pack_request`."""
    at = 0
    while at < len(lines):
        method, run, number, entropy, completed, pending, then = json.loads(lines[at])
        ended = lines[at + 1 : at + 1 + completed]
        at += 1 + completed + pending
        open_ = [pending_from_json(json.loads(line)) for line in lines[at - pending : at]]
        request = ProposalRequest(number, (), open_, entropy)
        yield ReceivedRequest(method, run, request, ended, tuple(then) if then else None)


def pack_trial(trial: Trial) -> str:
    """Write a trial as a line."""
    return to_json(trial_to_json(trial))


def unpack_trial(line: str) -> Trial:
    """Read the trial of `pack_trial`."""
    return trial_from_json(json.loads(line))


def pack_report(report: Report) -> str:
    """Write a report as a line."""
    replies = [
        [
            reply.answer.value if isinstance(reply.answer, Answer) else reply.answer,
            reply.seconds,
            reply.error,
            None if reply.outcome is None else outcome_to_json(reply.outcome),
        ]
        for reply in report.replies
    ]
    outcomes = [outcome_to_json(outcome) for outcome in report.outcomes]
    return to_json([outcomes, report.offsets, report.seconds, report.worker, replies])


def pack_ended(outcome: Outcome, offset: float) -> str:
    """Write one outcome as a line, with the seconds from its batch's start to its own."""
    return to_json([outcome_to_json(outcome), offset])


def unpack_ended(line: str) -> tuple[Outcome, float]:
    """Read the outcome and offset of `pack_ended`."""
    outcome, offset = json.loads(line)
    return outcome_from_json(outcome), float(offset)


def unpack_report(text: str) -> Report:
    """Read the report of `pack_report`."""
    outcomes, offsets, seconds, worker, replies = json.loads(text)
    return Report(
        tuple(map(outcome_from_json, outcomes)),
        tuple(offsets),
        seconds,
        worker,
        tuple(
            Reply(
                Answer(answer) if isinstance(answer, str) else answer,
                seconds_taken,
                error,
                None if outcome is None else outcome_from_json(outcome),
            )
            for answer, seconds_taken, error, outcome in replies
        ),
    )

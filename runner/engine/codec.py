"""Bundles and reports as lines of text, one JSON value each: nothing is unpickled on the way.

A trial that a question tells of is one line, the same each time, so that neither side has to write
or read it twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.engine.messages import ProposalRequest, Reply, Report, Task
from runner.journal.schema import to_json
from runner.trial import Answer, Origin, Outcome, Pending, Status, Trial


def pack_tasks(tasks: Sequence[Task]) -> str:
    """Tasks as lines."""
    return "\n".join(
        to_json([task.problem, task.seed, task.config, task.known, *([task.key] if task.key else ())])
        for task in tasks
    )


def unpack_tasks(text: str) -> list[Task]:
    """The tasks of `pack_tasks`."""
    return [Task(*json.loads(line)) for line in text.split("\n")]


def pack_question(
    method: int,
    run: int,
    question: ProposalRequest,
    completed: Sequence[str],
    then: tuple[int, int] | None = None,
) -> str:
    """A question as lines, of which the trials have been made already (see `line_of`).

    Parameters
    ----------
    then : (int, int), optional
        Problem and seed, where the answer is to be evaluated at once.
    """
    pending = [to_json([p.number, p.config, p.suggest_seconds, p.known]) for p in question.pending]
    head = [method, run, question.number, question.entropy, len(completed), len(pending), then]
    return "\n".join((to_json(head), *completed, *pending))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as a lane reads it.

    Attributes
    ----------
    method, run : int
        Positions in the study.
    question : ProposalRequest
        Without the trials that have ended.
    told : sequence of str
        These, one a line.
    then : (int, int) or None
        Problem and seed, where the answer is to be evaluated at once.
    """

    method: int
    run: int
    question: ProposalRequest
    told: Sequence[str]
    then: tuple[int, int] | None


def unpack_questions(lines: Sequence[str]) -> Iterator[Asked]:
    """The questions of `pack_question`."""
    at = 0
    while at < len(lines):
        method, run, number, entropy, completed, pending, then = json.loads(lines[at])
        told = lines[at + 1 : at + 1 + completed]
        at += 1 + completed + pending
        open_ = [Pending(*json.loads(line)) for line in lines[at - pending : at]]
        yield Asked(
            method, run, ProposalRequest(number, (), open_, entropy), told, tuple(then) if then else None
        )


def line_of(trial: Trial) -> str:
    """A trial as a line."""
    return to_json(
        [
            trial.number,
            trial.config,
            _outcome_list(trial.outcome),
            trial.origin,
            trial.suggest_seconds,
            trial.queue_seconds,
            trial.started,
            trial.worker,
            trial.earlier,
            trial.known,
        ]
    )


def trial_of(line: str) -> Trial:
    """The trial of `line_of`."""
    number, config, outcome, origin, suggest, queue, started, worker, earlier, known = json.loads(line)
    return Trial(
        number,
        config,
        _outcome(outcome),
        Origin(origin),
        suggest,
        queue,
        started,
        worker,
        tuple(earlier),
        known,
    )


def pack_report(report: Report) -> str:
    """A report as a line."""
    replies = [
        [
            reply.answer.value if isinstance(reply.answer, Answer) else reply.answer,
            reply.seconds,
            reply.error,
            None if reply.outcome is None else _outcome_list(reply.outcome),
        ]
        for reply in report.replies
    ]
    outcomes = [_outcome_list(outcome) for outcome in report.outcomes]
    return to_json([outcomes, report.offsets, report.seconds, report.worker, replies])


def pack_ended(outcome: Outcome, offset: float) -> str:
    """One outcome as a line, with the seconds from its bundle's start to its own."""
    return to_json([_outcome_list(outcome), offset])


def unpack_ended(line: str) -> tuple[Outcome, float]:
    """The outcome and offset of `pack_ended`."""
    outcome, offset = json.loads(line)
    return _outcome(outcome), float(offset)


def unpack_report(text: str) -> Report:
    """The report of `pack_report`."""
    outcomes, offsets, seconds, worker, replies = json.loads(text)
    return Report(
        tuple(map(_outcome, outcomes)),
        tuple(offsets),
        seconds,
        worker,
        tuple(
            Reply(
                Answer(answer) if isinstance(answer, str) else answer,
                thought,
                error,
                None if outcome is None else _outcome(outcome),
            )
            for answer, thought, error, outcome in replies
        ),
    )


def _outcome_list(outcome: Outcome) -> list[Any]:
    return [
        outcome.status,
        outcome.loss,
        outcome.value,
        outcome.test,
        outcome.gradient,
        outcome.metrics,
        outcome.folds,
        outcome.error,
        outcome.seconds,
        outcome.steps,
        outcome.step_seconds,
        outcome.share,
    ]


def _outcome(given: Sequence[Any]) -> Outcome:
    status, loss, value, test, gradient, metrics, folds, error, seconds, steps, step_seconds, share = given
    return Outcome(
        Status(status),
        loss,
        value,
        test,
        gradient,
        metrics,
        tuple(folds),
        error,
        seconds,
        tuple(steps),
        tuple(step_seconds),
        share,
    )

"""Evaluation of the tasks of a batch; `runner.engine.worker.propose` answers proposal requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from runner.engine.batching import LONGEST_SECONDS
from runner.engine.messages import Report, Task
from runner.errors import describe
from runner.problems import Problem, evaluate
from runner.problems.checkpoints import Checkpoints
from runner.problems.evaluation import Stops
from runner.trial import Outcome, Status


class Ledger(Protocol):
    """Callbacks around each task of a batch; `runner.engine.worker.guard.Guard` is one."""

    def begin(self) -> None:
        """Note that the next task begins."""

    def ended(self, outcome: Outcome, offset: float) -> None:
        """Note that it has ended; ``offset`` is the time from the start of the batch to its own."""


StopperFor = Callable[[int, Sequence[Sequence[float]]], Stops]
"""Makes a stopping rule from a problem's position and the losses by step of the known trials."""


def evaluate_tasks(
    problems: Sequence[Problem],
    tasks: Sequence[Task],
    timeout: float | None,
    threads: Sequence[int],
    worker: str,
    stopper_for: StopperFor | None = None,
    ledger: Ledger | None = None,
    checkpoints: Checkpoints | None = None,
) -> Report:
    """Evaluate tasks one after the other, whatever their objectives do (see `evaluate`).

    A KeyboardInterrupt is a failure of the task: the handler of Ctrl-C knows if it was a real one.

    Tasks that have not begun after `LONGEST_SECONDS` are left: the others took longer than expected,
    and another worker may be idle.

    Parameters
    ----------
    threads : sequence of int
        Threads of the numerical libraries, for each problem.
    """
    start = time.perf_counter()
    outcomes: list[Outcome] = []
    offsets: list[float] = []
    for task in tasks:
        offset = time.perf_counter() - start
        if outcomes and offset > LONGEST_SECONDS:
            break
        stops = None
        if task.known is not None and stopper_for is not None:
            stops = stopper_for(task.problem, task.known)
        if ledger is not None:
            ledger.begin()
        held = checkpoints.of(task.key) if task.key and checkpoints is not None else None
        try:
            outcome = evaluate(
                problems[task.problem], task.config, task.seed, timeout, threads[task.problem], stops, held
            )
        except KeyboardInterrupt as error:
            seconds = time.perf_counter() - start - offset
            outcome = Outcome(Status.FAILED, error=describe(error), seconds=seconds)
        outcomes.append(outcome)
        offsets.append(offset)
        if ledger is not None:
            ledger.ended(outcome, offset)
        if held is not None and checkpoints is not None:
            checkpoints.ended(held, outcome)
    return Report(tuple(outcomes), tuple(offsets), time.perf_counter() - start, worker)

"""What a lane does with trials; what it does with questions is in `runner.engine.worker.propose`."""

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
    """Hears of each task of a bundle; `runner.engine.worker.guard.Guard` is one."""

    def begin(self) -> None:
        """The next task is begun."""

    def ended(self, outcome: Outcome, offset: float) -> None:
        """It has ended; it was begun so many seconds after the bundle."""


StopperFor = Callable[[int, Sequence[Sequence[float]]], Stops]
"""From a problem's position and the losses by step of the known trials."""


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

    A KeyboardInterrupt is a failure here: who handles Ctrl-C knows whether it was one.

    ``threads`` are those of the numerical libraries, for each problem.

    Those that are not begun after `LONGEST_SECONDS` are left: they took longer than was expected,
    and another lane may be idle.
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

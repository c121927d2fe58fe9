"""Evaluate an objective, and turn whatever it does into an `Outcome`.

An objective may answer step by step: training epochs, cross-validation folds, growing shares of
the data. It can then be stopped after each step, and the outcome of a stopped trial is the
same whether it was stopped while it ran (`evaluate`) or its outcome was known before (`cut`).
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from runner.errors import FivefoldError, describe, raised_at
from runner.problems.answers import judge, limited, sign_of
from runner.problems.base import MOST_STEPS, Problem
from runner.problems.checkpoints import Checkpoint, Progress
from runner.problems.files.data_files import missing_file_hint
from runner.problems.isolation import limit_threads, restore_process, seed_generators
from runner.trial import Config, Outcome, Status

Stops = Callable[[int, float], bool]
"""A rule that decides from a step, counted from 1, and its loss whether to stop a trial."""

_READ_ONLY = "Large arrays are shared between workers: copy one before you write into it."


def evaluate(
    problem: Problem,
    config: Config,
    seed: int,
    timeout: float | None = None,
    threads: int = 1,
    stops: Stops | None = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Evaluate one config; nothing that the objective raises gets out, except KeyboardInterrupt.

    Parameters
    ----------
    problem : Problem
        A config whose outcome it recalls is not evaluated.
    config : dict
        The objective gets a copy.
    seed : int
        The block's seed; see `Problem.evaluate`.
    timeout : float, optional
        Seconds; an evaluation that took longer is a TIMEOUT. It is not interrupted here: the
        engine kills it from outside. A recalled outcome has no limit.
    threads : int, default 1
        Threads of the BLAS and OpenMP libraries that are loaded when the evaluation starts.
    stops : callable, optional
        Called after each step but the last; True ends the evaluation there, as STOPPED.
    checkpoint : Checkpoint, optional
        The checkpoint that an earlier attempt has saved, if the problem saves any, and where this
        attempt saves.

    Notes
    -----
    With ``stops``, a step without a finite metric ends the trial as INVALID. Without, only the
    last step has to have one.

    ``share`` counts the steps that were begun, including one that raised. A TIMEOUT has no
    steps and counts as a full evaluation, as it does if the engine had to kill it.

    Steps and seconds of a trial that resumes from a checkpoint are those of all attempts, without
    the work that was lost; ``timeout`` is for each attempt.
    """
    if problem.checkpoints:
        with (checkpoint or Checkpoint()).opened() as opened:
            return _evaluate(problem, config, seed, timeout, threads, stops, opened)
    return _evaluate(problem, config, seed, timeout, threads, stops, None)


def _evaluate(
    problem: Problem,
    config: Config,
    seed: int,
    timeout: float | None,
    threads: int,
    stops: Stops | None,
    checkpoint: Checkpoint | None,
) -> Outcome:
    start = time.perf_counter()
    process = os.getpid()
    steps = _Steps(problem, config, stops, start, checkpoint)
    try:
        if (known := problem.recall(config, seed)) is not None:
            return known if stops is None else cut(problem, known, stops)
        seed_generators(config, seed)
        with limit_threads(threads), restore_process():
            objective = problem.evaluate_fully if stops is None else problem.evaluate
            answer = objective(dict(config), seed)
            outcome = steps.run(answer) if isinstance(answer, Iterator) else judge(problem, answer, config)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever user code raises is data
        outcome = Outcome(Status.FAILED, error=_message_of(error))
    finally:
        if os.getpid() != process:  # a child that the objective forked must not continue as a second driver
            os._exit(0)
    seconds = time.perf_counter() - start
    if timeout is not None and seconds > timeout:
        late = f"took {seconds:.1f} s; the limit is {timeout:g} s."
        return Outcome(Status.TIMEOUT, error=late, seconds=seconds)
    return dataclasses.replace(
        outcome,
        seconds=seconds + steps.before,
        steps=tuple(steps.losses),
        step_seconds=tuple(steps.seconds),
        share=steps.share(outcome.status),
    )


def cut(problem: Problem, outcome: Outcome, stops: Stops) -> Outcome:
    """Cut a known outcome where `evaluate` would have stopped its trial: it becomes STOPPED or INVALID.

    ``stops`` is called on the recorded steps in order. An outcome that failed later is cut too; one
    that would not have been stopped is returned unchanged.
    """
    for step, loss in enumerate(outcome.steps, 1):
        if not math.isfinite(loss):
            if outcome.status is Status.INVALID and step == len(outcome.steps):
                break
            ended = Outcome(Status.INVALID, error=f"step {step} had no finite metric.")
        elif step < problem.steps and stops(step, loss):
            ended = _stopped(problem, step, loss, outcome.folds)
        else:
            continue
        return dataclasses.replace(
            ended,
            seconds=outcome.step_seconds[step - 1],
            steps=outcome.steps[:step],
            step_seconds=outcome.step_seconds[:step],
            share=problem.share(step),
        )
    return outcome


class _Steps:
    """The steps of an answer until it ends or is stopped."""

    def __init__(
        self,
        problem: Problem,
        config: Config,
        stops: Stops | None,
        start: float,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.problem, self.config, self.stops, self.checkpoint = problem, config, stops, checkpoint
        earlier = checkpoint.progress if checkpoint is not None else None
        self.losses: list[float] = list(earlier.losses) if earlier else []
        self.seconds: list[float] = list(earlier.seconds) if earlier else []
        self.last = earlier.last if earlier else None
        self.before = self.seconds[-1] if self.seconds else 0.0  # seconds of earlier attempts
        self.start = start - self.before
        self.done = len(self.losses)
        self.begun = False

    def run(self, answer: Iterator[object]) -> Outcome:
        self.begun = True
        outcome = self.last
        try:
            for step in answer:
                outcome = judge(self.problem, step, self.config)
                self._record(outcome.loss)
                if self.stops is None:
                    self._save(outcome)
                    continue
                if outcome.loss is None:
                    return dataclasses.replace(outcome, error=limited(f"step {self.done}: {outcome.error}"))
                if self.done < self.problem.steps and self.stops(self.done, outcome.loss):
                    return _stopped(self.problem, self.done, outcome.loss, outcome.folds)
                self._save(outcome)
            return judge(self.problem, None) if outcome is None else outcome
        finally:
            with suppress(Exception, SystemExit):  # an error on closing does not change the answer
                getattr(answer, "close", bool)()

    def share(self, status: Status) -> float:
        """Compute the share of a full evaluation that was spent; an answer without steps is a full one."""
        failed = status is Status.FAILED
        if self.problem.steps == 1 or not (self.begun or (failed and self.stops is not None)):
            return 1.0
        begun = min(self.done + 1, self.problem.steps) if failed else max(self.done, 1)
        return self.problem.share(begun)

    def _save(self, outcome: Outcome) -> None:
        if self.checkpoint is not None and self.done <= MOST_STEPS:
            self.checkpoint.save(Progress(tuple(self.losses), tuple(self.seconds), outcome))

    def _record(self, loss: float | None) -> None:
        self.done += 1
        if self.done <= MOST_STEPS:
            self.losses.append(math.nan if loss is None else loss)
            self.seconds.append(time.perf_counter() - self.start)


def _stopped(problem: Problem, step: int, loss: float, folds: tuple[float, ...]) -> Outcome:
    """Build the outcome of a stopped trial from what `evaluate` and `cut` both know."""
    folds = folds[:step]
    by_fold = len(folds) == step and math.isclose(sum(folds) / step, loss)
    return Outcome(
        Status.STOPPED,
        loss=loss,
        value=sign_of(problem) * loss,
        folds=folds if by_fold else (),
        error=f"{Status.STOPPED.meaning} after step {step} of {problem.steps}.",
    )


def _message_of(error: BaseException) -> str:
    message = describe(error)
    if isinstance(error, ValueError) and "read-only" in message:  # NumPy's wording
        message = f"{message.rstrip('.')}. {_READ_ONLY}"
    if hint := missing_file_hint(error):
        message = f"{message.rstrip('.')}. {hint}"
    place = "" if isinstance(error, FivefoldError) else raised_at(error)
    return limited(message, f" ({place})" if place else "")

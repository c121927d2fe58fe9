"""One evaluation: whatever an objective does, turned into an `Outcome`.

An objective may answer step by step: training epochs, cross-validation folds, growing shares of
the data. Then what it does after each step can be stopped, and what a stopped trial says is the
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
from runner.problems.answers import judge, sentence, sign_of
from runner.problems.base import MOST_STEPS, Problem
from runner.problems.checkpoints import Checkpoint, Progress
from runner.problems.files.data_files import missing
from runner.problems.isolation import held_to, restored, seed_generators
from runner.trial import Config, Outcome, Status

Stops = Callable[[int, float], bool]
"""Whether a trial is to be stopped after a step, counted from 1, with its loss."""

_READ_ONLY = "Large arrays are shared between lanes: copy one before you write into it."


def evaluate(
    problem: Problem,
    config: Config,
    seed: int,
    timeout: float | None = None,
    threads: int = 1,
    stops: Stops | None = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Evaluate one config, whatever happens.

    Parameters
    ----------
    problem : Problem
        What it recalls is not evaluated.
    config : dict
        The objective gets a copy.
    seed : int
        The block's seed; see `Problem.evaluate`.
    timeout : float, optional
        Seconds; an evaluation that took longer is a TIMEOUT. It is not interrupted here: the
        engine kills it from outside. What was recalled has no limit.
    threads : int, default 1
        Of the BLAS and OpenMP libraries that are loaded when the evaluation starts.
    stops : callable, optional
        Asked after each step but the last; True ends the evaluation there, as STOPPED.
    checkpoint : Checkpoint, optional
        What an earlier attempt has handed over, where the problem does that; and where this one
        hands over.

    Returns
    -------
    Outcome
        Never raises for what the objective does, except KeyboardInterrupt.

    Notes
    -----
    Under ``stops`` a step without a finite metric ends the trial as INVALID. Without, only the
    last step has to have one.

    ``share`` counts the steps that were begun, the one that raised included. A TIMEOUT has no
    steps and counts as a full evaluation, as it does where the engine had to kill it.

    Of a trial that goes on from a checkpoint steps and seconds are those of all attempts, without
    what was lost; ``timeout`` is for each attempt.
    """
    if problem.checkpoints:
        with (checkpoint or Checkpoint()).opened() as held:
            return _evaluate(problem, config, seed, timeout, threads, stops, held)
    return _evaluate(problem, config, seed, timeout, threads, stops, None)


def _evaluate(
    problem: Problem,
    config: Config,
    seed: int,
    timeout: float | None,
    threads: int,
    stops: Stops | None,
    held: Checkpoint | None,
) -> Outcome:
    start = time.perf_counter()
    process = os.getpid()
    walk = _Walk(problem, config, stops, start, held)
    try:
        if (known := problem.recall(config, seed)) is not None:
            return known if stops is None else cut(problem, known, stops)
        seed_generators(config, seed)
        with held_to(threads), restored():
            ask = problem.evaluate_fully if stops is None else problem.evaluate
            answer = ask(dict(config), seed)
            outcome = walk.through(answer) if isinstance(answer, Iterator) else judge(problem, answer, config)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever user code raises is data
        outcome = Outcome(Status.FAILED, error=_told(error))
    finally:
        if os.getpid() != process:  # a child that the objective forked must not go on as a second driver
            os._exit(0)
    seconds = time.perf_counter() - start
    if timeout is not None and seconds > timeout:
        late = f"took {seconds:.1f} s; the limit is {timeout:g} s."
        return Outcome(Status.TIMEOUT, error=late, seconds=seconds)
    return dataclasses.replace(
        outcome,
        seconds=seconds + walk.before,
        steps=tuple(walk.losses),
        step_seconds=tuple(walk.seconds),
        share=walk.share(outcome.status),
    )


def cut(problem: Problem, outcome: Outcome, stops: Stops) -> Outcome:
    """What a known outcome becomes where its trial may be stopped.

    Parameters
    ----------
    problem : Problem
    outcome : Outcome
        One that failed on its way is cut too: it would have been stopped before.
    stops : callable
        As in `evaluate`; it is asked of the recorded steps, in their order.

    Returns
    -------
    Outcome
        STOPPED, or INVALID, as `evaluate` would have ended; otherwise the outcome unchanged.
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


class _Walk:
    """An answer that comes step by step, as far as it is wanted."""

    def __init__(
        self,
        problem: Problem,
        config: Config,
        stops: Stops | None,
        start: float,
        held: Checkpoint | None = None,
    ) -> None:
        self.problem, self.config, self.stops, self.held = problem, config, stops, held
        earlier = held.progress if held is not None else None
        self.losses: list[float] = list(earlier.losses) if earlier else []
        self.seconds: list[float] = list(earlier.seconds) if earlier else []
        self.last = earlier.last if earlier else None
        self.before = self.seconds[-1] if self.seconds else 0.0  # that an earlier attempt took
        self.start = start - self.before
        self.done = len(self.losses)
        self.begun = False

    def through(self, steps: Iterator[object]) -> Outcome:
        """The outcome of the last step that was wanted."""
        self.begun = True
        outcome = self.last
        try:
            for step in steps:
                outcome = judge(self.problem, step, self.config)
                self._note(outcome.loss)
                if self.stops is None:
                    self._keep(outcome)
                    continue
                if outcome.loss is None:
                    return dataclasses.replace(outcome, error=sentence(f"step {self.done}: {outcome.error}"))
                if self.done < self.problem.steps and self.stops(self.done, outcome.loss):
                    return _stopped(self.problem, self.done, outcome.loss, outcome.folds)
                self._keep(outcome)
            return judge(self.problem, None) if outcome is None else outcome
        finally:
            with suppress(Exception, SystemExit):  # whatever it does at its end, its answer is there
                getattr(steps, "close", bool)()

    def share(self, status: Status) -> float:
        """What was spent of a full evaluation, which is what an answer at once is."""
        failed = status is Status.FAILED
        if self.problem.steps == 1 or not (self.begun or (failed and self.stops is not None)):
            return 1.0
        begun = min(self.done + 1, self.problem.steps) if failed else max(self.done, 1)
        return self.problem.share(begun)

    def _keep(self, outcome: Outcome) -> None:
        """Hand over what lies in the folder of checkpoints."""
        if self.held is not None and self.done <= MOST_STEPS:
            self.held.save(Progress(tuple(self.losses), tuple(self.seconds), outcome))

    def _note(self, loss: float | None) -> None:
        self.done += 1
        if self.done <= MOST_STEPS:
            self.losses.append(math.nan if loss is None else loss)
            self.seconds.append(time.perf_counter() - self.start)


def _stopped(problem: Problem, step: int, loss: float, folds: tuple[float, ...]) -> Outcome:
    """Of a stopped trial only what is told alike by a trial that ran and by one that was known."""
    folds = folds[:step]
    by_fold = len(folds) == step and math.isclose(sum(folds) / step, loss)
    return Outcome(
        Status.STOPPED,
        loss=loss,
        value=sign_of(problem) * loss,
        folds=folds if by_fold else (),
        error=f"{Status.STOPPED.meaning} after step {step} of {problem.steps}.",
    )


def _told(error: BaseException) -> str:
    text = describe(error)
    if isinstance(error, ValueError) and "read-only" in text:  # as NumPy says it
        text = f"{text.rstrip('.')}. {_READ_ONLY}"
    if hint := missing(error):
        text = f"{text.rstrip('.')}. {hint}"
    place = "" if isinstance(error, FivefoldError) else raised_at(error)
    return sentence(text, f" ({place})" if place else "")

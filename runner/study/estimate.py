"""Estimate of a study: number of trials and duration, from a few tried ones."""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass

from runner.errors.time_limit import Overdue, interrupted_after
from runner.problems import Problem, evaluate
from runner.problems.files.data_files import placed
from runner.problems.files.objective_files import importable
from runner.problems.isolation import preserve_generators
from runner.seeds import rng_for
from runner.study.study import Study
from runner.trial import Outcome, Status

_MOST_TRIED = 3  # evaluations per problem, for a median
_MOST_SECONDS = 10.0  # per problem: a person waits for it


@dataclass(frozen=True)
class ProblemEstimate:
    """Results of a few evaluations of a problem.

    Attributes
    ----------
    runs : int
        Number of the study's runs on it.
    trials : int or None
        Total number of their trials; None where the budget is in seconds only.
    seconds : float
        Median duration of the tried evaluations.
    failures : tuple of str
        Their errors.
    cut_off : bool
        True where not even one ended in time; ``seconds`` is the limit then.
    """

    problem: Problem
    runs: int
    trials: int | None
    seconds: float
    failures: tuple[str, ...]
    cut_off: bool = False

    @property
    def total(self) -> float | None:
        """Seconds of evaluation on one core, without the methods' own time."""
        return None if self.trials is None else self.trials * self.seconds


def estimate(study: Study) -> list[ProblemEstimate]:
    """Evaluate a few random configs of each problem, for at most ten seconds per problem."""
    found = []
    for problem in study.problems:
        specs = [spec for spec in study.runs if spec.problem is problem]
        outcomes, cut_off = _try(problem, specs[0].problem_seed, study)
        trials = None if study.budget.trials is None else study.budget.trials * len(specs)
        found.append(
            ProblemEstimate(
                problem,
                len(specs),
                trials,
                statistics.median(outcome.seconds for outcome in outcomes),
                tuple(dict.fromkeys(outcome.error for outcome in outcomes if outcome.error)),
                cut_off,
            )
        )
    return found


def _try(problem: Problem, seed: int, study: Study) -> tuple[list[Outcome], bool]:
    """Evaluate a few configs; True where the first one was cut off."""
    rng = rng_for(study.seed, problem.name, "estimate")
    threads = study.trial.needs(problem.name).threads
    start = time.perf_counter()
    outcomes: list[Outcome] = []
    with preserve_generators(), importable(), placed(study.files):
        while len(outcomes) < _MOST_TRIED and (left := _MOST_SECONDS - time.perf_counter() + start) > 0:
            config = problem.space.sample(rng)
            with contextlib.suppress(Overdue), interrupted_after(left):
                outcomes.append(evaluate(problem, config, seed, threads=threads))
    if time.perf_counter() - start >= _MOST_SECONDS:
        ended = [outcome for outcome in outcomes if not outcome.error.startswith(Overdue.__name__)]
        return ended or [Outcome(Status.TIMEOUT, seconds=_MOST_SECONDS)], not ended
    return outcomes, False

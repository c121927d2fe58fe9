"""How many trials a study has and how long they take, from a few tried ones."""

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

_MOST_TRIED = 3
_MOST_SECONDS = 10.0


@dataclass(frozen=True)
class ProblemEstimate:
    """What a few evaluations of a problem tell.

    Attributes
    ----------
    problem : Problem
    runs : int
        How many runs of the study are on it.
    trials : int or None
        The most trials that they have together; None where the budget is in seconds only.
    seconds : float
        Median duration of the tried evaluations.
    failures : tuple of str
        What went wrong in them.
    cut_off : bool
        Whether not even one ended in the time that there was; ``seconds`` is that time.
    """

    problem: Problem
    runs: int
    trials: int | None
    seconds: float
    failures: tuple[str, ...]
    cut_off: bool = False

    @property
    def total(self) -> float | None:
        """Seconds of evaluation on one core, without the methods' thinking."""
        return None if self.trials is None else self.trials * self.seconds


def estimate(study: Study) -> list[ProblemEstimate]:
    """Evaluate a few random configs of each problem, for ten seconds per problem at the most."""
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
    """The outcomes of a few evaluations; or how long one took that was cut off."""
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

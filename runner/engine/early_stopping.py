"""Early stopping of hopeless trials, as a function of the history.

Ray Tune's schedulers decide by the results that have arrived, so a trial's fate depends on which trial was
faster. Here a trial is compared with exactly the trials that its proposal knew: its fate is the same in
every order of arrival, on any number of workers. The decisions are otherwise those of Tune's
``AsyncHyperBandScheduler`` with one bracket and of its ``MedianStoppingRule``; the tests compare them.

``asha``
    Successive halving: at its rungs (``grace``, ``grace * reduction``, ... steps) a trial continues
    if it is among the best 1 in ``reduction`` that reached the rung.
``median``
    From ``grace`` steps on, a trial continues if its best loss so far is no worse than the median
    of the others' mean losses since ``grace``, if there are at least ``least`` of them.

No trial is stopped at its last step, where it has been evaluated completely.

References
----------
L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020.
D. Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runner.study.file import SchedulerSettings

_WORST: Final = 1e300  # stands for infinity, which percentiles and means cannot handle


class Stopper:
    """Early-stopping decisions for one trial.

    Parameters
    ----------
    steps : int
        Number of steps of a full evaluation.
    known : sequence of sequence of float
        Losses by step of each trial that the proposal knew, up to where it ended; NaN counts
        as the worst. Only the steps of `needs` are read.
    """

    def __init__(self, scheduler: SchedulerSettings, steps: int, known: Sequence[Sequence[float]]) -> None:
        self._scheduler = scheduler
        self._needs = frozenset(needs(scheduler, steps))
        # As arrays once: the median rule reads all of them at each step.
        self._known = [_bounded(losses) for losses in known]
        self._best = math.inf

    def __call__(self, step: int, loss: float) -> bool:
        """Enter the trial's next step, counted from 1 without gaps; return True to stop the trial there."""
        loss = float(_bounded([loss])[0])
        self._best = min(self._best, loss)
        if step not in self._needs:
            return False
        reached = [losses for losses in self._known if len(losses) >= step]
        if self._scheduler.name == "asha":
            return self._below_cutoff([losses[step - 1] for losses in reached], loss)
        return self._above_median(reached, step)

    def _below_cutoff(self, others: Sequence[float], loss: float) -> bool:
        # The sign is Tune's, which maximises: interpolation then rounds as it does there.
        percent = (1 - 1 / self._scheduler.reduction) * 100
        return bool(others) and bool(-loss < np.percentile(np.negative(others), percent))

    def _above_median(self, reached: Sequence[NDArray[np.float64]], step: int) -> bool:
        if len(reached) < self._scheduler.least:
            return False
        since = self._scheduler.grace - 1
        return bool(np.median([losses[since:step].mean() for losses in reached]) < self._best)


def stopper_maker(
    scheduler: SchedulerSettings, steps: Sequence[int]
) -> Callable[[int, Sequence[Sequence[float]]], Stopper]:
    """Return a function from a problem's position and the known losses to a trial's `Stopper`.

    Parameters
    ----------
    steps : sequence of int
        Number of steps of each problem of the study.
    """
    return lambda problem, known: Stopper(scheduler, steps[problem], known)


def needs(scheduler: SchedulerSettings, steps: int) -> tuple[int, ...]:
    """List the steps at which a trial is compared with the known ones.

    Empty if nothing is ever stopped, because a trial has no more steps than ``grace``.
    """
    if scheduler.name == "none" or scheduler.grace >= steps:
        return ()
    if scheduler.name == "asha":
        return _rung_steps(scheduler.grace, scheduler.reduction, steps)
    return tuple(range(scheduler.grace, steps))


@lru_cache(maxsize=256)  # more than a study has kinds of problems
def _rung_steps(grace: int, reduction: float, steps: int) -> tuple[int, ...]:
    """List the steps at which a trial enters a rung.

    As in Tune a step enters the highest rung that it has reached and not entered, one per step; so every
    trial enters a given rung at the same step.
    """
    rungs = [grace * reduction**k for k in range(int(np.log(steps / grace) / np.log(reduction) + 1))]
    entered = []
    for step in range(grace, steps):
        if reached := [rung for rung in rungs if rung <= step]:
            rungs.remove(reached[-1])
            entered.append(step)
    return tuple(entered)


def _bounded(losses: Sequence[float]) -> NDArray[np.float64]:
    """Replace what is not a finite number; numbers beyond 1e300 count as 1e300."""
    bounded: NDArray[np.float64] = np.clip(
        np.nan_to_num(np.array(losses, float), nan=_WORST), -_WORST, _WORST
    )
    return bounded

"""Hopeless trials are stopped early by Ray Tune's own rules, as a function of the history.

Tune's schedulers decide by what has been reported when a result arrives, so that what becomes of
a trial depends on who was faster. Here each trial has a scheduler of its own, which knows the
trials that its proposal knew and nothing else: what becomes of it is the same in every order of
arrival, on any number of lanes.

``asha``
    Successive halving: at its rungs (``grace``, ``grace * reduction``, ... steps) a trial goes on
    where it is among the best 1 in ``reduction`` that were there.
``median``
    From ``grace`` steps on, a trial goes on where its best loss so far is no worse than the median
    of the others' mean losses so far, if there are at least ``least`` of them.

At the last step nothing is asked: a trial that came so far has been evaluated to its end.

References
----------
L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020.
D. Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule
from ray.tune.schedulers.trial_scheduler import TrialScheduler

from runner.study.file import SchedulerSettings

_STEP: Final = "training_iteration"
_LOSS: Final = "loss"
_WORST = 1e300  # no infinity: Ray's rules interpolate and average


class Stopper:
    """Whether a trial is to be stopped, as Ray Tune's scheduler says.

    Parameters
    ----------
    scheduler : SchedulerSettings
    steps : int
        Of a full evaluation.
    known : sequence of sequence of float
        For each trial that the proposal knew its losses by step, up to where it ended; NaN counts
        as the worst. Only the steps of `needs` are looked at.
    """

    def __init__(self, scheduler: SchedulerSettings, steps: int, known: Sequence[Sequence[float]]) -> None:
        self._steps = steps
        self._needs = needs(scheduler, steps)
        self._rule = copy.deepcopy(_rule(_key(scheduler), steps)) if self._needs else None
        self._own = _Trial("own")
        if self._rule is not None:
            self._rule.learn([(_Trial(str(i)), losses) for i, losses in enumerate(known)], self._needs)
            self._rule.on_trial_add(_NOBODY, self._own)

    def __call__(self, step: int, loss: float) -> bool:
        """Enter the trial's next step, from 1 on and none left out; whether it is its last."""
        if self._rule is None or step >= self._steps:
            return False
        answer = self._rule.on_trial_result(_NOBODY, self._own, _result(step, loss))
        return bool(answer == TrialScheduler.STOP)


def stopper_maker(
    scheduler: SchedulerSettings, steps: Sequence[int]
) -> Callable[[int, Sequence[Sequence[float]]], Stopper]:
    """What makes a trial's `Stopper`: from the position of its problem and the known losses.

    Parameters
    ----------
    scheduler : SchedulerSettings
    steps : sequence of int
        Of each problem of the study.
    """
    return lambda problem, known: Stopper(scheduler, steps[problem], known)


def needs(scheduler: SchedulerSettings, steps: int) -> tuple[int, ...]:
    """The steps at which a stopper looks at the known trials; their other losses may be anything.

    Empty where nothing is ever stopped: there are too few steps for the ``grace``.
    """
    return _needs(_key(scheduler), steps)


_Key = tuple[str, int, float, int]


def _key(scheduler: SchedulerSettings) -> _Key:
    return scheduler.name, scheduler.grace, scheduler.reduction, scheduler.least


@lru_cache(maxsize=256)
def _needs(key: _Key, steps: int) -> tuple[int, ...]:
    name, grace, _, _ = key
    if name == "none" or grace >= steps:
        return ()
    return tuple(_rule(key, steps).looks_at(range(1, steps)))


@lru_cache(maxsize=256)
def _rule(key: _Key, steps: int) -> _Asha | _Median:
    """A scheduler without trials, to be copied: to make one may cost a message to Ray's server."""
    name, grace, reduction, least = key
    common = {"time_attr": _STEP, "metric": _LOSS, "mode": "min", "grace_period": grace}
    if name == "asha":
        return _Asha(max_t=steps, reduction_factor=reduction, brackets=1, **common)
    return _Median(min_samples_required=least, hard_stop=True, **common)


class _Asha(AsyncHyperBandScheduler):
    """Ray's, with one bracket that trials are put into without a draw.

    Ray draws each trial's bracket from NumPy's global generator, also where there is only one.
    """

    def on_trial_add(self, tune_controller: Any, trial: _Trial) -> None:
        del tune_controller
        self._trial_info[trial.trial_id] = self._brackets[0]

    def learn(self, known: Sequence[tuple[_Trial, Sequence[float]]], at: Sequence[int]) -> None:
        """Enter known trials at their rungs; of a result that has been decided no cutoff is needed."""
        (bracket,) = self._brackets
        bracket.cutoff = _no_cutoff
        for trial, losses in known:
            self.on_trial_add(_NOBODY, trial)
            for step in at:
                if step > len(losses):
                    break
                self.on_trial_result(_NOBODY, trial, _result(step, losses[step - 1]))
        del bracket.cutoff  # Ray's own again

    def looks_at(self, steps: range) -> list[int]:
        """The steps at which a trial is entered into a rung: there it is compared, else never."""
        rule = copy.deepcopy(self)
        trial, found, entered = _Trial("any"), [], 0
        rule.on_trial_add(_NOBODY, trial)
        for step in steps:
            rule.on_trial_result(_NOBODY, trial, _result(step, 0.0))
            before, entered = entered, sum(len(recorded) for _, recorded in rule._brackets[0]._rungs)
            if entered > before:
                found.append(step)
        return found


class _Median(MedianStoppingRule):
    """Ray's; what is known of a trial is entered without asking what would become of it.

    Ray looks through all results of all trials at each step, which takes seconds where there are
    hundreds of each; here the known ones are arrays.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._known: dict[_Trial, NDArray[np.float64]] = {}

    def learn(self, known: Sequence[tuple[_Trial, Sequence[float]]], at: Sequence[int]) -> None:
        """Enter known trials: their losses from the grace on, and to Ray how far they came."""
        before = at[0] - 1
        for trial, losses in known:
            if seen := losses[before : at[-1]]:
                self._known[trial] = np.array([_bounded(loss) for loss in seen])
                self.on_trial_complete(_NOBODY, trial, _result(before + len(seen), seen[-1]))

    def _running_mean(self, trial: _Trial, time: float) -> float:
        losses = self._known[trial][: int(time) - self._grace_period + 1]
        return float(np.add.reduce(losses)) / len(losses)  # as np.mean does, in a third of the time

    def looks_at(self, steps: range) -> list[int]:
        """All from the grace on."""
        return [step for step in steps if step >= self._grace_period]


class _Trial:
    """What Ray's rules ask of a trial."""

    __slots__ = ("trial_id",)

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


class _Nobody:
    """Tune's controller, with nothing else to run that a trial might yield to."""

    def get_live_trials(self) -> list[object]:
        return []


_NOBODY: Final = _Nobody()


def _result(step: int, loss: float) -> dict[str, float]:
    return {_STEP: step, _LOSS: _bounded(loss)}


def _bounded(loss: float) -> float:
    return _WORST if math.isnan(loss) else min(max(loss, -_WORST), _WORST)


def _no_cutoff(recorded: object) -> None:
    del recorded

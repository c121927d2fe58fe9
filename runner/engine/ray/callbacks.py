"""What goes on beside the trials: deadlines, the size of the cluster, interrupts and errors."""

from __future__ import annotations

import time
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler

from runner.engine.dispatch.dispatcher import INTERRUPTED, Dispatcher
from runner.engine.ray.autoscaling import Wishes, wanted
from runner.engine.ray.connect import Connection
from runner.engine.ray.health import Sentinel
from runner.engine.ray.study_search import StudySearch
from runner.errors import RayLost, StudyInterrupted

_PATIENCE_SECONDS = 20.0
_LOOK_SECONDS = 2.0  # between two looks at the size of the cluster


class Abandoned(BaseException):
    """Ray is lost, as its cause says. No Exception: for one of these Tune tidies up, and waits for Ray."""


class LaneScheduler(FIFOScheduler):
    """Lets every lane come up, and stay.

    Tune gives a free actor to the oldest pending trial, and then throws away the actor that was
    still starting for that one: while trials are shorter than the start of a process, only one
    lane ever comes up. Here the newest trial gets it, or a question: its run waits for the answer, and
    would wait for the start of a process. And Tune stops an actor for which no trial
    is waiting in the moment in which it becomes free; here as many are kept as there are lanes.

    Attributes
    ----------
    lanes : int
        How many free actors are kept; it may grow.
    """

    def __init__(self, lanes: int) -> None:
        super().__init__()
        self.lanes = lanes
        self._kept = 0
        self._waiting: dict[str, Any] = {}  # in the order of their arrival

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """A trial has arrived."""
        self._waiting[trial.trial_id] = trial
        if self.lanes > self._kept:
            # Internal: nothing public says how many actors are kept. A test of the lanes holds it.
            cache = tune_controller._tune_controller._actor_cache
            cache.increase_max(trial.placement_group_factory, by=self.lanes - self._kept)
            self._kept = self.lanes

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The newest question that is pending, else the newest trial, or None."""
        # Internal, and held by the test of the lanes: these have got their lane already.
        taken = tune_controller._tune_controller._resetting_trials
        newest = None
        for trial in list(reversed(self._waiting.values())):
            if trial.status != "PENDING":
                del self._waiting[trial.trial_id]
            elif trial not in taken:
                if trial.thoughts:
                    return trial
                newest = newest or trial
        return newest

    def __getstate__(self) -> dict[str, Any]:
        """Without the trials: Tune pickles its scheduler, and nothing reads that."""
        return {"lanes": self.lanes, "_kept": 0, "_waiting": {}}


class Watch(tune.Callback):
    """Kills lanes at their bundle's deadline, counts the lanes, and ends at an interrupt or error."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        search: StudySearch,
        scheduler: LaneScheduler,
        connection: Connection,
        sentinel: Sentinel,
        wishes: Wishes,
    ) -> None:
        self._dispatcher, self._search, self._scheduler = dispatcher, search, scheduler
        self._connection, self._sentinel, self._wishes = connection, sentinel, wishes
        self._running: dict[str, Any] = {}
        self._ripe = False  # what has come back was there when the step began
        self._looked = time.monotonic()
        self._idle_since: float | None = time.monotonic()  # None once it has been said, or is over

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A lane starts a bundle."""
        self._running[trial.trial_id] = trial
        self._search.started[trial.trial_id] = time.monotonic()
        self._idle_since = None

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A bundle is back; Tune would keep it, and its report, to the end."""
        self._running.pop(trial.trial_id, None)
        trial.forget()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A bundle is lost."""
        self._running.pop(trial.trial_id, None)
        trial.forget()

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """At least ten times a second."""
        if self._search.error is not None:
            raise self._search.error
        self._ripe = self._search.unsettled
        if self._dispatcher.interrupted:
            for trial in self._running.values():  # else Tune waits for what they do
                _kill(trial)
            raise StudyInterrupted(INTERRUPTED)
        try:
            self._sentinel.check()
        except RayLost as error:
            raise Abandoned from error
        now = time.monotonic()
        self._kill_the_late(now)
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._connection.look()
            lanes = self._connection.lanes
            self._dispatcher.lanes = self._scheduler.lanes = self._search.lanes = lanes
            # Not while a lane is still to come: a wish could take its place.
            width = self._dispatcher.width if len(self._running) >= lanes else 0
            self._wishes.keep(wanted(self._connection, width), self._connection.needs)
        if self._idle_since is not None and now - self._idle_since > _PATIENCE_SECONDS:
            self._idle_since = None
            free, needs = ray.available_resources().get("CPU", 0.0), self._connection.needs.cpus
            self._dispatcher.note(
                f"No trial has started for {_PATIENCE_SECONDS:.0f} s: one needs {needs:g} CPUs, "
                f"and {free:g} of Ray's are free. Waiting."
            )

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """After Tune has given free lanes their next bundles: what can be done while they work."""
        if self._ripe:
            self._ripe = False
            self._search.settle()
        self._search.make_ready()

    def _kill_the_late(self, now: float) -> None:
        for trial_id, trial in list(self._running.items()):
            bundle, started = self._search.bundles.get(trial_id), self._search.started.get(trial_id)
            if bundle is None or started is None or bundle.deadline is None:
                continue
            if now - started > bundle.deadline:
                self._search.killed.add(trial_id)
                del self._running[trial_id]
                _kill(trial)

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks; there is nothing in this one that a copy could use."""
        return {}


def _kill(trial: Any) -> None:
    actor = trial.temporary_state.ray_actor  # internal; a test of the deadline holds it
    if actor is not None:
        ray.kill(actor)

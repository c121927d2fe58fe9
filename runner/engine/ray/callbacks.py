"""Callbacks and scheduler of the Tune experiment: deadlines, size of the cluster, interrupts and errors."""

from __future__ import annotations

import time
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler

from runner.engine.dispatch.dispatcher import INTERRUPTED, Dispatcher
from runner.engine.ray.autoscaling import RoomRequests, additional_trials
from runner.engine.ray.connect import Connection
from runner.engine.ray.health import Sentinel
from runner.engine.ray.internals import actor_of, keep_actors, trials_with_actor
from runner.engine.ray.study_search import StudySearch
from runner.errors import RayLost, StudyInterrupted

_PATIENCE_SECONDS = 20.0  # enough for workers to start; after that the user should know that none does
_LOOK_SECONDS = 2.0  # between two looks at the size of the cluster, whose nodes take longer to start


class Abandoned(BaseException):
    """Ray is lost, as the cause says. Not an Exception: at one of these Tune tidies up, and waits for Ray."""


class WorkerScheduler(FIFOScheduler):
    """A scheduler that lets all workers start, and keeps them.

    Tune gives a free actor to the oldest pending trial and then discards the actor that was starting for
    that one: while trials are shorter than the start of a process, only one worker ever starts. Here the
    newest trial gets the free actor, or a proposal request, because its run would have to wait for the
    start of a process. And Tune stops an actor if no trial is waiting at the moment it becomes free; here as
    many are kept as there are workers.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._dispatcher: Dispatcher | None = dispatcher
        self._kept = 0
        self._waiting: dict[str, Any] = {}  # in the order of their arrival

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Note a new trial, and have Tune keep as many actors as there are workers."""
        self._waiting[trial.trial_id] = trial
        workers = self._dispatcher.workers if self._dispatcher else 0
        if workers > self._kept:
            keep_actors(tune_controller, trial.placement_group_factory, workers - self._kept)
            self._kept = workers

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return the newest pending proposal request, else the newest pending trial, or None."""
        taken = trials_with_actor(tune_controller)
        newest = None
        for trial in list(reversed(self._waiting.values())):
            if trial.status != "PENDING":
                del self._waiting[trial.trial_id]
            elif trial not in taken:
                if trial.proposals:
                    return trial
                newest = newest or trial
        return newest

    def __getstate__(self) -> dict[str, Any]:
        """Leave the trials out: Tune pickles its scheduler, and nothing reads that."""
        return {"_dispatcher": None, "_kept": 0, "_waiting": {}}


class Watch(tune.Callback):
    """Kills workers at their batch's deadline, counts the workers, and ends at an interrupt or error."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        search: StudySearch,
        connection: Connection,
        sentinel: Sentinel,
        requests: RoomRequests,
    ) -> None:
        self._dispatcher, self._search = dispatcher, search
        self._connection, self._sentinel, self._requests = connection, sentinel, requests
        self._running: dict[str, Any] = {}
        self._ripe = False  # there were unsettled reports when the step began
        self._looked = time.monotonic()
        self._idle_since: float | None = time.monotonic()  # None once a trial has started, or the note is out

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a worker starts a batch."""
        self._running[trial.trial_id] = trial
        self._search.started[trial.trial_id] = time.monotonic()
        self._idle_since = None

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Release a batch that was evaluated or lost; Tune would keep it, and its report, to the end."""
        self._running.pop(trial.trial_id, None)
        trial.forget()

    on_trial_error = on_trial_complete

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Check everything that may end the experiment or change its size; at least ten times a second."""
        if self._search.error is not None:
            raise self._search.error
        self._ripe = self._search.unsettled
        if self._dispatcher.interrupted:
            for trial in self._running.values():  # else Tune waits for them
                _kill(trial)
            raise StudyInterrupted(INTERRUPTED)
        try:
            self._sentinel.check()
        except RayLost as error:
            raise Abandoned from error
        now = time.monotonic()
        self._kill_late_workers(now)
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._connection.look()
            workers = self._dispatcher.workers = self._connection.workers
            # Not while a worker is still starting: a request could take its place.
            width = self._dispatcher.width if len(self._running) >= workers else 0
            self._requests.keep(additional_trials(self._connection, width), self._connection.needs)
        if self._idle_since is not None and now - self._idle_since > _PATIENCE_SECONDS:
            self._idle_since = None
            free, needs = ray.available_resources().get("CPU", 0.0), self._connection.needs.cpus
            self._dispatcher.note(
                f"No trial has started for {_PATIENCE_SECONDS:.0f} s: one needs {needs:g} CPUs, "
                f"and {free:g} of Ray's are free. Waiting."
            )

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Enter reports and make batches, after Tune has given free workers their next batches."""
        if self._ripe:
            self._ripe = False
            self._search.settle()
        self._search.make_ready()

    def _kill_late_workers(self, now: float) -> None:
        for trial_id, trial in list(self._running.items()):
            batch, started = self._search.batches.get(trial_id), self._search.started.get(trial_id)
            if batch is None or started is None or batch.deadline is None:
                continue
            if now - started > batch.deadline:
                self._search.killed.add(trial_id)
                del self._running[trial_id]
                _kill(trial)

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles its callbacks, and a copy could not use them."""
        return {}


def _kill(trial: Any) -> None:
    if (actor := actor_of(trial)) is not None:
        ray.kill(actor)

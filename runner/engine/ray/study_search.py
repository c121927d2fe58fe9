"""All runs of a study as one Ray Tune search algorithm.

To Tune every trial is one batch, made by the `runner.engine.dispatch.dispatcher.Dispatcher`; here it gets a
trial id. An exception in Tune would end the whole experiment, so errors are stored for the engine.

A free worker gets its next batch before anything else is done: batches are made ready while the workers are
busy, and reports are entered while they work on the next. Ready batches wait here and not with Tune, which
would start another worker for each.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.search.search_algorithm import SearchAlgorithm

from runner.engine.codec import unpack_report
from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.dispatch.recovery import Cause
from runner.engine.messages import Batch, Rescued
from runner.engine.ray.internals import actor_id
from runner.trial import DONE

Rescue = Callable[[str], Rescued | None]

_LOOK_SECONDS = 0.5  # between two questions about a lost worker, each of which asks Ray's GCS
_FOLDER = "batches"


class BatchTrial(Trial):
    """A Tune trial that is one batch, without Tune's work per trial that is not needed here.

    For each trial Tune looks the trainable up in Ray's key-value store three times, makes a folder, asks the
    actor for its address, and writes its state as JSON: together more than the rest of a trial's cost for the
    driver. The overridden methods are Tune's internal interface; the version of Ray is pinned to one minor
    release, and the tests of the engine run through all of them.

    Parameters
    ----------
    name : str
        Name of the trainable.
    worker : type
        The trainable itself.
    message : str
        The batch as text.
    proposals : bool
        The batch holds proposal requests, not tasks.

    Attributes
    ----------
    actor : str
        Ray's id of the worker that has, or had, the batch.
    """

    def __init__(
        self, name: str, worker: type, message: str, storage: Any, resources: Any, proposals: bool
    ) -> None:
        self._worker_class = worker
        self.actor, self.proposals = "", proposals
        super().__init__(
            name,
            config={"proposals" if proposals else "tasks": message},
            storage=storage,
            placement_group_factory=resources,
            stub=True,  # the trainable is not looked up
        )
        self.config["batch"] = self.trial_id

    def get_trainable_cls(self) -> type:
        """Return the trainable; Tune would fetch and unpickle it."""
        return self._worker_class

    def create_placement_group_factory(self) -> None:
        """Share one factory between all batches; Tune would compare equal ones again and again."""
        self.placement_group_factory = self._default_placement_group_factory

    def init_local_path(self) -> None:
        """Use one folder for all batches: Tune writes only errors to it."""
        if not self.storage.trial_dir_name:
            self.relative_logdir = self.storage.trial_dir_name = _FOLDER

    def set_ray_actor(self, ray_actor: Any) -> None:
        """Set the actor without asking for its address; its id stays when Tune takes it away."""
        self.temporary_state.ray_actor = ray_actor
        if ray_actor is not None:
            self.actor = actor_id(ray_actor)

    def get_json_state(self) -> str:
        """Return no state: Tune's snapshots are never read."""
        return "{}"

    def handle_error(self, exc: Exception | None = None) -> None:
        """Count the failure; Tune would write the traceback to files."""
        del exc
        self.run_metadata.num_failures += 1

    def forget(self) -> None:
        """Release the content of the batch; Tune keeps its trials to the end."""
        self.config.clear()
        self.run_metadata.last_result.pop("report", None)


@dataclass(frozen=True, slots=True)
class _Lost:
    """The loss of a worker: trial and actor by Ray's ids, and the end of the wait for news of its node."""

    cause: Cause
    trial: str
    actor: str
    until: float


_Back = tuple[Batch, str | _Lost, float]
"""A batch with its report or loss, and the seconds that it took."""


class StudySearch(SearchAlgorithm):
    """A search algorithm that hands batches of a study's trials to Tune.

    Parameters
    ----------
    worker : type
        The trainable.
    resources : ray.tune.PlacementGroupFactory
        Resources of a worker.
    rescue : callable, optional
        Fetches the remains of a batch whose worker died, by Tune's trial id.
    lost_with_node : callable, optional
        Decides if a worker was lost with its node, by Ray's id of the actor; None while that is unknown.
    doubt : float
        Number of seconds for which that may be unknown; 0 where no node can be lost.

    Attributes
    ----------
    batches : dict of str to Batch
        Batches that are with workers, by Tune's trial id.
    killed : set of str
        Trials whose worker the engine has killed at their deadline.
    started : dict of str to float
        Time at which a worker took a batch, by the driver's monotonic clock.
    error : Exception or None
        Error that ended the study early.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        worker: type,
        resources: Any,
        rescue: Rescue = lambda _: None,
        lost_with_node: Callable[[str], bool | None] = lambda _: False,
        doubt: float = 0.0,
    ) -> None:
        self.batches: dict[str, Batch] = {}
        self.killed: set[str] = set()
        self.started: dict[str, float] = {}
        self.error: Exception | None = None
        self._dispatcher, self._worker_class, self._resources = dispatcher, worker, resources
        self._rescue, self._lost_with_node, self._doubt = rescue, lost_with_node, doubt
        self._experiment: Any = None
        self._trials: dict[str, BatchTrial] = {}  # those that are with Tune
        self._ready: deque[Batch] = deque()
        self._back: list[_Back] = []
        self._checked: dict[str, float] = {}  # time of the last question about an actor

    def add_configurations(self, experiments: Any) -> None:
        """Take Tune's experiment, for its name and its storage."""
        (self._experiment,) = experiments

    def next_trial(self) -> BatchTrial | None:
        """Return the next batch; None while all that is left is with workers, and at the end."""
        if self.is_finished() or len(self.batches) >= self._dispatcher.workers:
            return None
        if not self._ready:
            self.settle()
            self.make_ready(1)
        if not self._ready:
            return None
        batch = self._ready.popleft()
        try:
            self._dispatcher.sending(batch)
        except Exception as error:  # kept for the engine, which raises it
            self.error = error
            self.set_finished()
            return None
        trial = BatchTrial(
            self._experiment.run_identifier,
            self._worker_class,
            self._dispatcher.message(batch),
            self._experiment.storage,
            self._resources,
            proposals=bool(batch.proposals),
        )
        self.batches[trial.trial_id] = batch
        self._trials[trial.trial_id] = trial
        return trial

    def make_ready(self, count: int | None = None) -> None:
        """Make batches until ``count`` are ready (default: one per worker); tell Tune if none is left."""
        try:
            while self.error is None and len(self._ready) < (count or self._dispatcher.workers):
                batch = self._dispatcher.ask()
                if isinstance(batch, Batch):
                    self._ready.append(batch)
                    continue
                if batch is DONE and not self._ready:
                    self.set_finished()
                return
        except Exception as error:  # kept for the engine, which raises it
            self.error = error
            self.set_finished()

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Take a worker's report, or the loss of the worker."""
        batch, trial = self.batches.pop(trial_id, None), self._trials.pop(trial_id, None)
        killed = trial_id in self.killed
        self.killed.discard(trial_id)
        now = time.monotonic()
        seconds = now - self.started.pop(trial_id, now)
        if batch is None:
            return
        if result is not None and "report" in result and not error:
            self._back.append((batch, result["report"], seconds))
        else:
            cause: Cause = "timeout" if killed else "crash"
            actor = trial.actor if trial is not None and self._doubt and not killed else ""
            lost = _Lost(cause, trial_id, actor, until=now + self._doubt)
            self._back.append((batch, lost, seconds))

    @property
    def unsettled(self) -> bool:
        """True if a report or a loss has not been entered."""
        return bool(self._back)

    def settle(self, all: bool = False) -> None:
        """Enter reports, and lost workers as soon as the cause is clear.

        Parameters
        ----------
        all : bool
            Enter also those of which it is not.
        """
        back, self._back = self._back, []
        for batch, report, seconds in back:
            if isinstance(report, _Lost) and not all and self._in_doubt(report):
                self._back.append((batch, report, seconds))
                continue
            if self.error is not None:
                return
            try:
                if isinstance(report, str):
                    self._dispatcher.tell(batch, unpack_report(report))
                else:
                    self._lose(batch, report, seconds)
            except Exception as failure:  # kept for the engine, which raises it
                self.error = failure

    def _in_doubt(self, lost: _Lost) -> bool:
        """Return True while it is unknown if a worker was lost with its node."""
        if not lost.actor or time.monotonic() > lost.until:
            return False
        now = time.monotonic()
        if now - self._checked.get(lost.actor, -_LOOK_SECONDS) < _LOOK_SECONDS:
            return True
        self._checked[lost.actor] = now
        return self._lost_with_node(lost.actor) is None

    def _lose(self, batch: Batch, lost: _Lost, seconds: float) -> None:
        if lost.cause == "crash" and lost.actor and self._lost_with_node(lost.actor):
            self._dispatcher.lose(batch, "node", seconds)
        else:
            self._dispatcher.lose(batch, lost.cause, seconds, self._rescue(lost.trial))

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune may pickle its search algorithm, and a copy could not use it."""
        return {}


__all__ = ["StudySearch"]

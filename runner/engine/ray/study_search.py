"""All runs of a study as one Ray Tune search algorithm.

To Tune every trial is one bundle. What a bundle holds, which run it serves and what becomes of
it is the `runner.engine.dispatch.dispatcher.Dispatcher`'s affair; here it only gets a trial id. Nothing may be
raised into Tune, which would end the whole experiment, so an error is kept for the engine.

A free lane is given its next bundle before anything else is done: bundles are made ready while the
lanes work, and what has come back is entered while they work on the next. They wait here and not
with Tune, which would ask for another lane for each that waits.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ray.tune.search.search_algorithm import SearchAlgorithm

from runner.engine.codec import unpack_report
from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.dispatch.recovery import Cause
from runner.engine.messages import Bundle, Rescued
from runner.engine.ray.batch_trial import BundleTrial
from runner.trial import DONE

Rescue = Callable[[str], Rescued | None]


@dataclass(frozen=True, slots=True)
class _Lost:
    """What is known of a lane that was lost: trial and actor by Ray's numbers, and for how long to doubt."""

    cause: Cause
    trial: str
    actor: str
    until: float


_Back = tuple[Bundle, str | _Lost, float]
"""With a report, or with what befell it; and how long it took."""

_LOOK_SECONDS = 0.5


class StudySearch(SearchAlgorithm):
    """Hands bundles of a study's trials to Tune, the run that is furthest behind first.

    Parameters
    ----------
    dispatcher : Dispatcher
    lane : type
        The trainable.
    resources : ray.tune.PlacementGroupFactory
        What a lane needs.
    rescue : callable, optional
        What a lane that died has left of a bundle, by Tune's trial id.
    went_with_node : callable, optional
        Whether a lane was lost with its node, by Ray's number of the actor; None for not yet known.
    doubt : float
        For how many seconds that may be unknown; 0 where no node can be lost.

    Attributes
    ----------
    lanes : int
        How many bundles may be with Tune at once; as many wait here.
    bundles : dict of str to Bundle
        What is on its way, by Tune's trial id.
    killed : set of str
        Trials whose lane the engine has killed at their deadline.
    started : dict of str to float
        When a lane took a bundle up, by the driver's monotonic clock.
    error : Exception or None
        What ended the study early.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        lane: type,
        resources: Any,
        lanes: int,
        rescue: Rescue = lambda _: None,
        went_with_node: Callable[[str], bool | None] = lambda _: False,
        doubt: float = 0.0,
    ) -> None:
        self.lanes = lanes
        self.bundles: dict[str, Bundle] = {}
        self.killed: set[str] = set()
        self.started: dict[str, float] = {}
        self.error: Exception | None = None
        self._dispatcher, self._lane, self._resources = dispatcher, lane, resources
        self._rescue, self._went_with_node, self._doubt = rescue, went_with_node, doubt
        self._experiment: Any = None
        self._trials: dict[str, BundleTrial] = {}  # those that are with Tune
        self._ready: deque[Bundle] = deque()
        self._back: list[_Back] = []
        self._judged: dict[str, float] = {}  # when it was last asked of an actor

    def add_configurations(self, experiments: Any) -> None:
        """Tune tells of its one experiment, for its name and its storage."""
        (self._experiment,) = experiments

    def next_trial(self) -> BundleTrial | None:
        """The next bundle; None while all that is left is on its way, and at the end."""
        if self.is_finished() or len(self.bundles) >= self.lanes:
            return None
        if not self._ready:
            self.settle()
            self.make_ready(1)
        if not self._ready:
            return None
        bundle = self._ready.popleft()
        try:
            self._dispatcher.sending(bundle)
        except Exception as error:  # kept for the engine, which raises it
            self.error = error
            self.set_finished()
            return None
        trial = BundleTrial(
            self._experiment.run_identifier,
            self._lane,
            self._dispatcher.message(bundle),
            self._experiment.storage,
            self._resources,
            thoughts=bool(bundle.thoughts),
        )
        self.bundles[trial.trial_id] = bundle
        self._trials[trial.trial_id] = trial
        return trial

    def make_ready(self, count: int | None = None) -> None:
        """Have so many bundles ready, by default one for each lane; at the end Tune is told so."""
        try:
            while self.error is None and len(self._ready) < (self.lanes if count is None else count):
                bundle = self._dispatcher.ask()
                if isinstance(bundle, Bundle):
                    self._ready.append(bundle)
                    continue
                if bundle is DONE and not self._ready:
                    self.set_finished()
                return
        except Exception as error:  # kept for the engine, which raises it
            self.error = error
            self.set_finished()

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Take a lane's report, or the loss of the lane."""
        bundle, trial = self.bundles.pop(trial_id, None), self._trials.pop(trial_id, None)
        killed = trial_id in self.killed
        self.killed.discard(trial_id)
        now = time.monotonic()
        seconds = now - self.started.pop(trial_id, now)
        if bundle is None:
            return
        if result is not None and "report" in result and not error:
            self._back.append((bundle, result["report"], seconds))
        else:
            cause: Cause = "timeout" if killed else "crash"
            actor = trial.actor if trial is not None and self._doubt and not killed else ""
            lost = _Lost(cause, trial_id, actor, until=now + self._doubt)
            self._back.append((bundle, lost, seconds))

    @property
    def unsettled(self) -> bool:
        """Whether something has come back that is not entered."""
        return bool(self._back)

    def settle(self, all: bool = False) -> None:
        """Enter what has come back: reports, and lanes that were lost, once it is clear by what.

        Parameters
        ----------
        all : bool
            Whether also those of which it is not clear.
        """
        back, self._back = self._back, []
        for bundle, report, seconds in back:
            if isinstance(report, _Lost) and not all and self._in_doubt(report):
                self._back.append((bundle, report, seconds))
                continue
            if self.error is not None:
                return
            try:
                if isinstance(report, str):
                    self._dispatcher.tell(bundle, unpack_report(report))
                else:
                    self._lose(bundle, report, seconds)
            except Exception as failure:  # kept for the engine, which raises it
                self.error = failure

    def _in_doubt(self, lost: _Lost) -> bool:
        """Whether it is not known yet if a lane went with its node."""
        if not lost.actor or time.monotonic() > lost.until:
            return False
        now = time.monotonic()
        if now - self._judged.get(lost.actor, -_LOOK_SECONDS) < _LOOK_SECONDS:
            return True
        self._judged[lost.actor] = now
        return self._went_with_node(lost.actor) is None

    def _lose(self, bundle: Bundle, lost: _Lost, seconds: float) -> None:
        if lost.cause == "crash" and lost.actor and self._went_with_node(lost.actor):
            self._dispatcher.lose(bundle, "node", seconds)
        else:
            self._dispatcher.lose(bundle, lost.cause, seconds, self._rescue(lost.trial))

    def __getstate__(self) -> dict[str, Any]:
        """Tune may pickle its search algorithm; there is nothing in this one that a copy could use."""
        return {}


__all__ = ["StudySearch"]

"""All runs of a study as one Ray Tune search algorithm.

To Tune every trial is one bundle. What a bundle holds, which run it serves and what becomes of
it is the `runner.dispatch.Dispatcher`'s affair; here it only gets a trial id. Nothing may be
raised into Tune, which would end the whole experiment, so an error is kept for the engine.
"""

from __future__ import annotations

import time
from typing import Any

from ray.tune.search import Searcher

from runner.bundles import Bundle, pack, unpack_report
from runner.dispatch import Dispatcher
from runner.trial import DONE, WAIT


class StudySearch(Searcher):
    """Hands bundles of a study's trials to Tune, the run that is furthest behind first.

    Parameters
    ----------
    dispatcher : Dispatcher

    Attributes
    ----------
    bundles : dict of str to Bundle
        What is on its way, by Tune's trial id.
    killed : set of str
        Trials whose lane the engine has killed at their deadline.
    started : dict of str to float
        When a lane took a bundle up, by the driver's monotonic clock.
    error : Exception or None
        What ended the study early.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(metric=None, mode=None)
        self._dispatcher = dispatcher
        self.bundles: dict[str, Bundle] = {}
        self.killed: set[str] = set()
        self.started: dict[str, float] = {}
        self.error: Exception | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next bundle as a Tune config, None while all is on its way, or FINISHED."""
        if self.error is not None:
            return str(Searcher.FINISHED)
        try:
            answer = self._dispatcher.ask()
            if answer is DONE:
                return str(Searcher.FINISHED)
            if answer is WAIT:
                return None
            self.bundles[trial_id] = answer
            return {"bundle": pack([self._dispatcher.task(job) for job in answer.jobs])}
        except Exception as error:  # kept for the engine, which raises it
            self.error = error
            return str(Searcher.FINISHED)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Enter a lane's report, or the loss of the lane."""
        bundle = self.bundles.pop(trial_id, None)
        killed = trial_id in self.killed
        self.killed.discard(trial_id)
        now = time.monotonic()
        seconds = now - self.started.pop(trial_id, now)
        if bundle is None or self.error is not None:
            return
        try:
            if result is not None and "report" in result and not error:
                self._dispatcher.tell(bundle, unpack_report(result["report"]))
            else:
                self._dispatcher.lose(bundle, "timeout" if killed else "crash", seconds)
        except Exception as failure:  # kept for the engine, which raises it
            self.error = failure

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the journal is the truth, and Tune's snapshots are never read."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing; see `save`."""

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its searcher; there is nothing in this one that a copy could use."""
        return {}


__all__ = ["StudySearch"]

"""A method as a Ray Tune search algorithm.

`MethodSearch` passes Tune's trials to a `runner.engine.runs.run.Run`, and holds little else: the numbers
of trial ids, and the initial points. Whatever a trial reports and whatever the method does, nothing is
raised into Tune once trials have started, because that would end the whole experiment.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ray.tune.search import Searcher

from runner.engine.runs.run import Run
from runner.errors import MethodError, SpaceError, describe
from runner.methods import Method, make_method
from runner.search.arguments import check_arguments, resolve_metric
from runner.search.initial_points import InitialPoints, searched
from runner.search.outcomes import outcome_of, same_trial
from runner.search.state import (
    foreign_state,
    read_state,
    to_json,
    view_from_json,
    view_to_json,
    write_state,
)
from runner.seeds import seed_for
from runner.space import Space
from runner.space.formats import View, view_for_tune
from runner.space.formats.json import space_from_json, space_to_json
from runner.space.formats.ray_tune import searched_view
from runner.trial import (
    DONE,
    Answer,
    Budget,
    Config,
    Order,
    Outcome,
    Pending,
    Status,
    Trial,
    pending_from_json,
    trial_from_json,
)

logger = logging.getLogger(__name__)

_MAX_FAILURES = 100  # consecutive configs that cannot be computed end a search; chosen by hand


class MethodSearch(Searcher):  # Ray's classes are not typed
    """Any method as a Ray Tune search algorithm.

    The last result of a trial counts. A metric that is missing, NaN or infinite makes the trial INVALID,
    an error FAILED; one that is stopped before its first result is STOPPED and has no loss. A trial that
    a scheduler has stopped early counts as completed, with its last value: Tune does not distinguish the
    two. (If a result lacks the metric, Tune itself ends the experiment unless
    TUNE_DISABLE_STRICT_METRIC_CHECKING=1.) A method that raises ends the search, with an error in the
    log; running trials still finish.

    A result may include a gradient of the metric, ``{"gradient": {"x": 0.5}}``, or one by the logarithms
    (``gradient_log``), ``gradient_exact: False`` if it is truncated, and ``loss_std``, the standard
    deviation of the metric's noise, for methods that use them.

    Parameters
    ----------
    method : str or Method
        A name of the registry, or a method with its settings.
    space : Space, mapping or expression, optional
        Any format that `runner.space.formats.to_view` reads. Default: Tune's ``param_space``, whose
        constants are passed to the trials unchanged.
    metric : str, optional
        Name in the results, the keys of nested results joined by "/". Default: that of
        ``tune.TuneConfig``; Tune passes it on only together with a ``param_space``.
    mode : "min" or "max", optional
        Likewise.
    trials : int, optional
        The budget, after which the search is finished, and to which a grid is sized. Default:
        Tune's ``num_samples`` if there is a ``param_space``, otherwise no limit.
    seed : int, default 0
        Proposals depend on the seed and the results only.
    max_concurrent : int, optional
        Maximum number of trials in flight; ``max_concurrent_trials`` of ``tune.TuneConfig`` overrides
        it. Default: as many as Tune starts.
    order : "async" or "trial", default "async"
        Trials known to a proposal: all that have ended, or, independently of their order of arrival,
        exactly those before the last ``max_concurrent`` (1 by default).
    points_to_evaluate : sequence of dict
        Configs to try first, in this order; the method sees them as trials that it has not proposed.
        Missing parameters are drawn.
    evaluated : sequence of (dict, float)
        Configs with their known metric from other sources; the method knows them from the start, and
        they spend no budget. See also `add_evaluated_point`.

    Raises
    ------
    MethodError
        If the method does not exist or cannot search the space, or an argument is invalid.
    SpaceError
        If the space or a point is invalid.

    Examples
    --------
    >>> search = MethodSearch("grid", {"x": [1, 2, 3]}, metric="loss", mode="min")
    >>> config = search.suggest("a trial")
    >>> search.on_trial_complete("a trial", {"loss": config["x"] ** 2})
    """

    _metric: str | None
    _mode: str | None

    def __init__(
        self,
        method: str | Method,
        space: Any = None,
        metric: str | None = None,
        mode: str | None = None,
        *,
        trials: int | None = None,
        seed: int = 0,
        max_concurrent: int | None = None,
        order: Order = "async",
        points_to_evaluate: Sequence[Mapping[str, Any]] = (),
        evaluated: Sequence[tuple[Mapping[str, Any], float]] = (),
    ) -> None:
        check_arguments(metric, mode, trials, seed, max_concurrent, order)
        super().__init__(metric=metric, mode=mode)
        self._metric, self._mode = resolve_metric(metric, mode)
        self._method = make_method(method) if isinstance(method, str) else method
        self._seed, self._order, self._limit = seed, order, max_concurrent
        self._given_trials = self._trials = trials
        self._initial = InitialPoints(points_to_evaluate, evaluated)
        self._numbers: dict[str, int] = {}  # Tune's trial id -> number
        self._view: View | None = None
        self._run: Run | None = None
        self._finished = False
        if space is not None:
            self._adopt(view_for_tune(space))

    # -- called by Tune -------------------------------------------------------------------------

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: Mapping[str, Any], **spec: Any
    ) -> bool:
        """Take metric, mode and, unless it has one, the space from Tune.

        Parameters
        ----------
        config : mapping
            Tune's ``param_space``.
        **spec
            ``num_samples`` is used if ``trials`` is not given.

        Returns
        -------
        bool
            False if both the search and ``param_space`` have a space; Tune then raises an error.

        Raises
        ------
        MethodError
            If the method cannot search the space, or metric or mode contradict the search's.
        SpaceError
            If the space or a point is invalid, or there are no parameters.
        """
        given = searched_view(config)
        if self._view is not None and given is not None:
            return False
        self._metric, self._mode = resolve_metric(self._metric, self._mode, metric, mode)
        samples = spec.get("num_samples")
        if self._given_trials is None and isinstance(samples, int) and 0 < samples < sys.maxsize:
            self._trials = samples
        if (view := self._view or given) is None:
            raise SpaceError(
                "expected at least one parameter, got none.",
                where="param_space",
                hint="Add a domain of ray.tune, such as tune.uniform(0, 1), or give the search a space.",
            )
        self._adopt(view)
        return True

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Take over the limit of Tune's `ConcurrencyLimiter`.

        Returns True, so that the limiter leaves the counting to the search: after a restore it would
        still count trials that have a new id. Its ``batch=True`` then has no effect.
        """
        self._limit = max_concurrent
        if self._run is not None and self._order == "trial":
            self._run.parallel = max_concurrent
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the config of the next trial, None while another must end first, or FINISHED.

        Raises
        ------
        MethodError
            On the first call only, if there is no space, metric or mode.
        """
        run = self._begin()
        if len(run.pending) >= (self._limit or math.inf):
            return None
        reason = ""
        for _ in range(_MAX_FAILURES):
            answer = run.ask()
            if isinstance(answer, Answer):
                return self._finish(run) if answer is DONE else None
            try:
                config: dict[str, Any] = self._ready()[0].native(answer.config)
            except Exception as error:  # hyperopt expressions run user code
                reason = describe(error)
                self._end(run, answer, Outcome(Status.FAILED, error=reason))
                continue
            self._numbers[trial_id] = answer.number
            return config
        run.give_up(f"{_MAX_FAILURES} consecutive configs could not be computed: {reason}")
        return self._finish(run)

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """Record the end of a trial.

        A second call for a trial is ignored. An unknown trial id belongs to a trial that Tune has
        restarted under a new id: it counts as the pending trial with its config, if there is one.
        """
        run = self._run
        if run is None:
            return
        if trial_id in self._numbers:
            pending = run.pending.get(self._numbers[trial_id])
        else:
            pending = same_trial(self._ready()[0], run.pending.values(), result)
        if pending is None:
            return
        self._numbers[trial_id] = pending.number
        metric = str(self._metric)
        self._end(run, pending, outcome_of(run.space, metric, self._mode, pending.config, result, error))

    def add_evaluated_point(
        self,
        parameters: Mapping[str, Any],
        value: float | None,
        error: bool = False,
        pruned: bool = False,
        intermediate_values: Sequence[float] | None = None,
    ) -> None:
        """Add a result from another source; it spends no budget.

        Parameters
        ----------
        parameters : mapping
            The config; unknown parameters are ignored.
        value : float or None
            The metric.
        error, pruned : bool, default False
            True if the evaluation failed, or was stopped early.
        intermediate_values : sequence of float, optional
            Not used.

        Raises
        ------
        MethodError
            If the search has no space or mode yet.
        SpaceError
            If the config is not in the space.
        """
        del intermediate_values
        view, _ = self._ready()
        self._know(searched(view, parameters), value, error, pruned)

    def get_state(self) -> dict[str, Any]:
        """Return the state that `save` writes."""
        run = self._run
        return self._identity() | {
            "form": None if self._view is None else view_to_json(self._view),
            "trials": self._trials,
            "limit": self._limit,
            "front": self._initial.to_json(),
            "ended": to_json(run.ended.values() if run else ()),
            "pending": to_json(run.pending.values() if run else ()),
            "numbers": self._numbers,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Resume from the result of `get_state`; see `restore`."""
        self._enter(state, "state")

    def save(self, checkpoint_path: str) -> None:
        """Write the state as JSON, atomically.

        `save_to_dir` uses the file name of Tune's own searches, so that wrappers find it.
        """
        write_state(checkpoint_path, self.get_state())

    def restore(self, checkpoint_path: str) -> None:
        """Resume from a file that `save` wrote.

        Running trials stay pending until Tune reports them: it requeues them, unless
        ``resume_unfinished=False``.

        Raises
        ------
        MethodError
            If the file cannot be read, or belongs to another method, setting, seed, order, space,
            metric or mode.
        """
        state = read_state(checkpoint_path)
        try:
            self._enter(state, checkpoint_path)
        except (KeyError, TypeError, ValueError) as error:
            raise MethodError(f"not the state of a search ({error!r}).", where=checkpoint_path) from None

    # -- internal -------------------------------------------------------------------------------

    def _adopt(self, view: View) -> None:
        """Set the space, and check it now instead of at the first trial."""
        self._prepared(view.space)
        self._initial.fit(view, self._seed)
        self._view = view

    def _prepared(self, space: Space) -> Method:
        return self._method.prepare(space, self._rest, self._limit or 1)

    @property
    def _rest(self) -> int | None:
        """The budget of the method's own proposals."""
        return None if self._trials is None else max(0, self._trials - len(self._initial.points))

    def _ready(self) -> tuple[View, str]:
        """Return space and metric; MethodError if they or the mode are not known."""
        view, metric, mode = self._view, self._metric, self._mode
        if view is None or metric is None or mode is None:
            what = "space" if view is None else "metric" if metric is None else "mode"
            raise MethodError(
                f"missing {what}.",
                where=type(self).__name__,
                hint=f"Pass {what}=...: without a param_space Tune passes nothing on.",
            )
        return view, metric

    def _end(self, run: Run, pending: Pending, outcome: Outcome) -> None:
        """Record the outcome of a proposed trial."""
        seconds, known = pending.suggest_seconds, pending.known
        run.tell(Trial(pending.number, pending.config, outcome, suggest_seconds=seconds, known=known))

    def _know(self, config: Config, value: float | None, error: bool = False, pruned: bool = False) -> None:
        """Record a result from another source."""
        view, metric = self._ready()
        outcome = outcome_of(view.space, metric, self._mode, config, {metric: value}, error)
        if pruned and outcome.status is Status.COMPLETED:
            outcome = dataclasses.replace(outcome, status=Status.STOPPED, error=Status.STOPPED.meaning)
        trial = self._initial.add(config, outcome)
        if self._run is not None:
            self._run.add_known(trial)

    def _begin(self, ended: Sequence[Trial] = (), pending: Sequence[Pending] = ()) -> Run:
        if self._run is None:
            space = self._ready()[0].space
            while self._initial.evaluated:
                self._know(*self._initial.evaluated.pop(0))
            self._run = Run(
                space,
                self._prepared(space),
                seed_for(self._seed, "propose", bits=128),
                Budget(trials=self._trials),
                # With order "async" a run would wait for its oldest trial; `suggest` limits instead.
                parallel=sys.maxsize if self._order == "async" else self._limit or 1,
                order=self._order,
                history=ended,
                known=self._initial.known,
                pending=pending,
                first=self._initial.points,
            )
        return self._run

    def _finish(self, run: Run) -> str:
        if not self._finished:
            self._finished = True
            level = logging.ERROR if run.failed else logging.INFO
            logger.log(level, "The %s search has ended: %s.", self._method.name, run.end_reason)
        return str(Searcher.FINISHED)

    def _identity(self) -> dict[str, Any]:
        """Return what a state must share with the search that resumes from it, as JSON."""
        return {
            "method": self._method.name,
            "settings": json.loads(json.dumps(self._method.settings(), default=repr)),
            "seed": self._seed,
            "order": self._order,
            "space": None if self._view is None else space_to_json(self._view.space),
            "metric": self._metric,
            "mode": self._mode,
        }

    def _enter(self, state: Mapping[str, Any], where: str) -> None:
        for what, own in self._identity().items():
            if own is not None and own != state[what]:
                raise foreign_state(what, state[what], own, where)
        self._metric, self._mode = state["metric"], state["mode"]
        self._limit = self._limit or state["limit"]
        self._initial = InitialPoints.from_json(state["front"])
        self._numbers = state["numbers"]
        self._trials, self._run, self._finished = state["trials"], None, False
        if state["space"] is None:
            return
        self._view = self._view or view_from_json(state["form"], space_from_json(state["space"]), where)
        then = self._prepared(self._view.space)
        if self._given_trials is not None:
            self._trials = self._given_trials
            if self._prepared(self._view.space) != then:  # a grid of another size
                raise foreign_state("trials", state["trials"], self._given_trials, where)
        self._begin(
            list(map(trial_from_json, state["ended"])), list(map(pending_from_json, state["pending"]))
        )

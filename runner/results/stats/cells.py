"""`Cells`: what stands where in a study, at any budget; the ground of `runner.results.stats.Comparison`."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results import Results
from runner.results.stats.averages import Resampled
from runner.results.stats.blocks import Blocks, Layout, copies_of
from runner.results.stats.curves import AXES, Axis, Curves, common_budget, curves, grid_to
from runner.results.stats.intervals import Scope
from runner.results.stats.offscale import ceilings
from runner.results.stats.regret import instances, random_draws, regrets
from runner.results.stats.source import Source, joined

Floats = NDArray[np.float64]


class Cells:
    """The frames of a comparison, its curves, and its cells at a budget.

    Parameters
    ----------
    source : Source

    Attributes
    ----------
    name : str
    methods, problems : list of str
        In the order in which they were planned; methods by their labels.
    plan : Plan
    trials, runs, steps, reach : pandas.DataFrame
        As in `runner.results.Results`.
    problem_facts, parameters : pandas.DataFrame
        See `runner.results.stats.source.problem_facts` and `parameters_of`.
    notes : tuple of str
        What must be told.
    axis : str
        The axis that is fair to all methods: full evaluations where trials were stopped early, else
        trials.
    """

    axes = AXES

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name, self.plan, self.notes = source.name, source.plan, source.notes
        self.trials, self.runs, self.steps, self.reach = (
            source.trials,
            source.runs,
            source.steps,
            source.reach,
        )
        self.problem_facts, self.parameters = source.facts, source.parameters
        self.methods: list[str] = self.runs["method"].drop_duplicates().tolist()
        self.problems: list[str] = self.runs["problem"].drop_duplicates().tolist()
        staged = self.trials["status"].eq("STOPPED").any() or self.trials["share"].ne(1.0).any()
        self.axis: Axis = "equivalents" if staged else "trials"

    @classmethod
    def of(cls, *studies: Results) -> Self:
        """That of one study, or of several over the same problems.

        Raises
        ------
        ResultsError
            Where several have no block in common.
        """
        return cls(joined(studies))

    # -- what is there ----------------------------------------------------------------------------

    @cached_property
    def method_names(self) -> dict[str, str]:
        """Registered names by labels."""
        return dict(zip(self.runs["method"], self.runs["method_name"], strict=True))

    @cached_property
    def instances(self) -> pd.DataFrame:
        """See `runner.results.stats.regret.instances`."""
        return instances(self.trials, self.runs, self.ceilings)

    @cached_property
    def ceilings(self) -> dict[str, float]:
        """For each problem the least loss that is a penalty; see `runner.results.stats.offscale`."""
        return ceilings(self.trials)

    @cached_property
    def draws(self) -> pd.DataFrame:
        """The draws of independent random search; see `runner.results.stats.regret.random_draws`."""
        return random_draws(self.trials, self.runs, self.ceilings)

    @cached_property
    def random(self) -> str | None:
        """The label of the random search that targets come from; None where none ran."""
        found = self.runs[self.runs["run"].isin(self.draws["run"])]["method"]
        return str(found.iloc[0]) if len(found) else None

    @cached_property
    def signs(self) -> dict[str, float]:
        """Of each problem 1.0 where its metric is minimised, else -1.0."""
        first = self.runs.drop_duplicates("problem")
        return dict(
            zip(first["problem"], np.where(first["direction"].eq("minimize"), 1.0, -1.0), strict=True)
        )

    @property
    def unfinished(self) -> bool:
        """Whether some run has not ended."""
        return not bool(self.reach["ended"].all())

    @cached_property
    def empty(self) -> str:
        """Why nothing can be compared at all; empty where something can."""
        if not len(self.trials):
            return "no trial has ended yet."
        if not self.instances["reason"].eq("").any():
            return "no trial was valid."
        if len(self.methods) < 2:
            return "the study has one method, so there is nothing to compare it with."
        if self.instances["flat"].all():
            return "every trial has the same loss, so there is nothing to tell the methods apart."
        return ""

    @cached_property
    def _common(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for axis in AXES:
            most = common_budget(self.reach, axis)
            if math.isnan(most):  # every run ended of itself
                most = float(self.steps[axis].max()) if len(self.steps) else 0.0
            found[axis] = most
        return found

    def common(self, axis: Axis | None = None) -> float:
        """The largest budget at which the methods can be compared; see `common_budget`."""
        return self._common[axis or self.axis]

    def budgets(self, axis: Axis | None = None) -> tuple[float, ...]:
        """The budgets at which verdicts are given; see `Plan.checkpoints`."""
        axis = axis or self.axis
        return self.plan.checkpoints(self.common(axis), axis)

    # -- curves and cells -------------------------------------------------------------------------

    def grid(self, axis: Axis | None = None) -> Floats:
        """Budgets up to the largest that any run has spent."""
        axis = axis or self.axis
        spent = self.reach[axis].to_numpy(dtype=np.float64)
        most = float(spent[np.isfinite(spent)].max(initial=0.0)) or self.common(axis)
        least = float(self.steps[axis].min()) if len(self.steps) else 0.0
        return grid_to(most, axis, least)

    @cached_property
    def layout(self) -> Layout:
        """Where each run stands in the blocks."""
        of_runs = dict(zip(self.runs["run"], copies_of(self.trials, self.runs), strict=True))
        copies = np.array([of_runs[run] for run in self.reach["run"]], dtype=np.int64)
        return Layout(self.reach, self.methods, self.problems, copies)

    def points(self, grid: Floats, axis: Axis) -> tuple[Curves, Floats]:
        """The curves of all runs at the budgets of a grid, and their regrets, shape (runs, budgets)."""
        key = (axis, tuple(grid.tolist()))
        if key not in self._kept:
            found = curves(self.steps, self.reach, grid, axis)
            self._kept[key] = found, regrets(found.loss, self.reach, self.instances)
        return self._kept[key]

    @cached_property
    def _kept(self) -> dict[tuple[Axis, tuple[float, ...]], tuple[Curves, Floats]]:
        return {}

    def curves(self, axis: Axis | None = None, grid: Floats | None = None) -> pd.DataFrame:
        """The incumbents of all runs over the budget.

        Returns
        -------
        pandas.DataFrame
            problem, method, seed, budget, loss, value, test, reached (see
            `runner.results.stats.curves.Curves`), regret, imputed (no valid trial so far, so a regret of 1).
            One row per run and budget.
        """
        axis = axis or self.axis
        points = self.grid(axis) if grid is None else np.asarray(grid, dtype=np.float64)
        found, regret = self.points(points, axis)
        m = len(points)
        keys = {
            name: self.reach[name].repeat(m).reset_index(drop=True) for name in ("problem", "method", "seed")
        }
        return pd.DataFrame(
            {
                **keys,
                "budget": np.tile(points, len(self.reach)),
                **{name: getattr(found, name).ravel() for name in ("loss", "value", "test", "reached")},
                "regret": regret.ravel(),
                "imputed": np.isnan(found.loss).ravel(),
            }
        )

    def cells(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """Where each run stands at one budget.

        Returns
        -------
        pandas.DataFrame
            As `curves`, and used: whether the block counts (see `runner.results.stats.blocks`).
        """
        axis, budget = self._at(budget, axis)
        frame = self.curves(axis, np.array([budget]))
        reached, imputed = (frame[name].to_numpy(dtype=bool) for name in ("reached", "imputed"))
        return frame.assign(used=self.layout.used(reached, ~imputed))

    def _at(self, budget: float | None, axis: Axis | None) -> tuple[Axis, float]:
        axis = axis or self.axis
        return axis, self.common(axis) if budget is None else float(budget)

    def blocks(self, budget: float | None = None, axis: Axis | None = None) -> Blocks:
        """The normalised regrets at a budget, paired by block."""
        axis, budget = self._at(budget, axis)
        return self.blocks_over(np.array([budget]), axis)[0]

    def losses(self, budget: float | None = None, axis: Axis | None = None) -> Blocks:
        """The losses at a budget, infinite where there is none, paired by block."""
        axis, budget = self._at(budget, axis)
        return self.blocks_over(np.array([budget]), axis, losses=True)[0]

    def blocks_over(self, grid: Floats, axis: Axis, losses: bool = False) -> list[Blocks]:
        """`blocks`, or `losses`, at each budget of a grid."""
        found, regret = self.points(grid, axis)
        valid = ~np.isnan(found.loss)
        values = np.where(valid, found.loss, math.inf) if losses else regret
        return [self.layout.blocks(values[:, b], found.reached[:, b], valid[:, b]) for b in range(len(grid))]

    def resampled(
        self,
        budget: float | None = None,
        axis: Axis | None = None,
        scope: Scope = "seeds",
    ) -> Resampled:
        """The average regrets at a budget with their resamples."""
        key = (*self._at(budget, axis), scope)
        if key not in self._samples:
            self._samples[key] = self.sampled(self.blocks(key[1], key[0]), scope)
        return self._samples[key]

    def sampled(self, blocks: Blocks, scope: Scope = "seeds") -> Resampled:
        """The average regrets of some blocks; of equal ones the same."""
        key = (scope, blocks.problems, *(part.tobytes() for part in (*blocks.seeds, *blocks.values)))
        if key not in self._by_content:
            self._by_content[key] = Resampled(blocks, scope)
        return self._by_content[key]

    @cached_property
    def _samples(self) -> dict[tuple[Axis, float, Scope], Resampled]:
        return {}

    @cached_property
    def _by_content(self) -> dict[tuple[object, ...], Resampled]:
        return {}

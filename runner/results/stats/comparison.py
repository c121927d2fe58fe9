"""`Comparison`: the curves and cells of a study, which all statistics are made of."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results import Results
from runner.results.stats.averages import Resampled
from runner.results.stats.blocks import Blocks, Layout, copies_of
from runner.results.stats.curves import AXES, Axis, Curves, common_budget, curves, grid_to
from runner.results.stats.decision import Decision, decide, ranked
from runner.results.stats.offscale import ceilings
from runner.results.stats.pairs import Pair, all_pairs, pairs_against
from runner.results.stats.regret import instances, random_draws, regrets
from runner.results.stats.source import Source, joined

Floats = NDArray[np.float64]

MOST_SHOWN: Final = 20
"""Methods in one figure: more curves cannot be told apart, and pairs grow with the square of the number."""


class Comparison:
    """The runs of one study, or of several over the same problems, at any budget.

    Made by `Comparison.of`. Statistics are functions of a comparison, or of its blocks. Nothing is raised
    for thin or odd data: a statistic that cannot be computed gives a reason instead (see
    `runner.results.stats.shape`). ``budget`` defaults to the common one and ``axis`` to the fair one.

    Attributes
    ----------
    methods, problems : list of str
        In the order in which they were planned; methods by their labels.
    trials, runs, steps, reach : pandas.DataFrame
        As in `runner.results.Results`.
    problem_facts, parameters : pandas.DataFrame
        See `runner.results.stats.source.problem_facts` and `parameters_of`.
    notes : tuple of str
        Remarks to show with every result.
    axis : str
        The axis that is fair to all methods: full evaluations where trials were stopped early, else
        trials.
    memo : dict
        Statistics computed so far; see `runner.results.stats.shape.cached`.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name, self.plan, self.notes = source.name, source.plan, source.notes
        self.trials, self.runs = source.trials, source.runs
        self.steps, self.reach = source.steps, source.reach
        self.problem_facts, self.parameters = source.facts, source.parameters
        self.methods: list[str] = self.runs["method"].drop_duplicates().tolist()
        self.problems: list[str] = self.runs["problem"].drop_duplicates().tolist()
        staged = self.trials["status"].eq("STOPPED").any() or self.trials["share"].ne(1.0).any()
        self.axis: Axis = "equivalents" if staged else "trials"
        self.memo: dict[tuple[object, ...], Any] = {}
        self._points: dict[tuple[Axis, tuple[float, ...]], tuple[Curves, Floats]] = {}
        self._samples: dict[tuple[object, ...], Resampled] = {}
        self._decisions: dict[Resampled, Decision | None] = {}

    @classmethod
    def of(cls, *studies: Results) -> Comparison:
        """Compare the methods of one study, or of several over the same problems.

        Raises
        ------
        ResultsError
            Where several have no block in common.
        """
        return cls(joined(studies))

    # -- facts ------------------------------------------------------------------------------------

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
        """The least penalty of each problem; see `runner.results.stats.offscale`."""
        return ceilings(self.trials)

    @cached_property
    def draws(self) -> pd.DataFrame:
        """The draws of independent random search; see `runner.results.stats.regret.random_draws`."""
        return random_draws(self.trials, self.runs, self.ceilings)

    @cached_property
    def random(self) -> str | None:
        """The label of the random search that targets come from; None if none ran."""
        labels = self.runs[self.runs["run"].isin(self.draws["run"])]["method"]
        return str(labels.iloc[0]) if len(labels) else None

    @cached_property
    def signs(self) -> dict[str, float]:
        """1.0 for each problem whose metric is minimised, -1.0 for the others."""
        first = self.runs.drop_duplicates("problem")
        return dict(
            zip(first["problem"], np.where(first["direction"].eq("minimize"), 1.0, -1.0), strict=True)
        )

    @property
    def unfinished(self) -> bool:
        """True as long as a run has not ended."""
        return not bool(self.reach["ended"].all())

    @cached_property
    def empty(self) -> str:
        """The reason why nothing can be compared at all; empty if something can."""
        if not len(self.trials):
            return "no trial has ended yet."
        if not self.instances["reason"].eq("").any():
            return "no trial was valid."
        if len(self.methods) < 2:
            return "the study has only one method, so there is nothing to compare."
        if self.instances["flat"].all():
            return "all trials have the same loss, so the methods cannot be told apart."
        return ""

    @cached_property
    def foremost(self) -> list[str]:
        """The methods that figures and pairs show, as planned.

        All; or, of many, those with the lowest regrets at the common budget, the reference, and whatever
        the verdicts name.
        """
        best = ranked(self.methods, self.resampled().middle, self.method_names)[:MOST_SHOWN]
        shown = {*best, self.plan.reference}
        for decision in map(self.decision, self.budgets()):
            shown |= {decision.leader, decision.recommended} if decision is not None else set()
        return [method for method in self.methods if method in shown]

    def pairs(self, against: str = "all") -> list[Pair]:
        """All ordered pairs of the foremost methods, or all methods against "reference" or a method."""
        if against == "all":
            return all_pairs(self.foremost)
        reference = self.plan.reference if against == "reference" else against
        return pairs_against(self.methods, reference) if reference in self.methods else []

    # -- budgets ----------------------------------------------------------------------------------

    @cached_property
    def _common(self) -> dict[Axis, float]:
        common: dict[Axis, float] = {}
        for axis in AXES:
            most = common_budget(self.reach, axis)
            if math.isnan(most):  # every run ended before its budget was spent
                most = float(self.steps[axis].max()) if len(self.steps) else 0.0
            common[axis] = most
        return common

    def common(self, axis: Axis | None = None) -> float:
        """The largest budget at which the methods can be compared; see `common_budget`."""
        return self._common[axis or self.axis]

    def budgets(self, axis: Axis | None = None) -> tuple[float, ...]:
        """The budgets at which verdicts are given; see `ComparisonPlan.checkpoints`."""
        axis = axis or self.axis
        return self.plan.checkpoints(self.common(axis), axis)

    def grid(self, axis: Axis | None = None) -> Floats:
        """Budgets up to the largest that any run has spent."""
        axis = axis or self.axis
        spent = self.reach[axis].to_numpy(dtype=np.float64)
        most = float(spent[np.isfinite(spent)].max(initial=0.0)) or self.common(axis)
        return grid_to(most, axis, self.least(axis))

    def least(self, axis: Axis) -> float:
        """The budget that the quickest first trial spent."""
        return float(self.steps[axis].min()) if len(self.steps) else 0.0

    def at(self, budget: float | None, axis: Axis | None) -> tuple[float, Axis]:
        """Fill in the defaults of a budget and an axis."""
        axis = axis or self.axis
        return (self.common(axis) if budget is None else float(budget)), axis

    # -- curves and cells -------------------------------------------------------------------------

    @cached_property
    def layout(self) -> Layout:
        """The place of each run in the blocks."""
        of_runs = dict(zip(self.runs["run"], copies_of(self.trials, self.runs), strict=True))
        copies = np.array([of_runs[run] for run in self.reach["run"]], dtype=np.int64)
        return Layout(self.reach, self.methods, self.problems, copies)

    def points(self, grid: Floats, axis: Axis) -> tuple[Curves, Floats]:
        """The curves of all runs at the budgets of a grid, and their regrets, shape (runs, budgets)."""
        key = (axis, tuple(grid.tolist()))
        if key not in self._points:
            known = curves(self.steps, self.reach, grid, axis)
            self._points[key] = known, regrets(known.loss, self.reach, self.instances)
        return self._points[key]

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
        known, regret = self.points(points, axis)
        m = len(points)
        keys = {
            name: self.reach[name].repeat(m).reset_index(drop=True) for name in ("problem", "method", "seed")
        }
        return pd.DataFrame(
            {
                **keys,
                "budget": np.tile(points, len(self.reach)),
                **{name: getattr(known, name).ravel() for name in ("loss", "value", "test", "reached")},
                "regret": regret.ravel(),
                "imputed": np.isnan(known.loss).ravel(),
            }
        )

    def cells(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """The incumbents of all runs at one budget.

        Returns
        -------
        pandas.DataFrame
            As `curves`, and used: the block counts (see `runner.results.stats.blocks`).
        """
        budget, axis = self.at(budget, axis)
        frame = self.curves(axis, np.array([budget]))
        reached, imputed = (frame[name].to_numpy(dtype=bool) for name in ("reached", "imputed"))
        return frame.assign(used=self.layout.used(reached, ~imputed))

    def used(self, axis: Axis | None = None) -> set[tuple[str, int]]:
        """The blocks (problem, seed) that count at the common budget."""
        rows = self.cells(axis=axis)[lambda cells: cells["used"]]
        return set(zip(rows["problem"], rows["seed"], strict=True))

    def blocks(self, budget: float | None = None, axis: Axis | None = None) -> Blocks:
        """The normalised regrets at a budget, paired by block."""
        budget, axis = self.at(budget, axis)
        return self.blocks_over(np.array([budget]), axis)[0]

    def losses(self, budget: float | None = None, axis: Axis | None = None) -> Blocks:
        """The losses at a budget, infinite where there is none, paired by block."""
        budget, axis = self.at(budget, axis)
        return self.blocks_over(np.array([budget]), axis, losses=True)[0]

    def blocks_over(self, grid: Floats, axis: Axis, losses: bool = False) -> list[Blocks]:
        """`blocks`, or `losses`, at each budget of a grid."""
        known, regret = self.points(grid, axis)
        valid = ~np.isnan(known.loss)
        values = np.where(valid, known.loss, math.inf) if losses else regret
        return [self.layout.blocks(values[:, b], known.reached[:, b], valid[:, b]) for b in range(len(grid))]

    # -- the decision -----------------------------------------------------------------------------

    def resampled(self, budget: float | None = None, axis: Axis | None = None) -> Resampled:
        """The average regrets at a budget with their resamples."""
        return self.sampled(self.blocks(budget, axis))

    def sampled(self, blocks: Blocks) -> Resampled:
        """The average regrets of blocks; the same object for equal blocks."""
        key = (blocks.problems, *(part.tobytes() for part in (*blocks.seeds, *blocks.values)))
        if key not in self._samples:
            self._samples[key] = Resampled(blocks)
        return self._samples[key]

    def decision(self, budget: float | None = None, axis: Axis | None = None) -> Decision | None:
        """The decision at a budget; see `runner.results.stats.decision`. None if no block is complete."""
        return self.decided(self.resampled(budget, axis))

    def decided(self, sample: Resampled) -> Decision | None:
        """The decision from average regrets of this comparison; None if nothing can be compared."""
        if sample not in self._decisions:
            decision = None if self.empty else decide(sample, self.plan.rope, self.method_names)
            self._decisions[sample] = decision
        return self._decisions[sample]

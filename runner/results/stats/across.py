"""`Across`: what methods reach on the average over problems and seeds, and how sure that is."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.stats import anytime, averages, pairs, per_problem, significance
from runner.results.stats.cells import Cells
from runner.results.stats.curves import Axis, grid_to
from runner.results.stats.decision import Decision, decide, ranked, seeds_needed
from runner.results.stats.intervals import Scope
from runner.results.stats.shape import table

Floats = NDArray[np.float64]

MOST_SHOWN: Final = 20
"""Of so many methods curves can be told apart; and pairs grow with the square of their number."""
_MOST_POINTS = 40


class Across(Cells):
    """The statistics of averages, pairs and tests."""

    # -- across problems --------------------------------------------------------------------------

    def regret(
        self, budget: float | None = None, axis: Axis | None = None, scope: Scope = "seeds"
    ) -> pd.DataFrame:
        """See `runner.results.stats.averages.regrets`."""
        return averages.regrets(self.resampled(budget, axis, scope))

    def decision(
        self, budget: float | None = None, axis: Axis | None = None, scope: Scope = "seeds"
    ) -> Decision | None:
        """The decision at a budget; see `runner.results.stats.decision`. None where no block is complete."""
        return self.decided(self.resampled(budget, axis, scope))

    def decided(self, sample: averages.Resampled) -> Decision | None:
        """The decision from average regrets of this comparison; None where nothing can be compared."""
        if sample not in self._decisions:
            found = None if self.empty else decide(sample, self.plan.rope, self.method_names)
            self._decisions[sample] = found
        return self._decisions[sample]

    @cached_property
    def _decisions(self) -> dict[averages.Resampled, Decision | None]:
        return {}

    @cached_property
    def foremost(self) -> list[str]:
        """The methods that figures and pairs show, as planned.

        All, or of many those with the lowest regrets at the common budget, the reference, and whatever
        the verdicts name.
        """
        best = ranked(self.methods, self.resampled().middle, self.method_names)[:MOST_SHOWN]
        found = {*best, self.plan.reference}
        for decision in map(self.decision, self.budgets()):
            found |= {decision.leader, decision.recommended} if decision is not None else set()
        return [method for method in self.methods if method in found]

    def differences(
        self,
        budget: float | None = None,
        axis: Axis | None = None,
        scope: Scope = "seeds",
        to: str | None = None,
    ) -> pd.DataFrame:
        """See `runner.results.stats.averages.differences`; ``to`` is the reference, a method, or "leader"."""
        if to is None:
            to = self.plan.reference
        if to == "leader" and "leader" not in self.methods:
            found = self.decision(budget, axis, scope)
            to = None if found is None else found.leader
        if to is None or to not in self.methods:
            return table([], {"method": "text"}, averages.NO_BLOCK)
        return averages.differences(self.resampled(budget, axis, scope), to, self.plan.rope)

    def beats(
        self, budget: float | None = None, axis: Axis | None = None, against: str = "all"
    ) -> pd.DataFrame:
        """See `runner.results.stats.pairs.beats`."""
        return pairs.beats(self.blocks(budget, axis), self._pairs(against), self.plan.gamma)

    def beats_by_problem(
        self, budget: float | None = None, axis: Axis | None = None, against: str = "all"
    ) -> pd.DataFrame:
        """See `runner.results.stats.pairs.beats_by_problem`."""
        return pairs.beats_by_problem(self.blocks(budget, axis), self._pairs(against))

    def seeds_needed(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.results.stats.decision.seeds_needed`."""
        found = self.decision(budget, axis)
        if found is None:
            return table([], {"method": "text"}, averages.NO_BLOCK)
        return seeds_needed(self.resampled(budget, axis), found.leader, self.plan.rope, self.plan.gamma)

    def wilcoxon(
        self, budget: float | None = None, axis: Axis | None = None, against: str = "reference"
    ) -> pd.DataFrame:
        """See `runner.results.stats.significance.wilcoxon_holm`."""
        return significance.wilcoxon_holm(self.blocks(budget, axis), self._once(against))

    def signed_rank(
        self, budget: float | None = None, axis: Axis | None = None, against: str = "all"
    ) -> pd.DataFrame:
        """See `runner.results.stats.significance.signed_rank`; of each pair once."""
        return significance.signed_rank(self.blocks(budget, axis), self._once(against), self.plan.rope)

    def friedman(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.results.stats.significance.friedman`."""
        return significance.friedman(self.blocks(budget, axis))

    def friedman_ranks(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.results.stats.significance.friedman_ranks`."""
        return significance.friedman_ranks(self.blocks(budget, axis))

    def ranks(
        self, axis: Axis | None = None, grid: Floats | None = None, scope: Scope = "seeds"
    ) -> pd.DataFrame:
        """The average rank of each method over the budget: method, budget, rank, lower, upper, pool.

        Ranks depend on which other methods there are: ``pool`` says how many.
        """
        axis = axis or self.axis
        points = self.grid(axis) if grid is None else np.asarray(grid, dtype=np.float64)
        parts = []
        for budget, losses in zip(points, self.blocks_over(points, axis, losses=True), strict=True):
            found = averages.mean_ranks(losses, scope)  # not of regrets, which are equal above 1
            found.insert(1, "budget", float(budget))
            found.insert(5, "pool", len(self.methods))
            parts.append(found)
        return pd.concat(parts, ignore_index=True) if parts else self.ranks(axis, np.zeros(1), scope)

    def areas(self, axis: Axis | None = None, log: bool = False, scope: Scope = "seeds") -> pd.DataFrame:
        """The mean regret over the budget, up to the common one: method, auc, lower, upper."""
        axis = axis or self.axis
        most = self.common(axis)
        least = float(self.steps[axis].min()) if len(self.steps) else 0.0
        grid = grid_to(most, axis, least)
        if not len(grid):
            return averages.mean_table(self.blocks(most, axis), "auc", scope)
        found, regret = self.points(grid, axis)
        valid = ~np.isnan(found.loss[:, -1])
        heights = averages.area(grid, regret, log)
        areas = averages.mean_table(self.layout.blocks(heights, found.reached[:, -1], valid), "auc", scope)
        copies = self.blocks(most, axis).constant
        copies &= areas["reason"].eq("").to_numpy(dtype=bool)  # they have no spread to judge by
        areas["reason"] = areas["reason"].mask(copies, averages.COPIES)
        areas["lower"], areas["upper"] = areas["lower"].mask(copies), areas["upper"].mask(copies)
        areas["lower"], areas["upper"] = areas["lower"].clip(lower=0), areas["upper"].clip(upper=1)
        return areas

    def anytime(self, axis: Axis | None = None, grid: Floats | None = None) -> pd.DataFrame:
        """See `runner.results.stats.anytime.anytime`; the lines of random search on the axes that count only."""
        axis = axis or self.axis
        points = self.grid(axis) if grid is None else np.asarray(grid, dtype=np.float64)
        if grid is None and len(points) > _MOST_POINTS:
            points = points[np.unique(np.geomspace(1, len(points), _MOST_POINTS).round().astype(int) - 1)]
        lines = []
        if axis in ("trials", "equivalents"):
            used = self.cells(None, axis)[lambda cells: cells["used"]]
            blocks = set(zip(used["problem"], used["seed"], strict=True))
            lines = anytime.reference_lines(self.draws, self.instances, blocks, points)
        return anytime.anytime(self.blocks_over(points, axis), points, self.common(axis), lines)

    def by_problem(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.results.stats.per_problem.by_problem`."""
        blocks, losses = self.blocks(budget, axis), self.losses(budget, axis)
        return per_problem.by_problem(blocks, losses, self.signs, self.plan.rope)

    # -- inside -----------------------------------------------------------------------------------

    def _pairs(self, against: str) -> list[pairs.Pair]:
        if against == "all":
            return pairs.all_pairs(self.foremost)
        reference = self.plan.reference if against == "reference" else against
        return pairs.pairs_against(self.methods, reference) if reference in self.methods else []

    def _once(self, against: str) -> list[pairs.Pair]:
        found = self._pairs(against)
        return [(a, b) for a, b in found if against != "all" or self.methods.index(a) < self.methods.index(b)]

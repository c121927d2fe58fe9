"""`Against`: how methods compare with random search, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.results.stats import costs, decision_map, targets
from runner.results.stats.across import Across
from runner.results.stats.curves import Axis, curves
from runner.results.stats.regret import regrets

Floats = NDArray[np.float64]


class Against(Across):
    """Fixed targets, break-even times and the decision map."""

    # -- against random search --------------------------------------------------------------------

    @cached_property
    def target_counts(self) -> tuple[int, ...]:
        """See `runner.results.stats.targets.target_counts`."""
        return targets.target_counts(self.draws)

    def target(self, budget: float | None = None) -> int:
        """The target of speed-ups at a budget: what random search finds in half of it; 0 for none."""
        most = self.common("trials") if budget is None else budget
        fitting = [b for b in self.target_counts if b <= max(most / 2, 5)]
        return max(fitting, default=0)

    def run_times(self, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.results.stats.targets.run_times`; of the blocks that count at the common budget."""
        axis = axis or self.axis
        if axis not in self._times:
            wanted = targets.targets(self.draws, self.target_counts)
            times = targets.run_times(self.steps, self.reach, wanted, axis)
            used = self.cells()[lambda cells: cells["used"]]
            self._times[axis] = targets.within(times, set(zip(used["problem"], used["seed"], strict=True)))
        return self._times[axis]

    @cached_property
    def _times(self) -> dict[str, pd.DataFrame]:
        return {}

    def speedups(self, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.results.stats.targets.speedups`."""
        axis = axis or self.axis
        if axis not in self._speeds:
            times = self.run_times(axis)
            self._speeds[axis] = targets.speedups(times, self.random, self.methods, self.target_counts)
        return self._speeds[axis].copy()

    @cached_property
    def _speeds(self) -> dict[str, pd.DataFrame]:
        return {}

    def ecdf(self, axis: Axis | None = None, grid: Floats | None = None) -> pd.DataFrame:
        """See `runner.results.stats.targets.ecdf`."""
        points = self.grid(axis) if grid is None else np.asarray(grid, dtype=np.float64)
        return targets.ecdf(self.run_times(axis), points, self.methods)

    def profiles(self, axis: Axis | None = None, target: int | None = None) -> pd.DataFrame:
        """See `runner.results.stats.targets.profiles`."""
        return targets.profiles(
            self.run_times(axis), self.target() if target is None else target, self.methods
        )

    # -- costs ------------------------------------------------------------------------------------

    def costs(self) -> pd.DataFrame:
        """See `runner.results.stats.costs.costs`."""
        return costs.costs(self.trials)

    def overhead_growth(self) -> pd.DataFrame:
        """See `runner.results.stats.costs.overhead_growth`."""
        return costs.overhead_growth(self.trials)

    @cached_property
    def overheads(self) -> dict[str, float]:
        """Mean seconds of thinking per trial, by method; NaN where it has no trial."""
        means = self.trials.groupby("method")["suggest_seconds"].mean()
        return {method: float(means.get(method, math.nan)) for method in self.methods}

    def break_even(self, target: int | None = None) -> pd.DataFrame:
        """See `runner.results.stats.costs.break_evens`; of each pair once."""
        wanted = self.target() if target is None else target
        return costs.break_evens(self.speedups("trials"), self.overheads, self._pairs("all"), wanted)

    def retimed(self, seconds: float, workers: int = 1) -> pd.DataFrame:
        """The steps as they would be had every evaluation taken so many seconds.

        Returns
        -------
        pandas.DataFrame
            As `steps`, with other seconds, and estimate: whether they are one, since with several workers
            a method that uses its history would have known less.
        """
        found = costs.retimed(self.steps, self._suggest, seconds, workers)
        return self.steps.assign(seconds=found, estimate=workers > 1)

    @property
    def _suggest(self) -> Floats:
        return self.trials["suggest_seconds"].to_numpy(dtype=np.float64)

    def decision_map(
        self, evaluations: Sequence[float] | None = None, seconds: Sequence[float] = decision_map.SECONDS
    ) -> pd.DataFrame:
        """See `runner.results.stats.decision_map`; ``evaluations`` are the budgets of the verdicts."""
        found = np.asarray(self.budgets() if evaluations is None else evaluations, dtype=np.float64)
        cells = []
        for c in seconds:
            steps = decision_map.spent(self.steps, self._suggest, c, self.axis)
            known = curves(steps, self.reach, found, self.axis)
            regret, valid = regrets(known.loss, self.reach, self.instances), ~np.isnan(known.loss)
            for b, x in enumerate(found.tolist()):
                blocks = self.layout.blocks(regret[:, b], known.reached[:, b], valid[:, b])
                sample = self.sampled(blocks)
                cells.append((x, c, sample, self.decided(sample)))
        return decision_map.decision_map(cells)

"""`Comparison`: all that may be concluded from a study, computed when it is asked for."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner.stats import averages, costs, leaderboard, pairs, significance, targets, verdict
from runner.stats.blocks import Blocks, blocks_of
from runner.stats.cells import Cells
from runner.stats.curves import Axis, grid_to
from runner.stats.intervals import Scope
from runner.stats.regret import random_draws
from runner.stats.shape import LEAST_SEEDS, table, too_few_seeds

Floats = NDArray[np.float64]

UNITS = {
    "trials": "trials",
    "equivalents": "full evaluations",
    "seconds": "seconds",
    "compute": "CPU-seconds",
}


class Comparison(Cells):
    """What a study, or several over the same problems, lets one conclude.

    Made by `Comparison.of`. Nothing is raised for thin or odd data: where a number may not be given
    there is a reason (see `runner.stats.shape`). ``budget`` is the common one and ``axis`` the fair one
    (see `Cells`) where they are not given.
    """

    # -- across problems --------------------------------------------------------------------------

    def regret(
        self, budget: float | None = None, axis: Axis | None = None, scope: Scope = "seeds"
    ) -> pd.DataFrame:
        """See `runner.stats.averages.regrets`."""
        return averages.regrets(self.resampled(budget, axis, scope))

    def differences(
        self,
        budget: float | None = None,
        axis: Axis | None = None,
        scope: Scope = "seeds",
        to: str | None = None,
    ) -> pd.DataFrame:
        """See `runner.stats.averages.differences`; ``to`` is the reference, a method, or "leader"."""
        sample = self.resampled(budget, axis, scope)
        if to is None:
            to = self.plan.reference
        if to == "leader" and "leader" not in self.methods:
            to = self.methods[int(np.nanargmin(sample.middle))] if np.isfinite(sample.middle).any() else None
        if to is None or to not in self.methods:
            return table([], {"method": "text"}, averages.NO_BLOCK)
        return averages.differences(sample, to, self.plan.rope)

    def beats(
        self, budget: float | None = None, axis: Axis | None = None, against: str = "all"
    ) -> pd.DataFrame:
        """See `runner.stats.pairs.beats`."""
        return pairs.beats(self.blocks(budget, axis), self._pairs(against), self.plan.gamma)

    def beats_by_problem(
        self, budget: float | None = None, axis: Axis | None = None, against: str = "all"
    ) -> pd.DataFrame:
        """See `runner.stats.pairs.beats_by_problem`."""
        return pairs.beats_by_problem(self.blocks(budget, axis), self._pairs(against))

    def seeds_needed(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.stats.pairs.seeds_needed`, of the leader against each other method."""
        sample = self.resampled(budget, axis)
        if not np.isfinite(sample.middle).any():
            return pairs.seeds_needed(sample.blocks, [], self.plan.rope)
        leader = self.methods[int(np.nanargmin(sample.middle))]
        found = [(leader, method) for method in self.methods if method != leader]
        return pairs.seeds_needed(sample.blocks, found, self.plan.rope, self.plan.gamma)

    def wilcoxon(
        self, budget: float | None = None, axis: Axis | None = None, against: str = "reference"
    ) -> pd.DataFrame:
        """See `runner.stats.significance.wilcoxon_holm`."""
        return significance.wilcoxon_holm(self.blocks(budget, axis), self._once(against))

    def signed_rank(
        self, budget: float | None = None, axis: Axis | None = None, against: str = "all"
    ) -> pd.DataFrame:
        """See `runner.stats.significance.signed_rank`; of each pair once."""
        return significance.signed_rank(self.blocks(budget, axis), self._once(against), self.plan.rope)

    def friedman(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.stats.significance.friedman`."""
        return significance.friedman(self.blocks(budget, axis))

    def friedman_ranks(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.stats.significance.friedman_ranks`."""
        return significance.friedman_ranks(self.blocks(budget, axis))

    def ranks(
        self, axis: Axis | None = None, grid: Floats | None = None, scope: Scope = "seeds"
    ) -> pd.DataFrame:
        """The average rank of each method over the budget: method, budget, rank, lower, upper, pool.

        Ranks depend on which other methods there are: ``pool`` says how many.
        """
        axis = axis or self.axis
        parts = []
        for budget in self.grid(axis) if grid is None else grid:
            ranks = averages.ranked(self._ranked_losses(float(budget), axis))
            found = averages.mean_table(ranks, "rank", scope)
            found.insert(1, "budget", float(budget))
            found.insert(5, "pool", len(self.methods))
            parts.append(found)
        return (
            pd.concat(parts, ignore_index=True)
            if parts
            else averages.mean_table(self.blocks(), "rank", scope)
        )

    def _ranked_losses(self, budget: float, axis: Axis) -> Blocks:
        """Losses, not regrets: these are equal above 1."""
        cells = self.cells(budget, axis)
        cells["loss"] = cells["loss"].fillna(math.inf)
        return blocks_of(cells, self.methods, self.problems, "loss")

    def areas(self, axis: Axis | None = None, log: bool = False, scope: Scope = "seeds") -> pd.DataFrame:
        """The mean regret over the budget, up to the common one: method, auc, lower, upper."""
        return averages.mean_table(self._area_blocks(axis or self.axis, log), "auc", scope)

    def _area_blocks(self, axis: Axis, log: bool) -> Blocks:
        most = self.common(axis)
        least = float(self.steps[axis].min()) if len(self.steps) else 0.0
        grid = grid_to(most, axis, least)
        cells = self.cells(most, axis)
        if not len(grid):
            return blocks_of(cells, self.methods, self.problems)
        heights = self.curves(axis, grid)["regret"].to_numpy().reshape(len(cells), len(grid))
        cells["area"] = averages.area(grid, heights, log)
        return blocks_of(cells, self.methods, self.problems, "area")

    # -- inside -----------------------------------------------------------------------------------

    def _pairs(self, against: str) -> list[pairs.Pair]:
        if against == "all":
            return pairs.all_pairs(self.methods)
        reference = self.plan.reference if against == "reference" else against
        return pairs.pairs_against(self.methods, reference) if reference in self.methods else []

    def _once(self, against: str) -> list[pairs.Pair]:
        found = self._pairs(against)
        return [(a, b) for a, b in found if against != "all" or self.methods.index(a) < self.methods.index(b)]

    # -- against random search --------------------------------------------------------------------

    @cached_property
    def draws(self) -> pd.DataFrame:
        """The draws of independent random search; see `runner.stats.regret.random_draws`."""
        return random_draws(self.trials, self.runs)

    @cached_property
    def random(self) -> str | None:
        """The label of the random search that targets come from; None where none ran."""
        found = self.runs[self.runs["run"].isin(self.draws["run"])]["method"]
        return str(found.iloc[0]) if len(found) else None

    @cached_property
    def target_counts(self) -> tuple[int, ...]:
        """See `runner.stats.targets.target_counts`."""
        return targets.target_counts(self.draws)

    def target(self, budget: float | None = None) -> int:
        """The target of speed-ups at a budget: what random search finds in half of it; 0 for none."""
        most = self.common("trials") if budget is None else budget
        fitting = [b for b in self.target_counts if b <= max(most / 2, 5)]
        return max(fitting, default=0)

    def run_times(self, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.stats.targets.run_times`; of the blocks that count at the common budget."""
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
        """See `runner.stats.targets.speedups`."""
        times = self.run_times(axis)
        return targets.speedups(times, self.random, self.methods, self.target_counts, len(self.draws))

    def ecdf(self, axis: Axis | None = None, grid: Floats | None = None) -> pd.DataFrame:
        """See `runner.stats.targets.ecdf`."""
        points = self.grid(axis) if grid is None else np.asarray(grid, dtype=np.float64)
        return targets.ecdf(self.run_times(axis), points, self.methods)

    def profiles(self, axis: Axis | None = None, target: int | None = None) -> pd.DataFrame:
        """See `runner.stats.targets.profiles`."""
        return targets.profiles(
            self.run_times(axis), self.target() if target is None else target, self.methods
        )

    # -- costs ------------------------------------------------------------------------------------

    def costs(self) -> pd.DataFrame:
        """See `runner.stats.costs.costs`."""
        return costs.costs(self.trials)

    def overhead_growth(self) -> pd.DataFrame:
        """See `runner.stats.costs.overhead_growth`."""
        return costs.overhead_growth(self.trials)

    @cached_property
    def overheads(self) -> dict[str, float]:
        """Mean seconds of thinking per trial, by method; NaN where it has no trial."""
        means = self.trials.groupby("method")["suggest_seconds"].mean()
        return {method: float(means.get(method, math.nan)) for method in self.methods}

    def break_even(self, target: int | None = None) -> pd.DataFrame:
        """See `runner.stats.costs.break_evens`; of each pair once."""
        wanted = self.target() if target is None else target
        return costs.break_evens(self.speedups("trials"), self.overheads, self._pairs("all"), wanted)

    # -- leaderboard and verdict ------------------------------------------------------------------

    def leaderboard(
        self, budget: float | None = None, axis: Axis | None = None, scope: Scope = "seeds"
    ) -> pd.DataFrame:
        """See `runner.stats.leaderboard.leaderboard`."""
        axis = axis or self.axis
        budget = self.common(axis) if budget is None else float(budget)
        sample = self.resampled(budget, axis, scope)
        target = self.target(budget if axis == "trials" else None)
        parts = {
            "regret": averages.regrets(sample),
            "area": self.areas(axis),
            "rank": self.ranks(axis, np.array([budget]), scope),
            "beats": self.beats(budget, axis, "reference"),
            "difference": self.differences(budget, axis, scope),
            "to_leader": self._to_leader(sample),
            "trials": self._speed("trials", target),
            "seconds": self._speed("seconds", target),
            "counts": self._counts(budget, axis),
        }
        return leaderboard.leaderboard(self.methods, parts, budget)

    def _speed(self, axis: Axis, target: int) -> pd.DataFrame:
        found = self.speedups(axis)
        return found[(found["target"] == target) & (found["method"] != self.random)]

    def _to_leader(self, sample: averages.Resampled) -> pd.DataFrame:
        found = verdict.recommend(sample, self.plan.rope, self.method_names)
        near = [] if found is None else [found[0], *found[2]]
        return pd.DataFrame({"method": self.methods, "tied": [method in near for method in self.methods]})

    def _counts(self, budget: float, axis: Axis) -> pd.DataFrame:
        loose = budget * (1 + 1e-9)
        inside = self.trials[(self.steps[axis].to_numpy() <= loose)]
        first = self.runs.drop_duplicates("problem")
        signs = dict(
            zip(first["problem"], first["direction"].map({"minimize": 1.0, "maximize": -1.0}), strict=True)
        )
        one_metric = first[["metric", "direction"]].drop_duplicates().shape[0] == 1
        return leaderboard.counts(self.cells(budget, axis), inside, signs, one_metric)

    def verdicts(self, axis: Axis | None = None) -> pd.DataFrame:
        """The verdict at each of the budgets; see `runner.stats.verdict`.

        Returns
        -------
        pandas.DataFrame
            budget, axis, leader, recommended, regret, lower, upper, p_best (of the recommended), tied
            (the methods that are tied with the leader, with commas between), speedup_trials,
            speedup_seconds and their bounds, target, p_same (Bayesian, leader and next), as_good_as_random
            (problems), confidence (high, moderate, low, none), sentence, would_change.
        """
        axis = axis or self.axis
        if self.empty:
            return verdict.as_table([verdict.refusal(math.nan, axis, self.empty)])
        return verdict.as_table([self._verdict(budget, axis) for budget in self.budgets(axis)])

    def verdict(self, budget: float | None = None, axis: Axis | None = None) -> dict[str, Any]:
        """The verdict at one budget, as a dict with the columns of `verdicts`."""
        axis = axis or self.axis
        budget = self.common(axis) if budget is None else float(budget)
        row = verdict.refusal(budget, axis, self.empty) if self.empty else self._verdict(budget, axis)
        (found,) = verdict.as_table([row]).to_dict("records")
        return {str(name): value for name, value in found.items()}

    def _verdict(self, budget: float, axis: Axis) -> dict[str, Any]:
        sample = self.resampled(budget, axis)
        found = verdict.recommend(sample, self.plan.rope, self.method_names)
        if found is None:
            return verdict.refusal(budget, axis, averages.NO_BLOCK)
        leader, chosen, tied = found
        row: dict[str, Any] = {"budget": budget, "axis": axis, "leader": leader, "recommended": chosen}
        row |= {"tied": ", ".join(tied), **sample.rest()}
        regret = averages.regrets(sample).set_index("method")
        row |= {name: float(regret[name].at[chosen]) for name in ("regret", "lower", "upper", "p_best")}
        target = self.target(budget if axis == "trials" else None)
        along: Axis
        for along in ("trials", "seconds"):
            speed = self._speed(along, target)
            of_chosen = speed[speed["method"] == chosen]
            row[f"speedup_{along}"] = float(of_chosen["speedup"].iloc[0]) if len(of_chosen) else math.nan
            row[f"speedup_{along}_bound"] = str(of_chosen["bound"].iloc[0]) if len(of_chosen) else ""
        row |= {"target": target, "p_same": self._same(sample, leader), "reason": ""}
        row["as_good_as_random"] = self._as_good_as_random(sample.blocks, chosen)
        randoms = [label for label, name in self.method_names.items() if name == "random"]
        if reason := too_few_seeds(sample.blocks.fewest, LEAST_SEEDS):
            told = f"{reason} The lowest regret so far has {leader} ({row['regret']:.3f})."
            return row | verdict.refusal(budget, axis, told)
        return verdict.verdict(row, UNITS[axis], randoms, sample.blocks.planned - sample.blocks.count)

    def _same(self, sample: averages.Resampled, leader: str) -> float:
        order = np.argsort(sample.middle, kind="stable")
        if len(order) < 2:
            return math.nan
        second = self.methods[int(order[1])]
        found = significance.signed_rank(sample.blocks, [(leader, second)], self.plan.rope)
        return float(found["p_same"][0])

    def _as_good_as_random(self, blocks: Blocks, chosen: str) -> int:
        """On how many problems the mean regret of random search is no higher, but for the ROPE."""
        if self.random is None or chosen == self.random:
            return 0
        means = blocks.means()
        ours, theirs = means[self.methods.index(chosen)], means[self.methods.index(self.random)]
        return int((theirs <= ours + self.plan.rope).sum())

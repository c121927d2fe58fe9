"""`Comparison`: all that may be concluded from a study, computed when it is asked for."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from runner._text import named
from runner.results.stats import (
    averages,
    boundaries,
    fairness,
    gates,
    generalisation,
    importance,
    leaderboard,
    per_problem,
    robustness,
    significance,
    verdict,
)
from runner.results.stats.against import Against
from runner.results.stats.blocks import Blocks
from runner.results.stats.curves import Axis
from runner.results.stats.decision import Decision, ranked
from runner.results.stats.intervals import Scope
from runner.results.stats.offscale import to_scale
from runner.results.stats.shape import LEAST_SEEDS, too_few_seeds

UNITS = {
    "trials": "trials",
    "equivalents": "full evaluations",
    "seconds": "seconds",
    "compute": "CPU-seconds",
}


class Comparison(Against):
    """What a study, or several over the same problems, lets one conclude.

    Made by `Comparison.of`. Nothing is raised for thin or odd data: where a number may not be given
    there is a reason (see `runner.results.stats.shape`). ``budget`` is the common one and ``axis`` the fair one
    (see `Cells`) where they are not given.
    """

    # -- leaderboard and verdict ------------------------------------------------------------------

    def leaderboard(
        self, budget: float | None = None, axis: Axis | None = None, scope: Scope = "seeds"
    ) -> pd.DataFrame:
        """See `runner.results.stats.leaderboard.leaderboard`."""
        key = (*self._at(budget, axis), scope)
        if key not in self._boards:
            self._boards[key] = self._leaderboard(key[1], key[0], scope)
        return self._boards[key].copy()

    @cached_property
    def _boards(self) -> dict[tuple[Axis, float, Scope], pd.DataFrame]:
        return {}

    def _leaderboard(self, budget: float, axis: Axis, scope: Scope) -> pd.DataFrame:
        sample = self.resampled(budget, axis, scope)
        target = self.target(budget if axis == "trials" else None)
        parts = {
            "regret": averages.regrets(sample),
            "area": self.areas(axis),
            "rank": self.ranks(axis, np.array([budget]), scope),
            "beats": self.beats(budget, axis, "reference"),
            "difference": self.differences(budget, axis, scope),
            "trials": self._speed("trials", target),
            "seconds": self._speed("seconds", target),
            "counts": self._counts(budget, axis),
        }
        return leaderboard.leaderboard(self.methods, parts, budget, self.decided(sample), self.method_names)

    def _speed(self, axis: Axis, target: int) -> pd.DataFrame:
        found = self.speedups(axis)
        return found[(found["target"] == target) & (found["method"] != self.random)]

    def _counts(self, budget: float, axis: Axis) -> pd.DataFrame:
        loose = budget * (1 + 1e-9)
        inside = self.trials[(self.steps[axis].to_numpy() <= loose)]
        first = self.runs.drop_duplicates("problem")
        one_metric = first[["metric", "direction"]].drop_duplicates().shape[0] == 1
        return leaderboard.counts(self.cells(budget, axis), inside, self.signs, one_metric)

    def verdicts(self, axis: Axis | None = None) -> pd.DataFrame:
        """The verdict at each of the budgets; see `runner.results.stats.verdict`.

        Returns
        -------
        pandas.DataFrame
            budget, axis, leader, recommended, regret, lower, upper, p_best (of the recommended), p_near
            (how probable it is that the recommended is the best, or within the ROPE of it), tied (the
            methods that are not shown to be worse than the leader, with commas between), equivalent and
            undecided (the two kinds of these), speedup_trials, speedup_seconds and their bounds, target,
            p_same (Bayesian, leader and next), as_good_as_random (problems), confidence (high, moderate,
            low, none), sentence, would_change.
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
        found = self.decided(sample)
        if found is None:
            return verdict.refusal(budget, axis, averages.NO_BLOCK)
        chosen, place = found.recommended, self.methods.index(found.recommended)
        row: dict[str, Any] = {"budget": budget, "axis": axis, "leader": found.leader, "recommended": chosen}
        row |= {name: ", ".join(getattr(found, name)) for name in ("tied", "equivalent", "undecided")}
        row |= {**sample.rest(), "p_near": sample.near(place, self.plan.rope)}
        regret = averages.regrets(sample).iloc[place]
        row |= {name: float(regret[name]) for name in ("regret", "lower", "upper", "p_best")}
        target = self.target(budget if axis == "trials" else None)
        along: Axis
        for along in ("trials", "seconds"):
            speed = self._speed(along, target)
            of_chosen = speed[speed["method"] == chosen]
            row[f"speedup_{along}"] = float(of_chosen["speedup"].iloc[0]) if len(of_chosen) else math.nan
            row[f"speedup_{along}_bound"] = str(of_chosen["bound"].iloc[0]) if len(of_chosen) else ""
        row |= {"target": target, "p_same": self._same(sample, found), "reason": ""}
        row["as_good_as_random"] = self._as_good_as_random(sample.blocks, chosen)
        if reason := too_few_seeds(sample.blocks.fewest, LEAST_SEEDS):
            lowest = sample.middle[self.methods.index(found.leader)]
            has = "has" if not found.level else "have"
            said = f"{reason} {named(found.lowest)} {has} the lowest regret so far ({lowest:.3f})."
            return row | verdict.refusal(budget, axis, said)
        randoms = [label for label, name in self.method_names.items() if name == "random"]
        left_out = sample.blocks.planned - sample.blocks.count
        return verdict.verdict(row, found, UNITS[axis], randoms, left_out, self.plan.rope)

    def _same(self, sample: averages.Resampled, found: Decision) -> float:
        """How probable it is that the leader and the next best are practically the same."""
        if len(self.methods) < 2:
            return math.nan
        second = ranked(self.methods, sample.middle, self.method_names)[1]
        tested = significance.signed_rank(sample.blocks, [(found.leader, second)], self.plan.rope)
        return float(tested["p_same"][0])

    def _as_good_as_random(self, blocks: Blocks, chosen: str) -> int:
        """On how many problems the mean regret of random search is no higher, but for the ROPE."""
        if self.random is None or chosen == self.random:
            return 0
        means = blocks.means()
        ours, theirs = means[self.methods.index(chosen)], means[self.methods.index(self.random)]
        return int((theirs <= ours + self.plan.rope).sum())

    # -- why, and whether it holds ----------------------------------------------------------------

    def robustness(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.results.stats.robustness.robustness`."""
        known = self.instances.copy()
        good = self.trials[self.trials["status"].eq("COMPLETED") & to_scale(self.trials, self.ceilings)]
        keys = pd.MultiIndex.from_frame(known[["problem", "seed"]])
        lowest = good.groupby(["problem", "seed"])["loss"].min()
        firsts = good.groupby(["problem", "seed", "run"], sort=False)["loss"].first()
        middle = firsts.groupby(level=["problem", "seed"]).median()
        known["alt_opt"] = keys.map(lowest.to_dict()).to_numpy(dtype=np.float64)
        known["alt_ref"] = keys.map(middle.to_dict()).to_numpy(dtype=np.float64)
        sample = self.resampled(budget, axis)
        return robustness.robustness(
            sample.blocks,
            self.losses(budget, axis),
            known,
            self.plan.rope,
            self.method_names,
            self.decided(sample),
            robustness.optima_without(good, known, self.foremost),
        )

    def importance(self, problem: str | None = None) -> pd.DataFrame:
        """See `runner.results.stats.importance.importance`; of one problem, or of all."""
        wanted = self.problems if problem is None else [problem]
        parts = [importance.importance(self.trials, self.draws, name) for name in wanted]
        return pd.concat(parts, ignore_index=True)

    def effort(self) -> pd.DataFrame:
        """See `runner.results.stats.importance.effort`."""
        return importance.effort(self.trials, self.draws)

    def generalisation(self) -> pd.DataFrame:
        """See `runner.results.stats.generalisation.generalisation`."""
        return self._generalisation.copy()

    @cached_property
    def _generalisation(self) -> pd.DataFrame:
        return generalisation.generalisation(self.trials, self.steps, self.signs)

    def generalisation_summary(self) -> pd.DataFrame:
        """See `runner.results.stats.generalisation.summary`."""
        return generalisation.summary(self._generalisation, self.methods)

    def agreement(self) -> pd.DataFrame:
        """See `runner.results.stats.generalisation.agreement`."""
        return generalisation.agreement(self._generalisation)

    def fairness(self) -> pd.DataFrame:
        """See `runner.results.stats.fairness.fairness`."""
        return self._fairness.copy()

    @cached_property
    def _fairness(self) -> pd.DataFrame:
        return fairness.fairness(self.trials, self.runs, self.reach, self.plan, self.source.settings)

    def failures(self) -> pd.DataFrame:
        """See `runner.results.stats.per_problem.failures`."""
        return per_problem.failures(self.trials)

    def coverage(self) -> pd.DataFrame:
        """See `runner.results.stats.per_problem.coverage`."""
        return per_problem.coverage(self.reach, self.runs)

    def boundaries(self) -> pd.DataFrame:
        """See `runner.results.stats.boundaries.boundaries`."""
        return boundaries.boundaries(self.runs, self.source.parameters)

    def gates(self, budget: float | None = None, axis: Axis | None = None) -> pd.DataFrame:
        """See `runner.results.stats.gates.gates`."""
        return gates.gates(self.blocks(budget, axis), self.friedman(budget, axis), self.random)

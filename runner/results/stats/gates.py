"""Which statistics the data allow, and what is missing for the others."""

from __future__ import annotations

from typing import Any

import pandas as pd

from runner.results.stats.blocks import Blocks
from runner.results.stats.pairs import seeds_for
from runner.results.stats.shape import (
    CD_PROBLEMS,
    FEW_SEEDS,
    LEAST_PROBLEMS,
    LEAST_SEEDS,
    table,
    too_few_problems,
    too_few_seeds,
)


def gates(blocks: Blocks, friedman: pd.DataFrame, random: str | None) -> pd.DataFrame:
    """The gates, from those that open first to those that open last.

    Returns
    -------
    pandas.DataFrame
        needs, allows, open, reason (what is missing; empty where it is open).
    """
    size, seeds = len(blocks.problems), blocks.fewest
    critical = str(friedman["cd_reason"].fillna("")[0]) or str(friedman["reason"][0])
    speed = "" if random is not None else "no independent random search ran beside the methods."
    wide = too_few_seeds(seeds, FEW_SEEDS)
    rows: list[tuple[str, str, str]] = [
        (f"{LEAST_SEEDS} seeds", "intervals of averages and differences; P(A beats B)", too_few_seeds(seeds)),
        (f"{FEW_SEEDS} seeds", "intervals that are not wide; fixed targets and speed-ups", wide or speed),
        (
            "2 problems",
            "the interquartile mean over problems, about these problems only",
            too_few_problems(size, 2),
        ),
        (
            f"{LEAST_PROBLEMS} problems",
            "Wilcoxon with Holm, the Bayesian signed-rank test, intervals for a new problem",
            too_few_problems(size),
        ),
        (f"{CD_PROBLEMS} problems and a difference by Friedman's test", "critical differences", critical),
        (f"{seeds_for(0.75)} seeds", "a claim about a single problem", too_few_seeds(seeds, seeds_for(0.75))),
    ]
    found: list[dict[str, Any]] = [
        {
            "needs": needs,
            "allows": allows,
            "open": not reason,
            "reason": reason,
            "problems": size,
            "seeds": seeds,
        }
        for needs, allows, reason in rows
    ]
    return table(found, {"needs": "text", "allows": "text", "open": "bool"})

"""Gates: the statistics that the data allow, and the data that the others need."""

from __future__ import annotations

import pandas as pd

from runner.results.stats.comparison import Comparison
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
from runner.results.stats.significance import friedman
from runner.results.stats.targets import NO_RANDOM


def gates(comparison: Comparison) -> pd.DataFrame:
    """List the gates at the common budget, from those that open first to those that open last.

    Returns
    -------
    pandas.DataFrame
        needs, allows, open, reason (what is missing; empty if it is open).
    """
    blocks = comparison.blocks()
    tested = friedman(blocks)
    size, seeds = len(blocks.problems), blocks.fewest
    critical = str(tested["cd_reason"].fillna("")[0]) or str(tested["reason"][0])
    speed = "" if comparison.random is not None else NO_RANDOM
    wide = too_few_seeds(seeds, FEW_SEEDS)
    rows: list[tuple[str, str, str]] = [
        (f"{LEAST_SEEDS} seeds", "intervals of averages and differences; P(A beats B)", too_few_seeds(seeds)),
        (f"{FEW_SEEDS} seeds", "narrower intervals; fixed targets and speed-ups", wide or speed),
        (
            "2 problems",
            "the interquartile mean over problems, valid for these problems only",
            too_few_problems(size, 2),
        ),
        (
            f"{LEAST_PROBLEMS} problems",
            "Wilcoxon with Holm, the Bayesian signed-rank test, intervals for a new problem",
            too_few_problems(size),
        ),
        (f"{CD_PROBLEMS} problems and a difference in Friedman's test", "critical differences", critical),
        (f"{seeds_for(0.75)} seeds", "a claim about a single problem", too_few_seeds(seeds, seeds_for(0.75))),
    ]
    rest = {"problems": size, "seeds": seeds}
    found = [
        {"needs": needs, "allows": allows, "open": not reason, "reason": reason, **rest}
        for needs, allows, reason in rows
    ]
    return table(found, {"needs": "string", "allows": "string", "open": "bool"})

"""Robustness of the verdict: the same decision with something changed or left out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from runner._text import named
from runner.results.stats.averages import Resampled, ranked
from runner.results.stats.blocks import Blocks
from runner.results.stats.comparison import Comparison
from runner.results.stats.decision import decide
from runner.results.stats.offscale import to_scale
from runner.results.stats.regret import normalised
from runner.results.stats.shape import LEAST_PROBLEMS, table

Floats = NDArray[np.float64]

_KINDS: Final[dict[str, str]] = {
    "check": "string",
    "changed": "string",
    "leader": "string",
    "recommended": "string",
    "unchanged": "bool",
}


def robustness(comparison: Comparison) -> pd.DataFrame:
    """Decide again at the common budget under each change.

    Returns
    -------
    pandas.DataFrame
        check ("one problem left out", "one method left out", "half of the seeds", "another reference
        loss", "another optimum", "without imputed runs", "mean instead of IQM", "problems drawn too"),
        changed (the problem, method or part), leader, recommended, unchanged (the recommended method is
        the same as without the change).
    """
    sample = comparison.resampled()
    first, rope, names = comparison.decided(sample), comparison.plan.rope, comparison.method_names
    blocks, losses, known = sample.blocks, comparison.losses(), comparison.instances.copy()
    trials = comparison.trials
    good = trials[trials["status"].eq("COMPLETED") & to_scale(trials, comparison.ceilings)]
    keys = pd.MultiIndex.from_frame(known[["problem", "seed"]])
    lowest = good.groupby(["problem", "seed"])["loss"].min()
    firsts = good.groupby(["problem", "seed", "run"], sort=False)["loss"].first()
    middle = firsts.groupby(level=["problem", "seed"]).median()
    known["alt_opt"] = keys.map(lowest.to_dict()).to_numpy(dtype=np.float64)
    known["alt_ref"] = keys.map(middle.to_dict()).to_numpy(dtype=np.float64)
    if first is None:
        return table([], _KINDS, "no block is complete at this budget.")
    rows = []
    without = optima_without(good, known, comparison.foremost)
    for check, changed, other in (
        *_others_left_out(losses, known, (first.leader, first.recommended), without),
        *_changes(blocks, losses, known),
    ):
        found = first if other is None else decide(other, rope, names)
        row: dict[str, Any] = {"check": check, "changed": changed, **(other or sample).rest()}
        if found is None:
            rows.append(row | {"reason": "nothing is left to compare."})
            continue
        row |= {"leader": found.leader, "recommended": found.recommended}
        rows.append(row | {"unchanged": found.recommended == first.recommended})
    return table(rows, _KINDS, "there is nothing that could be changed.")


def optima_without(
    trials: pd.DataFrame, instances: pd.DataFrame, methods: Sequence[str]
) -> dict[str, Floats]:
    """Compute the optima of the instances without each method that alone found one.

    Parameters
    ----------
    trials : pandas.DataFrame
        Completed trials.
    instances : pandas.DataFrame
        `runner.results.stats.regret.instances`.
    methods : sequence of str
        The methods to leave out, one at a time.
    """
    best = trials.groupby(["problem", "seed", "method"], observed=True)["loss"].min().unstack()
    keys = pd.MultiIndex.from_frame(instances[["problem", "seed"]])
    lowest = best.reindex(keys).to_numpy(dtype=np.float64)
    seen = instances["f_opt_source"].str.startswith("best seen").to_numpy(dtype=bool)
    stated = instances["f_opt"].to_numpy(dtype=np.float64)
    found = {}
    for method in methods:
        if method not in best.columns:
            continue
        rest = np.delete(lowest, best.columns.get_loc(method), axis=1)
        rest = np.fmin.reduce(rest, axis=1, initial=math.inf)
        optima = np.where(seen & np.isfinite(rest), rest, stated)
        if (optima != stated).any():
            found[method] = optima
    return found


def _others_left_out(
    losses: Blocks, instances: pd.DataFrame, named_methods: tuple[str, str], without: Mapping[str, Floats]
) -> Iterator[tuple[str, str, Resampled | None]]:
    """Leave out each other method. That moves a regret only if the method alone found an optimum."""
    check = "one method left out"
    others = [method for method in losses.methods if method not in named_methods]
    idle = [method for method in others if method not in without]
    for method in others:
        if method in without:
            rest = losses.of([other for other in losses.methods if other != method])
            yield (
                check,
                method,
                _sample(renormalised(rest, instances.assign(own=without[method]), "own", "f_ref")),
            )
    if idle:
        yield check, named(idle), None


def _changes(blocks: Blocks, losses: Blocks, instances: pd.DataFrame) -> Iterator[tuple[str, str, Resampled]]:
    if len(blocks.problems) > 1:
        for problem in blocks.problems:
            left = [p for p in range(len(blocks.problems)) if blocks.problems[p] != problem]
            yield "one problem left out", problem, _sample(pick(blocks, left))
    if blocks.fewest >= 4:
        for half, name in ((0, "even places"), (1, "odd places")):
            yield "half of the seeds", name, _sample(_some_seeds(blocks, half))
    for check, opt, ref in (
        ("another reference loss", "f_opt", "alt_ref"),
        ("another optimum", "alt_opt", "f_ref"),
    ):
        again = renormalised(losses, instances, opt, ref)
        if not _equal(again, blocks):
            yield check, instances[f"{'f_opt' if opt != 'f_opt' else 'f_ref'}_source"].iloc[0], _sample(again)
    imputed = [np.asarray(~np.isfinite(value).all(axis=0)) for value in losses.values]
    if any(bad.any() for bad in imputed):
        yield (
            "without imputed runs",
            "blocks with a run without a valid trial",
            _sample(_without(blocks, imputed)),
        )
    if len(blocks.problems) > 1:
        yield "mean instead of IQM", "", _sample(blocks, mean=True)
        yield "ranks instead of regrets", "", _sample(_scaled_ranks(losses))
    if len(blocks.problems) >= LEAST_PROBLEMS:
        yield "problems drawn too", "", Resampled(blocks, "problems")


def _sample(blocks: Blocks, mean: bool = False) -> Resampled:
    return Resampled(blocks, mean=mean)


def pick(blocks: Blocks, problems: list[int]) -> Blocks:
    """Select problems, by their positions."""
    return Blocks(
        blocks.methods,
        tuple(blocks.problems[p] for p in problems),
        tuple(blocks.values[p] for p in problems),
        tuple(blocks.seeds[p] for p in problems),
        blocks.planned,
        tuple(blocks.copies[p] for p in problems),
    )


def _some_seeds(blocks: Blocks, half: int) -> Blocks:
    keep = [np.arange(len(seeds)) % 2 == half for seeds in blocks.seeds]
    return _without(blocks, [~some for some in keep])


def _without(blocks: Blocks, bad: list[NDArray[np.bool_]]) -> Blocks:
    """Leave out seeds of each problem, and problems without any."""
    parts = Blocks(
        blocks.methods,
        blocks.problems,
        tuple(value[:, ~some] for value, some in zip(blocks.values, bad, strict=True)),
        tuple(seeds[~some] for seeds, some in zip(blocks.seeds, bad, strict=True)),
        blocks.planned,
        tuple(copy[:, ~some] for copy, some in zip(blocks.copies, bad, strict=True)),
    )
    return pick(parts, [p for p, seeds in enumerate(parts.seeds) if len(seeds)])


def renormalised(losses: Blocks, instances: pd.DataFrame, opt: str, ref: str) -> Blocks:
    """Compute the regrets of losses with another optimum or reference: columns of the instances."""
    index = pd.MultiIndex.from_frame(instances[["problem", "seed"]])
    values = []
    for problem, seeds, value in zip(losses.problems, losses.seeds, losses.values, strict=True):
        where = index.get_indexer(pd.MultiIndex.from_product([[problem], seeds]))
        f_opt, f_ref = (instances[name].to_numpy(dtype=np.float64)[where] for name in (opt, ref))
        regret = normalised(np.where(np.isfinite(value), value, math.nan), f_opt, f_ref)
        values.append(np.where(np.isnan(regret), 1.0, regret))
    return Blocks(losses.methods, losses.problems, tuple(values), losses.seeds, losses.planned, losses.copies)


def _equal(a: Blocks, b: Blocks) -> bool:
    return all(np.allclose(x, y, rtol=0, atol=1e-12) for x, y in zip(a.values, b.values, strict=True))


def _scaled_ranks(losses: Blocks) -> Blocks:
    """Rank from 0 for the best to 1 for the worst."""
    ranks = ranked(losses)
    top = max(1, len(losses.methods) - 1)
    values = tuple((value - 1) / top for value in ranks.values)
    return Blocks(ranks.methods, ranks.problems, values, ranks.seeds, ranks.planned, ranks.copies)

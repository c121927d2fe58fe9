"""Whether the verdict hangs on a choice: the same question with something changed or left out."""

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
from runner.results.stats.decision import Decision, decide
from runner.results.stats.regret import normalised
from runner.results.stats.shape import LEAST_PROBLEMS, table

Floats = NDArray[np.float64]

_KINDS: Final[dict[str, str]] = {
    "check": "text",
    "changed": "text",
    "leader": "text",
    "recommended": "text",
    "unchanged": "bool",
}


def robustness(
    blocks: Blocks,
    losses: Blocks,
    instances: pd.DataFrame,
    rope: float,
    names: Mapping[str, str],
    first: Decision | None,
    without: Mapping[str, Floats],
) -> pd.DataFrame:
    """The recommendation under each change.

    Parameters
    ----------
    blocks : Blocks
        Of regrets, at the budget in question.
    losses : Blocks
        The same of losses, infinite where there is none.
    instances : pandas.DataFrame
        `runner.results.stats.regret.instances`, with the columns alt_opt and alt_ref: the best loss seen and
        the median of the runs' first losses.
    rope : float
    names : mapping of str to str
        Registered names by labels.
    first : Decision or None
        What is decided without a change.
    without : mapping of str to array, shape (instances,)
        See `optima_without`.

    Returns
    -------
    pandas.DataFrame
        check ("one problem left out", "one method left out", "half of the seeds", "another reference
        loss", "another optimum", "without imputed runs", "mean instead of IQM", "problems drawn too"),
        changed (what), leader, recommended, unchanged (the same method is recommended as without the
        change).
    """
    if first is None:
        return table([], _KINDS, "no block is complete at this budget.")
    rows = []
    for check, changed, sample in (
        *_others_left_out(losses, instances, (first.leader, first.recommended), without),
        *_changes(blocks, losses, instances),
    ):
        found = decide(sample, rope, names) if sample is not None else first
        row: dict[str, Any] = {"check": check, "changed": changed}
        row |= (
            sample.rest()
            if sample is not None
            else {"problems": len(blocks.problems), "seeds": blocks.fewest}
        )
        if found is None:
            rows.append(row | {"reason": "nothing is left to compare."})
            continue
        row |= {"leader": found.leader, "recommended": found.recommended}
        rows.append(row | {"unchanged": found.recommended == first.recommended})
    return table(rows, _KINDS, "there is nothing that could be changed.")


def optima_without(
    trials: pd.DataFrame, instances: pd.DataFrame, methods: Sequence[str]
) -> dict[str, Floats]:
    """The optima of the instances as they were without a method, for those that alone found one.

    Parameters
    ----------
    trials : pandas.DataFrame
        The completed ones.
    instances : pandas.DataFrame
        `runner.results.stats.regret.instances`.
    methods : sequence of str
        Of which it is asked.
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
    losses: Blocks, instances: pd.DataFrame, kept: tuple[str, str], without: Mapping[str, Floats]
) -> Iterator[tuple[str, str, Resampled | None]]:
    """Each other method left out. Only where it alone found an optimum does that move a regret."""
    check = "one method left out"
    others = [method for method in losses.methods if method not in kept]
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
    """The blocks of some problems, by their positions."""
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
    """Without some seeds of each problem; a problem without any is left out."""
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
    """Regrets of losses with another optimum or reference: columns of the instances."""
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
    """Ranks between 0 for the best and 1 for the worst."""
    ranks = ranked(losses)
    top = max(1, len(losses.methods) - 1)
    values = tuple((value - 1) / top for value in ranks.values)
    return Blocks(ranks.methods, ranks.problems, values, ranks.seeds, ranks.planned, ranks.copies)

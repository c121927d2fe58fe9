"""Importance of hyper-parameters: where the best random draws lie, parameter by parameter.

PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023): how far the distribution of a parameter among
the best configs is from that among all of them.

| symbol | here | meaning |
|---|---|---|
| gamma | TOP | the share of draws that are the best, within each instance |
| q_k   | | share of all draws in bin k |
| p_k   | | share of the best draws in bin k |
| D     | divergence | sum_k (p_k - q_k)^2 / q_k  (1), Pearson's |
| K, n, N | | bins, best draws, all draws |

Only independent random draws are used: what an optimiser has sampled is concentrated where it
looked, not where it is good. Bins of numbers hold equally many draws, so scales and logarithms do
not matter. By chance alone D is (K - 1) / n (1 - n / N) on average (2), which is subtracted.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from runner.results.stats.comparison import Comparison
from runner.results.stats.shape import cached, table
from runner.results.stats.targets import NO_RANDOM

Floats = NDArray[np.float64]

TOP: Final = 0.1
"""The best tenth, as in the experiments of the paper."""
_LEAST_DRAWS: Final = 50
_LEAST_TOP: Final = 5
"""The best tenth of the fewest draws: of fewer, D is mostly chance (2)."""
_MOST_BINS: Final = 10
_PER_BIN: Final = 3
"""Best draws per bin, so that a bin is seldom empty by chance; few draws get fewer bins."""

_KINDS: Final[dict[str, str]] = {
    "problem": "string",
    "parameter": "string",
    "importance": "float",
    "divergence": "float",
    "p": "float",
    "draws": "int",
    "top": "int",
}


@cached
def importance(comparison: Comparison) -> pd.DataFrame:
    """Compute the importance of each parameter of each problem.

    Returns
    -------
    pandas.DataFrame
        problem, parameter, importance (its share of all divergences; they add up to 1), divergence
        (without what chance gives), p (chi-squared, that it has no influence by itself), draws, top.
        A parameter that exists only in a branch is judged there, and weighted by the share of the best
        draws that have it.
    """
    parts = [_importance(comparison.trials, comparison.draws, problem) for problem in comparison.problems]
    return pd.concat(parts, ignore_index=True)


def _importance(trials: pd.DataFrame, draws: pd.DataFrame, problem: str) -> pd.DataFrame:
    of_problem = draws[draws["problem"] == problem]
    rest = {"problem": problem, "problems": 1, "seeds": of_problem["seed"].nunique()}
    if not len(of_problem):
        return table([{**rest, "reason": NO_RANDOM}], _KINDS)
    best = _best(of_problem)
    rest |= {"draws": len(of_problem), "top": int(best.sum())}
    if len(of_problem) < _LEAST_DRAWS or best.sum() < _LEAST_TOP:
        return table(
            [{**rest, "reason": f"only {len(of_problem)} random draws; at least {_LEAST_DRAWS} are needed."}],
            _KINDS,
        )
    configs = of_problem[["run", "number"]].merge(trials, on=["run", "number"], how="left")
    rows: list[dict[str, Any]] = []
    for column in [name for name in trials.columns if name.startswith("config/")]:
        values = configs[column]
        active = values.notna().to_numpy(dtype=bool)
        if not active.any():
            continue
        bins = _bins(values[active], int((best & active).sum()))
        row: dict[str, Any] = {**rest, "parameter": column.removeprefix("config/"), "reason": ""}
        row["divergence"], row["p"] = divergence(bins, best[active])
        row["divergence"] *= float((best & active).sum() / best.sum())
        rows.append(row)
    total = sum(row["divergence"] for row in rows)
    for row in rows:
        row["importance"] = row["divergence"] / total if total > 0 else 0.0
    rows.sort(key=lambda row: -row["importance"])
    return table(rows, _KINDS)


def divergence(bins: NDArray[np.intp], best: NDArray[np.bool_]) -> tuple[float, float]:
    """Compute (1) less (2), not below 0, and the p-value of the chi-squared test against chance.

    Parameters
    ----------
    bins : array of int, shape (N,)
    best : array of bool, shape (N,)
    """
    whole = np.bincount(bins)
    whole = whole[whole > 0] if (whole == 0).any() else whole
    _, bins = np.unique(bins, return_inverse=True)
    n, size, k = int(best.sum()), len(bins), len(whole)
    if n == 0 or k < 2 or n == size:
        return 0.0, 1.0
    p, q = np.bincount(bins[best], minlength=k) / n, whole / size
    raw = float(((p - q) ** 2 / q).sum())  # (1)
    scale = (1 - n / size) / n
    return max(0.0, raw - (k - 1) * scale), float(stats.chi2.sf(raw / scale, k - 1))


def _best(draws: pd.DataFrame) -> NDArray[np.bool_]:
    """Select the best tenth of the draws of each instance; never failed draws."""
    losses = draws["loss"].fillna(np.inf)
    keys = [draws["problem"], draws["seed"]]
    place = losses.groupby(keys).rank(method="first")
    size = losses.groupby(keys).transform("size")
    few = np.maximum(1, np.floor(TOP * size.to_numpy() + 1e-9))
    return np.asarray((place.to_numpy() <= few) & np.isfinite(losses.to_numpy()))


def _bins(values: pd.Series[Any], top: int) -> NDArray[np.intp]:
    """Bin numbers so that bins hold equally many draws, anything else by value."""
    most = max(2, min(_MOST_BINS, top // _PER_BIN))
    numeric = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
    if not numeric:
        return np.asarray(pd.factorize(values)[0], dtype=np.intp)
    x = values.to_numpy(dtype=np.float64)
    if len(np.unique(x)) <= most:
        return np.asarray(pd.factorize(x)[0], dtype=np.intp)
    edges = np.unique(np.quantile(x, np.linspace(0, 1, most + 1)[1:-1]))
    return np.searchsorted(edges, x, side="left").astype(np.intp)


def effort(trials: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """Compute the share of good trials of each method.

    Returns
    -------
    pandas.DataFrame
        problem, method, share: of the trials that are as good as the best tenth of the random draws
        on their instance.
    """
    kinds = {"problem": "string", "method": "string", "share": "float"}
    bars = draws.dropna(subset=["loss"]).groupby(["problem", "seed"])["loss"].quantile(TOP)
    if not len(bars):
        return table([], kinds, NO_RANDOM)
    bar = pd.MultiIndex.from_frame(trials[["problem", "seed"]]).map(bars.to_dict()).to_numpy(dtype=np.float64)
    good = trials["status"].eq("COMPLETED").to_numpy(dtype=bool) & (trials["loss"].to_numpy() <= bar)
    frame = trials.assign(good=good)[~np.isnan(bar)]
    groups = frame.groupby(["problem", "method"], sort=False, observed=True)
    found = groups.agg(share=("good", "mean"), seeds=("seed", "nunique")).reset_index().assign(problems=1)
    return table([{str(k): v for k, v in row.items()} for row in found.to_dict("records")], kinds)

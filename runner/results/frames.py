"""The frames ``trials`` and ``runs`` of a journal.

Types are explicit, so that a frame reads the same from Parquet: strings are ``string``, columns without
missing values ``int64``, ``float64`` or ``bool``, and others ``Int64``, ``boolean`` or a float with NaN.
Nothing here loops over rows in pandas.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray

from runner.journal.reader import Record
from runner.journal.schema import to_json, to_text
from runner.trial import Status

Column = NDArray[Any] | ExtensionArray
Floats = NDArray[np.float64]
Positions = NDArray[np.intp]

FAILURES: Final = tuple(s.value for s in Status if s.failed)
"""The statuses that count as failures; a trial stopped by a scheduler is not one."""

HUGE: Final = 1e100
"""Far above any real metric, with a square that is still a float; a larger loss says "as bad as can be"."""

_LARGEST = 2**63  # Int64
_ABSENT: Final = object()


def positions(record: Record) -> Positions:
    """Look up the position of each trial's run, shape (trials,)."""
    return np.array(record.trials["run"], dtype=np.intp)


def signs(record: Record) -> Floats:
    """Give each run 1.0 if its metric is minimised, else -1.0: value = sign * loss."""
    return np.array([1.0 if run.direction == "minimize" else -1.0 for run in record.runs])


def judged_losses(trials: pd.DataFrame) -> Floats:
    """Give each trial that may be an incumbent its loss, the others infinity."""
    losses = trials["loss"].to_numpy()
    valid = (trials["status"] == Status.COMPLETED.value).to_numpy(dtype=bool) & np.isfinite(losses)
    return np.where(valid, losses, np.inf)


def trials_frame(record: Record) -> pd.DataFrame:
    """Make one row per trial; see `runner.results.Results.trials`."""
    run, columns = positions(record), record.trials
    configs, metrics = _columns(record.decoded("config")), _columns(record.decoded("metrics"))
    return pd.DataFrame(
        {
            "study": _strings([record.name]).take(np.zeros(len(run), dtype=np.intp)),
            "run": _strings(r.id for r in record.runs).take(run),
            "method": _strings(r.label for r in record.runs).take(run),
            "problem": _strings(r.problem for r in record.runs).take(run),
            "seed": np.array([r.seed for r in record.runs], dtype=np.int64)[run],
            "number": np.array(columns["number"], dtype=np.int64),
            "status": _strings(columns["status"]),
            "loss": _floats(columns["loss"]),
            "value": _floats(columns["value"]),
            "test": _floats(columns["test"]),
            "origin": _strings(columns["origin"]),
            "config": _strings(columns["config"]),
            **{f"config/{to_text(name)}": _typed_at(*some, len(run)) for name, some in configs.items()},
            **{f"metrics/{to_text(name)}": _metric(*some, len(run)) for name, some in metrics.items()},
            "folds": _strings(None if value == "[]" else value for value in columns["folds"]),
            "steps": _strings(None if value == "[]" else value for value in columns["steps"]),
            "share": _floats(columns["share"]),
            "gradient": _strings(columns["gradient"]),
            "suggest_seconds": _floats(columns["suggest_seconds"]),
            "queue_seconds": _floats(columns["queue_seconds"]),
            "seconds": _floats(columns["seconds"]),
            "started": _floats(columns["started"]),
            "worker": _strings(columns["worker"]),
            "attempts": np.fromiter(map(_attempts, columns["earlier"]), dtype=np.int64),
            "earlier": _strings(None if text == "[]" else text for text in columns["earlier"]),
            "known": np.array(columns["known"], dtype=np.int64),
            "error": _strings(columns["error"]),
        }
    )


def _attempts(earlier: str) -> int:
    return 1 if earlier == "[]" else 1 + len(json.loads(earlier))


def runs_frame(record: Record, trials: pd.DataFrame) -> pd.DataFrame:
    """Make one row per run; see `runner.results.Results.runs`."""
    run, runs = positions(record), record.runs
    best = incumbent_rows(run, judged_losses(trials), len(runs))
    has_one = best >= 0
    at_best = trials.take(best[has_one])

    def of_best(column: str) -> Floats:
        found = np.full(len(runs), np.nan)
        found[has_one] = at_best[column].to_numpy()
        return found

    numbers: list[Any] = [_ABSENT] * len(runs)
    configs: list[str | None] = [None] * len(runs)
    for position, number, config in zip(
        np.flatnonzero(has_one), at_best["number"].tolist(), at_best["config"].tolist(), strict=True
    ):
        numbers[position], configs[position] = number, config
    failures = trials["status"].isin(FAILURES).to_numpy(dtype=bool)
    return pd.DataFrame(
        {
            "study": _strings([record.name] * len(runs)),
            "run": _strings(r.id for r in runs),
            "method": _strings(r.label for r in runs),
            "method_name": _strings(r.method for r in runs),
            "settings": _strings(to_json(r.settings) for r in runs),
            "problem": _strings(r.problem for r in runs),
            "seed": np.array([r.seed for r in runs], dtype=np.int64),
            "direction": _strings(r.direction for r in runs),
            "metric": _strings(r.metric for r in runs),
            "optimum": _floats(r.optimum for r in runs),
            "budget_trials": integers(_or_absent(r.budget["trials"]) for r in runs),
            "budget_seconds": _floats(r.budget["seconds"] for r in runs),
            "trials": np.bincount(run, minlength=len(runs)).astype(np.int64),
            "failures": np.bincount(run, failures, len(runs)).astype(np.int64),
            "equivalents": np.bincount(run, trials["share"].to_numpy(), len(runs)),
            "incumbent_loss": of_best("loss"),
            "incumbent_value": of_best("value"),
            "incumbent_test": of_best("test"),
            "incumbent_number": integers(numbers),
            "incumbent_config": _strings(configs),
            "evaluation_seconds": np.bincount(run, trials["seconds"].to_numpy(), len(runs)),
            "proposal_seconds": np.bincount(run, trials["suggest_seconds"].to_numpy(), len(runs)),
            "end_reason": _strings(r.end_reason for r in runs),
            "failed": np.array([r.failed for r in runs], dtype=bool),
            "announcement": _strings(r.announcement for r in runs),
            "conclusion": _strings(r.conclusion for r in runs),
        }
    )


def incumbent_rows(run: Positions, losses: Floats, runs: int) -> Positions:
    """Find the first row of each run's least finite loss, or -1; rows are ordered by number."""
    order = np.lexsort((losses, run))  # stable: of equal losses the lower number comes first
    ordered = run[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    found = np.full(runs, -1, dtype=np.intp)
    rows = order[first]
    rows = rows[np.isfinite(losses[rows])]
    found[run[rows]] = rows
    return found


def typed(values: Sequence[object]) -> Column:
    """Make a column of Python scalars, of the narrowest type that holds them all.

    Integers become ``Int64``, booleans ``boolean``, floats (and integers beside them)
    ``float64``, and anything else, mixtures too, ``string``. A parameter that is not active is
    missing. A value None is missing among numbers or booleans, and "None" among strings.
    """
    rows = [i for i, value in enumerate(values) if value is not _ABSENT]
    return _typed_at(rows, [values[i] for i in rows], len(values))


def _typed_at(rows: Sequence[int], values: Sequence[Any], size: int) -> Column:
    """`typed`, of the present values at their rows; most parameters are absent in most rows."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds or not (kinds <= {int, float} or kinds == {bool}) or _huge(kinds, values):
        strings: list[str | None] = [None] * size
        for row, value in zip(rows, values, strict=True):
            strings[row] = str(value)
        return _strings(strings)
    where = np.array(
        [row for row, value in zip(rows, values, strict=True) if value is not None], dtype=np.intp
    )
    present = [value for value in values if value is not None]
    if float in kinds:
        found = np.full(size, np.nan)
        found[where] = np.array(present, dtype=np.float64)
        return found
    mask = np.ones(size, dtype=bool)
    mask[where] = False
    exact = np.zeros(size, dtype=bool if kinds == {bool} else np.int64)
    exact[where] = present
    column = pd.arrays.BooleanArray if kinds == {bool} else pd.arrays.IntegerArray
    return column(exact, mask)


def _columns(mappings: Sequence[dict[str, Any]]) -> dict[str, tuple[list[int], list[Any]]]:
    """Collect by key, in order of first appearance, the rows that have it and its values there."""
    found: dict[str, tuple[list[int], list[Any]]] = {}
    for row, mapping in enumerate(mappings):
        for name, value in mapping.items():
            if name not in found:
                found[name] = [], []
            rows, values = found[name]
            rows.append(row)
            values.append(value)
    return found


def _metric(rows: Sequence[int], values: Sequence[float | None], size: int) -> Floats:
    column = np.full(size, np.nan)
    column[np.array(rows, dtype=np.intp)] = _floats(values)
    return column


def integers(values: Iterable[object]) -> pd.arrays.IntegerArray:
    """Make a column of integers, missing where they are absent or None."""
    present = [None if value is _ABSENT else value for value in values]
    mask = np.array([value is None for value in present], dtype=bool)
    filled = np.array([0 if value is None else value for value in present], dtype=np.int64)
    return pd.arrays.IntegerArray(filled, mask)


def _huge(kinds: set[type], values: Sequence[Any]) -> bool:
    """Check for integers that are too large for a column."""
    return int in kinds and any(type(x) is int and not -_LARGEST <= x < _LARGEST for x in values)


def _or_absent(value: float | None) -> object:
    return _ABSENT if value is None else int(value)


def _floats(values: Iterable[Any]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _strings(values: Iterable[str | None]) -> ExtensionArray:
    cleaned = [value if value is None or value.isascii() else to_text(value) for value in values]
    return pd.array(cleaned, dtype="string")

"""The frames ``trials`` and ``runs`` of what a journal holds.

Types are explicit, so that a frame reads the same from Parquet: text is ``string``, what is
always there is ``int64``, ``float64`` or ``bool``, and what may be missing is ``Int64``,
``boolean`` or a float that is NaN. Nothing here loops over rows in pandas.
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
"""The statuses that count as failures; a trial stopped by a scheduler is none."""

HUGE: Final = 1e100
"""No metric is of this size, and its square still is a float; a loss that is says "as bad as can be"."""

_LARGEST = 2**63
_ABSENT: Final = object()


def positions(record: Record) -> Positions:
    """For each trial the position of its run, shape (trials,)."""
    return np.array(record.trials["run"], dtype=np.intp)


def signs(record: Record) -> Floats:
    """For each run 1.0 where its metric is minimised, else -1.0: value = sign * loss."""
    return np.array([1.0 if run.direction == "minimize" else -1.0 for run in record.runs])


def judged_losses(trials: pd.DataFrame) -> Floats:
    """The loss of each trial that may be an incumbent, infinity for the others."""
    losses = trials["loss"].to_numpy()
    valid = (trials["status"] == Status.COMPLETED.value).to_numpy(dtype=bool) & np.isfinite(losses)
    return np.where(valid, losses, np.inf)


def trials_frame(record: Record) -> pd.DataFrame:
    """One row per trial; see `runner.results.Results.trials`."""
    run, columns = positions(record), record.trials
    configs, metrics = _columns(record.decoded("config")), _columns(record.decoded("metrics"))
    return pd.DataFrame(
        {
            "study": _text([record.name]).take(np.zeros(len(run), dtype=np.intp)),
            "run": _text(r.id for r in record.runs).take(run),
            "method": _text(r.label for r in record.runs).take(run),
            "problem": _text(r.problem for r in record.runs).take(run),
            "seed": np.array([r.seed for r in record.runs], dtype=np.int64)[run],
            "number": np.array(columns["number"], dtype=np.int64),
            "status": _text(columns["status"]),
            "loss": _floats(columns["loss"]),
            "value": _floats(columns["value"]),
            "test": _floats(columns["test"]),
            "origin": _text(columns["origin"]),
            "config": _text(columns["config"]),
            **{f"config/{to_text(name)}": _typed_at(*some, len(run)) for name, some in configs.items()},
            **{f"metrics/{to_text(name)}": _metric(*some, len(run)) for name, some in metrics.items()},
            "folds": _text(None if text == "[]" else text for text in columns["folds"]),
            "steps": _text(None if text == "[]" else text for text in columns["steps"]),
            "share": _floats(columns["share"]),
            "gradient": _text(columns["gradient"]),
            "suggest_seconds": _floats(columns["suggest_seconds"]),
            "queue_seconds": _floats(columns["queue_seconds"]),
            "seconds": _floats(columns["seconds"]),
            "started": _floats(columns["started"]),
            "worker": _text(columns["worker"]),
            "attempts": np.fromiter(map(_attempts, columns["earlier"]), dtype=np.int64),
            "earlier": _text(None if text == "[]" else text for text in columns["earlier"]),
            "known": np.array(columns["known"], dtype=np.int64),
            "error": _text(columns["error"]),
        }
    )


def _attempts(earlier: str) -> int:
    return 1 if earlier == "[]" else 1 + len(json.loads(earlier))


def runs_frame(record: Record, trials: pd.DataFrame) -> pd.DataFrame:
    """One row per run; see `runner.results.Results.runs`."""
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
            "study": _text([record.name] * len(runs)),
            "run": _text(r.id for r in runs),
            "method": _text(r.label for r in runs),
            "method_name": _text(r.method for r in runs),
            "settings": _text(to_json(r.settings) for r in runs),
            "problem": _text(r.problem for r in runs),
            "seed": np.array([r.seed for r in runs], dtype=np.int64),
            "direction": _text(r.direction for r in runs),
            "metric": _text(r.metric for r in runs),
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
            "incumbent_config": _text(configs),
            "evaluation_seconds": np.bincount(run, trials["seconds"].to_numpy(), len(runs)),
            "thinking_seconds": np.bincount(run, trials["suggest_seconds"].to_numpy(), len(runs)),
            "end_reason": _text(r.end_reason for r in runs),
            "failed": np.array([r.failed for r in runs], dtype=bool),
            "announcement": _text(r.announcement for r in runs),
            "conclusion": _text(r.conclusion for r in runs),
        }
    )


def incumbent_rows(run: Positions, losses: Floats, runs: int) -> Positions:
    """For each run the row of its first least finite loss, or -1; rows are ordered by number."""
    order = np.lexsort((losses, run))  # stable: of equal losses the lower number comes first
    ordered = run[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    found = np.full(runs, -1, dtype=np.intp)
    rows = order[first]
    rows = rows[np.isfinite(losses[rows])]
    found[run[rows]] = rows
    return found


def typed(values: Sequence[object]) -> Column:
    """A column of Python scalars, of the narrowest type that holds them all.

    Integers become ``Int64``, booleans ``boolean``, floats (and integers beside them)
    ``float64``, and anything else, mixtures too, ``string``. A parameter that is not active is
    missing. A value None is missing among numbers or booleans, and "None" as text.
    """
    rows = [i for i, value in enumerate(values) if value is not _ABSENT]
    return _typed_at(rows, [values[i] for i in rows], len(values))


def _typed_at(rows: Sequence[int], values: Sequence[Any], size: int) -> Column:
    """`typed`, of the values that are there, at their rows; most parameters are absent in most rows."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds or not (kinds <= {int, float} or kinds == {bool}) or _huge(kinds, values):
        texts: list[str | None] = [None] * size
        for row, value in zip(rows, values, strict=True):
            texts[row] = str(value)
        return _text(texts)
    where = np.array(
        [row for row, value in zip(rows, values, strict=True) if value is not None], dtype=np.intp
    )
    given = [value for value in values if value is not None]
    if float in kinds:
        found = np.full(size, np.nan)
        found[where] = np.array(given, dtype=np.float64)
        return found
    mask = np.ones(size, dtype=bool)
    mask[where] = False
    whole = np.zeros(size, dtype=bool if kinds == {bool} else np.int64)
    whole[where] = given
    made = pd.arrays.BooleanArray if kinds == {bool} else pd.arrays.IntegerArray
    return made(whole, mask)


def _columns(mappings: Sequence[dict[str, Any]]) -> dict[str, tuple[list[int], list[Any]]]:
    """By key, in the order in which they come first, the rows that have it and its values there."""
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
    """A column of integers, missing where they are absent or None."""
    given = [None if value is _ABSENT else value for value in values]
    mask = np.array([value is None for value in given], dtype=bool)
    filled = np.array([0 if value is None else value for value in given], dtype=np.int64)
    return pd.arrays.IntegerArray(filled, mask)


def _huge(kinds: set[type], values: Sequence[Any]) -> bool:
    """Whether an integer is too large for its column."""
    return int in kinds and any(type(x) is int and not -_LARGEST <= x < _LARGEST for x in values)


def _or_absent(value: float | None) -> object:
    return _ABSENT if value is None else int(value)


def _floats(values: Iterable[Any]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _text(values: Iterable[str | None]) -> ExtensionArray:
    cleaned = [value if value is None or value.isascii() else to_text(value) for value in values]
    return pd.array(cleaned, dtype="string")

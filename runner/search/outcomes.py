"""Conversion of Tune's results to outcomes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from runner.problems.answers import as_number, by_value, exactness, invalid_metric
from runner.space import Space
from runner.space.formats import View, flat_dict
from runner.space.formats.points import equal, is_placeholder
from runner.trial import Outcome, Pending, Status


def outcome_of(
    space: Space,
    metric: str,
    mode: str | None,
    config: Mapping[str, Any],
    result: Mapping[str, Any] | None,
    error: bool,
) -> Outcome:
    """Convert Tune's last result of a trial to an outcome to be minimised.

    Parameters
    ----------
    metric : str
        The keys of a nested metric are joined by "/".
    config : mapping
        The trial's config, used for a gradient by logarithms.
    result : mapping or None
        The last result, nested or flat; None if there was none.
    error : bool
        True if the trial failed.
    """
    if error:
        return Outcome(Status.FAILED, error=Status.FAILED.meaning)
    if result is None:
        return Outcome(Status.STOPPED, error=Status.STOPPED.meaning)
    flat = flat_dict(result)
    seconds = _finite(flat.get("time_total_s")) or 0.0
    value = _finite(flat.get(metric))
    if value is None:
        return Outcome(Status.INVALID, error=invalid_metric(metric, flat.get(metric)), seconds=seconds)
    sign = -1.0 if mode == "max" else 1.0
    by_log = {name: _finite(flat.get(f"gradient_log/{name}")) for name in space.names}
    scaled = {name: by_value(x, config.get(name)) for name, x in by_log.items() if x is not None}
    native = {name: _finite(flat.get(f"gradient/{name}")) for name in space.names}
    reported = scaled | {name: x for name, x in native.items() if x is not None}
    gradient = {name: sign * slope for name, slope in reported.items() if math.isfinite(slope)}
    spread = _finite(flat.get("loss_std"))
    return Outcome(
        Status.COMPLETED,
        loss=sign * value,
        value=value,
        gradient=gradient or None,
        metrics=({} if spread is None else {"loss_std": spread}) | exactness(flat.get("gradient_exact")),
        seconds=seconds,
    )


def _finite(value: object) -> float | None:
    number = as_number(value)
    return number if number is not None and math.isfinite(number) else None


def same_trial(view: View, pending: Iterable[Pending], result: Mapping[str, Any] | None) -> Pending | None:
    """Find the pending trial with the config of a result, or None.

    Objects that a searcher sees as placeholders only are not compared.
    """
    flat = flat_dict(result or {})
    reported = {name.removeprefix("config/"): v for name, v in flat.items() if name.startswith("config/")}
    return next((trial for trial in pending if _agrees(view.native(trial.config), reported)), None)


def _agrees(config: Mapping[str, Any], reported: Mapping[str, Any]) -> bool:
    return all(
        name in reported and (is_placeholder(value) or equal(value, reported[name]))
        for name, value in flat_dict(config).items()
    )

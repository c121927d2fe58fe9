"""What Tune's results say of a trial."""

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
    """What Tune says of a trial, as an outcome to be minimised.

    Parameters
    ----------
    space : Space
        Its names are looked for in the gradient.
    metric : str
        The keys of a nested metric are joined by "/".
    mode : "min" or "max"
    config : mapping
        The trial's; a gradient by logarithms needs it.
    result : mapping or None
        The last result, nested or flat; None where there was none.
    error : bool
        Whether the trial failed.
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
    """The pending trial whose config Tune's results carry, or None.

    An object in whose place a searcher sees a mark is not compared.
    """
    flat = flat_dict(result or {})
    reported = {name.removeprefix("config/"): v for name, v in flat.items() if name.startswith("config/")}
    return next((trial for trial in pending if _agrees(view.native(trial.config), reported)), None)


def _agrees(config: Mapping[str, Any], reported: Mapping[str, Any]) -> bool:
    return all(
        name in reported and (is_placeholder(value) or equal(value, reported[name]))
        for name, value in flat_dict(config).items()
    )

"""What Tune's results say of a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from runner.convert.raytune import flat_dict
from runner.errors import SpaceError
from runner.problems.answers import as_number, by_value, exactness
from runner.search.front import searched
from runner.space import Space
from runner.trial import Config, Outcome, Status


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
        return Outcome(Status.FAILED, error=Status.FAILED.sentence)
    if result is None:
        return Outcome(Status.STOPPED, error=Status.STOPPED.sentence)
    flat = flat_dict(result)
    seconds = _finite(flat.get("time_total_s")) or 0.0
    value = _finite(flat.get(metric))
    if value is None:
        found = repr(flat.get(metric))[:80]
        return Outcome(Status.INVALID, error=f"the metric '{metric}' is {found}.", seconds=seconds)
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


def reported_config(space: Space, result: Mapping[str, Any] | None) -> Config | None:
    """The config that Tune's results carry, or None."""
    config = {
        name.removeprefix("config/"): value
        for name, value in flat_dict(result or {}).items()
        if name.startswith("config/")
    }
    try:
        return searched(space, config)
    except SpaceError:
        return None

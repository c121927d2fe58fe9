"""Validation of a search's arguments, and their combination with Tune's settings."""

from __future__ import annotations

from typing import get_args

from ray.tune.result import DEFAULT_METRIC

from runner.errors import MethodError
from runner.trial import Order


def check_arguments(
    metric: object, mode: object, trials: object, seed: object, max_concurrent: object, order: object
) -> None:
    """Raise MethodError for the first invalid argument of a search."""

    def integer(value: object, least: int) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    checks = (
        ("metric", metric, metric is None or isinstance(metric, str), "a name"),
        ("mode", mode, mode in (None, "min", "max"), "'min' or 'max'"),
        ("trials", trials, trials is None or integer(trials, 1), "a positive integer"),
        ("seed", seed, integer(seed, 0), "a non-negative integer"),
        (
            "max_concurrent",
            max_concurrent,
            max_concurrent is None or integer(max_concurrent, 1),
            "a positive integer",
        ),
        ("order", order, order in get_args(Order), "'async' or 'trial'"),
    )
    for name, value, valid, expected in checks:
        if not valid:
            raise MethodError(f"expected {expected}, got {value!r}.", where=name)


def resolve_metric(
    metric: str | None, mode: str | None, tune_metric: str | None = None, tune_mode: str | None = None
) -> tuple[str | None, str | None]:
    """Combine metric and mode of the search and of Tune's configuration.

    Raises
    ------
    MethodError
        If they contradict each other.
    """
    for name, own, given in (("metric", metric, tune_metric), ("mode", mode, tune_mode)):
        if own not in (None, DEFAULT_METRIC, given) and given is not None:
            raise MethodError(
                f"the search has {own!r}, but Tune's configuration has {given!r}.",
                where=name,
                hint="Set it in one of the two.",
            )
    mode = tune_mode or mode
    # Tune's name for the bare number that a trainable returns:
    return tune_metric or metric or (DEFAULT_METRIC if mode else None), mode

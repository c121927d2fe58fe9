"""The arguments of a search: whether they fit, and what Tune's own settings add to them."""

from __future__ import annotations

from typing import get_args

from ray.tune.result import DEFAULT_METRIC

from runner.errors import MethodError
from runner.trial import Order


def check_arguments(
    metric: object, mode: object, trials: object, seed: object, max_concurrent: object, order: object
) -> None:
    """Raise MethodError for the first argument of a search that does not fit."""

    def whole(value: object, least: int) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    checks = (
        ("metric", metric, metric is None or isinstance(metric, str), "a name"),
        ("mode", mode, mode in (None, "min", "max"), "'min' or 'max'"),
        ("trials", trials, trials is None or whole(trials, 1), "a number of at least 1"),
        ("seed", seed, whole(seed, 0), "a whole number of at least 0"),
        (
            "max_concurrent",
            max_concurrent,
            max_concurrent is None or whole(max_concurrent, 1),
            "a number of at least 1",
        ),
        ("order", order, order in get_args(Order), "'async' or 'trial'"),
    )
    for name, value, fits, wanted in checks:
        if not fits:
            raise MethodError(f"got {value!r}; {wanted} was expected.", where=name)


def settled(
    metric: str | None, mode: str | None, tune_metric: str | None = None, tune_mode: str | None = None
) -> tuple[str | None, str | None]:
    """Metric and mode from what the search and Tune's configuration were given.

    Raises
    ------
    MethodError
        Where the two contradict each other.
    """
    for name, own, given in (("metric", metric, tune_metric), ("mode", mode, tune_mode)):
        if own not in (None, DEFAULT_METRIC, given) and given is not None:
            raise MethodError(
                f"the search has {own!r}, Tune's configuration {given!r}.",
                where=name,
                hint="Give it in one place.",
            )
    mode = tune_mode or mode
    # Tune's name for the bare number that a trainable returns:
    return tune_metric or metric or (DEFAULT_METRIC if mode else None), mode

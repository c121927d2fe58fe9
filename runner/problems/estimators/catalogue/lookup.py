"""Look up the entry of an estimator, and the config to start from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from runner.errors import ProblemError, nearest
from runner.problems.estimators.catalogue.entries import CATALOGUE, Entry
from runner.problems.estimators.checks import make_estimator
from runner.trial import Config


def entry_of(estimator: str) -> Entry:
    """Get the entry of an estimator by the path or name of its class; ProblemError if there is none."""
    entry = find(estimator)
    if entry is None:
        hint = nearest(estimator.rpartition(".")[2], [entry.name for entry in CATALOGUE.values()])
        raise ProblemError(
            f"there is no built-in space for '{estimator}'.",
            where="estimator",
            hint=f"{hint} Or give a space of your own with --space FILE.yaml.",
        )
    return entry


def find(estimator: str) -> Entry | None:
    """Find the entry of an estimator by the path or name of its class."""
    names = {entry.name: entry for entry in CATALOGUE.values()}
    return names.get(estimator, CATALOGUE.get(estimator))


def start_of(entry: Entry, features: int) -> Config:
    """Get the estimator's own defaults, as far as the space contains them.

    Parameters
    ----------
    entry : Entry
    features : int
        Number of columns. It determines "inverse", 1 / features, the value of
        scikit-learn's ``gamma="scale"`` for standardised features; and "root", the share
        of ``max_features="sqrt"``.
    """
    defaults = make_estimator(entry.path, entry.params).get_params()
    words = {
        "inverse": min(8.0, max(2**-15, 1.0 / features)),
        "root": min(0.9, max(0.1, math.sqrt(features) / features)),
    }
    start = {
        name: words.get(value, value) if isinstance(value, str) else value
        for name, value in entry.start.items()
    }
    return _active(entry.space, {**defaults, **start})


def _active(space: Mapping[str, Any], values: Mapping[str, Any]) -> Config:
    config: Config = {}
    for name, domain in space.items():
        config[name] = values[name]
        if isinstance(domain, Mapping) and isinstance(options := domain.get("choice"), Mapping):
            config |= _active(options[str(values[name])], values)
    return config

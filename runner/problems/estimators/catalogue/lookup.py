"""An entry by an estimator's name, and the config that it starts from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from runner.errors import ProblemError, nearest
from runner.problems.estimators.catalogue.entries import CATALOGUE, Entry
from runner.problems.estimators.checks import make_estimator
from runner.trial import Config


def entry_of(estimator: str) -> Entry:
    """The entry of an estimator, by the path of its class or by its bare name.

    Raises
    ------
    ProblemError
        Where there is none; names the nearest.
    """
    found = find(estimator)
    if found is None:
        hint = nearest(estimator.rpartition(".")[2], [entry.name for entry in CATALOGUE.values()])
        raise ProblemError(
            f"there is no built-in space for '{estimator}'.",
            where="estimator",
            hint=f"{hint} Or give a space of your own with --space FILE.yaml.",
        )
    return found


def find(estimator: str) -> Entry | None:
    """As `entry_of`, None where there is none."""
    names = {entry.name: entry for entry in CATALOGUE.values()}
    return names.get(estimator, CATALOGUE.get(estimator))


def start_of(entry: Entry, features: int) -> Config:
    """The estimator's own defaults, as far as the space has room for them.

    Parameters
    ----------
    entry : Entry
    features : int
        Columns that the estimator gets. On them depend "inverse", 1 / features, which is what
        scikit-learn's ``gamma="scale"`` comes to for standardised features; and "root", the share
        of ``max_features="sqrt"``.
    """
    given = make_estimator(entry.path, entry.params).get_params()
    words = {
        "inverse": min(8.0, max(2**-15, 1.0 / features)),
        "root": min(0.9, max(0.1, math.sqrt(features) / features)),
    }
    start = {
        name: words.get(value, value) if isinstance(value, str) else value
        for name, value in entry.start.items()
    }
    return _active(entry.space, {**given, **start})


def _active(space: Mapping[str, Any], values: Mapping[str, Any]) -> Config:
    config: Config = {}
    for name, domain in space.items():
        config[name] = values[name]
        if isinstance(domain, Mapping) and isinstance(options := domain.get("choice"), Mapping):
            config |= _active(options[str(values[name])], values)
    return config

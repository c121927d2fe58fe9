"""A space as a hyperopt expression in encoded coordinates, for hyperopt's own algorithms.

hyperopt's distributions for numbers are not used. Every number becomes ``hp.uniform(label, 0, 1)`` in
its encoded coordinate, so that the domain handles logarithms, steps and the probabilities of the
bounds; a `Choice` becomes ``hp.randint``, or ``hp.choice`` if it is conditional.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from runner.space import Config, Space
from runner.space.domains import Choice, Domain, Params


def encoded_hyperopt(space: Space) -> Any:
    """Write a space as a hyperopt expression in encoded coordinates, without forbidden combinations.

    Returns
    -------
    dict
        Parameter name to expression, nested by ``hp.choice``. The labels are those of
        `hyperopt_values`, and `hyperopt_config` reads a point of it.
    """
    from hyperopt import hp  # takes 0.8 s to import, and only the tpe method needs it

    labels = _labels(space)
    nodes: dict[tuple[str, Domain], Any] = {}

    def node(name: str, domain: Domain) -> Any:
        # Sibling branches with one coordinate share a node, as hyperopt refuses duplicate labels.
        if (name, domain) not in nodes:
            label = labels[name, domain]
            if not isinstance(domain, Choice):
                nodes[name, domain] = hp.uniform(label, 0.0, 1.0)
            elif domain.conditional:
                nodes[name, domain] = hp.choice(label, [expression(branch) for branch in domain.branches])
            else:
                nodes[name, domain] = hp.randint(label, domain.levels)
        return nodes[name, domain]

    def expression(params: Params) -> dict[str, Any]:
        return {name: node(name, domain) for name, domain in params}

    return expression(space.params)


def hyperopt_values(space: Space, config: Config) -> dict[str, float]:
    """Convert a config to hyperopt's form: label to encoded coordinate or to the index of the option.

    Inactive parameters are omitted.
    """
    row, active = space.encode(config), space.active(config)
    values: dict[str, float] = {}
    for (_, domain), label, u, used in zip(
        space.dimensions, _labels(space).values(), row, active, strict=True
    ):
        if used:
            choice = isinstance(domain, Choice)
            values[label] = int(u * (domain.levels or 1)) if choice else float(u)
    return values


def hyperopt_config(space: Space, values: Mapping[str, Any]) -> Config:
    """Convert a point in hyperopt's form to a config; see `hyperopt_values`."""
    row = np.full(space.d, 0.5)
    for column, ((_, domain), label) in enumerate(
        zip(space.dimensions, _labels(space).values(), strict=True)
    ):
        if label in values:
            value = float(values[label])
            row[column] = (value + 0.5) / (domain.levels or 1) if isinstance(domain, Choice) else value
    return space.decode(row)


def _labels(space: Space) -> dict[tuple[str, Domain], str]:
    # The column makes labels of siblings with one name and different domains unique.
    return {dimension: f"{column}:{dimension[0]}" for column, dimension in enumerate(space.dimensions)}

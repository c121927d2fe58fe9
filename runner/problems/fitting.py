"""How an estimator problem fits its estimator: with a config, the block's seeds, and scaled features.

scikit-learn takes a second to import, so each function imports what it needs.
"""

from __future__ import annotations

from typing import Any

from runner.domains import Choice, Params
from runner.errors import SpaceError
from runner.problems.data import Data
from runner.problems.folds import Rows
from runner.seeds import seed_for
from runner.space import Domain, Space
from runner.trial import Config


def fit(model: Any, scale: bool, data: Data, config: Config, seed: int, train: Rows) -> Any:
    """A pipeline with a clone of the model, fitted to the rows.

    Every ``random_state`` of the model that is None is set from the seed.
    """
    from sklearn.base import clone

    made = clone(model).set_params(**config)
    states = {
        key: seed_for(seed, "model", *key.split("__")[:-1])
        for key, value in made.get_params().items()
        if key.split("__")[-1] == "random_state" and value is None
    }
    return pipeline(made.set_params(**states), scale).fit(data.X[train], data.y[train])


def pipeline(model: Any, scale: bool) -> Any:
    """The model behind a scaler that is fitted with it, or alone."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), model) if scale else model


def own_defaults(model: Any, space: Space) -> Config | None:
    """The model's parameters as a config, None where they are not in the space."""
    values = model.get_params()
    config: Config = {}

    def visit(params: Params) -> None:
        domain: Domain
        for name, domain in params:
            config[name] = domain.canonical(values[name])
            if isinstance(domain, Choice):
                visit(domain.branches[domain.index(config[name])])

    try:
        visit(space.params)
        return space.canonical(config)
    except SpaceError:
        return None

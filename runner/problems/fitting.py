"""How an estimator problem fits its estimator: with a config, the block's seeds, prepared features.

scikit-learn takes a second to import, so each function imports what it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.domains import Choice, Params
from runner.errors import SpaceError
from runner.problems.data import Data
from runner.problems.folds import Rows
from runner.seeds import seed_for
from runner.space import Domain, Space
from runner.trial import Config


def fit(model: Any, scale: bool, data: Data, config: Config, seed: int, train: Rows) -> Any:
    """A pipeline with a clone of the model, fitted to the rows; see `assembled`."""
    codes: list[list[float] | None] | None = None
    if data.labels is not None:  # the numbers that stand for them
        codes = [None if known is None else [float(i) for i in range(len(known))] for known in data.labels]
    made = assembled(model, scale, config, seed, codes, range(data.X.shape[1]))
    return made.fit(data.X[train], data.y[train])


def assembled(
    model: Any,
    scale: bool,
    config: Config,
    seed: int,
    labels: Sequence[Sequence[Any] | None] | None,
    columns: Sequence[Any],
) -> Any:
    """The `pipeline` of a config, not fitted, with a clone of the model.

    Every ``random_state`` of the model that is None is set from the seed.
    """
    from sklearn.base import clone

    made = clone(model).set_params(**config)
    states = {
        key: seed_for(seed, "model", *key.split("__")[:-1])
        for key, value in made.get_params().items()
        if key.split("__")[-1] == "random_state" and value is None
    }
    return pipeline(made.set_params(**states), scale, labels, columns)


def pipeline(
    model: Any,
    scale: bool,
    labels: Sequence[Sequence[Any] | None] | None = None,
    columns: Sequence[Any] = (),
) -> Any:
    """The model behind what prepares its features and is fitted with it, or alone.

    Parameters
    ----------
    model : estimator
    scale : bool
        Whether numbers are standardised.
    labels : sequence, optional
        For each column its categories or None; where it is given, missing numbers become the
        median, with a column that says so, and categories a 0/1 column each, all 0 where the
        value is missing or was not known.
    columns : sequence
        The columns' positions or names, in the order of ``labels``.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    if labels is None:
        return make_pipeline(StandardScaler(), model) if scale else model
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    known = [list(kinds) for kinds in labels if kinds is not None]
    encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
    numbers = [name for name, kinds in zip(columns, labels, strict=True) if kinds is None]
    texts = [name for name, kinds in zip(columns, labels, strict=True) if kinds is not None]
    steps = [
        ("numbers", make_pipeline(filled, StandardScaler()) if scale else filled, numbers),
        ("categories", encoder, texts),
    ]
    return make_pipeline(ColumnTransformer([step for step in steps if step[2]]), model)


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

"""Fit the estimator of a problem with a config, the block's seeds and prepared features.

scikit-learn takes a second to import, so each function imports what it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.errors import SpaceError
from runner.problems.estimators.data.data import Data
from runner.problems.estimators.folds import Rows
from runner.seeds import seed_for
from runner.space import Domain, Space
from runner.space.domains import Choice, Params
from runner.trial import Config


def fit(model: Any, scale: bool, data: Data, config: Config, seed: int, train: Rows) -> Any:
    """Fit the pipeline of a config to the rows; see `assemble`."""
    return assemble(model, scale, config, seed, data).fit(data.X[train], data.y[train])


def assemble(model: Any, scale: bool, config: Config, seed: int, data: Data, *, reads: bool = False) -> Any:
    """Make the `pipeline` of a config, not fitted, with a clone of the model.

    Every ``random_state`` of the model that is None is set from the seed. With ``reads`` it begins with
    a step that reads the table of a file; else its input is the data's matrix.
    """
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline

    model = clone(model).set_params(**config)
    states = {
        key: seed_for(seed, "model", *key.split("__")[:-1])
        for key, value in model.get_params().items()
        if key.split("__")[-1] == "random_state" and value is None
    }
    rest = pipeline(model.set_params(**states), scale, data.labels)
    if not reads or data.reading is None:
        return rest
    from runner.problems.columns import Columns

    read = data.reading
    labels = {name: list(known) for name, known in read.labels.items()}
    first = Columns(list(read.names), dict(read.numbers) or None, labels or None, dict(read.dates) or None)
    steps = [step for _, step in rest.steps] if hasattr(rest, "steps") and rest is not model else [rest]
    return make_pipeline(first, *steps)


def pipeline(model: Any, scale: bool, labels: Sequence[Sequence[str] | None] | None = None) -> Any:
    """Put the model behind the preparation of its features, if there is any.

    Parameters
    ----------
    model : estimator
    scale : bool
        Standardise numbers.
    labels : sequence, optional
        For each column the categories behind its numbers 0, 1, ..., or None. With it, missing numbers
        become the median, with an indicator column, and each category a 0/1
        column, all 0 if the value is missing or unknown.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    if labels is None:
        return make_pipeline(StandardScaler(), model) if scale else model
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    known = [[float(i) for i in range(len(kinds))] for kinds in labels if kinds is not None]
    encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
    numbers = [i for i, kinds in enumerate(labels) if kinds is None]
    categories = [i for i, kinds in enumerate(labels) if kinds is not None]
    steps = [
        ("numbers", make_pipeline(filled, StandardScaler()) if scale else filled, numbers),
        ("categories", encoder, categories),
    ]
    return make_pipeline(ColumnTransformer([step for step in steps if step[2]]), model)


def own_defaults(model: Any, space: Space) -> Config | None:
    """Get the model's parameters as a config; None if they are not in the space."""
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

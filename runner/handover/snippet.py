"""A pipeline as Python that needs pandas and scikit-learn and nothing of this package.

It is also what the saved pipeline is made by, so that the two cannot differ.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from typing import Any

from runner.problems.data import BUILT_IN, Data
from runner.problems.estimators import EstimatorProblem
from runner.problems.tables import MISSING, separator_of
from runner.seeds import seed_for
from runner.trial import Config

_WIDTH = 100


def snippet_of(problem: EstimatorProblem, config: Config, seed: int, said: str) -> str:
    """A Python file that reads the data, builds the pipeline, fits it and scores it.

    Parameters
    ----------
    problem : EstimatorProblem
        Of a data file or a built-in data set.
    config : dict
    seed : int
        Of the block, below 2**32: the same rows are held out, and the same ``random_state`` set.
    said : str
        Its first line.
    """
    data = problem.table
    imports: set[str] = {"from sklearn.metrics import get_scorer"}
    built = expression_of(problem.pipeline_of(config, seed), imports)
    loading = _loading(problem, data, imports)
    if problem.test:
        imports.add("from sklearn.model_selection import train_test_split")
    lines = [
        f'"""{said}',
        "",
        "Made by fivefold; it needs pandas and scikit-learn only.",
        '"""',
        "",
        *sorted(imports, key=lambda line: (not line.startswith("import"), line)),
        "",
        "",
        *loading,
        "",
        "",
        "def build():",
        '    """The pipeline, not fitted."""',
        textwrap.indent(f"return {built}", "    "),
        "",
        "",
        *_splitting(problem, seed),
        "",
        "",
        'if __name__ == "__main__":',
        "    X, y = load()",
        "    X_train, X_test, y_train, y_test = split(X, y)",
        "    pipeline = build().fit(X_train, y_train)",
        f'    print("{problem.metric}", get_scorer("{problem.metric}")(pipeline, X_test, y_test))',
        "    # To learn from all rows: build().fit(X, y)",
    ]
    return "\n".join(lines) + "\n"


def expression_of(thing: Any, imports: set[str] | None = None) -> str:
    """An estimator as a Python expression, with the parameters that differ from the defaults.

    Parameters
    ----------
    thing : estimator, or a value in one
    imports : set of str, optional
        Takes the imports that the expression needs.
    """
    if isinstance(thing, list | tuple):
        inner = [expression_of(part, imports) for part in thing]
        return _call("" if isinstance(thing, tuple) else None, inner)
    if not callable(getattr(thing, "get_params", None)):
        return repr(thing)
    if isinstance(steps := getattr(thing, "steps", None), list):
        _import(imports, "sklearn.pipeline", "make_pipeline")
        return _call("make_pipeline", [expression_of(step, imports) for _, step in steps])
    cls = type(thing)
    _import(imports, _public_module(cls), cls.__name__)
    arguments = []
    for name, parameter in inspect.signature(cls).parameters.items():
        value = getattr(thing, name, parameter.default)
        if parameter.default is parameter.empty or repr(value) != repr(parameter.default):
            arguments.append(f"{name}={expression_of(value, imports)}")
    return _call(cls.__name__, arguments)


def _import(imports: set[str] | None, module: str, name: str) -> None:
    if imports is not None:
        imports.add(f"from {module} import {name}")


def _public_module(cls: type) -> str:
    """The shortest path by which a class can be imported."""
    parts = cls.__module__.split(".")
    paths = [".".join(parts[: i + 1]) for i in range(len(parts))]
    return next(path for path in paths if getattr(importlib.import_module(path), cls.__name__, None) is cls)


def _call(name: str | None, inner: list[str]) -> str:
    """A call, a tuple (no name) or a list (None), in one line where it has room."""
    opening, closing = ("[", "]") if name is None else (f"{name}(", ")")
    comma = "," if name == "" and len(inner) == 1 else ""
    line = opening + ", ".join(inner) + comma + closing
    if len(line) <= _WIDTH - 8 and "\n" not in line:
        return line
    return opening + "\n" + "".join(textwrap.indent(part, "    ") + ",\n" for part in inner) + closing


def _loading(problem: EstimatorProblem, data: Data, imports: set[str]) -> list[str]:
    if isinstance(problem.data, Data) or problem.data in BUILT_IN:
        name = data.name
        imports.add(f"from sklearn.datasets import load_{name}")
        return ["def load():", '    """Features and target."""', f"    return load_{name}(return_X_y=True)"]
    path = problem.folder / problem.data
    imports |= {"import numpy as np", "import pandas as pd"}
    labels = data.labels or (None,) * len(data.feature_names)
    numbers = [name for name, known in zip(data.feature_names, labels, strict=True) if known is None]
    texts = [name for name, known in zip(data.feature_names, labels, strict=True) if known is not None]
    read = "pd.read_parquet(path)"
    if path.suffix.lower() == ".csv":
        read = f"pd.read_csv(path, sep={separator_of(path)!r}, keep_default_na=False, na_values=MISSING)"
    lines = [
        f"DATA = {str(path)!r}",
        f"TARGET = {problem.target!r}",
        f"NUMBERS = {expression_of(numbers)}",
        f"CATEGORIES = {expression_of(texts)}",
    ]
    if path.suffix.lower() == ".csv":
        lines.append(f"MISSING = {expression_of(list(MISSING))}")
    lines += ["", "", "def load(path=DATA):", '    """Features and target."""', f"    table = {read}"]
    if data.labels is None:
        lines.append("    X = table[NUMBERS].to_numpy(dtype=float)")
    else:
        lines.append("    types = {name: float for name in NUMBERS} | {name: object for name in CATEGORIES}")
        lines.append("    X = table[NUMBERS + CATEGORIES].astype(types)")
    if not data.classes:
        lines.append("    return X, table[TARGET].to_numpy()")
    elif _needs_numbers(problem):
        codes = {label: code for code, label in enumerate(data.classes)}
        lines.append(f"    return X, table[TARGET].astype(str).map({codes!r}).to_numpy()")
    else:
        lines.append("    return X, np.asarray(table[TARGET].astype(str), dtype=str)")
    return lines


def _needs_numbers(problem: EstimatorProblem) -> bool:
    """Whether the scorer takes the class 1 for the one that counts."""
    from sklearn.metrics import get_scorer

    return "pos_label" in inspect.signature(get_scorer(problem.metric)._score_func).parameters


def _splitting(problem: EstimatorProblem, seed: int) -> list[str]:
    if not problem.test:
        return ["def split(X, y):", '    """No rows were held out."""', "    return X, X, y, y"]
    stratify = "y" if problem.classifies else "None"
    return [
        "def split(X, y):",
        '    """The rows that the search saw, and those that were held out."""',
        f"    return train_test_split(X, y, test_size={problem.test!r}, stratify={stratify}, "
        f"random_state={seed_for(seed, 'test')})",
    ]

"""A pipeline as Python source that needs pandas and scikit-learn, but not this package.

The saved pipeline is built by running it, so that the two cannot differ. The code that reads the columns
of a file is copied into it verbatim.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from runner.problems import columns
from runner.problems.columns import Columns
from runner.problems.estimators.data import values
from runner.problems.estimators.data.data import BUILT_IN, Data
from runner.problems.estimators.data.tables import style_of
from runner.problems.estimators.data.values import PLAIN
from runner.problems.estimators.problem import EstimatorProblem
from runner.seeds import seed_for
from runner.trial import Config

_WIDTH = 100  # characters of a line
_SHORT = 24  # of an item that may share its line
_FULL = 50  # after which a line of short items ends


def snippet_of(problem: EstimatorProblem, config: Config, seed: int, title: str) -> str:
    """Write Python source that reads the data, builds the pipeline, fits it and scores it.

    Parameters
    ----------
    problem : EstimatorProblem
        On a data file or a built-in data set.
    seed : int
        Seed of the block, below 2**32: it selects the held-out rows and sets ``random_state``.
    title : str
        First line of the module docstring.
    """
    data = problem.table
    imports: set[str] = {"from sklearn.metrics import get_scorer"}
    built = expression_of(problem.pipeline_of(config, seed), imports)
    loading = _loading(problem, data, imports)
    if problem.test:
        imports.add("from sklearn.model_selection import train_test_split")
    copied = [] if data.reading is None else [_copied(module, imports) for module in (values, columns)]
    lines = [
        f'"""{title}',
        "",
        "Written by fivefold; requires only pandas and scikit-learn.",
        '"""',
        "",
        *sorted(imports, key=lambda line: (not line.startswith("import"), line)),
        "",
        "",
        *loading,
        "",
        "",
        "def build():",
        '    """Build the pipeline, not fitted."""',
        textwrap.indent(f"return {built}", "    "),
        "",
        "",
        *_splitting(problem, seed),
        "",
        "",
        *copied,
        'if __name__ == "__main__":',
        "    X, y = load()",
        "    X_train, X_test, y_train, y_test = split(X, y)",
        "    pipeline = build().fit(X_train, y_train)",
        f'    print("{problem.metric}", get_scorer("{problem.metric}")(pipeline, X_test, y_test))',
        "    # To fit on all rows: build().fit(X, y)",
    ]
    return "\n".join(lines) + "\n"


def expression_of(thing: Any, imports: set[str] | None = None) -> str:
    """Write an estimator as a Python expression, with the parameters that differ from the defaults.

    Parameters
    ----------
    imports : set of str, optional
        Extended by the imports that the expression needs.
    """
    if isinstance(thing, Mapping):
        items = [f"{key!r}: {expression_of(value, imports)}" for key, value in thing.items()]
        return _enclosed("{", items, "}")
    if isinstance(thing, list | tuple):
        inner = [expression_of(part, imports) for part in thing]
        if isinstance(thing, list):
            return _enclosed("[", inner, "]")
        return _enclosed("(", inner, ",)" if len(inner) == 1 else ")")
    if not callable(getattr(thing, "get_params", None)):
        return repr(thing)
    if isinstance(steps := getattr(thing, "steps", None), list):
        _import(imports, "sklearn.pipeline", "make_pipeline")
        return _enclosed("make_pipeline(", [expression_of(step, imports) for _, step in steps], ")")
    cls = type(thing)
    if cls is not Columns:  # its code is copied
        _import(imports, _public_module(cls), cls.__name__)
    arguments = []
    for name, parameter in inspect.signature(cls).parameters.items():
        value = getattr(thing, name, parameter.default)
        if parameter.default is parameter.empty or repr(value) != repr(parameter.default):
            arguments.append(f"{name}={expression_of(value, imports)}")
    return _enclosed(f"{cls.__name__}(", arguments, ")")


def _import(imports: set[str] | None, module: str, name: str) -> None:
    if imports is not None:
        imports.add(f"from {module} import {name}")


def _public_module(cls: type) -> str:
    """Find the shortest path by which a class can be imported."""
    parts = cls.__module__.split(".")
    paths = [".".join(parts[: i + 1]) for i in range(len(parts))]
    return next(path for path in paths if getattr(importlib.import_module(path), cls.__name__, None) is cls)


def _enclosed(opening: str, inner: list[str], closing: str) -> str:
    """Format a call, a tuple, a list or a dict, in one line where it fits."""
    line = opening + ", ".join(inner) + closing
    if len(line) <= _WIDTH - 8 and "\n" not in line:
        return line
    rows: list[list[str]] = []
    for part in inner:  # short items share a line
        if rows and max(len(part), len(rows[-1][-1])) <= _SHORT and len(", ".join(rows[-1])) < _FULL:
            rows[-1].append(part)
        else:
            rows.append([part])
    lines = "".join(textwrap.indent(", ".join(row), "    ") + ",\n" for row in rows)
    return f"{opening}\n{lines}{closing[-1]}"


def _copied(module: ModuleType, imports: set[str]) -> str:
    """Return the source of a module after its imports, which are added to the others."""
    text = inspect.getsource(module)
    last = 0
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            last = node.end_lineno or last
            if not (
                isinstance(node, ast.ImportFrom) and str(node.module).startswith(__package__.split(".")[0])
            ):
                imports.add(ast.unparse(node))
    return "\n".join(text.split("\n")[last:]).strip("\n") + "\n\n"


def _loading(problem: EstimatorProblem, data: Data, imports: set[str]) -> list[str]:
    if isinstance(problem.data, Data) or problem.data in BUILT_IN:
        name = data.name
        imports.add(f"from sklearn.datasets import load_{name}")
        return [
            "def load():",
            '    """Load features and target."""',
            f"    return load_{name}(return_X_y=True)",
        ]
    path = problem.folder / problem.data
    imports |= {"import numpy as np", "import pandas as pd"}
    read = "pd.read_parquet(path)"
    if path.suffix.lower() == ".csv":
        style = style_of(path)
        read = (
            f"pd.read_csv(path, sep={style.separator!r}, encoding={style.encoding!r}, dtype=str, "
            "keep_default_na=False)"
        )
    if data.classes:
        target = [
            "    y = classes_of(table[TARGET])",
            "    known = np.array([label is not None for label in y])",
        ]
        kind = "str"
    else:
        written = "" if data.target_format == PLAIN else f", {data.target_format!r}"
        target = [f"    y = numbers_of(table[TARGET]{written})", "    known = ~np.isnan(y)"]
        kind = "int" if data.y.dtype.kind in "iu" else "float"
    known = f"y[known].astype({kind})"
    if data.classes and _needs_numbers(problem):
        codes = {label: code for code, label in enumerate(data.classes)}
        known = f"pd.Series({known}).map({codes!r}).to_numpy()"
    return [
        f"DATA = {str(path)!r}",
        f"TARGET = {problem.target!r}",
        "",
        "",
        "def load(path=DATA):",
        '    """Load the features as they are in the file, and the target, of rows with a target."""',
        f"    table = {read}",
        *target,
        f"    return table[known].drop(columns=TARGET), {known}",
    ]


def _needs_numbers(problem: EstimatorProblem) -> bool:
    """Return True where the scorer expects 1 for the positive class."""
    from sklearn.metrics import get_scorer

    return "pos_label" in inspect.signature(get_scorer(problem.metric)._score_func).parameters


def _splitting(problem: EstimatorProblem, seed: int) -> list[str]:
    if not problem.test:
        return ["def split(X, y):", '    """Use all rows: none were held out."""', "    return X, X, y, y"]
    stratify = "y" if problem.classifies else "None"
    return [
        "def split(X, y):",
        '    """Split into the rows of the search and the held-out rows."""',
        f"    return train_test_split(X, y, test_size={problem.test!r}, stratify={stratify}, "
        f"random_state={seed_for(seed, 'test')})",
    ]

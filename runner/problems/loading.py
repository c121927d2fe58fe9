"""Load the problem that a study file names: built-in, in a file or module, or an inline mapping."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from runner._text import shown
from runner.errors import ProblemError, near, nearest
from runner.problems.base import PROBLEMS, Problem
from runner.problems.estimators.problem import EstimatorProblem
from runner.problems.files.objective_files import import_failure, import_file
from runner.problems.recorded import RecordedProblem


def load_problem(source: object, folder: Path | str = ".") -> Problem:
    """Load the problem that a study names.

    Parameters
    ----------
    source : str, mapping or Problem
        A built-in name; ``file.py:name``; ``package.module:name``; the mapping of an inline
        estimator problem (`EstimatorProblem`) or of a finished study (`RecordedProblem`); or a
        problem, which is returned as it is.
    folder : Path or str
        Start of relative paths.

    Raises
    ------
    ProblemError, SpaceError
        If it does not exist, is not a problem, or raises on import.
    """
    if isinstance(source, Problem):
        return source
    if isinstance(source, Mapping):
        return _inline(source, Path(folder))
    if not isinstance(source, str):
        raise ProblemError(
            f"expected a problem's name, got {shown(source)}.",
            hint="Write a built-in name, file.py:name, {estimator: ..., data: ..., space: ...} or "
            "{recorded: DIR}.",
        )
    place, colon, name = source.rpartition(":")
    if source.endswith((".py", ":")):
        raise ProblemError(
            f"{shown(source)} names a file or module but no problem in it.",
            hint=f"Write '{source.rstrip(':')}:name', where name is a function decorated with @problem.",
        )
    if colon and not place:
        raise ProblemError(
            f"'{source}' names a problem but no file or module.", hint=f"Write file.py{source}."
        )
    if colon:
        if not place.endswith(".py"):
            return _pick(_from_path(place, folder), name, source)
        module = import_file(Path(folder) / place)
        problem = _pick(module, name, source)
        vars(problem)["_place"] = (module.__name__, name)
        return problem
    if source not in PROBLEMS:
        raise ProblemError(f"there is no built-in problem {shown(source)}.", hint=nearest(source, PROBLEMS))
    return PROBLEMS[source]()


def _inline(mapping: Mapping[str, Any], folder: Path) -> Problem:
    """Make a problem of the kind to which the keys of a mapping belong, misspelt or not."""
    for kind, key in ((RecordedProblem, "recorded"), (EstimatorProblem, "estimator")):
        if key in mapping or any(near(str(other), [key]) for other in mapping):
            return kind.from_mapping(mapping, folder)
    if {"data", "space"} & mapping.keys():
        return EstimatorProblem.from_mapping(mapping, folder)
    raise ProblemError(
        f"expected the keys estimator, data and space, or recorded, got {shown([*mapping])}.",
        hint="An inline problem has the former, a finished study the latter.",
    )


def _from_path(name: str, folder: Path | str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        beside = Path(folder, *name.split(".")).with_suffix(".py")
        hint = (
            f"Write '{beside.name}:...' for the file beside the study."
            if beside.is_file()
            else "Install it, or write file.py:name for a file beside the study."
        )
        raise ProblemError(f"there is no module '{error.name}'.", where=name, hint=hint) from None
    except (Exception, SystemExit) as error:  # whatever the user's module raises
        raise import_failure(error, name) from error


def _pick(module: ModuleType, name: str, where: str) -> Problem:
    known = [key for key, value in vars(module).items() if isinstance(value, Problem)]
    if not hasattr(module, name):
        raise ProblemError(
            f"there is no {shown(name)} in it.",
            where=where,
            hint=nearest(name, known) if known else "It has no function decorated with @problem.",
        )
    value = getattr(module, name)
    if not isinstance(value, Problem):
        kind = "class" if isinstance(value, type) else type(value).__name__
        raise ProblemError(
            f"expected a problem, got '{name}', a {kind}.",
            where=where,
            hint="Decorate the function with @problem(space={...}).",
        )
    return value

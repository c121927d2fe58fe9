"""From what a study file says to a problem: a name, a file, a module, a mapping."""

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


def load_problem(given: object, folder: Path | str = ".") -> Problem:
    """The problem that a study names.

    Parameters
    ----------
    given : str, mapping or Problem
        A built-in name; ``file.py:name``; ``package.module:name``; the mapping of an inline
        estimator problem (`EstimatorProblem`) or of a finished study (`RecordedProblem`); or a
        problem, which is returned as it is.
    folder : Path or str
        Where relative files start.

    Raises
    ------
    ProblemError, SpaceError
        Where there is no such thing, or it is no problem, or it raises when it is imported.
    """
    if isinstance(given, Problem):
        return given
    if isinstance(given, Mapping):
        return _inline(given, Path(folder))
    if not isinstance(given, str):
        raise ProblemError(
            f"expected a problem's name, got {shown(given)}.",
            hint="Write a built-in name, file.py:name, {estimator: ..., data: ..., space: ...} or "
            "{recorded: DIR}.",
        )
    source, colon, name = given.rpartition(":")
    if given.endswith((".py", ":")):
        raise ProblemError(
            f"{shown(given)} names a file or module but no problem in it.",
            hint=f"Write '{given.rstrip(':')}:name', where name is a function decorated with @problem.",
        )
    if colon and not source:
        raise ProblemError(f"'{given}' names a problem but no file or module.", hint=f"Write file.py{given}.")
    if colon:
        if not source.endswith(".py"):
            return _pick(_from_path(source, folder), name, given)
        module = import_file(Path(folder) / source)
        problem = _pick(module, name, given)
        vars(problem)["_place"] = (module.__name__, name)
        return problem
    if given not in PROBLEMS:
        raise ProblemError(f"there is no built-in problem {shown(given)}.", hint=nearest(given, PROBLEMS))
    return PROBLEMS[given]()


def _inline(given: Mapping[str, Any], folder: Path) -> Problem:
    """The problem of a mapping: of the kind to which its keys belong, however they are spelt."""
    for kind, key in ((RecordedProblem, "recorded"), (EstimatorProblem, "estimator")):
        if key in given or any(near(str(other), [key]) for other in given):
            return kind.from_mapping(given, folder)
    if {"data", "space"} & given.keys():
        return EstimatorProblem.from_mapping(given, folder)
    raise ProblemError(
        f"expected the keys estimator, data and space, or recorded, got {shown([*given])}.",
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


def _pick(module: ModuleType, name: str, given: str) -> Problem:
    known = [key for key, value in vars(module).items() if isinstance(value, Problem)]
    if not hasattr(module, name):
        raise ProblemError(
            f"there is no {shown(name)} in it.",
            where=given,
            hint=nearest(name, known) if known else "It has no function decorated with @problem.",
        )
    found = getattr(module, name)
    if not isinstance(found, Problem):
        what = "class" if isinstance(found, type) else type(found).__name__
        raise ProblemError(
            f"'{name}' is a {what}, no problem.",
            where=given,
            hint="Decorate the function with @problem(space={...}).",
        )
    return found

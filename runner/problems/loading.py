"""From what a study file says to a problem: a name, a file, a module, a mapping."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from runner.errors import FivefoldError, ProblemError, near, nearest, nearest_file
from runner.problems.base import PROBLEMS, Problem
from runner.problems.estimators import EstimatorProblem
from runner.problems.recorded import RecordedProblem
from runner.wording import shown

PREFIX = "fivefold_objective_"
"""How the modules of objective files are called; other processes cannot import them by it."""


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
        module = _from_file(Path(folder) / source) if source.endswith(".py") else _from_path(source, folder)
        return _pick(module, name, given)
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


def objective_folders() -> list[str]:
    """The folders of all objective files so far: what they import may lie there."""
    return sorted({str(Path(module.__file__).parent) for module in objective_modules() if module.__file__})


def objective_modules() -> list[ModuleType]:
    """All objective files so far."""
    return [module for name, module in sys.modules.items() if name.startswith(PREFIX)]


def _from_file(path: Path) -> ModuleType:
    """The module of an objective file, imported once for as long as its text stays the same."""
    try:
        source = path.read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            hint = nearest_file(path, [".py"])
            raise ProblemError("there is no such file.", where=str(path), hint=hint) from None
        raise ProblemError(f"it cannot be read: {error.strerror}.", where=str(path)) from None
    path = path.resolve()
    digest = hashlib.sha256(str(path).encode() + b"\0" + source).hexdigest()[:16]
    name = f"{PREFIX}{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ProblemError("it is no Python file.", where=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _first_on_path(path.parent):
            exec(compile(source, str(path), "exec"), module.__dict__)  # the text that was hashed
    except (Exception, SystemExit) as error:  # whatever the user's file raises
        del sys.modules[name]
        raise _import_failure(error, str(path)) from error
    return module


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
        raise _import_failure(error, name) from error


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


def _import_failure(error: BaseException, where: str) -> FivefoldError:
    """What an import raised, with the last line of the user's own file that led there."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        where, text = f"{error.filename}, line {error.lineno}", error.msg
    else:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == where]
        where, text = (f"{where}, line {lines[-1]}" if lines else where), str(error)
    if isinstance(error, FivefoldError):
        return error.at(where, ": ")
    return ProblemError(f"importing it raised {type(error).__name__}: {text}.", where=where)


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))

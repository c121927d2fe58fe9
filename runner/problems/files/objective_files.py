"""Objective files as modules that every process can import by name.

What an objective file defines may be pickled within a trial: sent to a process pool, saved with a model.
Pickle writes down the module's name, so this process, the workers and the processes that either starts must
find the same module by it. A file is imported under its own name, ``objective`` for ``objective.py``, where
no other module has that name; otherwise under the name of a small file in a scratch folder, which loads it.

The global generators are seeded by the file's text while it runs, so that what it draws at its top level is
the same in every process.

Modules beside the file that it imports are part of it: where one of them has changed, they are imported
again with it, and where one of the same name was imported from elsewhere, the file is refused.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from atexit import register
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from runner.errors import FivefoldError, ProblemError, nearest_file
from runner.journal.files.scratch import scratch_folder
from runner.problems.files.local_imports import local_sources
from runner.problems.isolation import kept_generators, seed_all

SHARED_BYTES = 1_000_000
"""An array of so many bytes or more at the top level of a file is shared by the workers of a node."""


@dataclass(frozen=True)
class ObjectiveFile:
    """An objective file on its way to another process.

    Attributes
    ----------
    name : str
        Of its module.
    path : str
        On the driver's machine.
    source : bytes
        Its text, as the driver has imported it.
    arrays : mapping of str to ndarray
        The large ones at its top level, which take the place of those that the other process makes.
    """

    name: str
    path: str
    source: bytes = field(repr=False)
    arrays: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class _Imported:
    module: ModuleType
    source: bytes
    digest: str  # of the file and of the local modules that it needs


_imported: dict[Path, _Imported] = {}
_aliases: Path | None = None


def import_file(path: Path) -> ModuleType:
    """The module of an objective file, imported once for as long as it and its neighbours stay the same.

    Raises
    ------
    ProblemError, SpaceError
        Where the file cannot be read, or whatever it raises; with the line.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            hint = nearest_file(path, [".py"])
            raise ProblemError("there is no such file.", where=str(path), hint=hint) from None
        raise ProblemError(f"it cannot be read: {error.strerror}.", where=str(path)) from None
    path = path.resolve()
    neighbours = _neighbours(path)
    digest = hashlib.sha256(source + b"".join(neighbours.values())).hexdigest()
    known = _imported.get(path)
    if known is not None and known.digest == digest:
        return known.module
    if known is not None:
        _forget(neighbours)
    name = known.module.__name__ if known is not None else _free_name(path)
    module = _run(name, path, source)
    _imported[path] = _Imported(module, source, digest)
    _check_neighbours(path, neighbours)
    return module


def objective_files() -> list[ObjectiveFile]:
    """All objective files that this process has imported."""
    return [
        ObjectiveFile(
            one.module.__name__,
            str(path),
            one.source,
            {
                name: value
                for name, value in vars(one.module).items()
                if isinstance(value, np.ndarray) and value.nbytes >= SHARED_BYTES
            },
        )
        for path, one in _imported.items()
    ]


def imported_source(path: Path) -> bytes | None:
    """The text of an objective file as it was imported, which it may not have by now; None for others."""
    known = _imported.get(path)
    return None if known is None else known.source


def adopt(files: Iterable[ObjectiveFile], folders: Mapping[str, str]) -> None:
    """Import what another process has imported, as it was there.

    Parameters
    ----------
    files : iterable of ObjectiveFile
    folders : mapping of str to str
        Where the folders of the driver's machine are on this one; empty where they are the same.
    """
    for file in files:
        path = Path(file.path)
        path = Path(folders.get(str(path.parent), path.parent), path.name)
        if path not in _imported:
            module = _run(file.name, path, file.source)
            _imported[path] = _Imported(module, file.source, "")
        vars(_imported[path].module).update(file.arrays)


def load_alias(name: str, path: str) -> None:
    """Run an objective file as the module of another name; see `_make_alias`."""
    module = sys.modules[name]
    module.__file__ = path
    _execute(module, Path(path), Path(path).read_bytes())


def import_folders() -> list[str]:
    """The folders that must be added to Python's path, so that objective files are found by name."""
    folders = [str(path.parent) for path in _imported]
    folders += [str(_aliases)] if _aliases is not None else []
    return [folder for folder in dict.fromkeys(folders) if folder not in sys.path]


@contextmanager
def importable() -> Iterator[None]:
    """Let this process, and those that it starts, import objective files and their neighbours by name."""
    added = import_folders()
    sys.path.extend(added)
    try:
        yield
    finally:
        for folder in added:
            if folder in sys.path:
                sys.path.remove(folder)


def _neighbours(path: Path) -> dict[Path, bytes]:
    """The local modules that a file needs, without itself."""
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    roots = local_sources([module]).roots
    return {
        root / name: text
        for root, files in roots.items()
        for name, text in sorted(files.items())
        if (root / name).resolve() != path
    }


def _forget(neighbours: Mapping[Path, bytes]) -> None:
    """Have local modules imported anew."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is not None and Path(file) in neighbours:
            del sys.modules[name]


def _check_neighbours(path: Path, neighbours: Mapping[Path, bytes]) -> None:
    """Raise ProblemError where a file has got the module of another folder in place of its neighbour."""
    for neighbour in neighbours:
        if neighbour.parent != path.parent:
            continue
        found = getattr(sys.modules.get(neighbour.stem), "__file__", None)
        if found is not None and Path(found).resolve() != neighbour.resolve():
            del _imported[path]
            raise ProblemError(
                f"it imports '{neighbour.stem}', which is beside it, but '{found}' has been imported by that "
                "name before.",
                where=str(path),
                hint="Rename one of the two.",
            )


def _free_name(path: Path) -> str:
    """The file's own name, where no other module has it; else one of its own, which others can import."""
    name = path.stem
    if "." not in name and name not in sys.stdlib_module_names and name != "runner":
        origin: str | None
        if name in sys.modules:
            origin = getattr(sys.modules[name], "__file__", None) or ""
        else:
            try:
                spec = importlib.util.find_spec(name)
            except (ImportError, ValueError):
                spec = None
            origin = None if spec is None else spec.origin or ""
        if origin is None or (origin and Path(origin).resolve() == path):
            return name
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return f"{name.replace('.', '_')}_{digest}"


def _run(name: str, path: Path, source: bytes) -> ModuleType:
    """Import a text as the module of a file."""
    if name != path.stem:
        _make_alias(name, path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ProblemError("it is not a Python file.", where=str(path))
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        _execute(module, path, source)
    except (Exception, SystemExit) as error:  # whatever the user's file raises
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise import_failure(error, str(path)) from error
    return module


def _execute(module: ModuleType, path: Path, source: bytes) -> None:
    sys.path.insert(0, str(path.parent))
    try:
        with kept_generators():
            seed_all(source)
            exec(
                compile(source, str(path), "exec"), vars(module)
            )  # the text, which the file may not have by now
    finally:
        sys.path.remove(str(path.parent))


def _make_alias(name: str, path: Path) -> None:
    """A file by which other processes can import an objective file under another name."""
    global _aliases
    if _aliases is None:
        stack = ExitStack()
        register(stack.close)
        _aliases = stack.enter_context(scratch_folder())
    text = f"from runner.problems.files.objective_files import load_alias\n\nload_alias({name!r}, {str(path)!r})\n"
    (_aliases / f"{name}.py").write_text(text, encoding="utf-8")


def import_failure(error: BaseException, where: str) -> FivefoldError:
    """What an import raised, with the last line of the user's own file that led there."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        where, text = f"{error.filename}, line {error.lineno}", error.msg
    else:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == where]
        where, text = (f"{where}, line {lines[-1]}" if lines else where), str(error)
    if isinstance(error, FivefoldError):
        return error.at(where, ": ")
    return ProblemError(f"importing it raised {type(error).__name__}: {text}.", where=where)

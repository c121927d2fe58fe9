"""Import objective files as modules that every process finds by name.

Objects that an objective file defines may be pickled within a trial: sent to a process pool, saved with a
model. Pickle stores the module's name, so this process, the workers and the processes that either starts must
find the same module by it. A file is imported under its own name, ``objective`` for ``objective.py``, if
no other module has that name; otherwise under the name of a small file in a scratch folder, which loads it.

The global generators are seeded by the file's source while it runs, so that its top level draws the same
numbers in every process.

Modules beside the file that it imports are part of it: if one of them has changed, all are imported
again; if a module of the same name was imported from elsewhere, the file is refused.
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
from runner.problems.isolation import preserve_generators, seed_all

SHARED_BYTES = 1_000_000
"""Smallest array at the top level of a file that the workers of a node share; copying less costs little."""


@dataclass(frozen=True)
class ObjectiveFile:
    """An objective file on its way to another process.

    Attributes
    ----------
    name : str
        Name of its module.
    path : str
        Path on the driver's machine.
    source : bytes
        Its content when the driver imported it.
    arrays : mapping of str to ndarray
        Large arrays at its top level, which replace those that the other process makes.
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
    """Import an objective file, again only if it or a module beside it that it imports has changed.

    Raises
    ------
    ProblemError, SpaceError
        If the file cannot be read, or raises; with the line.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            hint = nearest_file(path, [".py"])
            raise ProblemError("there is no such file.", where=str(path), hint=hint) from None
        raise ProblemError(f"cannot be read: {error.strerror}.", where=str(path)) from None
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
    """List the objective files that this process has imported."""
    return [
        ObjectiveFile(
            file.module.__name__,
            str(path),
            file.source,
            {
                name: value
                for name, value in vars(file.module).items()
                if isinstance(value, np.ndarray) and value.nbytes >= SHARED_BYTES
            },
        )
        for path, file in _imported.items()
    ]


def imported_source(path: Path) -> bytes | None:
    """Get the source of an objective file when it was imported; None for other files."""
    known = _imported.get(path)
    return None if known is None else known.source


def adopt(files: Iterable[ObjectiveFile], folders: Mapping[str, str]) -> None:
    """Import the files of another process from their source there.

    Parameters
    ----------
    files : iterable of ObjectiveFile
    folders : mapping of str to str
        Folders of this machine by those of the driver's; empty if they are the same.
    """
    for file in files:
        path = Path(file.path)
        path = Path(folders.get(str(path.parent), path.parent), path.name)
        if path not in _imported:
            module = _run(file.name, path, file.source)
            _imported[path] = _Imported(module, file.source, "")
        vars(_imported[path].module).update(file.arrays)


def load_alias(name: str, path: str) -> None:
    """Run an objective file as a module of another name; see `_make_alias`."""
    module = sys.modules[name]
    module.__file__ = path
    _execute(module, Path(path), Path(path).read_bytes())


def import_folders() -> list[str]:
    """List the folders to add to Python's path so that objective files are found by name."""
    folders = [str(path.parent) for path in _imported]
    folders += [str(_aliases)] if _aliases is not None else []
    return [folder for folder in dict.fromkeys(folders) if folder not in sys.path]


@contextmanager
def importable() -> Iterator[None]:
    """Let this process, and those that it starts, import objective files and modules beside them by name."""
    added = import_folders()
    sys.path.extend(added)
    try:
        yield
    finally:
        for folder in added:
            if folder in sys.path:
                sys.path.remove(folder)


def _neighbours(path: Path) -> dict[Path, bytes]:
    """Read the local modules that a file imports."""
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    roots = local_sources([module]).roots
    return {
        root / name: source
        for root, files in roots.items()
        for name, source in sorted(files.items())
        if (root / name).resolve() != path
    }


def _forget(neighbours: Mapping[Path, bytes]) -> None:
    """Have local modules imported again."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is not None and Path(file) in neighbours:
            del sys.modules[name]


def _check_neighbours(path: Path, neighbours: Mapping[Path, bytes]) -> None:
    """Raise ProblemError if a file has imported a module of another folder instead of the one beside it."""
    for neighbour in neighbours:
        if neighbour.parent != path.parent:
            continue
        imported = getattr(sys.modules.get(neighbour.stem), "__file__", None)
        if imported is not None and Path(imported).resolve() != neighbour.resolve():
            del _imported[path]
            raise ProblemError(
                f"imports '{neighbour.stem}' beside it, but '{imported}' is already imported by that name.",
                where=str(path),
                hint="Rename one of the two.",
            )


def _free_name(path: Path) -> str:
    """Choose the file's own name if no other module has it, else a unique one."""
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
    """Import source as the module of a file."""
    if name != path.stem:
        _make_alias(name, path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ProblemError("not a Python file.", where=str(path))
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
        with preserve_generators():
            seed_all(source)
            exec(compile(source, str(path), "exec"), vars(module))  # the file may have changed since
    finally:
        sys.path.remove(str(path.parent))


def _make_alias(name: str, path: Path) -> None:
    """Write a file by which other processes can import an objective file under another name."""
    global _aliases
    if _aliases is None:
        stack = ExitStack()
        register(stack.close)
        _aliases = stack.enter_context(scratch_folder())
    source = f"from {__name__} import load_alias\n\nload_alias({name!r}, {str(path)!r})\n"
    (_aliases / f"{name}.py").write_text(source, encoding="utf-8")


def import_failure(error: BaseException, where: str) -> FivefoldError:
    """Make an error of what an import raised, with the last line of the user's own file that led there."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        where, reason = f"{error.filename}, line {error.lineno}", error.msg
    else:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == where]
        where, reason = (f"{where}, line {lines[-1]}" if lines else where), str(error)
    if isinstance(error, FivefoldError):
        return error.at(where, ": ")
    return ProblemError(f"importing it raised {type(error).__name__}: {reason}.", where=where)

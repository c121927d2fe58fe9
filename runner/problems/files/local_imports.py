"""Local Python files that a study's objectives import: those that are not part of an installed package.

Imports are read from the source, also within functions, so that they are known before anything is evaluated:
modules beside an objective file, and packages that are found by name outside of the installation folders
(beside the study, on PYTHONPATH, in development). Installed packages are expected on every node.
"""

from __future__ import annotations

import ast
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from runner.errors import StudyError

MOST_BYTES = 20_000_000  # far more than source code; more means a package with data, or an installation
_OURS = "runner"
_MOST_KEPT = 4096  # sources whose imports are cached: a local package is read again for every study


@dataclass
class Sources:
    """Python files by the folder from which they are imported.

    Attributes
    ----------
    roots : dict of Path to dict of str to bytes
        The files of each folder, by their path within it.
    """

    roots: dict[Path, dict[str, bytes]] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Total size in bytes."""
        return sum(len(text) for files in self.roots.values() for text in files.values())


def local_sources(
    modules: Iterable[ModuleType | str], beside: Path | None = None, whole: bool = True
) -> Sources:
    """Collect local modules and everything local that they import.

    Parameters
    ----------
    modules : iterable of module or str
        Modules, or their names.
    beside : Path, optional
        A folder to search for names first.
    whole : bool, default True
        Take whole packages, as another machine needs them; otherwise only their modules that an import names.

    Raises
    ------
    StudyError
        If they are larger than `MOST_BYTES`.
    """
    found = Sources()
    seen: set[Path] = set()
    open_ends: list[tuple[Path, Path]] = []  # a folder to import from, and a file
    for module in modules:
        if isinstance(module, str):
            open_ends += _found(module, beside, whole)
        elif (path := getattr(module, "__file__", None)) is not None and is_local(Path(path)):
            open_ends.append((Path(path).parent, Path(path)))
    while open_ends:
        root, path = open_ends.pop()
        if path in seen:
            continue
        seen.add(path)
        try:
            text = path.read_bytes()
        except OSError:  # it has gone since it was imported
            continue
        found.roots.setdefault(root, {})[path.relative_to(root).as_posix()] = text
        if found.bytes > MOST_BYTES:
            raise StudyError(
                f"the Python files that its objectives import have more than {MOST_BYTES / 1e6:.0f} MB.",
                where=str(root),
                hint="Install that package on every node instead.",
            )
        package = "" if whole else ".".join(path.relative_to(root).parts[:-1])
        for name in sorted(imported_modules(text, package)):
            open_ends += _found(name, root, whole)
    return found


@lru_cache(_MOST_KEPT)
def imported_modules(text: bytes, package: str = "") -> frozenset[str]:
    """List the modules that a module imports, wherever in it, and names that may be modules.

    Parameters
    ----------
    text : bytes
        The source of the module.
    package : str, optional
        The package that relative imports start from; they are left out where there is none.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # who imports it will say so
        return frozenset()
    return frozenset(modules_named(tree, package))


def modules_named(tree: ast.AST, package: str = "") -> Iterator[str]:
    """List the modules that a syntax tree imports; see `imported_modules`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".") if package else []
                if node.level > len(above):
                    continue
                base = ".".join([*above[: len(above) - node.level + 1], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _found(name: str, beside: Path | None, whole: bool) -> Iterator[tuple[Path, Path]]:
    """Find the files of a local module or package, each with the folder to import it from."""
    name, *inner = name.split(".")
    if name == _OURS or name in sys.builtin_module_names:
        return
    if beside is not None and (beside / f"{name}.py").is_file():
        yield beside, beside / f"{name}.py"
        return
    if beside is not None and (beside / name).is_dir():
        folders = [beside / name]
    else:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):  # "__main__", or half a module
            return
        if spec is None:
            return
        origin = Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
        if spec.submodule_search_locations is None:
            if origin is not None and is_local(origin):
                yield origin.parent, origin
            return
        folders = [Path(folder) for folder in spec.submodule_search_locations]
    for folder in folders:
        if is_local(folder):
            paths = sorted(folder.rglob("*.py")) if whole else _way(folder, inner)
            yield from ((folder.parent, path) for path in paths)


def _way(folder: Path, inner: Iterable[str]) -> Iterator[Path]:
    """List the files that Python executes to import a module of a package."""
    places = [folder / "__init__.py"]
    for name in inner:
        places.append(folder / f"{name}.py")
        folder /= name
        places.append(folder / "__init__.py")
    return (path for path in places if path.is_file())


def is_local(path: Path) -> bool:
    """Return True if a path lies outside of all installation folders."""
    where = path.resolve()
    return not any(where.is_relative_to(folder) for folder in _INSTALLED)


_INSTALLED = {
    Path(folder).resolve()
    for folder in (
        *(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    )
    if folder
} | {Path(__file__).resolve().parents[2]}

"""Find the Python files that a study's objectives import and that are not installed.

Imports are read from the source, also within functions, so that they are known before anything is
evaluated: modules beside an objective file, and packages outside of Python's installation folders (beside
the study, by PYTHONPATH, in development). Installed packages are expected on every node.
"""

from __future__ import annotations

import ast
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from runner.errors import StudyError

MOST_BYTES = 20_000_000  # far more than source code; more means a package with data, or a whole installation
_OURS = "runner"


@dataclass
class Sources:
    """Python files by the folder from which they are imported, and by their path within it."""

    roots: dict[Path, dict[str, bytes]] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Their total size."""
        return sum(len(source) for files in self.roots.values() for source in files.values())


def local_sources(modules: Iterable[ModuleType | str], beside: Path | None = None) -> Sources:
    """Collect local modules and everything local that they import.

    Parameters
    ----------
    modules : iterable of module or str
        Modules, or their names.
    beside : Path, optional
        A folder to search for names first.

    Raises
    ------
    StudyError
        If they are larger than `MOST_BYTES`.
    """
    sources = Sources()
    seen: set[Path] = set()
    pending: list[tuple[Path, Path]] = []  # a folder to import from, and a file
    for module in modules:
        if isinstance(module, str):
            pending += _local_files(module.partition(".")[0], beside)
        elif (path := getattr(module, "__file__", None)) is not None and is_local(Path(path)):
            pending.append((Path(path).parent, Path(path)))
    while pending:
        root, path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        try:
            source = path.read_bytes()
        except OSError:  # deleted since it was imported
            continue
        sources.roots.setdefault(root, {})[path.relative_to(root).as_posix()] = source
        if sources.bytes > MOST_BYTES:
            raise StudyError(
                f"expected at most {MOST_BYTES / 1e6:.0f} MB of modules that objectives import, got more.",
                where=str(root),
                hint="Install that package on every node instead.",
            )
        for name in sorted(imported_names(source)):
            pending += _local_files(name, root)
    return sources


def imported_names(source: bytes) -> set[str]:
    """List the top-level packages that a module imports anywhere."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # the import will report it
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def _local_files(name: str, beside: Path | None) -> Iterator[tuple[Path, Path]]:
    """List the files of a local module or package, each with the folder to import it from."""
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
        except (ImportError, ValueError, AttributeError):  # "__main__", or a partly imported module
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
            for path in sorted(folder.rglob("*.py")):
                yield folder.parent, path


def is_local(path: Path) -> bool:
    """Tell whether a file is outside of the folders of installed packages."""
    resolved = path.resolve()
    return not any(resolved.is_relative_to(folder) for folder in _INSTALLED)


_INSTALLED = {
    Path(folder).resolve()
    for folder in (
        *(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    )
    if folder
} | {Path(__file__).resolve().parents[2]}

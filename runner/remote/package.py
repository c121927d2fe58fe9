"""What of a study travels to a cluster: the study file and the files that it names.

Those are its objective files, what these import from beside them, its data files and the finished
studies that it recalls. Nothing else is taken along, whatever lies beside them. Files named by an
absolute path are not taken either: they are expected on the head, under the same path.
"""

from __future__ import annotations

import ast
import hashlib
import io
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import StudyError
from runner.problems.data import BUILT_IN
from runner.record.schema import DATABASE, STUDY_FILE
from runner.studyfile import StudyFile, parse_study, read_yaml

MOST_BYTES = 100 * 1000**2
"""Of all files together: the head keeps a package in its memory, and every node gets a copy."""

_LISTED = 3
_MODE = 0o644 << 16
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same files make the same package


@dataclass(frozen=True)
class Package:
    """Files on their way.

    Attributes
    ----------
    name : str
        What the head calls it; it follows from the content.
    content : bytes
        A ZIP file.
    study : str
        Where the study file is in it.
    files : tuple of (str, int)
        Names and sizes.
    """

    name: str
    content: bytes
    study: str
    files: tuple[tuple[str, int], ...]


def pack_study(path: Path, include: Sequence[Path] = ()) -> Package:
    """The package of a study file.

    Parameters
    ----------
    path : Path
    include : sequence of Path
        Further files and folders, which an objective opens by itself.

    Raises
    ------
    StudyError
        Where a file is missing or the package becomes too large; names the largest files.
    """
    path = _absolute(path)
    file = parse_study(read_yaml(path), str(path))
    wanted = {path, *_named(file, path.parent)}
    for given in include:
        wanted.update(_inside(_absolute(given)))
    for source in sorted(wanted):
        if source.suffix == ".py":
            wanted.update(_imported(source))
    root = Path(os.path.commonpath([str(source.parent) for source in wanted]))
    sizes = {source.relative_to(root).as_posix(): _size(source) for source in sorted(wanted)}
    _check_size(sizes)
    content = _zip({name: root / name for name in sizes})
    name = f"_ray_pkg_{hashlib.sha256(content).hexdigest()[:32]}.zip"
    return Package(name, content, path.relative_to(root).as_posix(), tuple(sizes.items()))


def pack_text(name: str, text: str) -> Package:
    """The package of one file that is made up here."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, _WHEN), text)
    digest = hashlib.sha256(content.getvalue()).hexdigest()[:32]
    return Package(f"_ray_pkg_{digest}.zip", content.getvalue(), name, ((name, len(text)),))


def _named(file: StudyFile, folder: Path) -> Iterator[Path]:
    """The files that a study names by relative paths."""
    for given in file.problems:
        if isinstance(given, str):
            source = given.rpartition(":")[0]
            if source.endswith(".py") and not Path(source).is_absolute():
                yield _absolute(folder / source)
        elif isinstance(given, Mapping):
            data, recorded = given.get("data"), given.get("recorded")
            if isinstance(data, str) and data not in BUILT_IN and not Path(data).is_absolute():
                yield _absolute(folder / data)
            if isinstance(recorded, str) and not Path(recorded).is_absolute():
                yield from _study_files(_absolute(folder / recorded))


def _study_files(folder: Path) -> Iterator[Path]:
    if (folder / f"{DATABASE}-wal").exists():
        raise StudyError(
            "the study that is recalled is being written, or was killed.",
            where=str(folder),
            hint="Wait for its end, or run its command once more.",
        )
    yield from (folder / name for name in (DATABASE, STUDY_FILE))


def _inside(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    return [found for found in path.rglob("*") if found.is_file() and "__pycache__" not in found.parts]


def _imported(source: Path) -> set[Path]:
    """The modules beside a file that it imports, and what those import in turn."""
    found: set[Path] = set()
    open_ends = [source]
    while open_ends:
        for module in _imports(open_ends.pop()):
            file, package = source.parent / f"{module}.py", source.parent / module
            inside = [file] if file.is_file() else []
            if not inside and package.is_dir():  # with or without an __init__.py
                inside = [path for path in _inside(package) if path.suffix == ".py"]
            new = set(inside) - found - {source}
            found |= new
            open_ends.extend(new)
    return found


def _imports(source: Path) -> set[str]:
    try:
        tree = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()  # loading the study says what is wrong with it
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  (resolve() would follow links out of the folder)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StudyError(f"it cannot be read: {error.strerror}.", where=str(path)) from None


def _check_size(sizes: Mapping[str, int]) -> None:
    total = sum(sizes.values())
    if total <= MOST_BYTES:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_LISTED]
    listed = ", ".join(f"'{name}' ({sizes[name] / 1e6:.0f} MB)" for name in largest)
    raise StudyError(
        f"its files have {total / 1e6:.0f} MB together, and at most {MOST_BYTES / 1e6:.0f} MB are sent.",
        where="package",
        hint=f"The largest: {listed}. Put them where the head can read them (file_mounts, a shared disk), "
        "and name them by an absolute path.",
    )


def _zip(files: Mapping[str, Path]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            info = zipfile.ZipInfo(name, _WHEN)
            info.external_attr, info.compress_type = _MODE, zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())
    return content.getvalue()

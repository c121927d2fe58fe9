"""Package of a study for a cluster: the study file and the files that it names.

Those are its objective files, the local modules that these import, the files that it lists, its data, and
the finished studies that it recalls. Other files beside them are not included, nor are files named by an
absolute path: those are expected on the head, under the same path.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from runner.errors import StudyError
from runner.journal.schema import DATABASE, STUDY_FILE
from runner.problems.estimators.data.data import BUILT_IN
from runner.problems.files.local_imports import local_sources
from runner.study.file import StudyFile
from runner.study.keys import parse_study
from runner.study.yaml import read_yaml

MOST_BYTES = 100 * 1000**2
"""Limit of all files together: the head keeps a package in memory, and every node gets a copy."""

_LISTED = 3  # largest files that the message names
_MODE = 0o644 << 16  # ZIP keeps the Unix mode in the upper half
_DATE = (1980, 1, 1, 0, 0, 0)  # constant, so that the same files make the same package


@dataclass(frozen=True)
class Package:
    """Files of a study as an archive.

    Attributes
    ----------
    name : str
        Derived from the content, as Ray names its packages.
    content : bytes
        ZIP archive.
    study : str
        Path of the study file within it.
    files : tuple of (str, int)
        Names and sizes.
    folders : tuple of str
        Folders to import the packages from that the study names.
    """

    name: str
    content: bytes
    study: str
    files: tuple[tuple[str, int], ...]
    folders: tuple[str, ...] = ()


def pack_study(path: Path, include: Sequence[Path] = ()) -> Package:
    """Pack a study file.

    Parameters
    ----------
    include : sequence of Path
        Further files and folders, which an objective opens by itself.

    Raises
    ------
    StudyError
        Where a file is missing or the package becomes too large; names the largest files.
    """
    path = _absolute(path)
    file = parse_study(read_yaml(path), str(path))
    paths = {path, *_named(file, path.parent)}
    for extra in include:
        paths.update(_inside(_absolute(extra)))
    modules = list(_modules(file, path.parent))
    sources = local_sources(modules)
    paths.update(folder / name for folder, names in sources.roots.items() for name in names)
    root = Path(
        os.path.commonpath([str(source.parent) for source in paths] + [str(f) for f in sources.roots])
    )
    sizes = {source.relative_to(root).as_posix(): _size(source) for source in sorted(paths)}
    _check_size(sizes)
    content = _zip((name, (root / name).read_bytes()) for name in sizes)
    # Python finds modules beside an objective file; other folders go into PYTHONPATH.
    beside = {Path(str(module.__file__)).parent for module in modules if isinstance(module, ModuleType)}
    folders = [
        folder.relative_to(root).as_posix() for folder in sorted(sources.roots) if folder not in beside
    ]
    return Package(
        _name(content), content, path.relative_to(root).as_posix(), tuple(sizes.items()), tuple(folders)
    )


def _name(content: bytes) -> str:
    """Name a package by its content, as Ray does."""
    return f"_ray_pkg_{hashlib.sha256(content).hexdigest()[:32]}.zip"


def _named(file: StudyFile, folder: Path) -> Iterator[Path]:
    """Yield the data that a study names by relative paths."""
    for name in file.files:
        if not Path(name).is_absolute():
            yield _absolute(folder / name)
    for entry in file.problems:
        if isinstance(entry, Mapping):
            data, recorded = entry.get("data"), entry.get("recorded")
            if isinstance(data, str) and data not in BUILT_IN and not Path(data).is_absolute():
                yield _absolute(folder / data)
            if isinstance(recorded, str) and not Path(recorded).is_absolute():
                yield from _study_files(_absolute(folder / recorded))


def _study_files(folder: Path) -> Iterator[Path]:
    if (folder / f"{DATABASE}-wal").exists():
        raise StudyError(
            "the recalled study is still running, or was killed.",
            where=str(folder),
            hint="Wait until it has ended, or resume it.",
        )
    yield from (folder / name for name in (DATABASE, STUDY_FILE))


def _inside(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    return [found for found in path.rglob("*") if found.is_file() and "__pycache__" not in found.parts]


def _modules(file: StudyFile, folder: Path) -> Iterator[ModuleType | str]:
    """Yield objective files and names of modules for `local_sources`, without importing them."""
    for entry in file.problems:
        source = entry.rpartition(":")[0] if isinstance(entry, str) else ""
        if source.endswith(".py") and not Path(source).is_absolute():
            module = ModuleType(source)
            module.__file__ = str(_absolute(folder / source))
            yield module
        elif source:
            yield source


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  (resolve() would follow links out of the folder)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StudyError(f"cannot be read: {error.strerror}.", where=str(path)) from None


def _check_size(sizes: Mapping[str, int]) -> None:
    total = sum(sizes.values())
    if total <= MOST_BYTES:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_LISTED]
    listed = ", ".join(f"'{name}' ({sizes[name] / 1e6:.0f} MB)" for name in largest)
    raise StudyError(
        f"expected at most {MOST_BYTES / 1e6:.0f} MB of files, got {total / 1e6:.0f} MB.",
        where="package",
        hint=f"The largest: {listed}. Put them where the head can read them (file_mounts, a shared disk), "
        "and name them by an absolute path.",
    )


def _zip(files: Iterable[tuple[str, bytes]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name, _DATE)
            info.external_attr, info.compress_type = _MODE, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return content.getvalue()

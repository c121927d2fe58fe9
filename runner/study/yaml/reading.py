"""Reader of YAML files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import yaml

from runner.errors import FivefoldError, StudyError, nearest_file
from runner.study.yaml.building import Builder
from runner.study.yaml.document import Document, Mark, YamlNode

MOST_BYTES: Final = 4_000_000
"""Most bytes of a file; a study of 100,000 listed seeds has a fifth of it."""


def read_bounded(path: Path) -> str:
    """Read a file, but no more of it than is allowed.

    Raises
    ------
    StudyError
        Where the file is missing, unreadable, too large or not in UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        hint = nearest_file(path, (".yaml", ".yml"))
        raise StudyError("no such file.", where=str(path), hint=hint) from None
    except OSError as error:
        raise StudyError(f"cannot be read: {error.strerror}.", where=str(path)) from None
    except ValueError as error:  # a NUL in its name
        raise StudyError(f"cannot be read: {error}.", where=str(path)) from None
    if len(content) > MOST_BYTES:
        raise StudyError(f"expected at most {MOST_BYTES / 1e6:g} MB, got more.", where=str(path))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StudyError("not valid UTF-8.", where=f"{path}:{line}") from None


def parse(text: str, source: str) -> Document:
    """Parse a document, with the faults of its values in ``faults``.

    Parameters
    ----------
    source : str
        Name in errors.

    Raises
    ------
    StudyError
        Where it is not YAML, is several documents, or passes the limits; with line and column, and
        the faults before that.
    """
    builder = _build(text, source, 1)
    root = builder.roots[0] if builder.roots else YamlNode(None, Mark(1, 1))
    return Document(source, root, tuple(builder.faults))


def scan(text: str, source: str) -> None:
    """Raise StudyError where a stream of documents is not YAML or passes the limits."""
    _build(text, source, None)


def read_document(path: Path) -> Document:
    """Read the document of a file; see `parse`."""
    return parse(read_bounded(path), str(path))


def load_text(text: str, source: str) -> Any:
    """Parse YAML; raise a StudyError for all its faults."""
    document = parse(text, source)
    if document.faults:
        raise FivefoldError.join(error for _, error in document.faults)
    return document.value


def read_yaml(path: Path) -> Any:
    """Read a YAML file; raise a StudyError for all its faults."""
    return load_text(read_bounded(path), str(path))


def _build(text: str, source: str, most: int | None) -> Builder:
    """Build the nodes of at most ``most`` documents."""
    builder = Builder(source) if most else Builder(source, math.inf)
    loader: Any = None
    mark: Any
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, yaml.DocumentStartEvent) and len(builder.roots) == most:
                mark = event.start_mark
                raise yaml.MarkedYAMLError(problem="a second document begins", problem_mark=mark)
            builder.add(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark or loader.get_mark()
        what = str(error.problem or error.context)
        builder.refuse(Mark(mark.line + 1, mark.column + 1), f"invalid YAML: {what}.")
    except yaml.reader.ReaderError as error:
        lines = text[: error.position].split("\n")
        what = f"the character {chr(error.character)!a} may not be in it"
        builder.refuse(Mark(len(lines), len(lines[-1]) + 1), f"invalid YAML: {what}.")
    except (ValueError, OverflowError):  # of an escape like \U00110000, or a version of 5,000 digits
        mark = loader.get_mark()
        place = Mark(mark.line + 1, mark.column + 1)
        builder.refuse(place, "invalid YAML: a number is too large here.")
    return builder

"""Conversion of pydantic's validation errors to this project's messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runner._text import shown
from runner.errors import Faults, ProblemError, near, nearest

Path = tuple[Any, ...]

_OPTION = re.compile(r"'([^']*)'")
_KEY = "[key]"  # pydantic's name for the key of a mapping, as the last part of a location


@dataclass(frozen=True)
class Finding:
    """One validation error.

    Attributes
    ----------
    path : tuple
        The keys and positions that lead to the value.
    kind : str
        pydantic's type of error, such as ``missing`` or ``extra_forbidden``.
    expected : str
        Description of valid values; empty if the kind implies it.
    given : object
        The invalid value.
    """

    path: Path
    kind: str
    expected: str
    given: Any

    @property
    def message(self) -> str:
        """The message for the user."""
        return f"expected {self.expected}, got {shown(self.given)}."

    @property
    def hint(self) -> str:
        """The nearest option, if one of several strings is expected."""
        options = _OPTION.findall(self.expected) if self.kind == "literal_error" else []
        hint = nearest(self.given, options) if isinstance(self.given, str) else ""
        return hint if hint.startswith("Did") else ""


def findings(error: ValidationError, given: object) -> list[Finding]:
    """List all validation errors, in pydantic's order.

    Parameters
    ----------
    given : object
        The validated input. pydantic tries every branch of a union and puts the branch's name into the
        location of an error: a part of it that is not a key of the input is such a name.
    """
    groups: dict[Path, list[tuple[Path, ErrorDetails]]] = {}
    for details in error.errors():
        path, union = _paths(details, given)
        location = (*path, _KEY) if details["loc"][-1:] == (_KEY,) else path
        groups.setdefault(location if union is None else union, []).append((path, details))
    return [finding for group in groups.values() for finding in _merged(group)]


def _paths(error: ErrorDetails, given: object) -> tuple[Path, Path | None]:
    """Return the path of an error, and that of the outermost union around it."""
    path: list[Any] = []
    union: Path | None = None
    for i, part in enumerate(error["loc"]):
        last = i == len(error["loc"]) - 1
        if last and error["type"] == "invalid_key":
            part = error["input"]  # the key itself; in the location it is a string or an integer
        if _holds(given, part):
            given = given[part]  # type: ignore[index]
        elif part == _KEY or not (last and error["type"] == "missing"):
            union = tuple(path) if union is None and part != _KEY else union
            continue
        path.append(part)
    return tuple(path), union


def meant_keys(
    given: Mapping[Any, Any], known: Iterable[str], needed: Mapping[str, str], faults: Faults
) -> dict[str, Any]:
    """Select the known keys of a mapping, with misspelt ones under their corrected names.

    Parameters
    ----------
    needed : mapping of str to str
        Required keys, with a hint for each.
    faults : Faults
        Receives a ProblemError for each unknown and each missing key.
    """
    options = list(known)
    meant = {key: value for key, value in given.items() if key in options}
    for key, value in given.items():
        if key in options:
            continue
        faults.add(ProblemError("unknown key.", where=str(key), hint=nearest(str(key), options)))
        name = near(str(key), options)
        if name is not None and name not in meant:
            meant[name] = value
    for key, hint in needed.items():
        if key not in meant:
            faults.add(ProblemError(f"the key '{key}' is missing.", hint=hint))
    return meant


def _holds(given: object, part: str | int) -> bool:
    if isinstance(given, Mapping):
        return part in given
    return isinstance(given, list | tuple) and isinstance(part, int)


def _merged(group: list[tuple[Path, ErrorDetails]]) -> Iterator[Finding]:
    """Merge the errors of the best-matching branches of a union into one alternative each."""
    deepest = max(len(path) for path, _ in group)
    by_path: dict[Path, list[ErrorDetails]] = {}
    for path, details in group:
        if len(path) == deepest or len(group) == 1:
            by_path.setdefault(path, []).append(details)
    for path, errors in by_path.items():
        # Prefer the branch of the union that accepts the type, if there is one.
        meant = [error for error in errors if not error["type"].endswith("_type")] or errors
        expected = " or ".join(dict.fromkeys(map(_expected, meant)))
        yield Finding(path, meant[0]["type"], expected, meant[0]["input"])


def _expected(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    if error["loc"][-1:] == (_KEY,):
        return "a string as the key"
    limits = {key: _limit(value) for key, value in error.get("ctx", {}).items()}
    return _EXPECTED.get(error["type"], "something else").format_map(limits)


def _limit(value: object) -> str:
    if isinstance(value, int | float):
        return f"{int(value):,}" if value == int(value) else f"{value:g}"
    return str(value)


def converted(given: Mapping[str, Any], made: object) -> Iterator[Finding]:
    """Find values that pydantic has converted silently: ``true`` to 1, ``"no"`` to false.

    Parameters
    ----------
    given : mapping
        The validated input.
    made : object
        The result, with an attribute for each key.
    """
    for key, value in given.items():
        if (expected := _replaced(value, getattr(made, key))) is not None:
            yield Finding((key,), "converted", expected, value)


def _replaced(given: object, made: object) -> str | None:
    if isinstance(given, Mapping) and isinstance(made, Mapping):
        return next((kind for key in given if (kind := _replaced(given[key], made.get(key)))), None)
    truth = isinstance(given, bool | np.bool_)
    if truth == isinstance(made, bool) and not (isinstance(given, str) and not isinstance(made, str)):
        return None
    return next((word for kind, word in _KINDS.items() if isinstance(made, kind)), None)


_KINDS: Final = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}

_EXPECTED = MappingProxyType(
    {
        "string_type": "a string",
        "string_too_short": "a string of at least one letter",
        "list_type": "a list",
        "dict_type": "a mapping",
        "tuple_type": "a list",
        "too_short": "a list of at least {min_length} item",
        "too_long": "a list of at most {max_length} items",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
        "bool_type": "true or false",
        "bool_parsing": "true or false",
        "int_type": "an integer",
        "int_parsing": "an integer",
        "int_parsing_size": "an integer",
        "int_from_float": "an integer",
        "float_type": "a number",
        "float_parsing": "a number",
        "finite_number": "a finite number",
        "greater_than": "more than {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than_equal": "at most {le}",
        "literal_error": "{expected}",
        "invalid_key": "a string as the key",
    }
)
"""Descriptions of valid values, by pydantic's type of error."""

"""What may be wrong with a file that describes a cluster, and how its parts are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.errors import nearest


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong, or that the user should know.

    Attributes
    ----------
    where : str
        The path of the key, such as ``provider.region``.
    message : str
        What was found and what was wanted, one sentence.
    hint : str
        What to do about it.
    fatal : bool
        Whether a study could not run, or would run in danger.
    """

    where: str
    message: str
    hint: str = ""
    fatal: bool = True

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} {self.hint}" if self.hint else text


def mapping(given: object) -> Mapping[str, Any]:
    """The mapping itself; an empty one for anything else, of which the schema has spoken."""
    return given if isinstance(given, Mapping) else {}


def listed(given: object) -> list[Any]:
    """The list itself; an empty one for anything else."""
    return given if isinstance(given, list) else []


def text(given: object) -> str:
    """The text itself; an empty one for anything else."""
    return given if isinstance(given, str) else ""


def whole(given: object, default: int = 0) -> int:
    """The whole number itself; the default for anything else."""
    return given if isinstance(given, int) and not isinstance(given, bool) else default


def unknown_keys(given: object, known: Iterable[str], where: str) -> Iterator[Mistake]:
    """A mistake for each key that is not known."""
    known = set(known)
    for key in mapping(given):
        if key not in known:
            yield Mistake(f"{where}.{key}", "unknown key.", nearest(str(key), known))

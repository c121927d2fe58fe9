"""Mistakes in a file that describes a cluster, and safe access to its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mistake:
    """A fault of a cluster file, or a note on it.

    Attributes
    ----------
    where : str
        The path of the key, such as ``provider.region``.
    message : str
        The fault.
    hint : str
        How to correct it.
    fatal : bool
        True where a study could not run, or anybody could run code on the cluster.
    """

    where: str
    message: str
    hint: str = ""
    fatal: bool = True

    def __str__(self) -> str:
        message = f"{self.where}: {self.message}" if self.where else self.message
        return f"{message} {self.hint}" if self.hint else message


def mapping(value: object) -> Mapping[str, Any]:
    """Return the mapping itself; an empty one for anything else, which Ray and KubeRay refuse themselves."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[Any]:
    """Return the list itself; an empty one for anything else."""
    return value if isinstance(value, list) else []


def string(value: object) -> str:
    """Return the string itself; an empty one for anything else."""
    return value if isinstance(value, str) else ""


def integer(value: object, default: int = 0) -> int:
    """Return the integer itself; the default for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default

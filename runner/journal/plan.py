"""The study as its journal knows it: names, strings and JSON.

The journal knows neither problems nor methods. `runner.study.identity.plan` derives the plan from a study.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Identity = Mapping[str, Any]
"""JSON that decides which trials a run consists of."""


@dataclass(frozen=True)
class Mismatch:
    """The first difference between a recorded run and the planned one.

    Attributes
    ----------
    message : str
        Clause that completes "the recorded run '...' differs: ...".
    """

    message: str
    hint: str


@dataclass(frozen=True)
class PlannedRun:
    """A run as the journal is to hold it.

    Attributes
    ----------
    row : mapping
        Columns of the table of runs, except those that the journal fills in.
    identity : mapping
        As JSON restores it.
    """

    row: Mapping[str, Any]
    identity: Identity

    @property
    def id(self) -> str:
        """Name of the run within its study."""
        return str(self.row["id"])


@dataclass(frozen=True)
class StudyPlan:
    """A study as its journal knows it.

    Attributes
    ----------
    facts : mapping
        Keys of ``meta`` that must equal those of an existing journal: name, seed, parallel and so on.
    yaml : str
        The study file.
    version : str
        The version of this program.
    versions : mapping
        Versions of the program, Python and packages under which trials are evaluated.
    compare : callable
        Find the first difference of a recorded and a planned identity of one run, None where there is none.
        Takes the label of the run's method and both identities.
    """

    facts: Mapping[str, Any]
    yaml: str
    runs: tuple[PlannedRun, ...]
    version: str
    versions: Mapping[str, str]
    compare: Callable[[str, Identity, Identity], Mismatch | None]

    @property
    def problems(self) -> list[str]:
        """Names of the problems, each once."""
        return list(dict.fromkeys(str(run.row["problem"]) for run in self.runs))

"""The groups of equal nodes of a cluster, and the lanes that a study gets on them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.clusterfile.mistakes import Mistake
from runner.studyfile import TrialFile

_AWS = re.compile(
    r"^(?P<family>[a-z]+\d[\w-]*)\.(?:(?P<times>\d*)xlarge|(?P<small>nano|micro|small|medium|large))$"
)
_OTHERWISE = re.compile(r"^(?:hpc|c4$|d2$)")  # families whose sizes do not follow the rule
_BURSTING = re.compile(r"^t[34]")
_GCP = re.compile(
    r"^(?P<family>[a-z]\d[a-z]?)-(?:standard|highmem|highcpu|megamem|ultramem|custom)-(?P<cpus>\d+)"
)
_GCP_SHARED = {"e2-micro": 2, "e2-small": 2, "e2-medium": 2, "f1-micro": 1, "g1-small": 1}


@dataclass(frozen=True)
class Group:
    """Nodes of one kind.

    Attributes
    ----------
    name : str
    least, most : int
        How many nodes there are, without load and with it.
    cpus : float or None
        Logical CPUs of each; None where the file does not say.
    gpus : float
    """

    name: str
    least: int
    most: int
    cpus: float | None
    gpus: float = 0.0

    def lanes(self, trial: TrialFile) -> int | None:
        """How many trials a node evaluates at once; None where that cannot be known."""
        if self.cpus is None:
            return None
        room = math.floor(self.cpus / trial.cpus)
        return min(room, math.floor(self.gpus / trial.gpus)) if trial.gpus else room


def check_room(groups: Sequence[Group], trial: TrialFile) -> Iterator[Mistake]:
    """Whether any node can hold one trial."""
    lanes = [group.lanes(trial) for group in groups if group.most]
    if lanes and all(count == 0 for count in lanes):
        needs = f"{trial.cpus:g} CPUs" + (f" and {trial.gpus:g} GPUs" if trial.gpus else "")
        yield Mistake(
            "trial",
            f"a trial needs {needs}, and no node of this cluster has them.",
            "Lower 'cpus' or 'gpus' in the study's 'trial', or take larger nodes.",
        )


def cpus_of(machine: str) -> int | None:
    """The virtual CPUs of a machine type of AWS or GCP, by how these are named; None where unknown."""
    if found := _GCP.match(machine):
        return int(found["cpus"])
    if machine in _GCP_SHARED:
        return _GCP_SHARED[machine]
    found = _AWS.match(machine)
    if not found or _OTHERWISE.match(found["family"]):
        return None
    if found["small"]:
        return 2 if found["small"] == "large" or _BURSTING.match(found["family"]) else None
    return 4 * int(found["times"] or 1)

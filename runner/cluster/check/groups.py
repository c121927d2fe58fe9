"""The groups of equal nodes of a cluster, and the lanes that a study gets on them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from runner.cluster.check.mistakes import Mistake
from runner.study.resources import Needs, NodeResources

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
    resources : mapping of str to float, or None
        What each has, by Ray's names; None where the file does not say how many CPUs. The memory is
        found out by Ray on the node, and not looked at here.
    """

    name: str
    least: int
    most: int
    resources: NodeResources | None

    def lanes(self, needs: Needs) -> int | None:
        """How many trials a node evaluates at once; None where that cannot be known."""
        return None if self.resources is None else replace(needs, memory_gb=None).on(self.resources)

    def has(self, name: str) -> float | None:
        """How much of a resource a node has; None where that cannot be known."""
        return None if self.resources is None else self.resources.get(name, 0.0)


def check_room(groups: Sequence[Group], needs: Needs) -> Iterator[Mistake]:
    """Whether any node can hold one trial."""
    used = [group for group in groups if group.most]
    if used and all(group.lanes(needs) == 0 for group in used):
        needs = replace(needs, memory_gb=None)
        said = needs.shortfall([group.resources or {} for group in used], "this cluster")
        yield Mistake("trial", said, "Lower what the study's 'trial' asks for, or take larger nodes.")


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

"""Groups of equal nodes of a cluster, and the number of trials that they have room for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from runner.cluster.check.mistakes import Mistake
from runner.study.resources import Needs, NodeResources


@dataclass(frozen=True)
class Group:
    """Nodes of one kind.

    Attributes
    ----------
    least, most : int
        Number of nodes without load and under full load.
    resources : mapping of str to float, or None
        Resources of each node by Ray's names; None where the file does not give its CPUs. Memory is
        left out: Ray measures it on the node.
    """

    name: str
    least: int
    most: int
    resources: NodeResources | None

    def room(self, needs: Needs) -> int | None:
        """Count the trials that one node evaluates at once; None where that is unknown."""
        return None if self.resources is None else replace(needs, memory_gb=None).on(self.resources)

    def amount(self, name: str) -> float | None:
        """Return the amount of a resource on one node; None where that is unknown."""
        return None if self.resources is None else self.resources.get(name, 0.0)


def check_room(groups: Sequence[Group], needs: Needs) -> Iterator[Mistake]:
    """Report a trial that fits on no node."""
    used = [group for group in groups if group.most]
    if used and all(group.room(needs) == 0 for group in used):
        needs = replace(needs, memory_gb=None)
        message = needs.shortfall([group.resources or {} for group in used], "this cluster")
        yield Mistake("trial", message, "Lower the study's 'trial' resources, or use larger nodes.")

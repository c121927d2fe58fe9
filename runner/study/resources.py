"""Resources that a trial needs, the room that machines have for trials, and the CPUs of this machine.

A trial runs on one node, so room is counted node by node: four nodes of two CPUs have none for a trial
of four. A share of a GPU is a share of one device: of two devices, shares of 0.6 have room for two.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CPU, GPU, MEMORY = "CPU", "GPU", "memory"
"""Ray's names; memory is in bytes."""

RESERVED = (CPU, GPU, MEMORY, "object_store_memory")
"""Names that no custom resource may have."""

_GIGABYTE = 1e9
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_ROUNDING = 1e-6  # of sums of shares: three thirds of a GPU are one
_MOST_NAMED = 6  # resources in a message

NodeResources = Mapping[str, float]
"""The resources of one machine, by Ray's names."""


@dataclass(frozen=True)
class Needs:
    """Resources that one trial needs.

    Attributes
    ----------
    cpus, gpus : float
        Logical ones; fractions are possible.
    memory_gb : float or None
        Gigabytes; None for no reservation.
    resources : mapping of str to float
        Custom resources, by the names that the nodes of a cluster were started with.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_gb: float | None = None
    resources: Mapping[str, float] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.cpus, self.gpus, self.memory_gb, *sorted(self.resources.items())))

    @property
    def amounts(self) -> dict[str, float]:
        """Amounts by Ray's names, without zeros."""
        memory = (self.memory_gb or 0.0) * _GIGABYTE
        given = {CPU: self.cpus, GPU: self.gpus, MEMORY: memory, **self.resources}
        return {name: amount for name, amount in given.items() if amount}

    @property
    def threads(self) -> int:
        """Threads that the numerical libraries of one evaluation may use."""
        return max(1, int(self.cpus))

    def on(self, node: NodeResources) -> int:
        """Count the trials that one node has room for."""
        return min(_times(node.get(name, 0.0), amount, name) for name, amount in self.amounts.items())

    def room(self, nodes: Iterable[NodeResources]) -> int:
        """Count the trials that these nodes have room for."""
        return sum(map(self.on, nodes))

    def shortfall(self, nodes: Sequence[NodeResources], place: str) -> str:
        """Explain, in one message, why there is no room for a single trial.

        Parameters
        ----------
        nodes : sequence of NodeResources
            Existing nodes, and those that could be added.
        place : str
            Description of the nodes for the user.
        """
        needed = ", ".join(_amount(name, amount) for name, amount in self.amounts.items())
        for name, amount in self.amounts.items():
            most = max((node.get(name, 0.0) for node in nodes), default=0.0)
            if _times(most, amount, name) >= 1:
                continue
            total = sum(node.get(name, 0.0) for node in nodes)
            if total >= amount and len(nodes) > 1:
                return (
                    f"a trial needs {needed} on one node; {place} has {_amount(name, total)} in all, "
                    f"but no node has more than {_amount(name, most)}."
                )
            has = f"has {_amount(name, most)}" if most else f"has no {_named(name, nodes)}"
            return f"a trial needs {needed}; {place} {has}."
        return f"a trial needs {needed}; no single node of {place} has all of that."


def _times(has: float, amount: float, name: str) -> int:
    if name == GPU and amount < 1:
        return math.floor(has + _ROUNDING) * math.floor(1 / amount + _ROUNDING)
    return math.floor(has / amount + _ROUNDING)


def _amount(name: str, amount: float) -> str:
    if name == MEMORY:
        return f"{amount / _GIGABYTE:.3g} GB of memory"
    unit = f"{name}s" if name in (CPU, GPU) and amount != 1 else name
    return f"{amount:g} {unit}" if name in (CPU, GPU) else f"{amount:g} of '{name}'"


def _named(name: str, nodes: Sequence[NodeResources]) -> str:
    if name in (CPU, GPU):
        return name
    known = sorted({other for node in nodes for other in node if not _internal(other)})
    there = f" (it has {', '.join(known[:_MOST_NAMED])})" if known else ""
    return f"resource '{name}'{there}"


def _internal(name: str) -> bool:
    """Recognise the resources that Ray adds by itself."""
    return name in RESERVED or ":" in name or name.startswith(("node", "accelerator_type"))


def available_cpus() -> int:
    """Count the CPUs that this process may use.

    An affinity mask or a container's quota may leave fewer than the machine has.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cpus, _quota()))


def _quota() -> int:
    """Read the CPUs of a control group (version 2), rounded up; very many where there is no limit."""
    try:
        most, period = _QUOTA.read_text(encoding="ascii").split()
        return math.ceil(int(most) / int(period))
    except (OSError, ValueError):  # no such group, or "max"
        return 1_000_000

"""CPUs of this machine."""

from __future__ import annotations

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


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

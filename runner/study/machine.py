"""What this machine has for the trials."""

from __future__ import annotations

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cpus() -> int:
    """How many CPUs this process may use.

    Fewer than there are where it is bound to some of them, or where its container has a quota.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cpus, _quota()))


def _quota() -> int:
    """The CPUs of a control group (version 2), rounded up; very many where there is no limit."""
    try:
        most, period = _QUOTA.read_text(encoding="ascii").split()
        return math.ceil(int(most) / int(period))
    except (OSError, ValueError):  # no such group, or "max"
        return 1_000_000

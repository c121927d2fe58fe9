"""What this machine has for the trials."""

from __future__ import annotations

import os


def available_cpus() -> int:
    """How many CPUs this process may use; fewer than there are where it is bound to some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

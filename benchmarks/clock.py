"""Figures of an engine from the clocks of its evaluations."""

from __future__ import annotations

import re
import resource
import time
from pathlib import Path

import numpy as np

THOUSAND = 1000


def read(spans, workers):
    """Figures of the evaluations of one measurement.

    Parameters
    ----------
    spans : sequence of (began, ended, process)
        Wall times.
    workers : int
        How many could run at once.

    Returns
    -------
    dict
        trials; first, last: when the first began and the last ended; seconds: between them; work:
        seconds within evaluations; utilisation: work / (workers x seconds); where as many processes
        as workers took part, the same from when the last of them had begun (``up``); and from then
        on the seconds of the first and of the last thousand (``thousands``, of fewer where there
        are fewer than two thousand).
    """
    began, ended, process = (np.array(column) for column in zip(*spans, strict=True))
    first, last = began.min(), ended.max()
    work = (ended - began).sum()
    found = {
        "trials": len(began),
        "first": first,
        "last": last,
        "seconds": last - first,
        "work": work,
        "utilisation": work / (workers * max(last - first, 1e-9)),
    }
    arrivals = sorted(began[process == one].min() for one in set(process.tolist()))
    if len(arrivals) >= workers and arrivals[workers - 1] < last:
        up = arrivals[workers - 1]
        since = np.clip(ended - np.maximum(began, up), 0.0, None).sum()
        found |= {"up": up, "utilisation_up": since / (workers * (last - up))}
        ends = np.sort(ended[ended >= up])
        count = min(THOUSAND, (len(ends) - 1) // 2)
        if count > 0:
            found["thousands"] = [ends[count] - ends[0], ends[-1] - ends[-1 - count]]
    return {key: _plain(value) for key, value in found.items()}


def _plain(value):
    """Convert to values that JSON can hold."""
    if isinstance(value, list):
        return [float(one) for one in value]
    return value if isinstance(value, int) else float(value)


def _peak(used):
    """Return the peak memory of this program in bytes.

    Not getrusage's: Linux starts that with the peak of the process from which this one was started.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+)", status.read_text(encoding="ascii"))[1]) * 1024
    return used.ru_maxrss  # in bytes where /proc is missing


def stop():
    """Return the time at which this process was done, its peak memory and its CPU time.

    Call it before anything is evaluated for the report. Children are not included.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "finished": time.time(),
        "megabytes": _peak(used) / 1e6,
        "cpu": used.ru_utime + used.ru_stime,
    }

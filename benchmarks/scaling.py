"""What one driver costs per trial, per bundle and per live lane, measured on lanes that sleep.

A lane that sleeps needs no core, so two cores can be the driver of many lanes. The driver's main thread
does all that is done one after the other; its CPU time is counted between the moment when all lanes
have begun and the last report. CPU time, because it is the same on a busy machine.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psutil

from benchmarks import ours

_LOOK_SECONDS = 0.25
_TICKS = os.sysconf("SC_CLK_TCK")
_SERVERS = ("gcs_server", "raylet")


class Sampler(threading.Thread):
    """Notes what the driver has used so far, again and again.

    Attributes
    ----------
    seen : list of (when, main thread, whole process, Ray's servers, bundles, trials)
        Wall time; CPU seconds; counts.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.seen = []
        self.bundles = self.trials = 0
        self.done = threading.Event()
        self._servers = {}

    def run(self):
        while not self.done.wait(_LOOK_SECONDS):
            self.look()

    def look(self):
        fields = Path(f"/proc/self/task/{os.getpid()}/stat").read_text().rpartition(")")[2].split()
        main = (int(fields[11]) + int(fields[12])) / _TICKS
        self.seen.append(
            (time.time(), main, time.process_time(), self._of_servers(), self.bundles, self.trials)
        )

    def _of_servers(self):
        if len(self._servers) < len(_SERVERS):
            for child in psutil.Process().children():
                name = Path((child.cmdline() or [""])[0]).name
                if name in _SERVERS:
                    self._servers[name] = child
        return sum(sum(process.cpu_times()[:2]) for process in self._servers.values() if process.is_running())

    def between(self, start, end):
        """What was used from the first look after start to the last before end, per second."""
        inside = [row for row in self.seen if start <= row[0] <= end]
        if len(inside) < 2:
            return {}
        first, last = inside[0], inside[-1]
        seconds = last[0] - first[0]
        keys = ("main", "process", "servers", "bundles", "trials")
        rates = {key: (b - a) / seconds for key, a, b in zip(keys, first[1:], last[1:], strict=True)}
        return rates | {"watched": seconds}


def measure(scratch, *, lanes, seconds, each):
    """A study of sleeping trials on so many lanes.

    Parameters
    ----------
    lanes : int
    seconds : float
        Of one trial.
    each : float
        For how long every lane has work, in seconds.
    """
    from runner.dispatch import Dispatcher

    sampler = Sampler()
    tell = Dispatcher.tell

    def counting(self, bundle, report):
        sampler.bundles += 1
        sampler.trials += len(report.outcomes)
        tell(self, bundle, report)

    Dispatcher.tell = counting
    sampler.start()
    keys = {"methods": ["random"], "budget": {"trials": round(lanes * each / seconds)}, "cache": False}
    found = ours.study(scratch, keys=keys, objective={"work": "sleep", "seconds": seconds}, workers=lanes)
    sampler.done.set()
    # At the end lanes run out of work, which is none of the driver's doing.
    since = found.get("up")
    rates = sampler.between(since, found["last"] - 2 * max(seconds, 1.0)) if since else {}
    return found | {"lanes": lanes, "trial": seconds, "rates": rates, "load": os.getloadavg()[0]}

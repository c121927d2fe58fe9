"""Costs of one driver per trial, per batch and per live worker, measured on sleeping workers.

A worker that sleeps needs no core, so two cores can be the driver of many workers. The driver's main thread
does all that is done one after the other; its CPU time is counted in windows of some seconds, with the
number of workers that were there. They come up one after the other, so that one study tells of all numbers
up to the largest. CPU time, because it is the same on a busy machine.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks import ours

_LOOK_SECONDS = 0.25
_START_UP = {
    # Far more processes than cores: start a few at a time, else Ray gives up each before it is ready.
    "RAY_worker_maximum_startup_concurrency": "4",
    "RAY_worker_register_timeout_seconds": "600",
}
_TICKS = os.sysconf("SC_CLK_TCK")
_SERVERS = ("gcs_server", "raylet")
_KEYS = ("main", "process", "servers", "batches", "trials")
WINDOW_SECONDS = 4.0


class Sampler(threading.Thread):
    """Notes what the driver has used so far, again and again.

    Attributes
    ----------
    seen : list of (when, main thread, whole process, Ray's servers, batches, trials)
        Wall time; CPU seconds; counts.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.seen = []
        self.batches = self.trials = 0
        self.done = threading.Event()
        self._servers = {}

    def run(self):
        while not self.done.wait(_LOOK_SECONDS):
            self.look()

    def look(self):
        fields = Path(f"/proc/self/task/{os.getpid()}/stat").read_text().rpartition(")")[2].split()
        main = (int(fields[11]) + int(fields[12])) / _TICKS
        self.seen.append(
            (time.time(), main, time.process_time(), self._of_servers(), self.batches, self.trials)
        )

    def _of_servers(self):
        if len(self._servers) < len(_SERVERS):
            for child in psutil.Process().children():
                name = Path((child.cmdline() or [""])[0]).name
                if name in _SERVERS:
                    self._servers[name] = child
        return sum(sum(process.cpu_times()[:2]) for process in self._servers.values() if process.is_running())


def windows(seen, spans, until, width=WINDOW_SECONDS):
    """Average the use per second by the number of workers.

    Parameters
    ----------
    seen : list
        See `Sampler.seen`.
    spans : array of shape (n, 3)
        (began, ended, process) of each evaluation.
    until : float
        When workers began to run out of work, which is none of the driver's doing.

    Returns
    -------
    list of dict
        workers; CPU seconds of main, process and servers, batches and trials, per second; and busy, the
        share of the workers' time within evaluations.
    """
    began, ended, process = spans.T
    arrivals = np.sort([began[process == one].min() for one in np.unique(process)])
    made, first = [], None
    for row in seen:
        if row[0] < arrivals[0] or row[0] > until:
            continue
        first = first or row
        span = row[0] - first[0]
        if span < width:
            continue
        workers = float(np.clip(row[0] - np.maximum(arrivals, first[0]), 0, None).sum() / span)
        rates = {key: (b - a) / span for key, a, b in zip(_KEYS, first[1:], row[1:], strict=True)}
        inside = np.clip(np.minimum(ended, row[0]) - np.maximum(began, first[0]), 0, None).sum()
        made.append(rates | {"workers": workers, "busy": float(inside / span / workers), "watched": span})
        first = row
    return made


def measure(scratch, *, workers, seconds, each):
    """A study of sleeping trials on so many workers.

    Parameters
    ----------
    workers : int
    seconds : float
        Of one trial.
    each : float
        Seconds of work for each worker: enough for the last one to come up before the work ends.
    """
    import runner
    from runner.engine.dispatch.dispatcher import Dispatcher

    os.environ.update(_START_UP)
    sampler = Sampler()
    tell = Dispatcher.tell

    def counting(self, batch, report):
        sampler.batches += 1
        sampler.trials += len(report.outcomes)
        tell(self, batch, report)

    Dispatcher.tell = counting
    sampler.start()
    keys = {"methods": ["random"], "budget": {"trials": round(workers * each / seconds)}, "cache": False}
    found = ours.study(scratch, keys=keys, objective={"work": "sleep", "seconds": seconds}, workers=workers)
    sampler.done.set()
    columns = ["metrics/began", "metrics/ended", "metrics/pid"]
    spans = runner.Results.open(Path(scratch, "out")).trials[columns].to_numpy(dtype=float)
    made = windows(sampler.seen, spans, found["last"] - 3 * max(seconds, 1.0))
    return found | {"trial": seconds, "windows": made, "load": os.getloadavg()[0]}

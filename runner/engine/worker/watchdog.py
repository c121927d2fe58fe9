"""A small process beside a worker that kills it when a trial exceeds its limits.

A worker cannot do that itself: an objective that hangs in C, or holds Python's lock while it fills the
memory, lets no thread and no signal handler run. The driver is too far away, and busy.

    python -I watchdog.py WORKER STATE FOLDER TIMEOUT MEMORY

WORKER is the process to watch; STATE the file in which it writes what it is doing (see `STATE`);
TIMEOUT seconds and MEMORY bytes are the limits of a trial, 0 for none. The reason for a kill is left
in FOLDER, in ``BATCH.note``. This file is run as a script: it imports nothing of the package.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
import time
from pathlib import Path

import psutil

STATE = struct.Struct("<d32s")
"""Start of the worker's current trial by the monotonic clock, 0 between trials; and its batch."""

_LOOK_SECONDS = 0.05  # short against any useful limit, long enough to cost little
_CHILDREN_SECONDS = 0.5  # between two searches for child processes, for which all processes are listed
_MOST_LOAD = 0.02  # share of a CPU for these searches


class Watchdog:
    """The limits of one worker.

    Parameters
    ----------
    timeout : float
        Seconds; 0 for no limit.
    memory : int
        Bytes that the worker and its children do not share with others; 0 for no limit.
    """

    def __init__(
        self, worker: psutil.Process, state: Path, folder: Path, timeout: float, memory: int
    ) -> None:
        self.worker, self.state, self.folder = worker, state, folder
        self.timeout, self.memory = timeout, memory
        self.children: list[psutil.Process] = []
        self.pause = _CHILDREN_SECONDS
        self.looked = 0.0

    def watch(self) -> None:
        """Watch until the worker is gone; then kill its children."""
        while self.worker.is_running():
            time.sleep(_LOOK_SECONDS)
            begun, batch = self.read()
            if not begun:
                continue
            now = time.monotonic()
            self.look(now)
            cause, detail = self.excess(now - begun)
            if cause and self.read() == (begun, batch):
                note = {"cause": cause, "detail": detail, "seconds": now - begun}
                self.leave(batch, json.dumps(note))
                self.look(now + self.pause)
                end([self.worker, *self.children])
                return
        end(self.children)

    def read(self) -> tuple[float, str]:
        """Read the start of the worker's current trial, and its batch."""
        begun, batch = STATE.unpack(self.state.read_bytes()[: STATE.size])
        return begun, batch.rstrip(b"\0").decode("ascii")

    def look(self, now: float) -> None:
        """Find the worker's child processes; not often, because all processes have to be listed."""
        if now - self.looked < self.pause:
            return
        start = time.perf_counter()
        with contextlib.suppress(psutil.Error):  # the worker is gone; the children of the last look are known
            self.children = self.worker.children(recursive=True)
        self.looked = now
        self.pause = max(_CHILDREN_SECONDS, (time.perf_counter() - start) / _MOST_LOAD)

    def excess(self, seconds: float) -> tuple[str, str]:
        """Return the limit that is exceeded, and a message; empty if none is."""
        if self.timeout and seconds > self.timeout:
            return "timeout", f"killed after {self.timeout:g} s."
        if self.memory and (used := sum(map(private_bytes, [self.worker, *self.children]))) > self.memory:
            gigabytes = f"{used / 1e9:.2f} GB of memory; its limit is {self.memory / 1e9:g} GB"
            return "memory", f"killed: its process had {gigabytes}."
        return "", ""

    def leave(self, batch: str, note: str) -> None:
        """Write a note that appears complete, or not at all."""
        path = self.folder / f"{batch}.note"
        new = path.with_suffix(".new")
        new.write_text(note, encoding="ascii")
        new.replace(path)


def private_bytes(process: psutil.Process) -> int:
    """Memory that a process does not share with others; 0 if it is gone."""
    try:
        memory = process.memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss - getattr(memory, "shared", 0))


def end(processes: list[psutil.Process]) -> None:
    """Kill processes; skip those that are gone, also if another process has their number by now."""
    for process in processes:
        try:
            process.kill()
        except psutil.Error:
            continue


def main() -> None:
    """Watch the worker that the arguments name."""
    if (
        os.fork()
    ):  # so that the watchdog is not a child of the worker, which looks for those that trials leave
        os._exit(0)
    worker, state, folder, timeout, memory = sys.argv[1:]
    Watchdog(psutil.Process(int(worker)), Path(state), Path(folder), float(timeout), int(memory)).watch()


if __name__ == "__main__":
    try:
        main()
    except (psutil.Error, OSError):  # the worker, or its folder, was gone before it could be watched
        sys.exit(1)

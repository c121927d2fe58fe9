"""A small process beside a lane that ends it where a trial outgrows its limits.

A lane cannot do that itself: an objective that hangs in C, or holds Python's lock while it fills the
memory, lets no thread and no signal handler run. The driver is too far away, and busy.

    python -I warden.py LANE MARKS FOLDER TIMEOUT MEMORY

LANE is the process to watch; MARKS the file in which it says what it is doing (see `MARKS`);
TIMEOUT seconds and MEMORY bytes are the limits of a trial, 0 for none. What ended a bundle is left
in FOLDER, in ``BUNDLE.note``. This file is run by itself: it imports nothing of the package.
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

MARKS = struct.Struct("<d32s")
"""When the trial began that the lane is at, by the monotonic clock, 0 between trials; its bundle."""

_LOOK_SECONDS = 0.05
_CHILDREN_SECONDS = 0.5  # between two looks at what the lane has started
_MOST_LOAD = 0.02  # of a CPU, for looking


class Warden:
    """Watches one lane.

    Parameters
    ----------
    lane : psutil.Process
    marks, folder : Path
    timeout : float
        Seconds; 0 for no limit.
    memory : int
        Bytes that the lane and its children may have to themselves; 0 for no limit.
    """

    def __init__(self, lane: psutil.Process, marks: Path, folder: Path, timeout: float, memory: int) -> None:
        self.lane, self.marks, self.folder = lane, marks, folder
        self.timeout, self.memory = timeout, memory
        self.children: list[psutil.Process] = []
        self.pause = _CHILDREN_SECONDS
        self.looked = 0.0

    def watch(self) -> None:
        """Until the lane is gone; then its children go too."""
        while self.lane.is_running():
            time.sleep(_LOOK_SECONDS)
            begun, bundle = self.read()
            if not begun:
                continue
            now = time.monotonic()
            self.look(now)
            cause, detail = self.excess(now - begun)
            if cause and self.read() == (begun, bundle):
                note = {"cause": cause, "detail": detail, "seconds": now - begun}
                self.leave(bundle, json.dumps(note))
                self.look(now + self.pause)
                end([self.lane, *self.children])
                return
        end(self.children)

    def read(self) -> tuple[float, str]:
        """What the lane says that it is doing."""
        begun, bundle = MARKS.unpack(self.marks.read_bytes()[: MARKS.size])
        return begun, bundle.rstrip(b"\0").decode("ascii")

    def look(self, now: float) -> None:
        """See what the lane has started; not often, because every process has to be looked at."""
        if now - self.looked < self.pause:
            return
        start = time.perf_counter()
        with contextlib.suppress(psutil.Error):  # where it is gone, what it had is known
            self.children = self.lane.children(recursive=True)
        self.looked = now
        self.pause = max(_CHILDREN_SECONDS, (time.perf_counter() - start) / _MOST_LOAD)

    def excess(self, seconds: float) -> tuple[str, str]:
        """Which limit is passed, and a sentence; empty where none is."""
        if self.timeout and seconds > self.timeout:
            return "timeout", f"killed after {self.timeout:g} s."
        if self.memory and (used := sum(map(private_bytes, [self.lane, *self.children]))) > self.memory:
            gigabytes = f"{used / 1e9:.2f} GB of memory; its limit is {self.memory / 1e9:g} GB"
            return "memory", f"killed: its process had {gigabytes}."
        return "", ""

    def leave(self, bundle: str, text: str) -> None:
        """Leave a note that appears whole."""
        path = self.folder / f"{bundle}.note"
        new = path.with_suffix(".new")
        new.write_text(text, encoding="ascii")
        new.replace(path)


def private_bytes(process: psutil.Process) -> int:
    """The memory that a process does not share with others; 0 where it is gone."""
    try:
        memory = process.memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss - getattr(memory, "shared", 0))


def end(processes: list[psutil.Process]) -> None:
    """Kill processes; one that is gone, or whose number another has by now, is left alone."""
    for process in processes:
        try:
            process.kill()
        except psutil.Error:
            continue


def main() -> None:
    """Be the warden of the lane that the arguments name."""
    if os.fork():  # so that the lane has no child of its own: it looks for those that trials leave
        os._exit(0)
    lane, marks, folder, timeout, memory = sys.argv[1:]
    Warden(psutil.Process(int(lane)), Path(marks), Path(folder), float(timeout), int(memory)).watch()


if __name__ == "__main__":
    try:
        main()
    except (psutil.Error, OSError):  # the lane was gone before it could be watched, or its folder is
        sys.exit(1)

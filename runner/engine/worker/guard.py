"""A worker's ledger, limits and child processes.

Each outcome of a batch is written to a ledger in a folder of the worker's machine as soon as it is there: if
the worker dies, finished trials keep their results (`rescue`), and the trial that had begun is known. Limits
of time and memory are enforced by `runner.engine.worker.watchdog`. Processes that a trial has started end
with it.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from runner.engine.codec import pack_ended, unpack_ended
from runner.engine.messages import Rescued
from runner.engine.worker import watchdog
from runner.trial import Outcome

_BE_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
_HEAD = struct.Struct("<32sQ")
"""Start of a ledger: the batch, and the number of bytes that are complete."""
_LEDGER_BYTES = 1_000_000  # holds a batch of 1,000 trials without metrics; it grows as needed
_SUFFIX = ".ledger"
# Processes that joblib and multiprocessing keep for their next use: idle, and slow to start.
_SPARED = ("joblib.externals.loky", "multiprocessing.resource_tracker", "multiprocessing.forkserver")


class Guard:
    """The guard of one worker.

    Parameters
    ----------
    folder : Path
        Created if missing, with access for its owner only.
    worker : str
        Name of the worker.
    timeout, memory_gb : float or None
        Limits of one trial.
    """

    def __init__(
        self, folder: Path, worker: str, timeout: float | None = None, memory_gb: float | None = None
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._worker = folder, worker
        self._state: mmap.mmap | None = None
        if timeout is not None or memory_gb is not None:
            self._start_watchdog(timeout or 0.0, round((memory_gb or 0.0) * 1e9))
        _adopt_orphans()
        self._batch = b""
        self._ledger = _mapped(folder / f"{os.getpid()}{_SUFFIX}", _LEDGER_BYTES)
        self._used = 0  # bytes of it; 0 if nothing is to be written
        self._before: set[psutil.Process] = set()

    def open(self, batch: str, tasks: int) -> None:
        """Begin a batch with that number of tasks."""
        self._batch = batch.encode("ascii")
        self._before = set(_children()) if _has_children() else set()
        if tasks > 1:  # a single one leaves nothing to rescue
            self._used = _HEAD.size
            self._write(json.dumps(self._worker))

    def begin(self) -> None:
        """Note that the next task begins."""
        if self._state is not None:
            self._state[: watchdog.STATE.size] = watchdog.STATE.pack(time.monotonic(), self._batch)

    def ended(self, outcome: Outcome, offset: float) -> None:
        """Write the outcome of the task, and kill the processes that it has started."""
        if self._state is not None:
            self._state[: watchdog.STATE.size] = watchdog.STATE.pack(0.0, b"")
        if self._used:
            self._write(pack_ended(outcome, offset))
        if _has_children():
            _end_children(self._before)

    def close(self) -> None:
        """End the batch."""
        self._used = 0
        _HEAD.pack_into(self._ledger, 0, b"", 0)

    def _write(self, line: str) -> None:
        """Write a line, then the new length: what counts is complete, whenever the worker dies."""
        content = f"{line}\n".encode("ascii")
        end = self._used + len(content)
        if end > len(self._ledger):
            self._ledger.resize(2 * end)
        self._ledger[self._used : end] = content
        self._used = end
        _HEAD.pack_into(self._ledger, 0, self._batch, end)

    def _start_watchdog(self, timeout: float, memory: int) -> None:
        path = self._folder / f"{os.getpid()}.state"
        self._state = _mapped(path, watchdog.STATE.size)
        arguments = [str(os.getpid()), str(path), str(self._folder), str(timeout), str(memory)]
        subprocess.run(  # returns at once: the watchdog continues in the background
            [sys.executable, "-I", watchdog.__file__, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # it has to outlive the worker
            check=True,
        )


def rescue(folder: Path, batch: str) -> Rescued | None:
    """Read the remains of a batch whose worker died on this machine; None if there are none."""
    try:
        note = json.loads((folder / f"{batch}.note").read_text(encoding="ascii"))
    except (OSError, ValueError):
        note = {}
    try:
        worker, *lines = _ledger_lines(folder, batch.encode("ascii"))
        ended = [unpack_ended(line) for line in lines]
    except (OSError, ValueError):
        if not note:
            return None
        worker, ended = '""', []
    return Rescued(
        tuple(outcome for outcome, _ in ended),
        tuple(offset for _, offset in ended),
        json.loads(worker),
        str(note.get("cause", "")),
        str(note.get("detail", "")),
        note.get("seconds"),
    )


def _ledger_lines(folder: Path, batch: bytes) -> list[str]:
    """Read the lines of a batch's ledger; raise ValueError if there is none."""
    for path in folder.glob(f"*{_SUFFIX}"):
        content = path.read_bytes()
        name, used = _HEAD.unpack(content[: _HEAD.size])
        if name.rstrip(b"\0") == batch:
            return content[_HEAD.size : used].decode("ascii").splitlines()
    raise ValueError("no ledger of this batch")


def _mapped(path: Path, size: int) -> mmap.mmap:
    """Map a new file into memory: what is written there outlives the process, and costs no system call."""
    with path.open("w+b") as file:
        file.truncate(size)
        return mmap.mmap(file.fileno(), size)


def _adopt_orphans() -> None:
    """Make this process the parent of processes that its children leave behind, if the system can."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_BE_SUBREAPER, 1, 0, 0, 0)


def _has_children() -> bool:
    """Return True if this process has child processes; takes a microsecond if not, as is usual.

    False if the system cannot tell so fast: then they are left to the end of the worker.
    """
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children() -> Sequence[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _end_children(before: set[psutil.Process]) -> None:
    """Kill the processes started since, except those that libraries keep for their next use."""
    for _ in range(3):  # they may start others meanwhile
        started = [child for child in _children() if child not in before and not _is_spared(child)]
        watchdog.end(started)
        for child in started:
            with suppress(psutil.Error, ChildProcessError):
                os.waitpid(child.pid, 0 if child.ppid() == os.getpid() else os.WNOHANG)
        if not started:
            return


def _is_spared(process: psutil.Process) -> bool:
    try:
        command = " ".join(process.cmdline())
    except psutil.Error:  # the process is gone
        return False
    return any(name in command for name in _SPARED)


__all__ = ["Guard", "rescue"]

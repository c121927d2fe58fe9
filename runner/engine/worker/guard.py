"""What a lane leaves behind if it dies, and what its trials may not leave behind.

Each outcome of a bundle is written down as it comes, in a folder of the lane's machine: where the lane
dies, finished trials keep their results (`rescue`), and it is known which one was begun. Limits of
time and memory are held by `runner.engine.worker.watchdog`. Processes that a trial has started end with it.
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
from runner.engine.worker import watchdog as warden
from runner.trial import Outcome

_BE_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
_HEAD = struct.Struct("<32sQ")
"""At the start of a ledger: the bundle, and how many bytes of it are told."""
_LEDGER_BYTES = 1_000_000
_SUFFIX = ".ledger"
# What joblib and multiprocessing keep for their next use: it is idle, and costly to start.
_SPARED = ("joblib.externals.loky", "multiprocessing.resource_tracker", "multiprocessing.forkserver")


class Guard:
    """One for each lane.

    Parameters
    ----------
    folder : Path
        Made where it is missing, for the user alone.
    worker : str
        The lane's name.
    timeout, memory_gb : float or None
        Limits of one trial.
    """

    def __init__(
        self, folder: Path, worker: str, timeout: float | None = None, memory_gb: float | None = None
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._worker = folder, worker
        self._marks: mmap.mmap | None = None
        if timeout is not None or memory_gb is not None:
            self._set_a_warden(timeout or 0.0, round((memory_gb or 0.0) * 1e9))
        _adopt_orphans()
        self._bundle = b""
        self._ledger = _mapped(folder / f"{os.getpid()}{_SUFFIX}", _LEDGER_BYTES)
        self._used = 0  # bytes of it; 0 where nothing is to be written down
        self._before: set[psutil.Process] = set()

    def open(self, bundle: str, tasks: int) -> None:
        """A bundle of so many tasks is begun."""
        self._bundle = bundle.encode("ascii")
        self._before = set(_children()) if _has_children() else set()
        if tasks > 1:  # of one alone there is nothing to rescue
            self._used = _HEAD.size
            self._write(json.dumps(self._worker))

    def begin(self) -> None:
        """The next task is begun."""
        if self._marks is not None:
            self._marks[: warden.MARKS.size] = warden.MARKS.pack(time.monotonic(), self._bundle)

    def ended(self, outcome: Outcome, offset: float) -> None:
        """It has ended, and so does what it has started."""
        if self._marks is not None:
            self._marks[: warden.MARKS.size] = warden.MARKS.pack(0.0, b"")
        if self._used:
            self._write(pack_ended(outcome, offset))
        if _has_children():
            _end_children(self._before)

    def close(self) -> None:
        """The bundle is done."""
        self._used = 0
        _HEAD.pack_into(self._ledger, 0, b"", 0)

    def _write(self, line: str) -> None:
        """A line, and after it how much there is: what is told is whole, whenever the lane dies."""
        text = f"{line}\n".encode("ascii")
        end = self._used + len(text)
        if end > len(self._ledger):
            self._ledger.resize(2 * end)
        self._ledger[self._used : end] = text
        self._used = end
        _HEAD.pack_into(self._ledger, 0, self._bundle, end)

    def _set_a_warden(self, timeout: float, memory: int) -> None:
        path = self._folder / f"{os.getpid()}.marks"
        self._marks = _mapped(path, warden.MARKS.size)
        given = [str(os.getpid()), str(path), str(self._folder), str(timeout), str(memory)]
        subprocess.run(  # returns at once: it goes on in the background
            [sys.executable, "-I", warden.__file__, *given],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # it has to outlive the lane
            check=True,
        )


def rescue(folder: Path, bundle: str) -> Rescued | None:
    """What a lane that died has left of a bundle on this machine; None where it has left nothing."""
    try:
        note = json.loads((folder / f"{bundle}.note").read_text(encoding="ascii"))
    except (OSError, ValueError):
        note = {}
    try:
        worker, *lines = _told(folder, bundle.encode("ascii"))
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


def _told(folder: Path, bundle: bytes) -> list[str]:
    """The lines of a bundle's ledger; ValueError where there is none."""
    for path in folder.glob(f"*{_SUFFIX}"):
        content = path.read_bytes()
        name, used = _HEAD.unpack(content[: _HEAD.size])
        if name.rstrip(b"\0") == bundle:
            return content[_HEAD.size : used].decode("ascii").splitlines()
    raise ValueError("no lane has written of it")


def _mapped(path: Path, size: int) -> mmap.mmap:
    """A new file in memory: what is written there outlives the process, and costs no system call."""
    with path.open("w+b") as file:
        file.truncate(size)
        return mmap.mmap(file.fileno(), size)


def _adopt_orphans() -> None:
    """Make this process the parent of what its children leave behind, where the system can."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_BE_SUBREAPER, 1, 0, 0, 0)


def _has_children() -> bool:
    """Whether this process has any; a microsecond where it has none, as is usual.

    False where the system cannot tell so fast: then they are left to the end of the lane.
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
    """Kill what this process has started since, but for what libraries keep for their next use."""
    for _ in range(3):  # they may start others meanwhile
        found = [child for child in _children() if child not in before and not _is_spared(child)]
        warden.end(found)
        for child in found:
            with suppress(psutil.Error, ChildProcessError):
                os.waitpid(child.pid, 0 if child.ppid() == os.getpid() else os.WNOHANG)
        if not found:
            return


def _is_spared(process: psutil.Process) -> bool:
    try:
        told = " ".join(process.cmdline())
    except psutil.Error:  # it is gone
        return False
    return any(name in told for name in _SPARED)


__all__ = ["Guard", "rescue"]

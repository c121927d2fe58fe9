"""A parent process for a command whose trials could end its process.

Without Ray a trial runs in the command's own process, and on Ray a lost cluster may take the driver with it.
So the command runs in a child: if that ends without notice (a crash in native code, the kernel's memory
killer, ``_exit`` in an objective), the parent starts another one, which resumes from the journal. The journal
knows which trials had begun (`runner.journal.begun`), so each restart counts against some trial, and the
restarts come to an end.

The parent only waits and passes on signals. It forks before anything large is imported.
``FIVEFOLD_SUPERVISOR=off`` leaves it out, for profilers that follow one process only.

The child writes to a pipe: ``b`` once it has begun a trial, ``d`` when it ends by its own decision.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask the command to end."""

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
_FROM_THE_KERNEL = 0x80  # SI_KERNEL of <bits/siginfo-consts.h>: from the terminal, to the child as well
_FIRST_NUMBER = 10  # of our own descriptors, clear of the standard streams even if these are closed
_SOFTWARE = 70  # EX_SOFTWARE of <sysexits.h>

_pipe: int | None = None
_sent: set[bytes] = set()
_restarted = False


def was_restarted() -> bool:
    """Return True if an earlier process of this command has ended without notice."""
    return _restarted


def say_begun() -> None:
    """Tell the parent that a trial is about to be evaluated: from now on another process could resume."""
    _send(b"b")


def say_done() -> None:
    """Tell the parent that this process is about to end by its own decision."""
    _send(b"d")


def _send(word: bytes) -> None:
    if _pipe is not None and word not in _sent:
        _sent.add(word)
        os.write(_pipe, word)


def _say(text: str) -> None:
    with suppress(OSError):  # it may be closed, or full
        os.write(2, f"{text}\n".encode())


def supervised(main: Callable[[], None]) -> NoReturn:
    """Run a command in a child process, again if a trial ends it, and exit as it does.

    Parameters
    ----------
    main : callable
        The command, which ends in SystemExit.
    """
    if os.environ.get("FIVEFOLD_SUPERVISOR") == "off" or not _can_fork():
        main()
        sys.exit(0)
    restarted = False
    while True:
        status, words, asked_to_end = _one_process(main, restarted)
        code = os.waitstatus_to_exitcode(status)
        if b"d" in words or asked_to_end:
            sys.exit(code if code >= 0 else 128 - code)
        ending = _ending(code)
        if b"b" not in words:
            _say(f"error: the command {ending} before any trial began.")
            sys.exit(128 - code if code < 0 else code or _SOFTWARE)
        _say(f"The study's process {ending}, probably by a trial; restarting from the journal.")
        restarted = True


def _new_pipe() -> tuple[int, int]:
    """Open a pipe that leaves the numbers of closed standard streams free."""
    ends = os.pipe()
    read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_NUMBER) for end in ends)
    for end in ends:
        os.close(end)
    return read, write


def _end(main: Callable[[], None]) -> NoReturn:
    """Run the command and end this process as Python would; never return into the parent's code."""
    code = 1
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # what Python itself would print at the end of a program
        traceback.print_exc()
    finally:
        with suppress(Exception):  # internal: what Python does at its end, in its order
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):  # None where it was closed from the start
                stream.flush()
        os._exit(code)


def _can_fork() -> bool:
    """Return True if a child would be a full copy of this process: no threads, no redirected output."""
    direct = sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__
    return direct and threading.active_count() == 1


def _ending(code: int) -> str:
    if code >= 0:
        return f"was ended with exit code {code}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"


def _one_process(main: Callable[[], None], restarted: bool) -> tuple[int, bytes, bool]:
    """Run the command in a child.

    Returns
    -------
    (int, bytes, bool)
        Its status as `os.waitpid` returns it, the words that it has sent, and True if it was asked to end.
    """
    waited = {signal.SIGCHLD, *(one for one in SIGNALS if signal.getsignal(one) != signal.SIG_IGN)}
    parent = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    read_end, write_end = _new_pipe()
    alive, mine = _new_pipe()
    for stream in (sys.stdout, sys.stderr):  # else both processes would write what is buffered
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        os.close(mine)
        _become_child(parent, write_end, alive, restarted)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _end(main)
    os.close(write_end)
    os.close(alive)
    asked_to_end = False
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        number, from_terminal = _next_signal(waited)
        if number != signal.SIGCHLD:
            asked_to_end = True
            if not from_terminal:
                with suppress(ProcessLookupError):
                    os.kill(child, number)
    os.set_blocking(read_end, False)
    words = b""
    with suppress(BlockingIOError):
        words = os.read(read_end, 10)
    os.close(read_end)
    os.close(mine)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return ended[1], words, asked_to_end


def _next_signal(waited: set[signal.Signals]) -> tuple[int, bool]:
    """Wait for a signal; return its number, and True if the terminal sent it, to the child as well."""
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(waited)
        return info.si_signo, info.si_code == _FROM_THE_KERNEL
    number = signal.sigwait(waited)  # macOS does not report the sender
    return number, number == signal.SIGINT


def _become_child(parent: int, write_end: int, alive: int, restarted: bool) -> None:
    """Make sure that this process does not outlive its parent."""
    global _pipe, _restarted
    _pipe, _restarted = write_end, restarted
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was gone before that
            os.kill(os.getpid(), signal.SIGKILL)
        return
    threading.Thread(target=_end_at_eof, args=(alive,), daemon=True).start()


def _end_at_eof(alive: int) -> None:
    """Wait until the parent, which holds the other end of this pipe, is gone."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGKILL)

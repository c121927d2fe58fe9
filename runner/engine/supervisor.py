"""A parent for a command whose trials could end its process.

Without Ray a trial runs in the command's own process, and on Ray too a lost cluster may take the driver
with it. So the command itself runs in a child: where that ends without having said so (a crash in native
code, the kernel's memory killer, ``_exit`` in an objective), the parent starts another, which goes on from
the journal. The journal knows which trials had been begun (`runner.journal.begun`), so each restart counts
against some trial, and there is an end to it.

The parent does nothing but wait and pass on signals. It is forked from before anything large is imported.
``FIVEFOLD_SUPERVISOR=off`` leaves it out, for profilers that look at one process only.

What the child says through a pipe: ``b`` once it has begun a trial, ``d`` when it ends by its own decision.
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
"""What asks the command to end."""

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
_FROM_THE_KERNEL = 0x80  # SI_KERNEL of <bits/siginfo-consts.h>: from the terminal, to the child as well
_FIRST_NUMBER = 10  # of our own descriptors
_SOFTWARE = 70  # EX_SOFTWARE of <sysexits.h>

_pipe: int | None = None
_told: set[bytes] = set()
_restarted = False


def was_restarted() -> bool:
    """Whether an earlier process of this command has ended without having said so."""
    return _restarted


def say_begun() -> None:
    """Say that a trial is about to be evaluated: from here on another process could go on."""
    _tell(b"b")


def say_done() -> None:
    """Say that this process is about to end by its own decision."""
    _tell(b"d")


def _tell(word: bytes) -> None:
    if _pipe is not None and word not in _told:
        _told.add(word)
        os.write(_pipe, word)


def _say(text: str) -> None:
    with suppress(OSError):  # it may be closed, or full
        os.write(2, f"{text}\n".encode())


def supervised(main: Callable[[], None]) -> NoReturn:
    """Run a command in a child process, again where a trial ends it, and exit as it does.

    Parameters
    ----------
    main : callable
        Ends in SystemExit.
    """
    if os.environ.get("FIVEFOLD_SUPERVISOR") == "off" or not _can_fork():
        main()
        sys.exit(0)
    restarted = False
    while True:
        status, said, asked_to_end = _one_process(main, restarted)
        code = os.waitstatus_to_exitcode(status)
        if b"d" in said or asked_to_end:
            sys.exit(code if code >= 0 else 128 - code)
        ending = _ending(code)
        if b"b" not in said:
            _say(f"error: the command {ending} before any trial began.")
            sys.exit(128 - code if code < 0 else code or _SOFTWARE)
        _say(f"The study's process {ending}, probably by a trial; restarting from the journal.")
        restarted = True


def _new_pipe() -> tuple[int, int]:
    """A pipe that leaves the numbers of the standard streams free, where they are closed."""
    ends = os.pipe()
    found = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_NUMBER) for end in ends)
    for end in ends:
        os.close(end)
    return found[0], found[1]


def _end(main: Callable[[], None]) -> NoReturn:
    """Run the command and end this process as Python would; its caller is the parent's affair."""
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
    """Whether a child would be what this process is, and be heard: no threads, no redirected output."""
    heard = sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__
    return heard and threading.active_count() == 1


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
        Its status as `os.waitpid` has it, what it has said, and whether it was asked to end.
    """
    waited = {signal.SIGCHLD, *(one for one in SIGNALS if signal.getsignal(one) != signal.SIG_IGN)}
    parent = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    hear, speak = _new_pipe()
    alive, mine = _new_pipe()
    for stream in (sys.stdout, sys.stderr):  # what is buffered would be written twice
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    child = os.fork()
    if child == 0:
        os.close(hear)
        os.close(mine)
        _become_child(parent, speak, alive, restarted)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _end(main)
    os.close(speak)
    os.close(alive)
    asked_to_end = False
    while not (found := os.waitpid(child, os.WNOHANG))[0]:
        number, from_terminal = _next_signal(waited)
        if number != signal.SIGCHLD:
            asked_to_end = True
            if not from_terminal:
                with suppress(ProcessLookupError):
                    os.kill(child, number)
    os.set_blocking(hear, False)
    said = b""
    with suppress(BlockingIOError):
        said = os.read(hear, 10)
    os.close(hear)
    os.close(mine)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return found[1], said, asked_to_end


def _next_signal(waited: set[signal.Signals]) -> tuple[int, bool]:
    """Wait for a signal; whether the terminal has sent it, which sends it to the child as well."""
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(waited)
        return info.si_signo, info.si_code == _FROM_THE_KERNEL
    number = signal.sigwait(waited)  # macOS does not say who has sent it
    return number, number == signal.SIGINT


def _become_child(parent: int, speak: int, alive: int, restarted: bool) -> None:
    """See that this process does not outlive its parent."""
    global _pipe, _restarted
    _pipe, _restarted = speak, restarted
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was gone before that
            os.kill(os.getpid(), signal.SIGKILL)
        return
    threading.Thread(target=_end_at_eof, args=(alive,), daemon=True).start()


def _end_at_eof(alive: int) -> None:
    """Wait until the parent is gone, which held the other end of this pipe."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGKILL)

"""What an evaluation finds around it, and what is put back after it.

Numerical libraries are held to one thread (or as many as the caller says): sums over another
number of threads round differently, so that a loss would depend on the machine, and small
matrices are slower on several.

The global generators of ``random`` and NumPy are seeded before each evaluation, by what is evaluated:
an objective that draws from them gives the same answer in any process, whatever was evaluated
there before, and what it leaves of them reaches no other.

What belongs to the whole process (folder, environment, umask, signal handlers and timers, limits, standard
streams, warning filters and the like) is put back where an evaluation has changed it.

An evaluation may take microseconds, and so may this: nothing is decoded, looked for or set where
it is as it should be.
"""

from __future__ import annotations

import gc
import hashlib
import json
import locale
import os
import random
import resource
import signal
import sys
import time
import warnings
from _signal import getsignal  # type: ignore[import-not-found]  # that of `signal` makes an enum of each answer, which takes ten times as long
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Final, cast

import numpy as np
from threadpoolctl import ThreadpoolController

from runner.trial import Config

_SOON = 0.05  # seconds; closer than that two times of a timer are the same
_encode = json.JSONEncoder(default=str).encode  # made once: making it takes longer than its work


@contextmanager
def held_to(threads: int) -> Iterator[None]:
    """Hold the BLAS and OpenMP libraries that are loaded by now to so many threads.

    Whatever they had, and whatever is set meanwhile, they have afterwards what they had before.
    """
    controller = _controller(len(sys.modules))
    before = [library.get_num_threads() for library in controller.lib_controllers]
    if any(found != threads for found in before):
        with controller.limit(limits=threads):
            yield
        return
    try:
        yield
    finally:
        for library, found in zip(controller.lib_controllers, before, strict=True):
            if library.get_num_threads() != found:
                library.set_num_threads(found)


@lru_cache(maxsize=1)
def _controller(modules: int) -> ThreadpoolController:
    """The loaded libraries; looked for again (10 ms) only where modules were imported since."""
    del modules
    return ThreadpoolController()


@contextmanager
def restored() -> Iterator[None]:
    """Put back what an objective changes of its process: it must not reach the next one."""
    environ = os.environ
    # The variables as the system writes them: to read them as text costs 40 us each time.
    raw: Mapping[Any, Any] = vars(environ)["_data"]
    folder, variables = os.getcwd(), dict(raw)  # noqa: PTH109  (Path.cwd takes five times as long)
    umask, timer, start = _umask(), signal.getitimer(signal.ITIMER_REAL), time.monotonic()
    before = [read() for read, _ in _STATES]
    try:
        yield
    finally:
        _put_back_timer(timer, time.monotonic() - start)  # before the handlers, which it would miss
        for (read, write), value in zip(_STATES, before, strict=True):
            if read() != value:
                with suppress(OSError, ValueError):  # what this process may not set any more
                    write(value)
        os.umask(umask)
        if raw != variables:
            environ.clear()
            for key, value in variables.items():
                environ[environ.decodekey(key)] = environ.decodevalue(value)
        with suppress(OSError):  # it may have been removed
            os.chdir(folder)


def _umask() -> int:
    """The umask; the system tells it only to who sets it."""
    found = os.umask(0o077)  # for a moment files of other threads are their owner's alone
    os.umask(found)
    return found


def _put_back_timer(before: tuple[float, float], elapsed: float) -> None:
    """Let the timer that sends SIGALRM go on as it would have, had the evaluation not touched it."""
    due = max(before[0] - elapsed, _SOON) if before[0] else 0.0
    if abs(signal.getitimer(signal.ITIMER_REAL)[0] - due) > _SOON:
        with suppress(ValueError):  # not in the main thread
            signal.setitimer(signal.ITIMER_REAL, due, before[1])


def _set_handlers(handlers: tuple[Any, ...]) -> None:
    for number, handler in zip(_CATCHABLE, handlers, strict=True):
        # None: not set by Python, so Python cannot set it again.
        if handler is not None and getsignal(number) != handler:
            signal.signal(number, handler)


def _set_filters(filters: list[Any]) -> None:
    warnings.resetwarnings()  # tells the warnings' caches, too
    cast("list[Any]", warnings.filters).extend(filters)


def _set_limits(limits: list[tuple[int, int]]) -> None:
    for kind, (soft, _) in zip(_LIMITS, limits, strict=True):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _set_streams(streams: tuple[Any, ...]) -> None:
    sys.stdin, sys.stdout, sys.stderr = streams


_CATCHABLE: Final = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_LIMITS: Final = tuple(
    getattr(resource, f"RLIMIT_{name}")
    for name in ("AS", "CPU", "DATA", "FSIZE", "NOFILE", "STACK")
    if hasattr(resource, f"RLIMIT_{name}")
)
_STATES: Final[tuple[tuple[Callable[[], Any], Callable[[Any], object]], ...]] = (
    (lambda: tuple(map(getsignal, _CATCHABLE)), _set_handlers),
    (
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        lambda mask: signal.pthread_sigmask(signal.SIG_SETMASK, mask),
    ),
    (lambda: [resource.getrlimit(kind) for kind in _LIMITS], _set_limits),
    (lambda: (sys.stdin, sys.stdout, sys.stderr), _set_streams),
    (lambda: list(warnings.filters), _set_filters),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (np.geterr, lambda found: np.seterr(**found)),
    (lambda: locale.setlocale(locale.LC_ALL), lambda found: locale.setlocale(locale.LC_ALL, found)),
    (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
)
"""What else an evaluation may change for its whole process: how it is read, and how it is set."""


def seed_generators(config: Config, seed: int) -> None:
    """Seed the global generators by config and block; whoever owns the process keeps his own.

    See `kept_generators`. To save and restore them here would cost 0.2 ms each time.
    """
    seed_all(f"{seed} {_encode(config)}".encode())


def seed_all(content: bytes) -> None:
    """Seed the global generators by some content."""
    entropy = int.from_bytes(hashlib.blake2b(content, digest_size=4, person=b"global").digest(), "big")
    random.seed(entropy)
    np.random.seed(entropy)  # noqa: NPY002  (the global one is what objectives draw from)


@contextmanager
def kept_generators() -> Iterator[None]:
    """Give the global generators back as they were; for processes that are not the engine's own."""
    ours, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(ours)
        np.random.set_state(numpys)  # noqa: NPY002

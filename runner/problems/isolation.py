"""Isolate evaluations from each other: set up the process before one, and restore it after.

Numerical libraries are limited to one thread (or the number that the caller sets): sums over another
number of threads round differently, so that a loss would depend on the machine, and small
matrices are slower on several.

The global generators of ``random`` and NumPy are seeded before each evaluation, by config and seed:
an objective that draws from them gives the same answer in any process, whatever was evaluated
there before.

State of the whole process (folder, environment, umask, signal handlers and timers, limits, standard
streams, warning filters and the like) is restored if an evaluation has changed it.

An evaluation may take microseconds, and so must this: nothing is decoded, searched or set that is
already as it should be.
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

_SOON = 0.05  # seconds; smaller differences of a timer are delays of the process, not changes
_encode = json.JSONEncoder(default=str).encode  # made once: making it takes longer than its work


@contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Limit the loaded BLAS and OpenMP libraries to a number of threads, and restore theirs afterwards."""
    controller = _controller(len(sys.modules))
    before = [library.get_num_threads() for library in controller.lib_controllers]
    if any(count != threads for count in before):
        with controller.limit(limits=threads):
            yield
        return
    try:
        yield
    finally:
        for library, count in zip(controller.lib_controllers, before, strict=True):
            if library.get_num_threads() != count:
                library.set_num_threads(count)


@lru_cache(maxsize=1)
def _controller(modules: int) -> ThreadpoolController:
    """Find the loaded libraries, again (10 ms) only if modules were imported since."""
    del modules
    return ThreadpoolController()


@contextmanager
def restore_process() -> Iterator[None]:
    """Restore afterwards the state of the process that an objective has changed."""
    environ = os.environ
    # The variables in their raw form: decoding them costs 40 us each time.
    raw: Mapping[Any, Any] = vars(environ)["_data"]
    folder, variables = os.getcwd(), dict(raw)  # noqa: PTH109  (Path.cwd takes five times as long)
    umask, timer, start = _umask(), signal.getitimer(signal.ITIMER_REAL), time.monotonic()
    before = [read() for read, _ in _STATES]
    try:
        yield
    finally:
        _restore_timer(timer, time.monotonic() - start)  # first: it must not call a restored handler
        for (read, write), value in zip(_STATES, before, strict=True):
            if read() != value:
                with suppress(OSError, ValueError):  # a limit that this process may no longer raise
                    write(value)
        os.umask(umask)
        if raw != variables:
            environ.clear()
            for key, value in variables.items():
                environ[environ.decodekey(key)] = environ.decodevalue(value)
        with suppress(OSError):  # it may have been removed
            os.chdir(folder)


def _umask() -> int:
    """Read the umask, which takes setting it."""
    mask = os.umask(0o077)  # for a moment, files made by other threads are private
    os.umask(mask)
    return mask


def _restore_timer(before: tuple[float, float], elapsed: float) -> None:
    """Continue the timer that sends SIGALRM as if the evaluation had not touched it."""
    due = max(before[0] - elapsed, _SOON) if before[0] else 0.0
    if abs(signal.getitimer(signal.ITIMER_REAL)[0] - due) > _SOON:
        with suppress(ValueError):  # not in the main thread
            signal.setitimer(signal.ITIMER_REAL, due, before[1])


def _set_handlers(handlers: tuple[Any, ...]) -> None:
    for number, handler in zip(_CATCHABLE, handlers, strict=True):
        # None: not set by Python, which cannot set it again.
        if handler is not None and getsignal(number) != handler:
            signal.signal(number, handler)


def _set_filters(filters: list[Any]) -> None:
    warnings.resetwarnings()  # also invalidates the caches of warnings
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
    (np.geterr, lambda errors: np.seterr(**errors)),
    (lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
)
"""Further state of the process, as pairs of a reader and a setter."""


def seed_generators(config: Config, seed: int) -> None:
    """Seed the global generators by config and block.

    The owner of the process preserves its own with `preserve_generators`: doing so here would cost
    0.2 ms per evaluation.
    """
    seed_all(f"{seed} {_encode(config)}".encode())


def seed_all(content: bytes) -> None:
    """Seed the global generators by a digest of the content."""
    entropy = int.from_bytes(hashlib.blake2b(content, digest_size=4, person=b"global").digest(), "big")
    random.seed(entropy)
    np.random.seed(entropy)  # noqa: NPY002  (the global one is what objectives draw from)


@contextmanager
def preserve_generators() -> Iterator[None]:
    """Restore the global generators afterwards, in processes that are not the engine's own."""
    pythons, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)  # noqa: NPY002

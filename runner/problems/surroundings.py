"""What an evaluation finds around it, and what is put back after it.

Numerical libraries are held to one thread (or as many as the caller says): sums over another
number of threads round differently, so that a loss would depend on the machine, and small
matrices are slower on several.

The global generators of ``random`` and NumPy are seeded before each evaluation, by what is evaluated:
an objective that draws from them gives the same answer in any process, whatever was evaluated
there before, and what it leaves of them reaches no other.

An evaluation may take microseconds, and so may this: nothing is decoded, looked for or set where
it is as it should be.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from runner.trial import Config

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
    """What an objective does to folder and environment must not reach the next one."""
    environ = os.environ
    # The variables as the system writes them: to read them as text costs 40 us each time.
    raw: Mapping[Any, Any] = vars(environ)["_data"]
    folder, variables = os.getcwd(), dict(raw)  # noqa: PTH109  (Path.cwd takes five times as long)
    try:
        yield
    finally:
        if raw != variables:
            environ.clear()
            for key, value in variables.items():
                environ[environ.decodekey(key)] = environ.decodevalue(value)
        with suppress(OSError):  # it may have been removed
            os.chdir(folder)


def seed_generators(config: Config, seed: int) -> None:
    """Seed the global generators by config and block; whoever owns the process keeps his own.

    See `kept_generators`. To save and restore them here would cost 0.2 ms each time.
    """
    text = f"{seed} {_encode(config)}".encode()
    entropy = int.from_bytes(hashlib.blake2b(text, digest_size=4, person=b"global").digest(), "big")
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

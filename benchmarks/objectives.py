"""The objectives of the benchmarks, the same for fivefold and for every peer.

Each evaluation says by its own clock when it began and ended, and in which process.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Literal

from runner import problem
from runner.problems import load_problem

Work = Literal["busy", "sleep", "none"]


def spin(seconds):
    """Use so much CPU time of this thread.

    Not so much wall time: where a core is shared, with the driver for one, the evaluation takes
    longer, and the engine that shares it is charged for it. Not of the process: what the threads of
    Ray or loky use beside it is a cost of theirs and no work. Nor a loop of calibrated length: how
    fast this machine is in this second is no merit of any engine.
    """
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@dataclass(frozen=True)
class Timed:
    """An objective that takes a known time; a class, so that every peer can pickle it by its name."""

    work: Work
    seconds: float = 0.0

    def __call__(self, config):
        began = time.time()
        if self.work == "busy":
            spin(self.seconds)
        elif self.work == "sleep":
            time.sleep(self.seconds)
        loss = sum((value - 0.3) ** 2 for value in config.values())
        return {"loss": loss, "began": began, "ended": time.time(), "pid": os.getpid()}


@dataclass(frozen=True)
class Clocked:
    """A problem of fivefold's own, with the same clock."""

    name: str

    def __call__(self, config):
        began = time.time()
        loss = load_problem(self.name).evaluate(config, 0)
        return {"loss": loss, "began": began, "ended": time.time(), "pid": os.getpid()}


def make(space=None, work="none", seconds=0.0, builtin=None):
    """A problem of fivefold: a timed one over a space, or a built-in one with a clock."""
    if builtin:
        return problem(load_problem(builtin).space, name=builtin)(Clocked(builtin))
    return problem(space or {"x": {"float": [0, 1]}}, name=work)(Timed(work, seconds))


def span(answer):
    """(began, ended, process) of an answer."""
    return answer["began"], answer["ended"], answer["pid"]

"""One objective that misbehaves in every way that its config names; loaded by its file's name."""

import contextlib
import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from runner.problems import problem

PIDS = ""
"""The file to which an objective adds the numbers of the processes that it starts; a test sets it."""


def started(pid):
    """Note a process for the test, which looks whether it has gone."""
    if PIDS:
        with Path(PIDS).open("a", encoding="ascii") as file:
            file.write(f"{pid}\n")


def spawn():
    """A child that would stay for minutes."""
    started(subprocess.Popen(["sleep", "300"]).pid)


def daemon():
    """A grandchild in a session of its own, whose parent has gone."""
    code = (
        "import os,time\nif os.fork(): os._exit(0)\nos.setsid()\nprint(os.getpid(), flush=1)\ntime.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE, text=True) as process:
        started(int(process.stdout.readline()))


class Unpicklable(dict):
    """An answer that no process can send to another."""

    def __init__(self):
        super().__init__(loss=1.0, also=lambda: None, lock=threading.Lock())


def balloon():
    """Fills the memory while it holds Python's lock, 32 MB at a time, up to 16 GB."""
    return float(sum(part[0] for part in [np.ones(2**22) for _ in range(500)]))


def balloon_of_a_child():
    """The same in another process."""
    if os.fork() == 0:
        balloon()
        os._exit(0)
    os.wait()
    return 1.0


def loop_in_c():
    """Neither other threads nor signal handlers come to run."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGALRM])
    return sum(range(10**16))


def loop_that_catches_all():
    """Whatever is raised into it."""
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(0.01)


def with_children():
    """Hangs, and so does what it has started."""
    spawn()
    daemon()
    time.sleep(3600)


def raises(error):
    """Raise it."""
    raise error


def prints():
    """A hundred megabytes, a tenth of them at a time."""
    for _ in range(10):
        sys.stdout.write("x" * 10**7)
        sys.stdout.flush()
    return 1.0


def shuffles_the_world():
    """Leaves the global generators, the folder and the environment in another state."""
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    os.chdir("/")
    os.environ["FIVEFOLD_LEFT"] = "yes"
    return 1.0


def looks_at_the_world():
    """What an innocent trial finds; the same after any other."""
    left = os.environ.get("FIVEFOLD_LEFT") is not None
    return {"loss": float(left), "draw": random.random(), "numpy": np.random.rand()}  # noqa: NPY002


def leaves_children():
    """Two that nobody waits for."""
    spawn()
    daemon()
    return 1.0


KINDS = {
    "innocent": lambda: 0.5,
    "raises": lambda: raises(ValueError("bad")),
    "interrupts": lambda: raises(KeyboardInterrupt()),
    "none": lambda: None,
    "nan": lambda: float("nan"),
    "infinite": lambda: float("inf"),
    "text": lambda: "0.5",
    "no metric": lambda: {"accuracy": 1.0},
    "large": lambda: {"loss": 1.0, "blob": bytes(50_000_000), **{f"m{i}" * 100: 1.0 for i in range(1000)}},
    "prints": prints,
    "unpicklable": Unpicklable,
    "exits": lambda: sys.exit(3),
    "leaves children": leaves_children,
    "shuffles": shuffles_the_world,
    "looks": looks_at_the_world,
    # From here on only on workers: they end their process, or never.
    "exits hard": lambda: os._exit(3),
    "segfaults": lambda: ctypes.string_at(0),
    "kills itself": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "loops": loop_that_catches_all,
    "loops in C": loop_in_c,
    "sleeps": lambda: time.sleep(3600),
    "hangs with children": with_children,
}
DEADLY = list(KINDS)[list(KINDS).index("exits hard") :]
HARMLESS = [kind for kind in KINDS if kind not in DEADLY]
GREEDY = {"innocent": KINDS["innocent"], "balloon": balloon, "child's balloon": balloon_of_a_child}


def misbehave(config):
    """Change the config and do what it says."""
    kind = config["kind"]
    config["kind"] = "changed"
    config["more"] = object()
    return (KINDS | GREEDY)[kind]()


trouble = problem(space={"kind": {"choice": list(KINDS)}})(misbehave)
greedy = problem(space={"kind": {"choice": list(GREEDY)}})(misbehave)
harmless = problem(space={"kind": {"choice": HARMLESS}})(misbehave)


@problem(space={"x": {"int": [0, 99]}})
def one_in_a_batch(config):
    """A short one; the 50th kills its process, and notes each of its starts."""
    started(config["x"])
    if config["x"] == 50:
        os._exit(3)
    return float(config["x"])


@problem(space={"x": {"int": [0, 99]}})
def slow_in_a_batch(config):
    """A short one; the 50th never ends."""
    started(config["x"])
    if config["x"] == 50:
        time.sleep(3600)
    return float(config["x"])


@problem(space={"x": {"float": [0, 1]}, "n": {"int": [0, 7]}, "c": {"choice": ["a", "b"]}})
def brief(config, seed):
    """A hundredth of a second; now and then it raises, or answers nonsense."""
    time.sleep(0.01)
    if config["n"] == 3:
        raise ValueError("three")
    if config["n"] == 5:
        return float("nan")
    return (config["x"] - seed % 10 / 10) ** 2 + config["n"] + (config["c"] == "b")


@problem(space={"n": {"int": [0, 15]}})
def few(config, seed):
    """So few configs that the methods meet."""
    time.sleep(0.01)
    return float((config["n"] - seed % 16) ** 2)


@problem(space={"x": {"float": [0, 1]}}, steps=9)
def steps(config, seed):
    """Nine steps of a few milliseconds."""
    for step in range(1, 10):
        time.sleep(0.003)
        yield {"loss": config["x"] + (seed % 7) / step}


@problem(space={"x": {"float": [0, 1]}})
def stubborn(config):
    """Does not let itself be interrupted."""
    loop_that_catches_all()


@problem(space={"x": {"float": [0, 1]}})
def lame(config):
    """A short one, or one that never ends."""
    time.sleep(0.01 if config["x"] < 0.8 else 3600)
    return config["x"]

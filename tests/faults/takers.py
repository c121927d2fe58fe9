"""Objectives of which one config takes more with it than its worker, or leaves something behind."""

import ctypes
import multiprocessing
import os
import signal
import threading
import time

import psutil

from runner.problems import problem


def kill_the_command():
    """Both of its processes, as the kernel's memory killer might."""
    for process in psutil.process_iter(["cmdline"]):
        if {"runner.cli.main", "run"} <= set(process.info["cmdline"] or ()):
            process.kill()
    time.sleep(5)


KINDS = {
    "segfaults": lambda: ctypes.string_at(0),
    "leaves": lambda: os._exit(0),
    "leaves from C": lambda: ctypes.CDLL(None).exit(0),
    "becomes another": lambda: os.execv("/bin/true", ["true"]),
    "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


def taking(act, seconds=0.0):
    """Ten configs, of which one does this."""

    def objective(config):
        time.sleep(seconds)
        if config["x"] == 5:
            act()
        return float(config["x"])

    return objective


def kill_ray():
    """The raylet, whose child a worker is."""
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(5)


SPACE = {"x": {"int": [0, 9]}}
for number, kind in enumerate(KINDS):
    globals()[f"taker{number}"] = problem(space=SPACE, name=f"taker{number}")(taking(KINDS[kind]))
raylet = problem(space=SPACE, name="raylet")(taking(kill_ray, 0.05))
driver = problem(space=SPACE, name="driver")(taking(kill_the_command, 0.05))


@problem(space=SPACE)
def threads(config):
    """Leaves a thread that does not end."""
    threading.Thread(target=time.sleep, args=(1000,)).start()
    return float(config["x"])


@problem(space=SPACE)
def processes(config):
    """Leaves a process that does not end."""
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,)).start()
    return float(config["x"])


@problem(space=SPACE)
def hanging(config):
    """Takes its time, and lets itself be interrupted."""
    time.sleep(1000)

"""Changes of a trial to its process are undone."""

import gc
import io
import locale
import os
import resource
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from runner.problems.base import FunctionProblem
from runner.problems.evaluation import evaluate
from runner.space import Float, Space
from runner.trial import Status

SPACE = Space({"x": Float(0.0, 1.0)})


def lower(kind, soft):
    resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))


def block():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def read_umask():
    found = os.umask(0o022)
    os.umask(found)
    return found


CHANGES = {
    "umask": (lambda: os.umask(0o007), read_umask),
    "a handler": (
        lambda: signal.signal(signal.SIGUSR1, lambda *_: None),
        lambda: signal.getsignal(signal.SIGUSR1),
    ),
    "what Ctrl-C does": (
        lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        lambda: signal.getsignal(signal.SIGINT),
    ),
    "no children": (
        lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        lambda: signal.getsignal(signal.SIGCHLD),
    ),
    "an alarm": (
        lambda: signal.alarm(25),
        lambda: round(signal.getitimer(signal.ITIMER_REAL)[0], -1),
    ),
    "blocked signals": (block, lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "open files": (
        lambda: lower(resource.RLIMIT_NOFILE, 50),
        lambda: resource.getrlimit(resource.RLIMIT_NOFILE),
    ),
    "standard output": (lambda: setattr(sys, "stdout", io.StringIO()), lambda: sys.stdout),
    "warnings": (lambda: warnings.simplefilter("ignore"), lambda: list(warnings.filters)),
    "recursion": (lambda: sys.setrecursionlimit(5000), sys.getrecursionlimit),
    "floating point": (lambda: np.seterr(all="raise"), np.geterr),
    "locale": (
        lambda: locale.setlocale(locale.LC_NUMERIC, "C.UTF-8"),
        lambda: locale.setlocale(locale.LC_ALL),
    ),
    "garbage": (gc.disable, gc.isenabled),
    "folder": (lambda: os.chdir("/"), os.getcwd),
    "environment": (lambda: os.environ.update(FIVEFOLD_LEFT="yes"), lambda: dict(os.environ)),
}


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("what", CHANGES)
def test_it_is_put_back(what, raises, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change, read = CHANGES[what]
    seen = []

    def objective(config):
        before = read()
        change()
        seen.append(read() != before)
        if raises:
            raise ValueError("no")
        return config["x"]

    before = read()
    outcome = evaluate(FunctionProblem(objective, SPACE, "changing"), {"x": 0.5}, 0)
    assert outcome.status is (Status.FAILED if raises else Status.COMPLETED)
    assert seen == [True], "the test changes something"
    assert read() == before


def test_an_alarm_of_the_caller_goes_on():
    heard = []
    before = signal.signal(signal.SIGALRM, lambda *_: heard.append("ours"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        evaluate(FunctionProblem(lambda config: config["x"], SPACE, "calm"), {"x": 0.5}, 0)
        until = time.monotonic() + 10
        while not heard and time.monotonic() < until:
            time.sleep(0.01)
        assert heard == ["ours"]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_another_thread_than_the_main_one_may_evaluate():
    found = []

    def objective(config):
        os.umask(0o007)
        return config["x"]

    def run():
        found.append(evaluate(FunctionProblem(objective, SPACE, "changing"), {"x": 0.5}, 0).status)

    before = CHANGES["umask"][1]()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [Status.COMPLETED]
    assert CHANGES["umask"][1]() == before

"""Objectives that do what objectives do; loaded by their file's name, as a study does."""

import os
import time

from runner.problems import problem


@problem(space={"x": {"int": [0, 9]}})
def wild(config):
    """Crashes, hangs, raises, answers nonsense, or a number, by the digit."""
    kind = config["x"]
    if kind == 0:
        os._exit(3)
    if kind == 1:
        while True:
            time.sleep(0.01)
    if kind == 2:
        raise ValueError("two")
    if kind == 3:
        return float("nan")
    if kind == 4:
        return None
    if kind == 5:
        raise SystemExit(4)
    return float(config["x"])


@problem(space={"x": {"float": [0, 1]}}, direction="maximize")
def slow(config, seed):
    """A tenth of a second."""
    time.sleep(0.1)
    return {"loss": config["x"], "pid": os.getpid(), "seed": seed % 1000}


@problem(space={"x": {"float": [0, 1]}})
def endless(config):
    """Never comes back from the third config of a run."""
    time.sleep(0.05 if config["x"] < 0.7 else 3600)
    return config["x"]


@problem(space={"x": {"float": [0, 1]}})
def hopeless(config):
    """Always fails."""
    raise RuntimeError(f"no hope at {config['x']:.1f}")


@problem(space={"x": {"float": [0, 1]}})
def neighbourly(config):
    """Needs a module beside its file, at its import and later."""
    import late_neighbour

    return config["x"] + late_neighbour.ZERO


@problem(space={"x": {"float": [0, 1]}})
def messy(config):
    """Leaves folder, environment and a twin process behind."""
    os.environ["LEFT_BEHIND"] = os.environ.get("LEFT_BEHIND", "") + "x"
    os.chdir("/")
    if os.fork() == 0:
        raise SystemExit(3)
    return len(os.environ["LEFT_BEHIND"])


@problem(space={"x": {"float": [0, 1]}})
def deadly(config):
    """Works for a second, then takes its process along."""
    time.sleep(1.0)
    os._exit(1)


@problem(space={"x": {"float": [0, 1]}}, direction="maximize", steps=6)
def stepwise(config, seed):
    """Nearer to its value at each of six steps."""
    for step in range(1, 7):
        yield {"loss": config["x"] + (seed % 7) / step, "step": step}

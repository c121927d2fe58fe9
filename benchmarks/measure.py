"""Measurements, each in a process of its own, so that memory and imports are its own."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.report import Row

ROOT = Path(__file__).parents[1]
MOST_SECONDS = 3600.0

ARMS = {
    "fivefold": "benchmarks.ours:study",
    "start": "benchmarks.starting:start",
    "bare": "benchmarks.peers.bare:measure",
    "joblib": "benchmarks.peers.joblib_pool:measure",
    "scale": "benchmarks.scaling:measure",
    "regrets": "benchmarks.quality.arms:regrets",
    "scores": "benchmarks.quality.arms:scores",
    "coverage": "benchmarks.quality.coverage:coverage",
    "draws": "benchmarks.quality.arms:first_draws",
    "proposals": "benchmarks.quality.arms:proposals",
    "races": "benchmarks.quality.gradients:races",
    "optuna": "benchmarks.peers.optuna_processes:measure",
    "table": "benchmarks.peers.search_cvs:table",
    "searches": "benchmarks.peers.search_cvs:searches",
    "small": "benchmarks.peers.search_cvs:small",
    "tune": "benchmarks.peers.ray_tune:measure",
    "tuners": "benchmarks.peers.ray_tune:tuners",
}
"""A measurement: a function that takes a folder and parameters and returns figures."""

Found = dict[str, Any]


class MeasurementError(Exception):
    """A measurement did not come to its end."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison."""

    label: str
    name: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Benchmark:
    """Sides that are measured in turn, and the rows that they make.

    Attributes
    ----------
    name : str
        In the table, and for ``--only``.
    arms : sequence of Arm
    rows : callable
        From the figures of each arm, by its label and in the order of the turns.
    note : str
        Description of the measurement and its limits.
    turns : int, optional
        Fixed number of turns, where more would give the same or take too long.
    """

    name: str
    arms: Sequence[Arm]
    rows: Callable[[Mapping[str, list[Found]]], list[Row]]
    note: str
    turns: int | None = None


def one(name: str, scratch: str, params: Mapping[str, Any]) -> Found:
    """Measure in this process."""
    module, _, function = ARMS[name].partition(":")
    found: Found = getattr(importlib.import_module(module), function)(scratch, **params)
    return found


def apart(name: str, params: Mapping[str, Any], timeout: float = MOST_SECONDS) -> Found:
    """Measure in a new process.

    Returns
    -------
    dict
        Its figures, and ``whole``: seconds from its start to the end of its work, with what it did
        not run but accounts for (``unmeasured``).
    """
    scratch = tempfile.mkdtemp(prefix="bench_")
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": path}
    line = [sys.executable, "-m", "benchmarks.engine", "--one", name, "--scratch", scratch]
    begin = time.time()
    process = subprocess.Popen(
        [*line, "--params", json.dumps(params)],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that it can be ended with all that it has started
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise MeasurementError(f"{name} has not ended after {timeout:g} s") from None
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        shutil.rmtree(scratch, ignore_errors=True)
    if process.returncode:
        raise MeasurementError(f"{name} ended with {process.returncode}:\n{err[-3000:]}")
    found: Found = json.loads(out.strip().split("\n")[-1])
    wanted = params.get("trials")
    if wanted is not None and found.get("trials", wanted) != wanted:
        raise MeasurementError(f"{name} ran {found['trials']} of {wanted} trials")
    whole = found["finished"] - begin + found.get("unmeasured", 0.0)
    return found | {"spawned": begin, "whole": whole}


def in_turn(
    benchmark: Benchmark,
    repeats: int,
    say: Callable[[str], None] = print,
    figures: Path | None = None,
    skip: Collection[str] = (),
) -> tuple[dict[str, list[Found]], int]:
    """Measure A B A B ...; the figures by label, and how many measurements failed.

    A turn in which one side fails counts for the others all the same. With a folder for figures
    only what it does not hold is measured. Arms to be skipped, by label, have no figures.
    """
    found: dict[str, list[Found]] = {arm.label: [] for arm in benchmark.arms}
    failed = 0
    for turn in range(repeats):
        for arm in benchmark.arms:
            if arm.label in skip:
                continue
            begin = time.monotonic()
            try:
                found[arm.label].append(_kept(arm, figures and figures / _file(benchmark, arm, turn)))
                how = f"{found[arm.label][-1].get('seconds', float('nan')):.2f} s first to last"
            except MeasurementError as error:
                failed += 1
                how = f"FAILED: {error}"
            took = time.monotonic() - begin
            say(f"{benchmark.name}, turn {turn + 1} of {repeats}, {arm.label}: {how}, took {took:.1f} s")
    return found, failed


def _file(benchmark: Benchmark, arm: Arm, turn: int) -> str:
    return re.sub(r"[^\w.-]+", "_", f"{benchmark.name} {arm.label} {turn}") + ".json"


def _kept(arm: Arm, path: Path | None) -> Found:
    """The figures of an arm, from a file that has them or by measuring."""
    asked = json.loads(json.dumps([arm.name, arm.params]))
    if path and path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["asked"] == asked:
            figures: Found = kept["found"]
            return figures
    found = apart(arm.name, arm.params)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"asked": asked, "found": found}), encoding="utf-8")
    return found


def pick(found: Sequence[Found], key: str, scale: float = 1.0) -> list[float]:
    """One figure of each turn that has it."""
    return [float(one[key]) * scale for one in found if one.get(key) is not None]

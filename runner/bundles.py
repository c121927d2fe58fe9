"""What travels to a lane and back, and what a lane does with it.

A *bundle* is a few jobs that travel together. The lane gets their tasks, as text, and answers
with a report, as text: the way through Ray Tune is JSON, and nothing is unpickled on it.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.problems import Problem, evaluate
from runner.trial import Config, Outcome, Pending, Status


@dataclass(frozen=True, slots=True)
class Job:
    """One trial on its way to a lane.

    Attributes
    ----------
    run : int
        Position of its run in the study.
    pending : Pending
    asked : float
        When it was proposed, by the driver's monotonic clock.
    attempts : int
        How often it has been sent, this time included.
    crashes : int
        How many lanes died while it was alone with them.
    """

    run: int
    pending: Pending
    asked: float
    attempts: int = 1
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class Bundle:
    """Jobs that travel to a lane together.

    Attributes
    ----------
    jobs : tuple of Job
    deadline : float or None
        Seconds after which a lane that has not answered is to be killed.
    """

    jobs: tuple[Job, ...]
    deadline: float | None


@dataclass(frozen=True, slots=True)
class Task:
    """What a lane needs to know of a job: the problem's position, the block's seed, the config."""

    problem: int
    seed: int
    config: Config


@dataclass(frozen=True, slots=True)
class Report:
    """What a lane says of a bundle.

    Attributes
    ----------
    outcomes : tuple of Outcome
        One per job, in their order.
    offsets : tuple of float
        Seconds from the bundle's start to each job's start.
    seconds : float
        Duration of the whole bundle.
    worker : str
        Who evaluated it.
    """

    outcomes: tuple[Outcome, ...]
    offsets: tuple[float, ...]
    seconds: float
    worker: str


def evaluate_tasks(
    problems: Sequence[Problem], tasks: Sequence[Task], timeout: float | None, threads: int, worker: str
) -> Report:
    """Evaluate tasks one after the other, whatever their objectives do (see `evaluate`)."""
    start = time.perf_counter()
    outcomes, offsets = [], []
    for task in tasks:
        offsets.append(time.perf_counter() - start)
        outcomes.append(evaluate(problems[task.problem], task.config, task.seed, timeout, threads))
    return Report(tuple(outcomes), tuple(offsets), time.perf_counter() - start, worker)


def pack(thing: Sequence[Task] | Report) -> str:
    """Tasks or a report as JSON text, for the way through Tune."""
    given = dataclasses.asdict(thing) if isinstance(thing, Report) else [dataclasses.asdict(t) for t in thing]
    return json.dumps(given, separators=(",", ":"))


def unpack_tasks(text: str) -> list[Task]:
    """The tasks of `pack`."""
    return [Task(**given) for given in json.loads(text)]


def unpack_report(text: str) -> Report:
    """The report of `pack`."""
    given: dict[str, Any] = json.loads(text)
    outcomes = tuple(
        Outcome(**{**one, "status": Status(one["status"]), "folds": tuple(one["folds"])})
        for one in given["outcomes"]
    )
    return Report(outcomes, tuple(given["offsets"]), given["seconds"], given["worker"])

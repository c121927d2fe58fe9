"""The worker: an actor that Tune keeps for the whole study, and that works through one batch per step.

Every worker process imports this module, so it imports little: methods come with the first proposal request.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune

from runner.engine.codec import pack_report, unpack_requests, unpack_tasks
from runner.engine.messages import Reply, Report
from runner.engine.ray.files import PackedFiles, unpack_files
from runner.engine.worker.evaluate import StopperFor, evaluate_tasks
from runner.engine.worker.guard import Guard
from runner.errors import describe
from runner.problems import Problem, evaluate
from runner.problems.checkpoints import Checkpoints, Storage
from runner.problems.files.data_files import place
from runner.problems.files.objective_files import adopt, import_folders
from runner.trial import Config, Outcome, Status

Sent = tuple[bytes, Sequence[Any]]
"""A pickle, and references to its large buffers in Ray's object store."""


class ProposersProtocol(Protocol):
    """`runner.engine.worker.propose.Proposers`, which is unpickled late: it imports every method."""

    def propose(
        self, lines: Sequence[str], worker: str, evaluate: Callable[[int, int, Config], Outcome]
    ) -> Report:
        """Answer proposal requests."""


class Worker(tune.Trainable):
    """A worker process; each of its steps works through one batch."""

    def setup(
        self,
        config: dict[str, Any],
        problems: Sequence[Sent] = (),
        files: Sent = (b"", ()),
        proposers: Sent = (b"", ()),
        path: Sequence[str] = (),
        timeout: float | None = None,
        threads: Sequence[int] = (),
        stopper_for: Sent | None = None,
        folder: str = "",
        memory_gb: float | None = None,
        packed_files: PackedFiles | None = None,
        storage: Storage | None = None,
    ) -> None:
        """Unpickle the problems; an error is reported as the failure of each trial."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the driver
        self._timeout, self._threads = timeout, threads
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._sent_proposers = proposers
        self._proposers: ProposersProtocol | None = None
        self._problems: Sequence[Problem] = ()
        self._stopper_for: StopperFor | None = _opened(*stopper_for) if stopper_for else None
        self._failure = ""
        self._checkpoints = _store(storage, packed_files, Path(folder))
        self._guard = Guard(Path(folder), self._worker, timeout, memory_gb)
        moved: Mapping[str, str] = {}
        try:
            if packed_files is not None:
                unpacked = unpack_files(packed_files)
                place(unpacked.places, unpacked.away)
                path, moved = [*unpacked.folders.values(), *path], unpacked.folders
            sys.path.extend(folder for folder in path if folder not in sys.path)
            adopt(_opened(*files), moved)
            sys.path.extend(import_folders())
            self._problems = [_opened(*problem) for problem in problems]
        except Exception as error:  # whatever a user's module raises when it is imported here
            self._failure = f"the problem cannot be loaded on a worker: {describe(error)}"

    def step(self) -> dict[str, Any]:
        """Work through the batch in the config."""
        # Tune returns the config with each result, and the driver would keep it to the end.
        message: dict[str, Any] = self.config
        self.config: dict[str, Any] = {}
        return {"report": pack_report(self._report(message)), "done": True}

    def _report(self, message: dict[str, Any]) -> Report:
        if "proposals" in message:
            return self._propose(message["proposals"].split("\n"))
        tasks = unpack_tasks(message["tasks"])
        if self._failure:
            failed = Outcome(Status.FAILED, error=self._failure)
            return Report((failed,) * len(tasks), (0.0,) * len(tasks), 0.0, self._worker)
        self._guard.open(message["batch"], len(tasks))
        try:
            return evaluate_tasks(
                self._problems,
                tasks,
                self._timeout,
                self._threads,
                self._worker,
                self._stopper_for,
                self._guard,
                self._checkpoints,
            )
        finally:
            self._guard.close()

    def _propose(self, lines: Sequence[str]) -> Report:
        try:
            if self._proposers is None:
                self._proposers = _opened(*self._sent_proposers)
        except Exception as error:  # whatever a user's module raises when it is imported here
            failed = Reply(None, 0.0, f"the method cannot be loaded on a worker: {describe(error)}")
            return Report(worker=self._worker, replies=(failed,) * len(list(unpack_requests(lines))))
        return self._proposers.propose(lines, self._worker, self._evaluate)

    def _evaluate(self, problem: int, seed: int, config: Config) -> Outcome:
        if self._failure:
            return Outcome(Status.FAILED, error=self._failure)
        return evaluate(self._problems[problem], config, seed, self._timeout, self._threads[problem])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Accept another batch at once."""
        del new_config
        return True


def _store(storage: Storage | None, packed_files: PackedFiles | None, folder: Path) -> Checkpoints | None:
    """Open this worker's store of checkpoints: the shared one, or one on its own node."""
    if storage is None:
        return None
    home = packed_files is not None and packed_files.home == ray.get_runtime_context().get_node_id()
    place = storage.place if storage.shared or home else str(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Checkpoints(place, storage.name, storage.keep_failed, str(folder))


def _opened(content: bytes, buffers: Sequence[Any]) -> Any:
    """Unpickle a parcel; its large arrays are in the object store and read-only."""
    return pickle.loads(content, buffers=ray.get(list(buffers)))

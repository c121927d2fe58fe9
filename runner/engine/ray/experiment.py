"""One Tune experiment that evaluates everything that a dispatcher hands out.

Tune's loggers, snapshots, checkpoints and progress output are switched off: the journal holds the truth, and
each of them costs milliseconds per trial.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import ray
from ray import tune

from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.ray.autoscaling import RoomRequests, await_room
from runner.engine.ray.callbacks import Abandoned, Watch, WorkerScheduler
from runner.engine.ray.connect import Connection, environment
from runner.engine.ray.files import PackedFiles, pack_files
from runner.engine.ray.health import Sentinel
from runner.engine.ray.internals import init_hooks_removed, lost_with_node, worker_output_hidden
from runner.engine.ray.pickling import Parcel, pack
from runner.engine.ray.rescue import DOUBT_SECONDS, fetch_rescued
from runner.engine.ray.study_search import StudySearch
from runner.engine.ray.trainable import Worker
from runner.engine.worker.propose import Proposers
from runner.errors import EngineError, FivefoldError, describe
from runner.journal.files.scratch import scratch_folder
from runner.problems.checkpoints import Storage
from runner.problems.files.local_imports import Sources, local_sources
from runner.problems.files.objective_files import importable, objective_files
from runner.study.study import Study

# Each costs time per trial or writes files that nobody reads. Our handler of Ctrl-C replaces Tune's,
# which waits for running trials and a snapshot.
_SWITCHES = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",  # the search counts its batches itself
    "TUNE_WARN_THRESHOLD_S": "1000000",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


def run_on_ray(
    dispatcher: Dispatcher,
    connection: Connection,
    problems: Sequence[Parcel],
    files: Parcel,
    storage: Storage | None = None,
) -> None:
    """Evaluate everything that a dispatcher hands out, on the workers of a connection.

    Problems whose trials need the same resources share an experiment; other experiments follow.

    Parameters
    ----------
    problems : sequence of Parcel
        From `runner.engine.ray.pickling.pack_problems`.
    files : Parcel
        The result of `runner.problems.files.objective_files.objective_files`.
    storage : Storage, optional
        For checkpoints of long trials.

    Raises
    ------
    StudyInterrupted
        After Ctrl-C; finished trials are saved, running ones are abandoned.
    JournalError
        If the journal cannot be written.
    EngineError
        If Ray fails in a way that no trial has caused.
    """
    study = dispatcher.study
    sources = Sources() if connection.ours else local_sources(_modules(study))
    packed_files = pack_files(study.files, sources, connection.ours)
    while (needs := dispatcher.next_needs()) is not None:
        connection.turn_to(needs)
        await_room(connection, dispatcher.note)
        dispatcher.workers = connection.workers
        with scratch_folder() as scratch, importable(), init_hooks_removed():
            _experiment(dispatcher, connection, problems, files, packed_files, storage, scratch)


def _modules(study: Study) -> list[ModuleType | str]:
    """List the modules of its problems and methods."""
    modules: list[ModuleType | str] = [sys.modules[file.name] for file in objective_files()]
    for problem in study.problems:
        modules += [type(problem).__module__, getattr(getattr(problem, "function", None), "__module__", "")]
        estimator = getattr(problem, "estimator", None)
        modules.append(estimator if isinstance(estimator, str) else type(estimator).__module__)
    modules += [type(method).__module__ for _, method in study.methods]
    return [name for name in modules if name]


def _experiment(
    dispatcher: Dispatcher,
    connection: Connection,
    problems: Sequence[Parcel],
    files: Parcel,
    packed_files: PackedFiles,
    storage: Storage | None,
    scratch: Path,
) -> None:
    study, needs = dispatcher.study, connection.needs
    workers = scratch / "workers"
    # Trainables are kept by name for the whole Ray job: two studies must not share one.
    name = f"fivefold_worker_{uuid.uuid4().hex[:12]}"
    worker = tune.with_parameters(
        Worker,
        problems=[_shared(parcel) for parcel in problems],
        files=_shared(files),
        proposers=_shared(_packed_proposers(dispatcher)),
        path=[str(Path(folder).resolve()) for folder in sys.path],
        timeout=study.trial.timeout,
        threads=[one.threads for one in study.needs],
        stopper_for=_shared(pack(dispatcher.stopper_for)) if dispatcher.stopper_for else None,
        folder=str(workers),
        memory_gb=needs.memory_gb,
        packed_files=packed_files,
        storage=storage,
    )
    tune.register_trainable(name, worker)
    resources = tune.PlacementGroupFactory([needs.amounts])
    search = StudySearch(
        dispatcher,
        worker,
        resources,
        functools.partial(fetch_rescued, workers),
        lost_with_node,
        0.0 if connection.ours else DOUBT_SECONDS,
    )
    requests = RoomRequests()
    try:
        with environment(_SWITCHES), _quiet(), Sentinel(connection) as sentinel:
            tune.run(
                name,
                name=name,
                search_alg=search,
                scheduler=WorkerScheduler(dispatcher),
                num_samples=-1,
                reuse_actors=True,
                raise_on_failed_trial=False,
                callbacks=[Watch(dispatcher, search, connection, sentinel, requests)],
                storage_path=str(scratch),
                verbose=0,
            )
            requests.keep(0, needs)  # else they would end with this process
    except FivefoldError:
        raise
    except Abandoned as abandoned:
        raise (abandoned.__cause__ or abandoned) from None
    except Exception as error:
        if search.error is not None:
            raise search.error from None
        raise EngineError(
            f"Ray Tune stopped: {describe(error)}",
            hint="Finished trials are saved; run the same command again to resume.",
        ) from error
    finally:
        search.settle(all=True)  # reports that arrived before an interrupt
    if search.error is not None:
        raise search.error


def _packed_proposers(dispatcher: Dispatcher) -> Parcel:
    """Pickle the methods; if one cannot be pickled, all are asked in the driver."""
    try:
        return pack(Proposers(dispatcher.proposers))
    except Exception:  # whatever a user's method raises
        dispatcher.proposes_on_workers = False
        return pack(None)


def _shared(parcel: Parcel) -> tuple[bytes, list[Any]]:
    """Put the large buffers of a parcel into the object store, where a whole node shares them."""
    return parcel.content, [ray.put(np.frombuffer(buffer.raw(), dtype=np.uint8)) for buffer in parcel.buffers]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide messages of Tune and Ray about lost workers: here these are rows of the table."""
    logger = logging.getLogger("ray.tune")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with worker_output_hidden():
            yield
    finally:
        logger.setLevel(level)

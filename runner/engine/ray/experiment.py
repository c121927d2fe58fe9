"""One Tune experiment that evaluates all that a dispatcher has to give.

What Tune does beside dispatching (loggers, snapshots, checkpoints, progress output) is switched
off: the journal holds the truth, and each of them costs milliseconds per trial.
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
from ray._private import worker as ray_worker

from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.ray.autoscaling import Wishes, await_room
from runner.engine.ray.callbacks import Abandoned, LaneScheduler, Watch
from runner.engine.ray.connect import Connection, environment
from runner.engine.ray.files import Luggage, pack_luggage
from runner.engine.ray.health import Sentinel
from runner.engine.ray.pickling import Parcel, pack
from runner.engine.ray.rescue import DOUBT_SECONDS, salvage, went_with_its_node
from runner.engine.ray.study_search import StudySearch
from runner.engine.ray.trainable import Lane
from runner.engine.worker.propose import Minds
from runner.errors import EngineError, FivefoldError, describe
from runner.journal.files.scratch import scratch_folder
from runner.problems.checkpoints import Storage
from runner.problems.files.local_imports import Sources, local_sources
from runner.problems.files.objective_files import importable, objective_files
from runner.study.study import Study

# Each costs time per trial or writes what nobody reads. Our handler of Ctrl-C replaces Tune's,
# which waits for running trials and a snapshot.
_SWITCHES = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",  # the search counts its bundles itself
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
    """Evaluate all that a dispatcher has to give, on the lanes of a connection.

    Problems whose trials need the same share an experiment; those of others come after it.

    Parameters
    ----------
    dispatcher : Dispatcher
    connection : Connection
    problems : sequence of Parcel
        From `runner.engine.ray.pickling.pack_problems`.
    files : Parcel
        Of `runner.problems.files.objective_files.objective_files`.
    storage : Storage, optional
        For checkpoints of long trials.

    Raises
    ------
    StudyInterrupted
        After Ctrl-C; finished trials are saved, running ones are given up.
    JournalError
        Where the journal cannot be written.
    EngineError
        Where Ray fails in a way that is no trial's fault.
    """
    study = dispatcher.study
    sources = Sources() if connection.ours else local_sources(_modules(study))
    luggage = pack_luggage(study.files, sources, connection.ours)
    while (needs := dispatcher.next_needs()) is not None:
        connection.turn_to(needs)
        await_room(connection, dispatcher.note)
        dispatcher.lanes = connection.lanes
        with scratch_folder() as scratch, importable():
            _experiment(dispatcher, connection, problems, files, luggage, storage, scratch)


def _modules(study: Study) -> list[ModuleType | str]:
    """Where the code of its problems and methods lives."""
    found: list[ModuleType | str] = [sys.modules[file.name] for file in objective_files()]
    for problem in study.problems:
        found += [type(problem).__module__, getattr(getattr(problem, "function", None), "__module__", "")]
        estimator = getattr(problem, "estimator", None)
        found.append(estimator if isinstance(estimator, str) else type(estimator).__module__)
    found += [type(method).__module__ for _, method in study.methods]
    return [name for name in found if name]


def _experiment(
    dispatcher: Dispatcher,
    connection: Connection,
    problems: Sequence[Parcel],
    files: Parcel,
    luggage: Luggage,
    storage: Storage | None,
    scratch: Path,
) -> None:
    study, needs = dispatcher.study, connection.needs
    lanes = scratch / "lanes"
    # Trainables are kept by name for the whole Ray job: two studies must not share one.
    name = f"fivefold_lane_{uuid.uuid4().hex[:12]}"
    hooks = len(ray_worker._post_init_hooks)
    lane = tune.with_parameters(
        Lane,
        problems=[_shared(parcel) for parcel in problems],
        files=_shared(files),
        minds=_shared(_packed_minds(dispatcher)),
        path=[str(Path(folder).resolve()) for folder in sys.path],
        timeout=study.trial.timeout,
        threads=[one.threads for one in study.needs],
        stopper_for=_shared(pack(dispatcher.stopper_for)) if dispatcher.stopper_for else None,
        folder=str(lanes),
        memory_gb=needs.memory_gb,
        luggage=luggage,
        storage=storage,
    )
    tune.register_trainable(name, lane)
    resources = tune.PlacementGroupFactory([needs.amounts])
    search = StudySearch(
        dispatcher,
        lane,
        resources,
        connection.lanes,
        functools.partial(salvage, lanes),
        went_with_its_node,
        0.0 if connection.ours else DOUBT_SECONDS,
    )
    scheduler, wishes = LaneScheduler(connection.lanes), Wishes()
    try:
        with environment(_SWITCHES), _quiet(), Sentinel(connection) as sentinel:
            tune.run(
                name,
                name=name,
                search_alg=search,
                scheduler=scheduler,
                num_samples=-1,
                reuse_actors=True,
                raise_on_failed_trial=False,
                callbacks=[Watch(dispatcher, search, scheduler, connection, sentinel, wishes)],
                storage_path=str(scratch),
                verbose=0,
            )
            wishes.keep(0, needs)  # else they end with this process
    except FivefoldError:
        raise
    except Abandoned as abandoned:
        raise (abandoned.__cause__ or abandoned) from None
    except Exception as error:
        if search.error is not None:
            raise search.error from None
        raise EngineError(
            f"Ray Tune stopped: {describe(error)}",
            hint="Finished trials are saved; run the same command again to go on.",
        ) from error
    finally:
        search.settle(all=True)  # what had come back before an interrupt
        del ray_worker._post_init_hooks[hooks:]  # each would keep its study's problems for ever
    if search.error is not None:
        raise search.error


def _packed_minds(dispatcher: Dispatcher) -> Parcel:
    """The methods; where one cannot be pickled, all are asked here."""
    try:
        return pack(Minds(dispatcher.minds))
    except Exception:  # whatever a user's method raises
        dispatcher.thinks_elsewhere = False
        return pack(None)


def _shared(parcel: Parcel) -> tuple[bytes, list[Any]]:
    """A parcel with its large buffers in the object store, where a whole node shares them."""
    return parcel.content, [ray.put(np.frombuffer(buffer.raw(), dtype=np.uint8)) for buffer in parcel.buffers]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what Tune and Ray print about lost workers: here these are rows of the table."""
    logger = logging.getLogger("ray.tune")
    level, print_message = logger.level, ray_worker.print_to_stdstream
    logger.setLevel(logging.CRITICAL)
    ray_worker.print_to_stdstream = lambda *args, **kwargs: None  # Ray has no switch for it
    try:
        yield
    finally:
        logger.setLevel(level)
        ray_worker.print_to_stdstream = print_message

"""The engine on Ray Tune: lanes that evaluate bundles, the scheduler and the deadlines.

A lane is an actor that Tune keeps for the whole study (``reuse_actors``); it has unpickled the
problems, with their data, once. Its only step evaluates one bundle. What Tune does beside
dispatching (loggers, snapshots, checkpoints, progress output) is switched off: the journal holds
the truth, and each of them costs milliseconds per trial.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle, tune
from ray._private import worker as ray_worker
from ray.tune.schedulers import FIFOScheduler

from runner.bundles import Report, evaluate_tasks, pack, unpack_tasks
from runner.cluster import Connection, environment
from runner.dispatch import INTERRUPTED, Dispatcher
from runner.errors import EngineError, FivefoldError, ProblemError, StudyInterrupted, describe
from runner.problems import Problem
from runner.problems.loading import PREFIX, objective_folders
from runner.search.study_search import StudySearch
from runner.trial import Outcome, Status

# Each costs time per trial or writes what nobody reads. Our handler of Ctrl-C replaces Tune's,
# which waits for running trials and a snapshot.
_SWITCHES = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_WARN_THRESHOLD_S": "1000000",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


_PATIENCE_SECONDS = 20.0


def ship(problems: Sequence[Problem]) -> tuple[bytes, ...]:
    """The problems with their data, pickled one by one, as they go to each lane once.

    Raises
    ------
    ProblemError
        Where one of them cannot be pickled.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith(PREFIX):  # an objective file: no other process can import it by name
            cloudpickle.register_pickle_by_value(module)
    shipped: list[bytes] = []
    for problem in problems:
        try:
            shipped.append(cloudpickle.dumps(problem))
        except Exception as error:  # whatever a user's object raises
            raise ProblemError(
                f"it cannot be sent to a worker: {describe(error)}.",
                where=problem.name,
                hint="Make what it holds inside the function, or run it with 0 workers.",
            ) from None
    return tuple(shipped)


def run_on_ray(dispatcher: Dispatcher, connection: Connection, problems: tuple[bytes, ...]) -> None:
    """Evaluate all that a dispatcher has to give, on the lanes of a connection.

    Parameters
    ----------
    dispatcher : Dispatcher
    connection : Connection
    problems : tuple of bytes
        From `ship`.

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
    search = StudySearch(dispatcher)
    # Trainables are kept by name for the whole Ray job: two studies must not share one.
    name = f"fivefold_lane_{uuid.uuid4().hex[:12]}"
    hooks = len(ray_worker._post_init_hooks)
    lane = tune.with_parameters(
        Lane,
        problems=problems,
        path=[str(Path(folder).resolve()) for folder in (*sys.path, *objective_folders())],
        timeout=study.trial.timeout,
        threads=study.trial.threads,
    )
    tune.register_trainable(name, lane)
    storage = tempfile.mkdtemp(prefix="fivefold_")
    try:
        with environment(_SWITCHES), _quiet():
            tune.run(
                name,
                name=name,
                search_alg=search,
                scheduler=NewestFirst(),
                num_samples=-1,
                # One bundle waits for each lane, so that none is idle during a round trip.
                max_concurrent_trials=2 * connection.lanes,
                resources_per_trial={"cpu": study.trial.cpus, "gpu": study.trial.gpus},
                reuse_actors=True,
                raise_on_failed_trial=False,
                callbacks=[Watch(dispatcher, search)],
                storage_path=storage,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
                verbose=0,
            )
    except FivefoldError:
        raise
    except Exception as error:
        if search.error is not None:
            raise search.error from None
        raise EngineError(
            f"Ray Tune stopped: {describe(error)}",
            hint="Finished trials are saved; run the same command again to go on.",
        ) from error
    finally:
        shutil.rmtree(storage, ignore_errors=True)
        del ray_worker._post_init_hooks[hooks:]  # each would keep its study's problems for ever
    if search.error is not None:
        raise search.error


class Lane(tune.Trainable):
    """One worker process; each of its steps evaluates one bundle."""

    def setup(
        self,
        config: dict[str, Any],
        problems: tuple[bytes, ...] = (),
        path: Sequence[str] = (),
        timeout: float | None = None,
        threads: int = 1,
    ) -> None:
        """Unpickle the problems; what that raises is reported as each trial's failure."""
        self._timeout, self._threads = timeout, threads
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._problems: Sequence[Problem] = ()
        self._failure = ""
        sys.path.extend(folder for folder in path if folder not in sys.path)
        try:
            self._problems = [cloudpickle.loads(problem) for problem in problems]
        except Exception as error:  # whatever a user's module raises when it is imported here
            self._failure = f"the problem cannot be loaded on a worker: {describe(error)}"

    def step(self) -> dict[str, Any]:
        """Evaluate the bundle in the config."""
        tasks = unpack_tasks(self.config["bundle"])
        if self._failure:
            failed = Outcome(Status.FAILED, error=self._failure)
            report = Report((failed,) * len(tasks), (0.0,) * len(tasks), 0.0, self._worker)
        else:
            report = evaluate_tasks(self._problems, tasks, self._timeout, self._threads, self._worker)
        return {"report": pack(report), "done": True}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Ready for another bundle at once."""
        del new_config
        return True


class NewestFirst(FIFOScheduler):
    """Gives a free actor to the trial that was added last.

    Tune's own scheduler gives it to the oldest pending trial, and then throws away the actor that
    was still starting for that one: while trials are shorter than the start of a process, only
    one lane ever comes up.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[str, Any] = {}  # in the order of their arrival

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """A trial has arrived."""
        self._waiting[trial.trial_id] = trial

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The newest trial that is pending, or None."""
        for trial in list(reversed(self._waiting.values())):
            if trial.status == "PENDING":
                return trial
            del self._waiting[trial.trial_id]
        return None

    def __getstate__(self) -> dict[str, Any]:
        """Without the trials: Tune pickles its scheduler, and nothing reads that."""
        return {"_waiting": {}}


class Watch(tune.Callback):
    """Kills lanes at their bundle's deadline, and ends the experiment at an interrupt or error."""

    def __init__(self, dispatcher: Dispatcher, search: StudySearch) -> None:
        self._dispatcher, self._search = dispatcher, search
        self._running: dict[str, Any] = {}
        self._idle_since: float | None = time.monotonic()  # None once it has been said, or is over

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A lane starts a bundle."""
        self._running[trial.trial_id] = trial
        self._search.started[trial.trial_id] = time.monotonic()
        self._idle_since = None

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A bundle is back; Tune would keep it, and its report, to the end."""
        self._running.pop(trial.trial_id, None)
        trial.config.clear()
        trial.last_result.pop("report", None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A bundle is lost."""
        self._running.pop(trial.trial_id, None)

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """At least ten times a second."""
        if self._search.error is not None:
            raise self._search.error
        if self._dispatcher.interrupted:
            for trial in self._running.values():  # else Tune waits for what they do
                _kill(trial)
            raise StudyInterrupted(INTERRUPTED)
        now = time.monotonic()
        for trial_id, trial in list(self._running.items()):
            bundle, started = self._search.bundles.get(trial_id), self._search.started.get(trial_id)
            if bundle is None or started is None or bundle.deadline is None:
                continue
            if now - started > bundle.deadline:
                self._search.killed.add(trial_id)
                del self._running[trial_id]
                _kill(trial)
        if self._idle_since is not None and now - self._idle_since > _PATIENCE_SECONDS:
            self._idle_since = None
            free, needs = ray.available_resources().get("CPU", 0.0), self._dispatcher.study.trial.cpus
            self._dispatcher.note(
                f"No trial has started for {_PATIENCE_SECONDS:.0f} s: one needs {needs:g} CPUs, "
                f"and {free:g} of Ray's are free. Waiting."
            )

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks; there is nothing in this one that a copy could use."""
        return {}


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


def _kill(trial: Any) -> None:
    actor = trial.temporary_state.ray_actor  # internal; a test of the deadline holds it
    if actor is not None:
        ray.kill(actor)

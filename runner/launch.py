"""`run` a study and `optimize` one objective: what a script calls, and what the command calls.

Both check everything first, open the journal, choose the engine and give back what was found.
Ray is imported only where it is used.
"""

from __future__ import annotations

import contextlib
import gc
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from runner.afterwards import SHORT_SECONDS, Afterwards, NotesOnly
from runner.dispatch import INTERRUPTED, Dispatcher, Keeps
from runner.errors import RayLost, StudyError, StudyInterrupted
from runner.inprocess import on_interrupt, run_in_process
from runner.journal import Journal
from runner.lane import StopperFor
from runner.monitor import Guarded, Monitor
from runner.objectives import as_problem
from runner.problems import Problem
from runner.problems.base import Direction
from runner.problems.checkpoints import CHECKPOINTS, Storage
from runner.problems.stores import SCHEME
from runner.record import read_journal
from runner.results import Results
from runner.study import Study
from runner.trackers import with_trackers


def run(
    study: Study | str | Path,
    out: str | Path | None = None,
    *,
    workers: int | None = None,
    address: str | None = None,
    storage: str | None = None,
    monitor: Monitor | None = None,
    track: Sequence[str] = (),
) -> Results:
    """Run a study, or go on with one that was interrupted or extended.

    Parameters
    ----------
    study : Study, str or Path
        A study or the path of its file.
    out : str or Path, optional
        The study directory. Default: ``results/<name of the study>``. Where it holds this study
        already, its trials are kept and the rest is run.
    workers : int, optional
        Lanes, each a process of Ray. Default: one per available CPU. 0 runs without Ray in this
        process. The table of trials is the same for any number.
    address : str, optional
        ``host:port`` or ``auto`` of a running Ray cluster; see `runner.cluster.connect`.
    storage : str, optional
        Where long trials hand over checkpoints (see `runner.problems.checkpoints`): a path that
        every node has, or a URI. Default: in the study directory, and for lanes on other nodes
        than this one on their own disks.
    monitor : Monitor, optional
        Hears of every trial.
    track : sequence of str, optional
        Trackers that hear of every trial, too: ``mlflow:URI``, ``tensorboard:DIR``.

    Returns
    -------
    Results
        Of the whole directory.

    Raises
    ------
    StudyError, ProblemError, MethodError, SpaceError
        Where the study cannot be run; before the first trial.
    StudyInterrupted
        After Ctrl-C; what has finished is saved, and the same call goes on.
    EngineError, JournalError
        Where Ray or the study directory fails.
    """
    if isinstance(study, str | Path):
        study = Study.load(study)
    if not isinstance(study, Study):
        raise StudyError(f"got {study!r}; a Study or the path of its file was expected.", where="study")
    _check_workers(workers)
    if workers == 0 and address is not None:
        raise StudyError("0 workers need no cluster.", where="address", hint="Leave one of the two out.")
    study.check()
    monitor = with_trackers(monitor or Monitor(), track)
    folder = Path(out) if out is not None else default_folder(study)
    with _rarely_collecting(), Journal.open(folder, study) as journal:
        try:
            for text in journal.notes:
                Guarded(monitor).note(text)
            kept = _storage(study, journal, storage)
            if workers == 0:
                _run_here(study, journal, monitor, kept)
            else:
                _go_on_lanes(study, journal, monitor, workers, address, kept)
            _evaluate_afterwards(study, journal, monitor, workers, address)
            if kept is not None:
                kept.store.clear()
        finally:
            monitor.close()
    return Results(read_journal(folder).with_notes(journal.notes))


def _run_here(study: Study, journal: Keeps, monitor: Monitor, storage: Storage | None = None) -> None:
    dispatcher = _dispatcher(study, journal, monitor)
    dispatcher.begin(1, "in this process, without Ray")
    run_in_process(dispatcher, storage)


def _evaluate_afterwards(
    study: Study, journal: Journal, monitor: Monitor, workers: int | None, address: str | None
) -> None:
    """Incumbents on held-out data, and probe points; on lanes where that pays for starting them."""
    after = Afterwards(study, journal)
    if after.study is None:
        return
    notes = NotesOnly(Guarded(monitor))
    notes.note(after.announcement)
    if workers == 0 or after.seconds < SHORT_SECONDS:
        _run_here(after.study, after, notes)
    else:
        _go_on_lanes(after.study, after, notes, workers, address, None)
    if after.conclusion:
        notes.note(after.conclusion)


@contextlib.contextmanager
def _rarely_collecting() -> Iterator[None]:
    """Python looks for garbage in circles every 700 new objects, a trial makes dozens that stay."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _check_workers(workers: object) -> None:
    whole = isinstance(workers, int) and not isinstance(workers, bool)
    if workers is not None and not (whole and workers >= 0):  # type: ignore[operator]
        raise StudyError(f"got {workers!r}; a whole number from 0 on was expected.", where="workers")


def _storage(study: Study, journal: Journal, given: str | None) -> Storage | None:
    """Where checkpoints are kept, if an objective hands any over; StudyError where that cannot be."""
    if not any(problem.checkpoints for problem in study.problems):
        return None
    if given is None:
        storage = Storage(str(journal.folder.resolve()), CHECKPOINTS, False, study.trial.retry_failed)
    else:
        place = given if SCHEME.match(given) else str(Path(given).resolve())
        name = f"{default_folder(study).name}-{journal.name}"
        storage = Storage(place, name, True, study.trial.retry_failed)
    storage.store.check()
    return storage


def default_folder(study: Study) -> Path:
    """Where a study's directory is made if nobody says where."""
    return Path("results") / (re.sub(r"[^\w.-]+", "-", study.name).strip("-.") or "study")


def _stopper_for(study: Study) -> StopperFor | None:
    """What stops trials early; the rules are Ray Tune's, so that only who has asked for them loads it."""
    if not any(map(study.staged, study.problems)):
        return None
    from runner.engine.early_stopping import stopper_maker

    return stopper_maker(study.scheduler, [problem.steps for problem in study.problems])


def _dispatcher(study: Study, journal: Keeps, monitor: Monitor) -> Dispatcher:
    return Dispatcher(study, journal, monitor, _stopper_for(study))


def _go_on_lanes(
    study: Study,
    journal: Keeps,
    monitor: Monitor,
    workers: int | None,
    address: str | None,
    storage: Storage | None,
) -> None:
    """Run on Ray; where it dies, once more, from what the journal holds."""
    try:
        _drive_lanes(_dispatcher(study, journal, monitor), workers, address, storage)
    except RayLost as error:
        monitor.note(f"{error.message} Going on with another.")
        _drive_lanes(_dispatcher(study, journal, monitor), workers, address, storage)


def _drive_lanes(
    dispatcher: Dispatcher, workers: int | None, address: str | None, storage: Storage | None
) -> None:
    needs = dispatcher.next_needs()
    if needs is None:
        dispatcher.begin(1, "every trial is there already")
        return
    from runner.cluster import connect
    from runner.engine.tuning import run_on_ray
    from runner.shipping import pack_problems

    study = dispatcher.study
    problems = pack_problems(study.problems)
    shared = sum(parcel.shared_bytes for parcel in problems)
    try:
        # Around the start and the end of Ray too, which a signal could break off half-way. When it
        # starts it sets handlers of its own.
        with (
            on_interrupt(dispatcher.interrupt) as handle_again,
            connect(workers, address, needs, shared) as connection,
        ):
            handle_again()
            dispatcher.begin(connection.lanes, f"on {connection.where}", apart=True)
            run_on_ray(dispatcher, connection, problems, storage)
    except SystemExit:  # what Ray's handler of SIGTERM raises while it starts
        raise StudyInterrupted(INTERRUPTED) from None


@dataclass(frozen=True)
class Result:
    """What one search found.

    Attributes
    ----------
    best_config : dict or None
        The config of the best trial; None where no trial was valid. Where the space came from
        hyperopt or Ray Tune, what their objective was called with.
    best_value : float or None
        Its metric, in the objective's own direction.
    trials : pandas.DataFrame
        One row per trial, as in `Results.trials`.
    """

    best_config: Any
    best_value: float | None
    trials: pd.DataFrame


def optimize(
    objective: Callable[..., Any] | Problem,
    space: Any = None,
    method: str | Mapping[str, Any] = "bayes",
    trials: int = 50,
    *,
    seed: int = 0,
    direction: Direction | None = None,
    metric: str | None = None,
    stop: Mapping[str, float] | None = None,
    workers: int = 0,
    out: str | Path | None = None,
    initial: Sequence[Any] = (),
) -> Result:
    """Search the best config of one objective with one method.

    Parameters
    ----------
    objective : callable or Problem
        Called with a config, and with ``seed=`` where its signature has it; returns a number or
        a mapping (see `Problem.evaluate`). Or an objective of hyperopt's ``fmin``, or a trainable
        of a Ray Tune program, function or class, with its space: either is called as there.
    space : Space or mapping, optional
        The parameters, in any form that `runner.convert.to_view` takes; not for a `Problem`,
        which has its own.
    method : str or mapping, default "bayes"
        One of the six, or ``{name: {setting: value}}``.
    trials : int, default 50
        The budget.
    seed : int, default 0
        The same seed gives the same search.
    direction : "minimize" or "maximize", optional
        Default "minimize", or the problem's own.
    metric : str, optional
        Which of the numbers that the objective returns or reports is wanted. Default "loss".
    stop : mapping of str to float, optional
        When a trainable class has had enough steps, as Tune's ``stop``: for example
        ``{"training_iteration": 10}``. Default: when its result says "done".
    workers : int, default 0
        0 evaluates here, one after the other; with more, so many trials are evaluated at once
        on Ray, and the method knows the results of fewer earlier trials.
    out : str or Path, optional
        A study directory to keep, and to go on from. Default: nothing is kept.
    initial : sequence, optional
        What it begins with, as in a study file: configs, whole or in part, ``{"config": ...,
        "value": ...}`` with known values, ``"default"``, ``{"from": DIR, "best": 5}``.

    Returns
    -------
    Result

    Examples
    --------
    >>> from runner import Float, optimize
    >>> found = optimize(lambda c: (c["x"] - 1) ** 2, {"x": Float(-5, 5)}, trials=15)
    >>> abs(found.best_config["x"] - 1) < 0.1
    True
    """
    _check_workers(workers)
    made, native = as_problem(objective, space, direction, metric, stop)
    study = Study.build(
        name="optimize",
        problems=[made],
        methods=[method],
        seeds=[seed],
        budget={"trials": trials},
        parallel=max(1, workers),
        initial=list(initial),
    )
    with tempfile.TemporaryDirectory(prefix="fivefold_") as scratch:
        results = run(study, Path(scratch, "study") if out is None else out, workers=workers)
        best: Sequence[Mapping[str, Any]] = results.best()
        found = best[0] if best else None
        return Result(
            None if found is None else native(found["config"]),
            None if found is None else float(found["value"]),
            results.trials,
        )

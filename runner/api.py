"""`run` a study and `optimize` one objective: the entry points of scripts and of the command.

Both check everything first, open the journal, choose the engine and return the results.
Ray is imported only when it is used.
"""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.local import run_in_process
from runner.engine.monitor import Guarded, Monitor
from runner.engine.post_run import SHORT_SECONDS, PostRun, Scoring
from runner.engine.session import RaySession, Work
from runner.engine.supervisor import was_restarted
from runner.errors import EngineError, ProblemError, StudyError
from runner.integrations.objectives import as_problem, initial_points
from runner.integrations.trackers import with_trackers
from runner.journal import Journal
from runner.journal.files.scratch import scratch_folder, sweep
from runner.journal.reader import read_journal
from runner.problems import Problem
from runner.problems.base import Direction
from runner.problems.checkpoints import CHECKPOINTS, Storage
from runner.problems.files.stores import SCHEME
from runner.results import Results
from runner.results.failures import nothing_found
from runner.study.identity.plan import open_journal
from runner.study.study import Study, default_folder


def run(
    study: Study | str | Path,
    out: str | Path | None = None,
    *,
    workers: int | None = None,
    address: str | None = None,
    storage: str | None = None,
    monitor: Monitor | None = None,
    track: Sequence[str] = (),
    strict: bool = False,
) -> Results:
    """Run a study, or resume one that was interrupted or extended.

    Parameters
    ----------
    study : Study, str or Path
        A study or the path of its file.
    out : str or Path, optional
        The study directory. Default: ``results/<name of the study>``. If it holds this study
        already, its trials are kept and the rest is run.
    workers : int, optional
        Number of parallel workers, each a process of Ray. Default: one per available CPU. 0 runs in this
        process, without Ray. The table of trials is the same for any number.
    address : str, optional
        ``host:port`` or ``auto`` of a running Ray cluster; see `runner.engine.ray.connect.connect`.
    storage : str, optional
        Location for checkpoints of long trials (see `runner.problems.checkpoints`): a path that
        every node has, or a URI. Default: the study directory, and for workers on other nodes
        than this one their own disks.
    monitor : Monitor, optional
        Callbacks for study events.
    track : sequence of str, optional
        Trackers that record every trial: ``mlflow:URI``, ``tensorboard:DIR``.
    strict : bool, default False
        Refuse to continue a study whose trials were evaluated with other versions of Python, NumPy,
        scikit-learn or another package that its objectives use. Otherwise the change is recorded.

    Returns
    -------
    Results
        The results of the whole directory.

    Raises
    ------
    StudyError, ProblemError, MethodError, SpaceError
        If the study cannot be run; before the first trial.
    StudyInterrupted
        After Ctrl-C; finished trials are saved, and the same call resumes.
    EngineError, JournalError
        If Ray or the study directory fails.
    """
    if isinstance(study, str | Path):
        study = Study.load(study, data=True)
    if not isinstance(study, Study):
        raise StudyError(f"expected a Study or the path of its file, got {study!r}.", where="study")
    _check_workers(workers)
    if workers == 0 and address is not None:
        raise StudyError("cannot be combined with 0 workers.", where="address")
    study.check()
    sweep()
    monitor = with_trackers(monitor or Monitor(), track)
    folder = Path(out) if out is not None else default_folder(study)
    with _rarely_collecting(), open_journal(folder, study, was_restarted(), strict) as journal:
        try:
            for text in (*journal.notes, *study.notes):
                Guarded(monitor).note(text)
            checkpoints = _storage(study, journal, storage)
            if workers == 0:
                _run_here(Dispatcher(study, journal, monitor), checkpoints)
                _evaluate_afterwards(study, journal, monitor, None)
            else:
                with RaySession(workers, address, Guarded(monitor)) as session:
                    session.drive(lambda: (Dispatcher(study, journal, monitor), journal.lose), checkpoints)
                    _evaluate_afterwards(study, journal, monitor, session)
            if checkpoints is not None:
                checkpoints.store.clear()
        finally:
            monitor.close()
    return Results(read_journal(folder).with_notes(journal.notes))


def _run_here(dispatcher: Dispatcher, storage: Storage | None = None) -> None:
    dispatcher.begin(1, "in this process, without Ray")
    run_in_process(dispatcher, storage)


def _evaluate_afterwards(
    study: Study, journal: Journal, monitor: Monitor, session: RaySession | None
) -> None:
    """Evaluate incumbents on held-out data, and probe points; on Ray if it is up or worth its start.

    A failure here costs only these values: the runs have ended.
    """
    after = PostRun(study, journal)
    if not after.specs:
        return
    notes = Scoring(Guarded(monitor), after.tests + after.probes)
    notes.note(after.announcement)

    def work() -> Work | None:
        nonlocal after
        after = PostRun(study, journal)
        return (after.dispatcher(notes), journal.lose) if after.specs else None

    try:
        if session is not None and (session.started or after.seconds >= SHORT_SECONDS):
            session.drive(work)
        elif made := work():
            _run_here(made[0])
    except (EngineError, ProblemError) as error:
        notes.note(f"{after.missing} missing: {error} Run the same command again to add them.")
    if after.conclusion:
        notes.note(after.conclusion)


@contextlib.contextmanager
def _rarely_collecting() -> Iterator[None]:
    """Collect cyclic garbage rarely: Python does every 700 new objects; a trial makes dozens that stay."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)  # about once per thousand trials
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _check_workers(workers: object) -> None:
    valid = isinstance(workers, int) and not isinstance(workers, bool) and workers >= 0
    if workers is not None and not valid:
        raise StudyError(f"expected a non-negative integer, got {workers!r}.", where="workers")


def _storage(study: Study, journal: Journal, location: str | None) -> Storage | None:
    """Find the storage of checkpoints, if an objective writes any; raise StudyError if it cannot be used."""
    if not any(problem.checkpoints for problem in study.problems):
        return None
    if location is None:
        storage = Storage(str(journal.folder.resolve()), CHECKPOINTS, False, study.trial.retry_failed)
    else:
        place = location if SCHEME.match(location) else str(Path(location).resolve())
        name = f"{default_folder(study).name}-{journal.name}"
        storage = Storage(place, name, True, study.trial.retry_failed)
    storage.store.check()
    return storage


@dataclass(frozen=True)
class Result:
    """The result of one search.

    Attributes
    ----------
    best_config : dict
        The config of the best trial, in the form in which the objective was called.
    best_value : float
        Its metric, in the objective's own direction.
    trials : pandas.DataFrame
        One row per trial, as in `Results.trials`.
    constant_value : float or None
        The metric of the best constant prediction, such as one class for all rows (see
        `Problem.baseline`); None if there is none. The lead over it is what was learnt.
    """

    best_config: Any
    best_value: float
    trials: pd.DataFrame
    constant_value: float | None = None


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
    """Search for the best config of one objective with one method.

    Parameters
    ----------
    objective : callable or Problem
        Called with a config, and with ``seed=`` if its signature has it; returns a number or
        a mapping (see `Problem.evaluate`). Or an objective of hyperopt's ``fmin``, or a trainable
        of a Ray Tune program, function or class: either is called as there, and reports to Tune
        count with a space of any form.
    space : Space or mapping, optional
        The parameters, in any form that `runner.space.formats.to_view` takes; to be left out for a
        `Problem`, which has its own.
    method : str or mapping, default "bayes"
        One of the six, or ``{name: {setting: value}}``.
    trials : int, default 50
        The budget.
    seed : int, default 0
        The same seed gives the same search.
    direction : "minimize" or "maximize", optional
        Default "minimize", or the problem's own.
    metric : str, optional
        Which of the numbers that the objective returns or reports to optimise; keys of nested
        results are joined by "/". Default "loss".
    stop : mapping of str to float, optional
        Results at which a trainable class stops, as Tune's ``stop``: for example
        ``{"training_iteration": 10}``. Default: when its result says "done".
    workers : int, default 0
        Number of trials that are evaluated at once on Ray; the more, the fewer earlier results the method
        knows. 0 evaluates in this process, one trial after the other.
    out : str or Path, optional
        A study directory to keep, and to resume from. Default: nothing is kept.
    initial : sequence, optional
        Starting points, as in a study file: configs as the objective is called with them,
        whole or in part, ``{"config": ..., "value": ...}`` with known values, ``"default"``,
        ``{"from": DIR, "best": 5}``.

    Returns
    -------
    Result

    Raises
    ------
    StudyError, ProblemError, MethodError, SpaceError
        If the arguments do not fit together; before the first trial.
    NoValidTrial
        If no trial was valid; it names the first failure, and has all ``trials``. The search ends
        after its first 10 trials if they all failed alike (``trial: {give_up_after: 10}`` of a study).

    Warns
    -----
    UserWarning
        If the method failed during the search; and for each of the problem's `Problem.notes`.

    Examples
    --------
    >>> from runner import Float, optimize
    >>> result = optimize(lambda c: (c["x"] - 1) ** 2, {"x": Float(-5, 5)}, trials=15)
    >>> abs(result.best_config["x"] - 1) < 0.1
    True
    """
    _check_workers(workers)
    made, view = as_problem(objective, space, direction, metric, stop)
    study = Study.build(
        name="optimize",
        problems=[made],
        methods=[method],
        seeds=[seed],
        budget={"trials": trials},
        parallel=max(1, workers),
        initial=initial_points(initial, view),
    )
    for text in made.notes:
        warnings.warn(text, stacklevel=2)
    with scratch_folder() if out is None else contextlib.nullcontext() as scratch:
        results = run(study, out if scratch is None else scratch / "study", workers=workers)
        best: Sequence[Mapping[str, Any]] = results.best()
        if not best:
            raise nothing_found(results)
        for reason in results.runs.loc[results.runs["failed"], "end_reason"]:
            warnings.warn(f"the search ended early: {reason}.", stacklevel=2)
        constant = made.baseline(study.runs[0].problem_seed)
        return Result(view.native(best[0]["config"]), float(best[0]["value"]), results.trials, constant)

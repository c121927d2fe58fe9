"""Warm starts: configs that a run tries first, and results that are known already.

A study file has one for all its runs (``initial:``), so that its methods still start alike; a Tune
search takes it as arguments (``points_to_evaluate``, ``evaluated``). To a method, known results are
trials that it has not proposed, with numbers below 0.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.errors import FivefoldError, SpaceError, StudyError, near, nearest
from runner.journal.reader import Record, read_journal
from runner.problems.answers import sign_of
from runner.problems.base import Problem
from runner.seeds import rng_for
from runner.space import Space
from runner.space.domains import Choice, Params
from runner.study.file import InitialFile
from runner.trial import Config, Origin, Outcome, Status, Trial

_TRIES = 1_000  # draws until a config is allowed; spaces that forbid 99 % of it still succeed


@dataclass(frozen=True)
class WarmStart:
    """Beginning of a run.

    Attributes
    ----------
    first : tuple of dict
        Configs to try first; they are the run's trials 0, 1, ... and spend its budget.
    known : tuple of Trial
        Results from elsewhere, numbered down from -1 - len(first); they spend nothing.
    """

    first: tuple[Config, ...] = ()
    known: tuple[Trial, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.first or self.known)

    def identity(self) -> dict[str, Any]:
        """Encode as JSON; it must stay equal for a run to be resumed."""
        return {"first": list(self.first), "known": [[t.config, t.loss] for t in self.known]}


NOTHING = WarmStart()


def foreign(config: Config, outcome: Outcome, before: int) -> Trial:
    """Make a trial of a result from elsewhere, after ``before`` others that the method has not proposed."""
    return Trial(-1 - before, config, outcome, Origin.REPLAYED)


def completed(space: Space, point: Mapping[str, Any], rng: np.random.Generator) -> Config:
    """Complete a point to a config; missing parameters are drawn.

    A parameter of a branch brings the branch with it.

    Raises
    ------
    SpaceError
        Where no config has all of them; names the parameter, if it is a single one.
    """
    columns = [column for column, (name, _) in enumerate(space.dimensions) if name in point]
    given = np.full(space.d, np.nan)
    for column in columns:
        name, domain = space.dimensions[column]
        with contextlib.suppress(SpaceError):  # it may be a value of a sibling's domain
            given[column] = domain.encode(domain.canonical(point[name]))
    config: dict[str, Any] = {}
    possible = _reach(space.params, point) == len(point) and space.allows(point)
    for _ in range(_TRIES if possible else 1):
        row = rng.random(space.d)
        config = {**space.decode(np.where(np.isnan(given), row, given)), **point}
        if config in space:
            break
    return space.canonical(config)


def _reach(params: Params, point: Mapping[str, Any]) -> int:
    """Count the parameters of a point that one config can have, each with the point's value."""
    count = 0
    for name, domain in params:
        level: int | None = None
        if name in point:
            try:
                value = domain.canonical(point[name])
            except SpaceError:
                continue  # with another value what lies below would be that of another config
            count += 1
            level = domain.index(value) if isinstance(domain, Choice) else None
        if isinstance(domain, Choice) and domain.conditional:
            branches = domain.branches if level is None else (domain.branches[level],)
            count += max(_reach(branch, point) for branch in branches)
    return count


def warm_starts(
    given: Iterable[tuple[int, InitialFile]],
    problems: Sequence[Problem],
    folder: Path,
    at: Callable[[int], AbstractContextManager[None]],
) -> dict[str, WarmStart]:
    """Make the beginnings of runs, by the problem's name; without empty ones.

    Parameters
    ----------
    given : iterable of (int, InitialFile)
        Entries with their positions.
    folder : Path
        Base of relative study directories, before the current directory.
    at : callable
        Makes the context for an entry's position, which collects the errors of the entry: StudyError,
        SpaceError, ResultsError or JournalError where it fits no problem or there is no such study.
    """
    names = [problem.name for problem in problems]
    found: dict[str, WarmStart] = {}
    for i, entry in given:
        meant = [problem for problem in problems if entry.problem in (None, problem.name)]
        if not meant and entry.problem is not None:
            with at(i):
                raise StudyError(
                    f"the study has no problem '{entry.problem}'.",
                    where="problem",
                    hint=nearest(entry.problem, names),
                )
        for problem in meant:
            with at(i):
                try:
                    new = _taken(entry, problem, folder, i)
                except SpaceError as given_error:
                    error = _hinted(given_error)
                    raise (error.at(f"for '{problem.name}'", ": ") if len(meant) > 1 else error) from None
                found[problem.name] = _joined(found.get(problem.name, NOTHING), new)
    return {name: _numbered(start) for name, start in found.items() if start}


def _hinted(error: SpaceError) -> FivefoldError:
    """Add a hint to the error for an unknown parameter that resembles a key of ``initial``."""
    meant = near(error.where, [info.alias or name for name, info in InitialFile.model_fields.items()])
    if meant is None or not error.hint.startswith("Known"):
        return error
    return SpaceError(error.message, where=error.where, hint=f"Did you mean '{meant}'?")


def initial_entries(starts: Mapping[str, WarmStart]) -> list[dict[str, Any]]:
    """Write entries of ``initial:`` that refer to nothing else."""
    return [
        {"problem": name, "config": config, **more}
        for name, start in starts.items()
        for config, more in (
            *((dict(config), {}) for config in start.first),
            *((dict(trial.config), {"value": trial.outcome.value}) for trial in start.known),
        )
    ]


def _taken(entry: InitialFile, problem: Problem, folder: Path, number: int) -> WarmStart:
    """Apply an entry to one problem."""
    if entry.from_ is not None:
        return _transferred(entry, problem, folder, number)
    if entry.config == "default":
        if problem.default is None:
            raise StudyError(
                f"the problem '{problem.name}' has no default config within its space.",
                hint="Write the config itself; or {problem: NAME, config: default} for those that have one.",
            )
        return WarmStart((problem.default,))
    config = dict(entry.config or {})
    if entry.value is None:
        return WarmStart((completed(problem.space, config, _rng(problem, number)),))
    return WarmStart(known=(_known(problem, problem.space.canonical(config), entry.value),))


def _transferred(entry: InitialFile, problem: Problem, folder: Path, number: int) -> WarmStart:
    """Take the best distinct configs of an earlier study, as far as they lie in the space.

    Parameters that are not in the space are dropped; missing ones are drawn.
    """
    path = Path(str(entry.from_))
    record = read_journal(folder / path if (folder / path).exists() else path)
    start = NOTHING
    for config, value in _best_of(record, _earlier_problem(record, entry, problem)):
        kept = {name: config[name] for name in config if name in problem.space.names}
        try:
            if entry.values:
                start = _joined(
                    start, WarmStart(known=(_known(problem, problem.space.canonical(kept), value),))
                )
            else:
                start = _joined(start, WarmStart((completed(problem.space, kept, _rng(problem, number)),)))
        except SpaceError:  # it lies outside; the next best may not
            continue
        if len(start.first) + len(start.known) == entry.best:
            break
    if not start:
        raise StudyError(
            f"no config of the study '{record.name}' lies in the space of '{problem.name}'.",
            hint="Widen the space, or leave the entry out.",
        )
    return start


def _earlier_problem(record: Record, entry: InitialFile, problem: Problem) -> str:
    names = list(dict.fromkeys(run.problem for run in record.runs))
    wanted = entry.earlier or (problem.name if problem.name in names or len(names) != 1 else names[0])
    if wanted not in names:
        raise StudyError(
            f"the study '{record.name}' has no problem '{wanted}'.",
            hint=f"Say which one with earlier: {' or '.join(names)}.",
        )
    return wanted


def _best_of(record: Record, problem: str) -> list[tuple[Config, float]]:
    """Rank the distinct configs of a problem by their best loss, each with its value."""
    columns = (record.trials[name] for name in ("run", "status", "loss", "config", "value"))
    ranked: dict[str, tuple[float, float]] = {}
    for run, status, loss, config, value in zip(*columns, strict=True):
        if record.runs[run].problem == problem and status == Status.COMPLETED and loss is not None:
            ranked[config] = min(ranked.get(config, (np.inf, 0.0)), (loss, value))
    order = sorted(ranked, key=lambda text: ranked[text][0])
    return [(json.loads(text), ranked[text][1]) for text in order]


def _known(problem: Problem, config: Config, value: float) -> Trial:
    loss = sign_of(problem) * value
    return foreign(config, Outcome(Status.COMPLETED, loss, value), 0)


def _joined(start: WarmStart, more: WarmStart) -> WarmStart:
    """Join two beginnings, each config to try only once."""
    new = tuple(config for config in more.first if config not in start.first)
    return WarmStart(start.first + new, start.known + more.known)


def _numbered(start: WarmStart) -> WarmStart:
    before = len(start.first)
    return WarmStart(
        start.first, tuple(foreign(t.config, t.outcome, before + i) for i, t in enumerate(start.known))
    )


def _rng(problem: Problem, number: int) -> np.random.Generator:
    return rng_for("initial", problem.name, number)

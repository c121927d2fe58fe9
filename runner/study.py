"""A study: methods x problems x seeds with one budget, and the runs that it is made of.

`Study.load` reads a study file, `Study.build` takes Python objects; both check everything that
can be checked before the first trial: names, settings, spaces, data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from runner.advice import Advice, Auto, choose, make
from runner.asktell import Budget, Order
from runner.errors import FivefoldError, StudyError, nearest
from runner.files import DataFile, find_files, placed
from runner.methods import METHODS, Method
from runner.needs import Needs
from runner.problems import load_problem
from runner.problems.base import Problem
from runner.seeds import seed_for
from runner.studyfile import (
    MOST_SEEDS,
    MOST_TRIALS,
    ReportFile,
    SchedulerFile,
    StudyFile,
    TrialFile,
    parse_study,
    read_yaml,
    wrong_name,
)
from runner.warmstart import NOTHING, WarmStart, given_by, warm_starts


@dataclass(frozen=True)
class RunSpec:
    """One run of a study: which method on which problem with which seed.

    Attributes
    ----------
    label : str
        What the study calls the method; its name, unless variants need names of their own.
    method : Method
        Prepared for the problem's space and the budget.
    problem : Problem
    seed : int
        As the study lists it.
    entropy : int
        128-bit seed of the run's proposals: equal for all methods of a block, so that methods
        which draw at random draw the same.
    problem_seed : int
        32-bit seed of the problem's data, splits and models: equal for all methods of a block.
    start : WarmStart
        What it begins with: equal for all runs of a problem.
    """

    label: str
    method: Method
    problem: Problem
    seed: int
    entropy: int
    problem_seed: int
    start: WarmStart = NOTHING

    @property
    def id(self) -> str:
        """Problem, method and seed as one text, unique in the study."""
        return f"{self.problem.name}/{self.label}/{self.seed}"


@dataclass(frozen=True)
class Study:
    """A study that has been checked and can be run.

    Attributes
    ----------
    name : str
    problems : tuple of Problem
    methods : tuple of (label, Method)
        Not yet prepared for a space.
    seeds : tuple of int
    seed : int
        The study's own seed.
    budget : Budget
        Of each run.
    parallel : int
        Trials of one run in flight.
    order : "trial" or "async"
    trial : TrialFile
        What one evaluation may use.
    report : ReportFile
    initial : mapping of str to WarmStart
        What the runs of a problem start from, by the problem's name.
    scheduler : SchedulerFile
        What stops hopeless trials early.
    cache : bool
        Whether the runs of a block share their evaluations.
    files : tuple of DataFile
        What its objectives open by `runner.files.data_file`.
    source : dict
        The study as a mapping that could stand in a study file, where it came from one.
    where : str
        What errors call the study: its file, where it came from one.
    """

    name: str
    problems: tuple[Problem, ...]
    methods: tuple[tuple[str, Method], ...]
    seeds: tuple[int, ...]
    budget: Budget
    seed: int = 0
    parallel: int = 1
    order: Order = "trial"
    trial: TrialFile = dataclasses.field(default_factory=TrialFile)
    report: ReportFile = dataclasses.field(default_factory=ReportFile)
    initial: Mapping[str, WarmStart] = dataclasses.field(default_factory=dict)
    scheduler: SchedulerFile = dataclasses.field(default_factory=SchedulerFile)
    cache: bool = True
    files: tuple[DataFile, ...] = ()
    source: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    where: str = dataclasses.field(default="study", compare=False)

    @classmethod
    def load(cls, path: str | Path) -> Study:
        """The study of a file.

        Parameters
        ----------
        path : str or Path
            YAML; see `runner.studyfile.StudyFile` for its keys. Objective and data files are
            looked for beside it.

        Raises
        ------
        StudyError, ProblemError, MethodError, SpaceError
            One sentence with file and key, for whatever does not fit.
        """
        path = Path(path)
        return cls._from(parse_study(read_yaml(path), str(path)), path.parent, str(path))

    @classmethod
    def build(cls, *, folder: str | Path = ".", **keys: Any) -> Study:
        """The study of keyword arguments: the keys of a study file.

        Parameters
        ----------
        folder : str or Path
            Where objective and data files are looked for.
        **keys
            As in a study file; ``problems`` may hold `Problem` objects.
        """
        return cls._from(parse_study(keys, "study"), Path(folder), "study")

    @classmethod
    def _from(cls, file: StudyFile, folder: Path, where: str) -> Study:
        with _place(where):
            files = find_files(file.files, folder)
        problems: list[Problem] = []
        for i, given in enumerate(file.problems):
            with _place(f"{where}: problems[{i}]"):
                problem = load_problem(given, folder)
                _check_name(problem.name)
                if problem.space.size() == 0:
                    raise StudyError(
                        "all configs of its space are forbidden.", where="forbid", hint="Forbid less."
                    )
                if problem.name in [p.name for p in problems]:
                    raise StudyError(f"the name '{problem.name}' stands twice.", hint="Give one a 'name'.")
                problems.append(problem)
        methods: dict[str, Method] = {}
        for i, given in enumerate(file.methods):
            with _place(f"{where}: methods[{i}]"):
                label, method = _method(given)
                _check_name(label)
                if label in methods:
                    raise StudyError(
                        f"the name '{label}' stands twice.",
                        hint="Write {name: other, method: ...} for a variant.",
                    )
                methods[label] = method
        reference = file.report.reference
        if reference is not None and reference not in methods:
            raise StudyError(
                f"'{reference}' is no method of this study.",
                where=f"{where}: report.reference",
                hint=nearest(reference, methods),
            )
        seeds = range(file.seeds) if isinstance(file.seeds, int) else file.seeds
        study = cls(
            name=file.name,
            problems=tuple(problems),
            methods=tuple(methods.items()),
            seeds=tuple(seeds),
            budget=Budget(file.budget.trials, file.budget.seconds),
            seed=file.seed,
            parallel=file.parallel,
            order=file.order or "trial",
            trial=file.trial,
            report=file.report,
            initial=warm_starts(file.initial, problems, folder, f"{where}: initial"),
            scheduler=file.scheduler,
            cache=file.cache,
            files=files,
            source=file.model_dump(mode="json", exclude_unset=True, fallback=str),
            where=where,
        )
        with _place(where):
            _check_trial(study)
            _ = study.runs  # prepares every method for every space: refuses what cannot be searched
            _check_scheduler(study)
        return study

    @cached_property
    def runs(self) -> tuple[RunSpec, ...]:
        """All runs, block by block: the methods of a problem and seed stand together."""
        prepared = {}
        for problem in self.problems:
            for label, method in self.methods:
                with _place(f"method '{label}' on problem '{problem.name}'"):
                    chosen, _ = self.chosen.get((problem.name, label), (method, None))
                    prepared[problem.name, label] = chosen.prepare(
                        problem.space, self._rest(problem), self.parallel
                    )
        return tuple(
            RunSpec(
                label,
                prepared[problem.name, label],
                problem,
                seed,
                seed_for(self.seed, problem.name, seed, "propose", bits=128),
                seed_for(self.seed, problem.name, seed, "problem"),
                self.initial.get(problem.name, NOTHING),
            )
            for seed in self.seeds
            for problem in self.problems
            for label, _ in self.methods
        )

    @property
    def announcements(self) -> dict[tuple[str, str], str]:
        """What each method says of each problem before it starts, by problem and label; may be empty."""
        # Not of each run: the runs of other seeds would say the same.
        one_each = {(spec.problem.name, spec.label): spec for spec in self.runs}
        said = {}
        for key, spec in one_each.items():
            own = spec.method.announce(spec.problem.space, self._rest(spec.problem))
            _, advice = self.chosen.get(key, (None, None))
            why = f"{advice.entry}. {advice.because[0]} " if advice else ""
            said[key] = f"{why}{own}".rstrip()
        return said

    @cached_property
    def chosen(self) -> dict[tuple[str, str], tuple[Method, Advice]]:
        """What ``auto`` stands for and why, by problem and label; without other methods."""
        limits = self.budget.seconds, self.parallel
        return {
            (problem.name, label): choose(method, problem, self._rest(problem), *limits)
            for problem in self.problems
            for label, method in self.methods
            if isinstance(method, Auto)
        }

    def _rest(self, problem: Problem) -> int | None:
        """The budget of the methods' own proposals."""
        first = self.initial.get(problem.name, NOTHING).first
        return None if self.budget.trials is None else max(0, self.budget.trials - len(first))

    @property
    def notes(self) -> list[str]:
        """The notes of all problems, such as how a file was read."""
        return [f"{problem.name}: {text}" for problem in self.problems for text in problem.notes]

    @cached_property
    def needs(self) -> tuple[Needs, ...]:
        """What a trial of each problem needs."""
        return tuple(self.trial.needs(problem.name) for problem in self.problems)

    def staged(self, problem: Problem) -> bool:
        """Whether the scheduler may stop trials of a problem early."""
        return self.scheduler.name != "none" and problem.steps > 1

    def check(self) -> None:
        """Load data and try what each problem can try; raises ProblemError."""
        for i, problem in enumerate(self.problems):
            with _place(f"{self.where}: problems[{i}]"), placed(self.files):
                problem.check()

    def changed(
        self, *, methods: Sequence[str] | None = None, seeds: int | None = None, trials: int | None = None
    ) -> Study:
        """The study with fewer methods, another number of seeds or another budget of trials.

        Raises
        ------
        StudyError
            Where a method is not in the study, or a number is below 1.
        """
        study = self
        if methods is not None:
            have = dict(self.methods)
            if not methods:
                raise StudyError(
                    "it names no method.", where="--methods", hint=f"Known are: {', '.join(have)}."
                )
            for label in methods:
                if label not in have:
                    raise StudyError(
                        f"the study has no method '{label}'.", where="--methods", hint=nearest(label, have)
                    )
            kept = tuple((label, method) for label, method in self.methods if label in methods)
            report = self.report
            if report.reference not in methods:
                report = report.model_copy(update={"reference": None})
            study = dataclasses.replace(study, methods=kept, report=report)
        if seeds is not None:
            if not 1 <= seeds <= MOST_SEEDS:
                raise StudyError(f"got {seeds}; 1 to {MOST_SEEDS:,} seeds are possible.", where="--seeds")
            study = dataclasses.replace(study, seeds=tuple(range(seeds)))
        if trials is not None:
            if not 1 <= trials <= MOST_TRIALS:
                raise StudyError(f"got {trials}; 1 to {MOST_TRIALS:,} trials are possible.", where="--trials")
            study = dataclasses.replace(study, budget=dataclasses.replace(self.budget, trials=trials))
        with _place(self.where):
            _ = study.runs
        return study

    def as_yaml(self) -> str:
        """The study as run, as a study file."""
        limits = {"trials": self.budget.trials, "seconds": self.budget.seconds}
        keys = dict(self.source) | {
            "name": self.name,
            "seeds": list(self.seeds),
            "budget": {key: value for key, value in limits.items() if value is not None},
        }
        if self.initial:  # as configs: what they were taken from may change
            names = [problem.name for problem in self.problems]
            keys["initial"] = given_by({name: self.initial[name] for name in names if name in self.initial})
        if "report" in keys and self.report.reference is None:
            keys["report"] = {key: value for key, value in keys["report"].items() if key != "reference"}
        labels = [label for label, _ in self.methods]
        keys["methods"] = [given for given in keys.get("methods", labels) if _method(given)[0] in labels]
        return yaml.safe_dump(keys, sort_keys=False, allow_unicode=True)


def _check_trial(study: Study) -> None:
    """Raise StudyError where the trial's keys name a problem that the study has not."""
    known = [problem.name for problem in study.problems]
    for name in study.trial.problems:
        if name not in known:
            raise StudyError(
                f"the study has no problem '{name}'.", where="trial.problems", hint=nearest(name, known)
            )


def _check_scheduler(study: Study) -> None:
    """Raise StudyError where the scheduler could stop nothing."""
    if study.scheduler.name == "none":
        return
    steps = max(problem.steps for problem in study.problems)
    if steps == 1:
        raise StudyError(
            "no problem of this study answers step by step, so there is nothing to stop early.",
            where="scheduler",
            hint="Leave it out, or give a problem steps: @problem(..., steps=10).",
        )
    if study.scheduler.grace >= steps:
        raise StudyError(
            f"got {study.scheduler.grace}; a full evaluation has {steps} steps, so nothing is stopped before "
            "its end.",
            where="scheduler.grace",
            hint=f"Take 1 to {steps - 1}.",
        )


def _check_name(name: str) -> None:
    wrong = "a name without '/' was expected" if "/" in name else wrong_name(name)  # it parts a run's id
    if wrong:
        raise StudyError(f"got {name!r}; {wrong}.", where="name")


def _method(given: object) -> tuple[str, Method]:
    """Label and method of one entry of ``methods:``."""
    if isinstance(given, str):
        return given, make(given)
    if isinstance(given, Mapping) and "method" in given:
        settings = {str(key): value for key, value in given.items() if key not in ("name", "method")}
        name = str(given["method"])
        return str(given.get("name", name)), make(name, settings)
    if isinstance(given, Mapping) and len(given) == 1:
        name, settings = next(iter(given.items()))
        if settings is None or isinstance(settings, Mapping):
            return str(name), make(str(name), settings)
    raise StudyError(
        f"got {given!r}; a method's name, {{name: {{setting: value}}}} or {{name: ..., method: ...}} "
        "was expected.",
        hint=f"Methods are {', '.join(METHODS)}, and auto.",
    )


class _place:  # noqa: N801  (a context manager that reads as a word)
    """Puts a place before that of any FivefoldError raised inside."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FivefoldError):
            where = f"{self.where}: {error.where}" if error.where else self.where
            raise type(error)(error.message, where=where, hint=error.hint) from None

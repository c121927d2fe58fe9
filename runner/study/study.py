"""A study: methods x problems x seeds with one budget, and the runs that it is made of.

`Study.load` reads a study file, `Study.build` takes Python objects; both check everything that
can be checked before the first trial: names, settings, spaces, data.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from runner.errors import Faults, FivefoldError, StudyError, nearest
from runner.methods import Method
from runner.problems.base import Problem
from runner.problems.files.data_files import DataFile, placed
from runner.seeds import seed_for
from runner.study.advice import Advice, Auto, choose
from runner.study.file import MOST_SEEDS, MOST_TRIALS, ReportSettings, SchedulerSettings, TrialSettings
from runner.study.resources import Needs
from runner.study.sections import Sections, read_method
from runner.study.warmstart import NOTHING, WarmStart, initial_entries
from runner.study.yaml import Document, dump, plain, read_document
from runner.trial import Budget, Order

MOST_RUNS: Final = 100_000
"""Of one driver, which holds them all in memory; a larger study is run in parts."""


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
    trial : TrialSettings
        What one evaluation may use.
    report : ReportSettings
    initial : mapping of str to WarmStart
        What the runs of a problem start from, by the problem's name.
    scheduler : SchedulerSettings
        What stops hopeless trials early.
    cache : bool
        Whether the runs of a block share their evaluations.
    files : tuple of DataFile
        What its objectives open by `runner.problems.files.data_files.data_file`.
    source : dict
        The study as a mapping that could stand in a study file, where it came from one.
    document : Document
        Where it was read from.
    places : mapping of str to str
        The paths of its problems there, by their names.
    """

    name: str
    problems: tuple[Problem, ...]
    methods: tuple[tuple[str, Method], ...]
    seeds: tuple[int, ...]
    budget: Budget
    seed: int = 0
    parallel: int = 1
    order: Order = "trial"
    trial: TrialSettings = dataclasses.field(default_factory=TrialSettings)
    report: ReportSettings = dataclasses.field(default_factory=ReportSettings)
    initial: Mapping[str, WarmStart] = dataclasses.field(default_factory=dict)
    scheduler: SchedulerSettings = dataclasses.field(default_factory=SchedulerSettings)
    cache: bool = True
    files: tuple[DataFile, ...] = ()
    source: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    document: Document = dataclasses.field(default=Document.of({}, "study"), compare=False, repr=False)
    places: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(cls, path: str | Path, data: bool = False) -> Study:
        """The study of a file.

        Parameters
        ----------
        path : str or Path
            YAML; see `runner.study.file.StudyFile` for its keys. Objective and data files are
            looked for beside it.
        data : bool, default False
            Whether an error also says what is wrong with the data, which `check` looks at.

        Raises
        ------
        StudyError, ProblemError, MethodError, SpaceError
            One sentence with file, line, column and key for everything that does not fit. Its
            ``faults`` are the single errors; where these are of several kinds it is a StudyError.
        """
        path = Path(path)
        return cls._from(read_document(path), path.parent, data)

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
        return cls._from(Document.of(keys, "study"), Path(folder))

    @classmethod
    def _from(cls, document: Document, folder: Path, data: bool = False) -> Study:
        made = Sections(document, folder)
        file = made.file
        seeds = range(file.seeds) if isinstance(file.seeds, int) else file.seeds
        study = cls(
            name=file.name,
            problems=tuple(problem for problem, _ in made.problems.values()),
            methods=tuple((label, method) for label, (method, _) in made.methods.items()),
            seeds=tuple(seeds),
            budget=Budget(file.budget.trials, file.budget.seconds),
            seed=file.seed,
            parallel=file.parallel,
            order=file.order or "trial",
            trial=file.trial,
            report=file.report,
            initial=made.initial,
            scheduler=file.scheduler,
            cache=file.cache,
            files=made.files,
            source=plain(document.value),
            document=document,
            places={name: place for name, (_, place) in made.problems.items()},
        )
        if made.has("budget") and made.has("parallel"):
            for problem in study.problems:
                for label, (_, place) in made.methods.items():
                    with made.at(place):
                        study.prepare(problem, label)
        made.check(data)
        return study

    def prepare(self, problem: Problem, label: str) -> Method:
        """A method of the study with its settings completed for a problem; in place of ``auto``, its choice.

        Raises
        ------
        MethodError
            Where it cannot search the problem's space.
        """
        method, _ = self.chosen.get((problem.name, label), (dict(self.methods)[label], None))
        try:
            return method.prepare(problem.space, self._rest(problem), self.parallel)
        except FivefoldError as error:
            raise error.at(f"on problem '{problem.name}'", ": ") from None

    @cached_property
    def prepared(self) -> dict[tuple[str, str], Method]:
        """The methods as each problem has them, by problem and label."""
        return {
            (problem.name, label): self.prepare(problem, label)
            for problem in self.problems
            for label, _ in self.methods
        }

    @cached_property
    def runs(self) -> tuple[RunSpec, ...]:
        """All runs, block by block: the methods of a problem and seed stand together."""
        return tuple(
            RunSpec(
                label,
                self.prepared[problem.name, label],
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
        said = {}
        for problem in self.problems:
            for label, _ in self.methods:
                key = problem.name, label
                own = self.prepared[key].announce(problem.space, self._rest(problem))
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
        """Load data and try what each problem can try.

        Raises
        ------
        ProblemError, StudyError
            For each problem that cannot be evaluated, and where there are too many runs.
        """
        faults = Faults()
        count = len(self.problems) * len(self.methods) * len(self.seeds)
        if count > MOST_RUNS:
            message = f"expected at most {MOST_RUNS:,} runs (problems x methods x seeds), got {count:,}."
            faults.add(StudyError(message, where="seeds", hint="Run it in parts: --only seed=0-999."))
        for problem in self.problems:
            with faults.at(self.places.get(problem.name, "problems"), ": "), placed(self.files):
                problem.check()
        if faults:
            raise FivefoldError.join(self.document.in_order(faults.found)) from None

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
        try:
            _ = study.prepared
        except FivefoldError as error:
            raise error.at(self.document.source, ": ") from None
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
            keys["initial"] = initial_entries(
                {name: self.initial[name] for name in names if name in self.initial}
            )
        if "report" in keys and self.report.reference is None:
            keys["report"] = {key: value for key, value in keys["report"].items() if key != "reference"}
        labels = [label for label, _ in self.methods]
        keys["methods"] = [given for given in keys.get("methods", labels) if read_method(given)[0] in labels]
        return dump(keys)


def default_folder(study: Study) -> Path:
    """Name the directory of a study for which the user names none."""
    return Path("results") / (re.sub(r"[^\w.-]+", "-", study.name).strip("-.") or "study")

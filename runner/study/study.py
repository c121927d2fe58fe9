"""A study: methods x problems x seeds with one budget, and its runs.

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
"""Most runs of one driver, which holds them all in memory; larger studies are run in parts."""


@dataclass(frozen=True)
class RunSpec:
    """One run of a study: a method on a problem with a seed.

    Attributes
    ----------
    label : str
        Name of the method in the study; its own, unless variants need names of their own.
    method : Method
        Prepared for the problem's space and the budget.
    seed : int
        As the study lists it.
    entropy : int
        128-bit seed of the run's proposals: equal for all methods of a block, so that methods
        which draw at random draw the same.
    problem_seed : int
        32-bit seed of the problem's data, splits and models: equal for all methods of a block.
    start : WarmStart
        Beginning of the run: equal for all runs of a problem.
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
        """Problem, method and seed in one string, unique in the study."""
        return f"{self.problem.name}/{self.label}/{self.seed}"


@dataclass(frozen=True)
class Study:
    """A study that has been checked and can be run.

    Attributes
    ----------
    methods : tuple of (label, Method)
        Not yet prepared for a space.
    seed : int
        The study's own seed.
    budget : Budget
        Limits of each run.
    parallel : int
        Trials of one run in flight.
    initial : mapping of str to WarmStart
        Beginnings of the runs, by the problem's name.
    cache : bool
        The runs of a block share their evaluations.
    files : tuple of DataFile
        Files that its objectives open by `runner.problems.files.data_files.data_file`.
    source : dict
        Keys and values of its study file, where it came from one.
    document : Document
        Document that it was read from.
    places : mapping of str to str
        Paths of its problems there, by their names.
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
        """Read a study file.

        Parameters
        ----------
        path : str or Path
            YAML; see `runner.study.file.StudyFile` for its keys. Objective and data files lie
            beside it.
        data : bool, default False
            Include faults of the data, which `check` finds, in an error.

        Raises
        ------
        StudyError, ProblemError, MethodError, SpaceError
            One message with file, line, column and key for each fault. Its ``faults`` are the single
            errors; where these are of several kinds it is a StudyError.
        """
        path = Path(path)
        return cls._from(read_document(path), path.parent, data)

    @classmethod
    def build(cls, *, folder: str | Path = ".", **keys: Any) -> Study:
        """Make a study from keyword arguments, the keys of a study file.

        Parameters
        ----------
        folder : str or Path
            Folder of objective and data files.
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
        """Complete the settings of a method for a problem; in place of ``auto``, of its choice.

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
        """Methods as prepared for each problem, by problem and label."""
        return {
            (problem.name, label): self.prepare(problem, label)
            for problem in self.problems
            for label, _ in self.methods
        }

    @cached_property
    def runs(self) -> tuple[RunSpec, ...]:
        """All runs, block by block: the methods of a problem and seed are adjacent."""
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
        """Remarks of each method on each problem before it starts, by problem and label; may be empty."""
        messages = {}
        for problem in self.problems:
            for label, _ in self.methods:
                key = problem.name, label
                own = self.prepared[key].announce(problem.space, self._rest(problem))
                _, advice = self.chosen.get(key, (None, None))
                why = f"{advice.entry}. {advice.because[0]} " if advice else ""
                messages[key] = f"{why}{own}".rstrip()
        return messages

    @cached_property
    def chosen(self) -> dict[tuple[str, str], tuple[Method, Advice]]:
        """Choices of ``auto`` and their reasons, by problem and label; without other methods."""
        limits = self.budget.seconds, self.parallel
        return {
            (problem.name, label): choose(method, problem, self._rest(problem), *limits)
            for problem in self.problems
            for label, method in self.methods
            if isinstance(method, Auto)
        }

    def _rest(self, problem: Problem) -> int | None:
        """Compute the budget of the methods' own proposals."""
        first = self.initial.get(problem.name, NOTHING).first
        return None if self.budget.trials is None else max(0, self.budget.trials - len(first))

    @property
    def notes(self) -> list[str]:
        """Notes of all problems, such as how a file was read."""
        return [f"{problem.name}: {text}" for problem in self.problems for text in problem.notes]

    @cached_property
    def needs(self) -> tuple[Needs, ...]:
        """Resources that a trial of each problem needs."""
        return tuple(self.trial.needs(problem.name) for problem in self.problems)

    def staged(self, problem: Problem) -> bool:
        """True where the scheduler may stop trials of a problem early."""
        return self.scheduler.name != "none" and problem.steps > 1

    def check(self) -> None:
        """Load data, and check each problem as far as possible.

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
        """Derive a study with fewer methods, another number of seeds or another budget of trials.

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
                    "expected at least one method, got none.",
                    where="--methods",
                    hint=f"Known are: {', '.join(have)}.",
                )
            for label in methods:
                if label not in have:
                    raise StudyError(
                        f"the study has no method '{label}'.", where="--methods", hint=nearest(label, have)
                    )
            chosen = tuple((label, method) for label, method in self.methods if label in methods)
            report = self.report
            if report.reference not in methods:
                report = report.model_copy(update={"reference": None})
            study = dataclasses.replace(study, methods=chosen, report=report)
        if seeds is not None:
            if not 1 <= seeds <= MOST_SEEDS:
                raise StudyError(f"expected 1 to {MOST_SEEDS:,} seeds, got {seeds}.", where="--seeds")
            study = dataclasses.replace(study, seeds=tuple(range(seeds)))
        if trials is not None:
            if not 1 <= trials <= MOST_TRIALS:
                raise StudyError(f"expected 1 to {MOST_TRIALS:,} trials, got {trials}.", where="--trials")
            study = dataclasses.replace(study, budget=dataclasses.replace(self.budget, trials=trials))
        try:
            _ = study.prepared
        except FivefoldError as error:
            raise error.at(self.document.source, ": ") from None
        return study

    def as_yaml(self) -> str:
        """Write the study as run, as a study file."""
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

"""The sections of a study file, each read by itself, so that one fault does not hide others.

The document knows the places of faults: line and column, where it was read from a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from runner._text import shown
from runner.errors import Faults, FivefoldError, SpaceError, StudyError, near, nearest
from runner.methods import METHODS, Method
from runner.problems import load_problem
from runner.problems.base import Problem
from runner.problems.files.data_files import DataFile, find_files, placed
from runner.space import Space
from runner.study.advice import make
from runner.study.file import StudyFile, wrong_name
from runner.study.keys import StudyKeys, place_of, read_keys
from runner.study.warmstart import WarmStart, warm_starts
from runner.study.yaml import Document


class Sections:
    """The parts of a study, as far as they are sound.

    Parameters
    ----------
    folder : Path
        Folder of objective and data files.

    Attributes
    ----------
    file : StudyFile
        Defaults and placeholders take the place of faulty keys.
    problems, methods : dict
        By name or label: a `Problem` or `Method`, and its path in the file.

    Raises
    ------
    StudyError
        Where the document is not a mapping.
    """

    def __init__(self, document: Document, folder: Path) -> None:
        self._document = document
        self._faults = Faults()
        self._keys = self._read()
        self.file: StudyFile = self._keys.file
        self.files: tuple[DataFile, ...] = ()
        if self._keys.has("files"):
            with self._faults:
                self.files = find_files(self.file.files, folder)
        self.problems: dict[str, tuple[Problem, str]] = {}
        self.methods: dict[str, tuple[Method, str]] = {}
        if self._keys.has("problems"):
            self._load_problems(folder)
        if self._keys.has("methods"):
            self._make_methods()
        self.initial = self._starts(folder)
        self._check_names()
        self._check_scheduler()

    def has(self, *path: str) -> bool:
        """Test that a key was written correctly, or left out."""
        return self._keys.has(*path)

    def at(self, place: str) -> AbstractContextManager[None]:
        """Keep the errors of a block, with the path of a key before their own places."""
        return self._faults.at(place, ": ")

    def check(self, data: bool) -> None:
        """Raise all faults, in the order of the file, as one error.

        Parameters
        ----------
        data : bool
            Check the data of sound problems, too, where there is anything to raise.
        """
        if not self._faults and not self._document.faults:
            return
        for problem, place in self.problems.values() if data else ():
            with self.at(place), placed(self.files):
                problem.check()
        raise FivefoldError.join(self._document.in_order(self._faults.found)) from None

    def _read(self) -> StudyKeys:
        try:
            keys = read_keys(self._document.value)
        except StudyError as error:
            raise FivefoldError.join(self._document.in_order([error])) from None
        self._faults.found += keys.faults
        return keys

    def _load_problems(self, folder: Path) -> None:
        for i, given in enumerate(self.file.problems):
            place = place_of("problems", i)
            with self.at(place):
                problem = load_problem(given, folder)
                _check_name(problem.name)
                if _is_empty(problem.space):
                    raise StudyError(
                        "expected a space with configs, got one that forbids all.",
                        where="forbid",
                        hint="Forbid less.",
                    )
                if problem.name in self.problems:
                    raise StudyError(f"duplicate name '{problem.name}'.", hint="Give one a 'name'.")
                self.problems[problem.name] = problem, place

    def _make_methods(self) -> None:
        for i, given in enumerate(self.file.methods):
            place = place_of("methods", i)
            with self.at(place):
                label, method = read_method(given)
                _check_name(label)
                if label in self.methods:
                    hint = "Write {name: other, method: ...} for a variant."
                    raise StudyError(f"duplicate name '{label}'.", hint=hint)
                self.methods[label] = method, place

    def _starts(self, folder: Path) -> dict[str, WarmStart]:
        """Make the beginnings of runs, of those problems and entries that are sound."""
        all_loaded = len(self.problems) == len(self.file.problems)
        wanted = [
            (i, entry)
            for i, entry in enumerate(self.file.initial)
            if self._keys.has("initial", i)
            and (all_loaded or entry.problem is None or entry.problem in self.problems)
        ]
        problems = [problem for problem, _ in self.problems.values()]
        return warm_starts(wanted, problems, folder, lambda i: self.at(place_of("initial", i)))

    def _check_names(self) -> None:
        """Note names that no problem or method has, unless a faulty one may be meant."""
        reference = self.file.report.reference
        known = [*self.methods]
        if reference is not None and reference not in known and len(known) == len(self.file.methods):
            with self.at(place_of("report", "reference")):
                raise StudyError(f"the study has no method '{reference}'.", hint=nearest(reference, known))
        if len(self.problems) < len(self.file.problems):
            return
        for name in self.file.trial.problems:
            if name not in self.problems:
                with self.at(place_of("trial", "problems", name)):
                    hint = nearest(name, self.problems)
                    raise StudyError(f"the study has no problem '{name}'.", hint=hint)

    def _check_scheduler(self) -> None:
        """Note a scheduler that could not stop anything."""
        scheduler = self.file.scheduler
        whole = self.has("scheduler") and len(self.problems) == len(self.file.problems)
        if scheduler.name == "none" or not whole:
            return
        steps = max(problem.steps for problem, _ in self.problems.values())
        with self.at(place_of("scheduler")):
            if steps == 1:
                raise StudyError(
                    "expected a problem with steps, got none, so there is nothing to stop early.",
                    hint="Leave it out, or give a problem steps: @problem(..., steps=10).",
                )
            if scheduler.grace >= steps:
                raise StudyError(
                    f"expected at most {steps - 1}, since a full evaluation has {steps} steps, "
                    f"got {scheduler.grace}.",
                    where="grace",
                )


def _is_empty(space: Space) -> bool:
    try:
        return space.size() == 0
    except SpaceError:  # too many parts to count; a method that cannot search it raises itself
        return False


def _check_name(name: str) -> None:
    # A slash separates the parts of a run's id.
    expected = "a name without '/'" if "/" in name else wrong_name(name)
    if expected:
        raise StudyError(f"expected {expected}, got {shown(name)}.", where="name")


def read_method(given: object) -> tuple[str, Method]:
    """Read label and method of one entry of ``methods:``.

    Raises
    ------
    MethodError, StudyError
        Where there is no such method, or a setting does not fit.
    """
    if isinstance(given, str):
        return given, make(given)
    if isinstance(given, Mapping) and "method" in given:
        settings = {key: value for key, value in given.items() if key not in ("name", "method")}
        name = given["method"]
        label = given.get("name", name)
        for key, value in (("method", name), ("name", label)):
            if not isinstance(value, str):
                raise StudyError(f"expected a string, got {shown(value)}.", where=key)
        return label, make(name, settings)
    if isinstance(given, Mapping) and len(given) == 1:
        name, settings = next(iter(given.items()))
        if isinstance(name, str) and (settings is None or isinstance(settings, Mapping)):
            return name, make(name, settings)
    keys = given if isinstance(given, Mapping) else ()
    meant = next((key for key in keys if near(str(key), ["method"])), None)
    raise StudyError(
        "expected a method's name, {name: {setting: value}} or {name: ..., method: ...}, "
        f"got {shown(given)}.",
        hint="Did you mean 'method'?" if meant else f"Methods are {', '.join(METHODS)}, and auto.",
    )

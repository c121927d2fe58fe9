"""What a method is: a function of its history, with its settings in a frozen dataclass.

A method answers one question, what to try next, from the space, the trials that have ended,
the trials that are pending, the number of the trial in its run, and a generator. It holds
settings only. Where replaying the history at each call would be slow it may keep a memo, but
a fresh instance given the same arguments must answer the same.
"""

from __future__ import annotations

import dataclasses
import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar, cast

import numpy as np
from pydantic import TypeAdapter, ValidationError

from runner._text import shown
from runner.errors import Faults, FivefoldError, MethodError, nearest
from runner.errors.validation import converted, findings
from runner.space import Space
from runner.trial import Answer, Config, Pending, Trial


@dataclass(frozen=True)
class Method(ABC):
    """A way to search; subclass it as a frozen dataclass whose fields are the settings.

    Attributes
    ----------
    name : str
        What a study file calls it.
    summary : str
        One line: what it does and when to use it.
    reference : str
        Paper and equation, or the package, that it follows.
    needs_finite_space : bool
        Whether it can only search a space with finitely many configs.
    uses_gradient : bool
        Whether it makes use of a gradient that trials report.
    uses_history : bool
        Whether its proposals depend on other trials. Where they do not, it is asked far ahead of
        the results, and is shown none.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    needs_finite_space: ClassVar[bool] = False
    uses_gradient: ClassVar[bool] = False
    uses_history: ClassVar[bool] = True

    @abstractmethod
    def propose(
        self,
        space: Space,
        completed: Sequence[Trial],
        pending: Sequence[Pending],
        number: int,
        rng: np.random.Generator,
    ) -> Config | Answer:
        """The config of trial ``number``, or WAIT, or DONE.

        Parameters
        ----------
        space : Space
            The same at every call of a run.
        completed : sequence of Trial
            What has ended and may be known, in the order of their numbers; with failures.
            It may hold trials that the method did not propose.
        pending : sequence of Pending
            What has been proposed and has not ended, in the order of their numbers.
        number : int
            0, 1, ... within the run.
        rng : numpy.random.Generator
            Seeded by the run and the number; `runner.seeds.run_rng` gives from it a generator
            that is the same at every call of the run.

        Returns
        -------
        dict, WAIT or DONE
            WAIT only while a trial is pending; after DONE always DONE.
        """

    def prepare(self, space: Space, trials: int | None, parallel: int = 1) -> Self:
        """The method with its settings completed for a space and a budget.

        Parameters
        ----------
        space : Space
        trials : int or None
            The budget of the run in trials, None where it is in seconds only.
        parallel : int
            How many trials of the run are in flight at the most.

        Raises
        ------
        MethodError
            Where the method cannot search the space; says which parameters and what to do.
        """
        del trials, parallel
        if self.needs_finite_space and space.continuous:
            raise MethodError(f"{', '.join(space.continuous)} are continuous.", where=self.name)
        return self

    def announce(self, space: Space, trials: int | None) -> str:
        """A sentence for the user before the run starts; empty where there is nothing to say.

        Called on a prepared method.
        """
        del space, trials
        return ""

    def conclude(self, space: Space, completed: Sequence[Trial]) -> str:
        """A sentence for the user after the run; empty where there is nothing to say."""
        del space, completed
        return ""

    def settings(self) -> dict[str, Any]:
        """The settings as they would stand in a study file, defaults included."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}


M = TypeVar("M", bound=Method)


class Registry(Mapping[str, type[Method]]):
    """Name -> class. A module is imported when its method is asked for: some take seconds.

    Parameters
    ----------
    modules : mapping of str to str
        Where a method is found that has not been registered yet.
    """

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules
        self._classes: dict[str, type[Method]] = {}

    def add(self, cls: type[Method]) -> None:
        """Register a class by its name."""
        self._classes[cls.name] = cls

    def __getitem__(self, name: str) -> type[Method]:
        if name not in self._classes and name in self._modules:
            importlib.import_module(self._modules[name])
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._modules, *self._classes}))

    def __len__(self) -> int:
        return len({*self._modules, *self._classes})


METHODS = Registry(
    {
        "bayes": "runner.methods.bayes.method",
        "exhaustive": "runner.methods.exhaustive",
        "gradient": "runner.methods.gradient.method",
        "grid": "runner.methods.grid_search",
        "random": "runner.methods.random_search",
        "tpe": "runner.methods.tpe.method",
    }
)
"""The methods that a study file can name."""


def register(cls: type[Method]) -> type[Method]:
    """Class decorator that adds a method to the registry."""
    METHODS.add(cls)
    return cls


def make_method(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """A method by name, with validated settings.

    Raises
    ------
    MethodError
        Where there is no such method or setting, or a value does not fit; names the nearest.
    """
    if name not in METHODS:
        raise MethodError(f"there is no method {shown(name)}.", hint=nearest(name, METHODS))
    return with_settings(METHODS[name], settings or {})


def with_settings(cls: type[M], settings: Mapping[str, Any]) -> M:
    """A method of a class, with validated settings.

    Raises
    ------
    MethodError
        For all settings that do not exist or whose value does not fit.
    """
    faults = Faults()
    known = [field.name for field in dataclasses.fields(cls) if field.init]
    fitting = {}
    for key, value in settings.items():
        if key in known:
            fitting[key] = value
            continue
        hint = nearest(str(key), known) if known else "It has no settings."
        faults.add(
            MethodError(f"method '{cls.name}' has no setting {shown(key)}.", where=str(key), hint=hint)
        )
    made: M | None = None
    with faults:
        made = _made(cls, fitting)
    if faults and len(fitting) > 1:  # a method refuses the first setting that does not fit: try each alone
        single = Faults()
        for key, value in fitting.items():
            with single:
                _made(cls, {key: value})
        for error in single.found:
            if str(error) not in map(str, faults.found):
                faults.add(error)
    faults.check()
    return cast("M", made)


def _made(cls: type[M], settings: Mapping[str, Any]) -> M:
    try:
        made = TypeAdapter(cls).validate_python(dict(settings))
        wrong = list(converted(settings, made))
    except ValidationError as error:
        wrong = findings(error, settings)
    if wrong:
        raise FivefoldError.join(
            MethodError(finding.message, where=".".join(map(str, finding.path)), hint=finding.hint)
            for finding in wrong
        ) from None
    return made


__all__ = ["METHODS", "Method", "make_method", "register", "with_settings"]

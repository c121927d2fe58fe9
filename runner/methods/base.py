"""The base of methods: functions of their history, with their settings in a frozen dataclass.

A method proposes the next config from the space, the completed trials, the pending trials, the
number of the trial in its run, and a generator. It holds settings only. If replaying the history at
each call would be slow it may keep a cache, but a fresh instance with the same arguments must give
the same proposal.
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
        Name in a study file.
    summary : str
        One line: what it does and when to use it.
    reference : str
        Paper and equation, or package, that it follows.
    needs_finite_space : bool
        True if it can only search a space with finitely many configs.
    uses_history : bool
        True if its proposals depend on other trials. Otherwise they are requested far ahead of the
        results, with an empty history.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    needs_finite_space: ClassVar[bool] = False
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
        """Propose the config of trial ``number``, or answer WAIT or DONE.

        Parameters
        ----------
        space : Space
            The same at every call of a run.
        completed : sequence of Trial
            Known results in the order of their numbers, including failures. They may include trials
            that the method did not propose.
        pending : sequence of Pending
            Trials without a result yet, in the order of their numbers.
        number : int
            0, 1, ... within the run.
        rng : numpy.random.Generator
            Seeded by the run and the number; `runner.seeds.run_entropy` gives from it a seed that is
            the same at every call of the run.

        Returns
        -------
        dict, WAIT or DONE
            WAIT only while a trial is pending; after DONE always DONE.
        """

    def prepare(self, space: Space, trials: int | None, parallel: int = 1) -> Self:
        """Complete the settings for a space and a budget.

        Parameters
        ----------
        trials : int or None
            The budget of the run in trials, None if it is in seconds only.
        parallel : int
            Maximum number of trials of the run in flight.

        Raises
        ------
        MethodError
            If the method cannot search the space; names the parameters and the remedy.
        """
        del trials, parallel
        if self.needs_finite_space and space.continuous:
            names = ", ".join(space.continuous)
            raise MethodError(
                f"expected a finite space, got continuous parameters: {names}.", where=self.name
            )
        return self

    def announce(self, space: Space, trials: int | None) -> str:
        """Return a message for the user before the run starts, possibly empty.

        Called on a prepared method.
        """
        del space, trials
        return ""

    def conclude(self, space: Space, completed: Sequence[Trial]) -> str:
        """Return a message for the user after the run, possibly empty."""
        del space, completed
        return ""

    def settings(self) -> dict[str, Any]:
        """Return the settings as in a study file, including defaults."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}


M = TypeVar("M", bound=Method)


class Registry(Mapping[str, type[Method]]):
    """Name -> class. A method's module is imported on first use, as some take seconds.

    Parameters
    ----------
    modules : mapping of str to str
        Module of each method that has not been registered yet.
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
"""Methods that a study file can name."""


def register(cls: type[Method]) -> type[Method]:
    """Add a method to the registry; a class decorator."""
    METHODS.add(cls)
    return cls


def make_method(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """Create a method by name, with validated settings.

    Raises
    ------
    MethodError
        For an unknown method or setting, with the nearest name, or an invalid value.
    """
    if name not in METHODS:
        raise MethodError(f"unknown method {shown(name)}.", hint=nearest(name, METHODS))
    return with_settings(METHODS[name], settings or {})


def with_settings(cls: type[M], settings: Mapping[str, Any]) -> M:
    """Create a method of a class, with validated settings.

    Raises
    ------
    MethodError
        Lists all unknown settings and invalid values.
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
    if faults and len(fitting) > 1:  # a method reports its first invalid setting only: try each alone
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

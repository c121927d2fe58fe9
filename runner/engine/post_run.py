"""What is evaluated after a study's runs: incumbents on held-out data, and a probe point of each block.

Both are work like any other, so they are a study of their own (`Again`): the same engine evaluates it,
on lanes or here, with the same limits, and an interruption loses nothing. Its journal is that of the
study (`Afterwards.journal`): the test value of an incumbent goes into the row of its trial, a probe
into ``meta``. What is there already is not evaluated again.

No method sees a test value: a method that goes on with an extended budget is told of its trials
without (see `runner.engine.dispatch.dispatcher`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from runner._text import counted
from runner.engine.monitor import Monitor
from runner.journal import Journal
from runner.journal.begun import Key, Suspect
from runner.journal.schema import to_json
from runner.methods.base import Method
from runner.problems.base import Answer as Metric
from runner.problems.base import Problem
from runner.space import Space
from runner.study.file import SchedulerSettings
from runner.study.study import RunSpec, Study
from runner.study.warmstart import NOTHING
from runner.trial import DONE, Answer, Budget, Config, Origin, Pending, Trial

SHORT_SECONDS = 5.0
"""So much of evaluation is done in this process, also where there are lanes."""


@dataclass(frozen=True)
class Listed(Method):
    """Proposes given configs."""

    name: ClassVar[str] = "listed"
    summary: ClassVar[str] = "given configs, one after the other"
    uses_history: ClassVar[bool] = False

    configs: tuple[Config, ...] = ()

    def propose(
        self,
        space: Space,
        completed: Sequence[Trial],
        pending: Sequence[Pending],
        number: int,
        rng: np.random.Generator,
    ) -> Config | Answer:
        """See `Method.propose`."""
        del space, completed, pending, rng
        return dict(self.configs[number]) if number < len(self.configs) else DONE


class _Wrapped(Problem):
    """Another question to a problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.name, self.space = problem.name, problem.space
        self.direction, self.metric = problem.direction, problem.metric


class HeldOut(_Wrapped):
    """The score on data that no method sees."""

    def evaluate(self, config: Config, seed: int) -> Metric:
        """See `Problem.test_score`."""
        return self.problem.test_score(config, seed)


class Probe(_Wrapped):
    """The problem itself, once more."""

    def evaluate(self, config: Config, seed: int) -> Metric:
        """See `Problem.evaluate_fully`."""
        return self.problem.evaluate_fully(config, seed)


@dataclass(frozen=True)
class Again(Study):
    """A study of given runs."""

    listed: tuple[RunSpec, ...] = ()

    @cached_property
    def runs(self) -> tuple[RunSpec, ...]:
        """Those that were given."""
        return self.listed

    @property
    def announcements(self) -> dict[tuple[str, str], str]:
        """Their methods have nothing to say."""
        return {(spec.problem.name, spec.label): "" for spec in self.listed}


@dataclass(frozen=True)
class Wanted:
    """One evaluation, and whose it is.

    Attributes
    ----------
    config : dict
    trials : tuple of (str, int)
        Run and number of the trials whose test value it is; none for a probe.
    seconds : float
        How long the evaluation of the trial took.
    """

    config: Config
    trials: tuple[tuple[str, int], ...]
    seconds: float


class Afterwards:
    """What is left to evaluate after the runs of a study.

    Parameters
    ----------
    study : Study
    journal : Journal
        All runs of the study have ended in it.

    Attributes
    ----------
    study : Again or None
        None where nothing is left.
    tests, probes : int
        How many configs are to be scored on held-out data, and how many to be evaluated once more.
    seconds : float
        How long that may take on one core, at the most.
    """

    def __init__(self, study: Study, journal: Journal) -> None:
        self._journal = journal
        self._wanted: dict[str, list[Wanted]] = {}
        self._key: dict[str, str] = {}  # of the block
        self.errors: list[str] = []
        listed: list[RunSpec] = []
        problems: list[Problem] = []
        for problem in study.problems:
            specs = [spec for spec in study.runs if spec.problem is problem]
            for wrapper, find in ((HeldOut, self._untested), (Probe, self._unprobed)):
                asked = wrapper(problem)
                for seed in dict.fromkeys(spec.seed for spec in specs):
                    of_block = [spec for spec in specs if spec.seed == seed]
                    if found := list(find(of_block)):
                        spec = replace(
                            of_block[0],
                            label=wrapper.__name__,
                            method=Listed(configs=tuple(wanted.config for wanted in found)),
                            problem=asked,
                            start=NOTHING,
                        )
                        listed.append(spec)
                        self._wanted[spec.id], self._key[spec.id] = found, f"{problem.name}/{seed}"
                if any(spec.problem is asked for spec in listed):
                    problems.append(asked)
        every = [wanted for some in self._wanted.values() for wanted in some]
        self.tests = sum(bool(wanted.trials) for wanted in every)
        self.probes = len(every) - self.tests
        self.seconds = sum(wanted.seconds for wanted in every)
        self.study = _again(study, problems, listed) if listed else None

    @property
    def announcement(self) -> str:
        """What is done, as a sentence."""
        parts = []
        if self.tests:
            parts.append(f"scoring {counted(self.tests, 'best-so-far config')} on held-out data")
        if self.probes:
            parts.append(f"re-running {counted(self.probes, 'trial')} to check repeatability")
        return f"{' and '.join(parts)}.".capitalize()

    @property
    def missing(self) -> str:
        """What there will not be without it, as the beginning of a sentence."""
        return "Held-out scores are" if self.tests else "The checks of repeatability are"

    @property
    def conclusion(self) -> str:
        """What went wrong; empty where nothing did."""
        if not self.errors:
            return ""
        return f"{len(self.errors)} of the held-out tests failed, such as: {self.errors[0]}"

    # -- what a dispatcher asks of a journal ------------------------------------------------------

    def history(self, run_id: str) -> list[Trial]:
        """Nothing: what is there already is not listed."""
        del run_id
        return []

    def announce(self, run_id: str, sentence: str) -> None:
        """Nobody has anything to say."""

    def end_run(self, run_id: str, reason: str, failed: bool, conclusion: str) -> None:
        """These runs are not kept."""

    @property
    def suspects(self) -> Mapping[Key, Suspect]:
        """See `Journal.suspects`."""
        own = {
            self._name(run_id, i): (run_id, i)
            for run_id, all in self._wanted.items()
            for i in range(len(all))
        }
        suspects = self._journal.suspects
        return {own[name]: suspect for name, suspect in suspects.items() if name in own}

    def begin(self, batch: int, trials: Sequence[Key]) -> None:
        """See `Journal.begin`."""
        self._journal.begin(batch, [self._name(*key) for key in trials])

    def _name(self, run_id: str, number: int) -> Key:
        """The name of an evaluation, which a later session gives to the same one."""
        wanted = self._wanted[run_id][number]
        if not wanted.trials:
            return f"probe of {self._key[run_id]}", 0
        run, trial = wanted.trials[0]
        return f"test of {run}", trial

    def record(self, ended: Sequence[tuple[str, Trial]], batches: Sequence[int] = ()) -> None:
        """Make test values and probes durable; see `Journal.record`."""
        tests: list[tuple[str, int, float]] = []
        probes: dict[str, dict[str, Any]] = {}
        for run_id, trial in ended:
            wanted = self._wanted[run_id][trial.number]
            value = trial.outcome.value if trial.valid else None
            if not wanted.trials:
                probes[self._key[run_id]] = {"config": to_json(wanted.config), "loss": trial.loss}
                continue
            if value is None:
                self.errors.append(trial.outcome.error)
            tests += [(run, number, math.nan if value is None else value) for run, number in wanted.trials]
        names = [self._name(run_id, trial.number) for run_id, trial in ended]
        self._journal.record_afterwards(tests, probes, names, batches)

    # -- what is left -----------------------------------------------------------------------------

    def _untested(self, specs: Sequence[RunSpec]) -> Iterator[Wanted]:
        """The configs of a block that were an incumbent of some run and have no test value."""
        if not specs[0].problem.has_test:
            return
        known: dict[str, float] = {}
        without: dict[str, list[tuple[str, int]]] = {}
        rows: dict[str, tuple[Config, float]] = {}
        for spec in specs:
            best = math.inf
            for row in self._journal.outcomes(spec.id):
                if row.test is not None:
                    known[row.config_json] = row.test
                if not row.valid or not row.loss < best:
                    continue
                best = row.loss
                if row.test is None:
                    without.setdefault(row.config_json, []).append((spec.id, row.number))
                    rows[row.config_json] = row.config, row.seconds
        told = [
            (*trial, known[text]) for text in known.keys() & without.keys() for trial in without.pop(text)
        ]
        if told:
            self._journal.record_afterwards(told, {})
        for text, trials in without.items():
            config, seconds = rows[text]
            yield Wanted(config, tuple(trials), seconds)

    def _unprobed(self, specs: Sequence[RunSpec]) -> Iterator[Wanted]:
        """The quickest completed trial of a block of several runs, which shall give its loss again."""
        problem = specs[0].problem
        if len(specs) < 2 or problem.recalls_all or problem.checkpoints:
            return
        key = f"{problem.name}/{specs[0].seed}"
        if key in self._journal.probes():
            return
        if problem.noisy:
            self._journal.record_afterwards([], {key: {"noisy": True}})
            return
        found = [row for spec in specs for row in self._journal.outcomes(spec.id) if row.valid]
        found = [row for row in found if row.origin == Origin.EVALUATED]
        if found:
            row = min(found, key=lambda row: row.seconds)
            yield Wanted(row.config, (), row.seconds)


class Scoring(Monitor):
    """Passes on messages, and of what is evaluated after the runs how many have ended.

    Parameters
    ----------
    monitor : Monitor
    total : int
        How many there are.
    """

    def __init__(self, monitor: Monitor, total: int) -> None:
        self._monitor, self._total, self._done = monitor, total, 0

    def note(self, text: str) -> None:
        """See `Monitor.note`."""
        self._monitor.note(text)

    def ended(self, index: int, trial: Trial) -> None:
        """See `Monitor.ended`."""
        self._done += 1
        self._monitor.scored(self._done, self._total)


def _again(study: Study, problems: Sequence[Problem], listed: Sequence[RunSpec]) -> Again:
    kept = {field.name: getattr(study, field.name) for field in fields(study)}
    most = max(len(spec.method.configs) for spec in listed if isinstance(spec.method, Listed))
    changed = {
        "problems": tuple(problems),
        "methods": (),
        "budget": Budget(trials=most),
        "initial": {},
        "parallel": 1,
        "order": "trial",
        "scheduler": SchedulerSettings(),
        "trial": study.trial.model_copy(update={"give_up_after": 0}),  # each config is another question
        "cache": False,  # a test and a probe of one config are two things
    }
    return Again(**{**kept, **changed}, listed=tuple(listed))

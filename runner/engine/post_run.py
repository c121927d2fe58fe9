"""Evaluation after the runs of a study: incumbents on held-out data, and a probe point of each block.

The evaluations are lists of given configs, which the same engine works through, on workers or in-process,
with the same limits; an interruption loses nothing. The test value of an incumbent is written into the row of
its trial, a probe into ``meta``. What is in the journal already is not evaluated again.

No method sees a test value: a method that resumes with an extended budget gets its trials without them (see
`runner.engine.runs.run_table`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from runner._text import counted
from runner.engine.dispatch.dispatcher import Dispatcher, JournalProtocol
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
"""Evaluations that take no longer are done in this process, because the start of Ray takes as long."""


@dataclass(frozen=True)
class GivenConfigs(Method):
    """A method that proposes given configs."""

    name: ClassVar[str] = "given"
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
    """A problem of which another function is evaluated."""

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
class Evaluation:
    """One config to evaluate, and the destination of its result.

    Attributes
    ----------
    name : Key
        Key under which it is recorded as begun; a later session gives the same key to it.
    seconds : float
        Duration of the trial's own evaluation.
    trials : tuple of Key
        Trials whose test value it is; none for a probe.
    block : str
        Problem and seed of a probe.
    """

    name: Key
    config: Config
    seconds: float
    trials: tuple[Key, ...] = ()
    block: str = ""


class PostRun(JournalProtocol):
    """The evaluations that are left after the runs of a study.

    Parameters
    ----------
    journal : Journal
        All runs of the study have ended in it.

    Attributes
    ----------
    specs : list of RunSpec
        One run per list of configs; empty if nothing is left.
    tests, probes : int
        Number of configs to score on held-out data, and of trials to repeat.
    seconds : float
        Expected duration on one core; an upper bound for tests.
    """

    def __init__(self, study: Study, journal: Journal) -> None:
        self._study, self._journal = study, journal
        self._evaluations: dict[str, list[Evaluation]] = {}  # by the id of the run that lists them
        self.specs: list[RunSpec] = []
        self.errors: list[str] = []
        for problem in study.problems:
            blocks: dict[int, list[RunSpec]] = {}
            for spec in study.runs:
                if spec.problem is problem:
                    blocks.setdefault(spec.seed, []).append(spec)
            for wrapper, find in ((HeldOut, self._untested), (Probe, self._unprobed)):
                wrapped = wrapper(problem)
                for block in blocks.values():
                    if found := list(find(block)):
                        method = GivenConfigs(configs=tuple(one.config for one in found))
                        spec = replace(
                            block[0], label=wrapper.__name__, method=method, problem=wrapped, start=NOTHING
                        )
                        self.specs.append(spec)
                        self._evaluations[spec.id] = found
        every = [one for some in self._evaluations.values() for one in some]
        self.tests = sum(bool(one.trials) for one in every)
        self.probes = len(every) - self.tests
        self.seconds = sum(one.seconds for one in every)

    def dispatcher(self, monitor: Monitor) -> Dispatcher:
        """Make the dispatcher of the evaluations."""
        settings = replace(
            self._study,
            problems=tuple({id(spec.problem): spec.problem for spec in self.specs}.values()),
            methods=(),
            budget=Budget(trials=max(map(len, self._evaluations.values()))),
            initial={},
            parallel=1,
            order="trial",
            scheduler=SchedulerSettings(),
            # The configs have nothing in common, so some that fail alike are no reason to give up.
            trial=self._study.trial.model_copy(update={"give_up_after": 0}),
            cache=False,  # a test and a probe of one config have different results
        )
        return Dispatcher(settings, self, monitor, self.specs)

    @property
    def announcement(self) -> str:
        """Message about the work that begins."""
        parts = []
        if self.tests:
            parts.append(f"scoring {counted(self.tests, 'best-so-far config')} on held-out data")
        if self.probes:
            parts.append(f"re-running {counted(self.probes, 'trial')} to check repeatability")
        return f"{' and '.join(parts)}.".capitalize()

    @property
    def missing(self) -> str:
        """Beginning of a message about results that could not be computed."""
        return "Held-out scores are" if self.tests else "The checks of repeatability are"

    @property
    def conclusion(self) -> str:
        """Message about failed tests; empty if none failed."""
        if not self.errors:
            return ""
        return f"{len(self.errors)} of the held-out tests failed, such as: {self.errors[0]}"

    # -- the journal of the dispatcher ------------------------------------------------------------

    @property
    def suspects(self) -> Mapping[Key, Suspect]:
        """See `Journal.suspects`."""
        suspects = self._journal.suspects
        return {
            (run_id, i): suspects[one.name]
            for run_id, listed in self._evaluations.items()
            for i, one in enumerate(listed)
            if one.name in suspects
        }

    def begin(self, batch: int, trials: Sequence[Key]) -> None:
        """See `Journal.begin`."""
        self._journal.begin(batch, [self._evaluations[run_id][number].name for run_id, number in trials])

    def record(self, ended: Sequence[tuple[str, Trial]], batches: Sequence[int] = ()) -> None:
        """Make test values and probes durable; see `Journal.record`."""
        tests: list[tuple[str, int, float]] = []
        probes: dict[str, dict[str, Any]] = {}
        evaluations = [(self._evaluations[run_id][trial.number], trial) for run_id, trial in ended]
        for one, trial in evaluations:
            value = trial.outcome.value if trial.valid else None
            if not one.trials:
                probes[one.block] = {"config": to_json(one.config), "loss": trial.loss}
                continue
            if value is None:
                self.errors.append(trial.outcome.error)
            tests += [(run, number, math.nan if value is None else value) for run, number in one.trials]
        self._journal.record_afterwards(tests, probes, [one.name for one, _ in evaluations], batches)

    # -- what is left -----------------------------------------------------------------------------

    def _untested(self, specs: Sequence[RunSpec]) -> Iterator[Evaluation]:
        """Find the configs of a block that were an incumbent of some run and have no test value."""
        if not specs[0].problem.has_test:
            return
        tested: dict[str, float] = {}
        without: dict[str, list[Key]] = {}
        rows: dict[str, tuple[Config, float]] = {}
        for spec in specs:
            best = math.inf
            for row in self._journal.outcomes(spec.id):
                if row.test is not None:
                    tested[row.config_json] = row.test
                if not row.valid or not row.loss < best:
                    continue
                best = row.loss
                if row.test is None:
                    without.setdefault(row.config_json, []).append((spec.id, row.number))
                    rows[row.config_json] = row.config, row.seconds
        known = [
            (*trial, tested[text]) for text in tested.keys() & without.keys() for trial in without.pop(text)
        ]
        if known:
            self._journal.record_afterwards(known, {})
        for text, trials in without.items():
            run, number = trials[0]
            yield Evaluation((f"test of {run}", number), *rows[text], trials=tuple(trials))

    def _unprobed(self, specs: Sequence[RunSpec]) -> Iterator[Evaluation]:
        """Find the fastest completed trial of a block of several runs; its loss must come out again."""
        problem = specs[0].problem
        if len(specs) < 2 or problem.recalls_all or problem.checkpoints:
            return
        block = f"{problem.name}/{specs[0].seed}"
        if block in self._journal.probes():
            return
        if problem.noisy:
            self._journal.record_afterwards([], {block: {"noisy": True}})
            return
        rows = [row for spec in specs for row in self._journal.outcomes(spec.id)]
        rows = [row for row in rows if row.valid and row.origin == Origin.EVALUATED]
        if rows:
            row = min(rows, key=lambda row: row.seconds)
            yield Evaluation((f"probe of {block}", 0), row.config, row.seconds, block=block)


class Scoring(Monitor):
    """A monitor of post-run evaluations, which passes on messages and the number that have ended.

    Parameters
    ----------
    total : int
        Number of evaluations.
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

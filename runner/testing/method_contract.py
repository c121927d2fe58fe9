# ruff: noqa: S101
"""The contract of search methods, as a pytest class.

Each rule is tested on spaces of every kind and in every *phase* of the method: a phase is a length of
the history, so that both the initial design and the model are tested.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from runner.errors import MethodError
from runner.methods.base import Method
from runner.methods.random_search import Random
from runner.seeds import proposal_rng
from runner.space import Space
from runner.testing.simulation import (
    BRANIN_SPACE,
    HISTORIES,
    SPACES,
    bowl,
    branin,
    foreign_trials,
    global_state,
    simulate,
)
from runner.testing.symmetry import Symmetry
from runner.trial import DONE, Answer, Config, Pending, Trial

_CHILD = "from runner.testing.method_contract import answer_requests; answer_requests()"


class MethodContract(Symmetry):
    """The contract of a method; subclass it with ``method`` and any attributes that differ.

    Attributes
    ----------
    method : Method
        Not prepared.
    phases : sequence of int
        Lengths of history at which the method behaves differently.
    refuses : set of str
        The kinds of `SPACES` that `Method.prepare` refuses with a MethodError; no others.
    repeats : bool
        True if it may propose a config twice, and is never DONE in a finite space.
    covers : bool
        True if it has proposed every config of a finite space when it is DONE.
    deterministic : bool
        True if runs with different entropy may be equal.
    rival : bool
        True if it must not be worse than random search on Branin's function.
    most_seconds : float
        Maximum duration of one proposal after 200 trials.
    """

    method: ClassVar[Method]
    phases: ClassVar[Sequence[int]] = (0, 5, 12)
    refuses: ClassVar[frozenset[str]] = frozenset()
    repeats: ClassVar[bool] = False
    covers: ClassVar[bool] = True
    deterministic: ClassVar[bool] = False
    rival: ClassVar[bool] = True
    most_seconds: ClassVar[float] = 2.0

    _runs: ClassVar[dict[str, list[Trial]]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._runs = {}

    # -- description --------------------------------------------------------------------------

    def test_it_is_described_and_settings_make_it_again(self) -> None:
        """Name, summary and reference are not empty, and the settings define the method."""
        assert self.method.name
        assert self.method.summary
        assert self.method.reference
        assert self._fresh() == self.method

    @pytest.mark.parametrize("kind", SPACES)
    def test_refuses_exactly_what_it_declares(self, kind: str) -> None:
        """A space that it cannot search is refused before the run, any other is accepted."""
        if kind in self.refuses:
            with pytest.raises(MethodError):
                self._fresh().prepare(SPACES[kind], self._budget)
        else:
            prepared = self._fresh().prepare(SPACES[kind], self._budget)
            assert isinstance(prepared.announce(SPACES[kind], self._budget), str)
            assert isinstance(prepared.conclude(SPACES[kind], self._run(kind)), str)

    # -- proposals ----------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", SPACES)
    def test_proposes_python_scalars_inside_the_space(self, kind: str) -> None:
        """Every proposal of a run is a canonical config."""
        run = self._run(kind)
        assert run, "no trial was proposed"
        for n in self._cuts(run):
            self._ask(kind, run[:n], n)

    @pytest.mark.parametrize("kind", SPACES)
    def test_a_run_cut_anywhere_goes_on_the_same(self, kind: str) -> None:
        """A fresh instance with the same history makes the same proposal."""
        run = self._run(kind)
        for n in self._cuts(run):
            assert self._ask(kind, run[:n], n) == (run[n].config if n < len(run) else DONE)

    def test_a_fresh_process_answers_the_same(self) -> None:
        """Also with other hashes of strings."""
        requests, expected = [], []
        for kind in sorted(SPACES.keys() - self.refuses):
            run = self._run(kind)
            for n in self._cuts(run):
                requests.append((SPACES[kind], run[:n], n))
                expected.append(run[n].config if n < len(run) else None)
        hash_seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
        child = subprocess.run(
            [sys.executable, "-c", _CHILD],
            input=pickle.dumps((self._fresh(), self._budget, requests)),
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=False,
        )
        assert child.returncode == 0, child.stderr.decode()
        # The last line, because importing the method's own module may print.
        assert json.loads(child.stdout.splitlines()[-1]) == json.loads(json.dumps(expected))

    def test_another_seed_gives_another_run(self) -> None:
        """Unless the method declares that it is deterministic."""
        kind = self._first_of("mixed", "conditional", "choices", "finite")
        space = SPACES[kind]
        runs = [simulate(self._fresh(), space, bowl(space), self._budget, entropy=e) for e in range(3)]
        different = {tuple(space.key(trial.config) for trial in run) for run in runs}
        assert len(different) > 1 or self.deterministic

    def test_what_it_is_given_stays_as_it_is(self) -> None:
        """Arguments are not modified; no global generator is read or advanced."""
        kind = self._first_of("conditional", "choices", "finite")
        run = self._run(kind)
        for n in self._cuts(run):
            completed = run[: n // 2]
            pending = [Pending(trial.number, trial.config) for trial in run[n // 2 : n]]
            before = copy.deepcopy((completed, pending))
            answers = []
            for seed in (1, 2):
                random.seed(seed)
                np.random.seed(seed)  # noqa: NPY002  (the generator that must not be used)
                state = global_state()
                answers.append(self._ask(kind, completed, n, pending))
                assert global_state() == state, "a global generator was advanced"
            assert answers[0] == answers[1], "a global generator was read"
            assert (completed, pending) == before

    # -- histories ----------------------------------------------------------------------------

    @pytest.mark.parametrize("history", HISTORIES)
    @pytest.mark.parametrize("kind", ["mixed", "conditional", "finite"])
    def test_takes_any_history(self, kind: str, history: str) -> None:
        """Trials that it did not propose, failures, equal losses, huge losses, duplicates."""
        space = self._space(kind)
        for count in sorted({*self.phases, 15}):
            self._ask(kind, HISTORIES[history](space, count), count)
        before = [Trial(t.number - 15, t.config, t.outcome) for t in HISTORIES[history](space, 15)]
        self._ask(kind, before, 0)

    @pytest.mark.parametrize("kind", ["mixed", "conditional", "finite"])
    def test_takes_results_in_any_order(self, kind: str) -> None:
        """Results may have gaps, as in a run that does not keep to trial order."""
        run = self._run(kind)
        for n in self._cuts(run):
            pending = [Pending(trial.number, trial.config) for trial in run[:n]]
            self._ask(kind, run[:n:2], n, pending[1::2])
            self._ask(kind, [], n, pending)

    # -- pending trials -----------------------------------------------------------------------

    @pytest.mark.parametrize("kind", ["mixed", "conditional", "finite"])
    def test_runs_in_parallel_and_reproducibly(self, kind: str) -> None:
        """Four trials in flight: the run is complete and reproducible."""
        space = self._space(kind)
        runs = [simulate(self._fresh(), space, bowl(space), self._budget, parallel=4) for _ in range(2)]
        assert runs[0] == runs[1]
        assert runs[0]

    def test_does_not_propose_what_is_pending(self) -> None:
        """Proposals in a finite space differ from each other and from known configs, or WAIT."""
        kind = self._first_of("finite")
        run, space = self._run(kind), SPACES[kind]
        for n in self._cuts(run):
            pending: list[Pending] = []
            for number in range(n, n + 6):
                answer = self._ask(kind, run[:n], number, pending)
                if isinstance(answer, Answer):
                    break
                known: list[Trial | Pending] = [*run[:n], *pending]
                keys = {space.key(trial.config) for trial in known}
                assert self.repeats or space.key(answer) not in keys
                pending.append(Pending(number, answer))
            assert pending or n

    @pytest.mark.parametrize("kind", ["point", "choices", "finite"])
    def test_ends_when_a_finite_space_does(self, kind: str) -> None:
        """Every config is proposed exactly once; then the method is always DONE."""
        space = self._space(kind)
        if self.repeats:
            pytest.skip("declared to repeat configs, so it never ends")
        size = int(space.size())
        method = self._fresh().prepare(space, size + 5)
        run = simulate(self._fresh(), space, bowl(space), size + 5)
        assert len({space.key(trial.config) for trial in run}) == len(run)
        assert len(run) == size or (len(run) < size and not self.covers)
        for number in range(len(run), len(run) + 3):
            assert method.propose(space, run, [], number, proposal_rng(0, number)) is DONE

    # -- performance --------------------------------------------------------------------------

    def test_is_not_worse_than_random_search(self) -> None:
        """On Branin's function, by a one-sided rank test of the best losses of 25 trials.

        A method that equals random search fails with probability 0.001; the seeds are fixed, so that
        the result is reproducible.
        """
        if not self.rival:
            pytest.skip("declared not to be a rival of random search")

        def best(method: Method, seed: int) -> float:
            run = simulate(method, BRANIN_SPACE, branin, 25, entropy=seed)
            return min(trial.loss for trial in run if trial.loss is not None)

        mine = [best(self._fresh(), seed) for seed in range(7)]
        others = [best(Random(), seed) for seed in range(100, 150)]
        p = mannwhitneyu(mine, others, alternative="greater").pvalue
        assert p > 0.001, f"medians {np.median(mine):.3g} and, of random search, {np.median(others):.3g}"

    def test_proposes_in_time(self) -> None:
        """After 200 trials."""
        kind = self._first_of("mixed", "choices", "finite")
        trials = foreign_trials(SPACES[kind], 200)
        method = self._fresh().prepare(SPACES[kind], 300)
        start = time.perf_counter()
        method.propose(SPACES[kind], trials, [], 200, proposal_rng(0, 200))
        assert time.perf_counter() - start < self.most_seconds

    # -- internal -----------------------------------------------------------------------------

    @property
    def _budget(self) -> int:
        return max(self.phases) + 3

    def _space(self, kind: str) -> Space:
        if kind in self.refuses:
            pytest.skip("declared to refuse this space")
        return SPACES[kind]

    def _first_of(self, *kinds: str) -> str:
        return next(kind for kind in kinds if kind not in self.refuses)

    def _run(self, kind: str) -> list[Trial]:
        """Return the method's own run on a space, cached per class."""
        space = self._space(kind)
        if kind not in self._runs:
            self._runs[kind] = simulate(self._fresh(), space, bowl(space), self._budget)
        return self._runs[kind]

    def _cuts(self, run: Sequence[Trial]) -> list[int]:
        return sorted({min(n, len(run)) for n in self.phases})

    def _ask(
        self, kind: str, completed: Sequence[Trial], number: int, pending: Sequence[Pending] = ()
    ) -> Config | Answer:
        """Request a proposal from a fresh instance, and check that it is valid."""
        space = self._space(kind)
        method = self._fresh().prepare(space, self._budget)
        answer = method.propose(space, completed, pending, number, proposal_rng(0, number))
        if isinstance(answer, Answer):
            assert answer is DONE or pending, "it answered WAIT with no trial pending"
        else:
            assert space.key(space.canonical(answer)) == space.key(answer), f"{answer} is not canonical"
        return answer


def answer_requests() -> None:
    """Answer, in a separate process, the requests that `MethodContract` sends to standard input."""
    method, budget, requests = pickle.loads(sys.stdin.buffer.read())
    answers = []
    for space, completed, number in requests:
        prepared = method.prepare(space, budget)
        answer = prepared.propose(space, completed, [], number, proposal_rng(0, number))
        answers.append(None if answer is DONE else answer)
    sys.stdout.write(f"\n{json.dumps(answers)}\n")


__all__ = ["MethodContract", "answer_requests"]

# ruff: noqa: S101
"""The symmetries in a method's contract: changes that must, or must not, change the proposals."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from runner.methods.base import Method
from runner.seeds import proposal_rng
from runner.space import Float, Int, Space
from runner.testing.simulation import BRANIN_SPACE, bowl, branin, simulate
from runner.trial import Answer, Config, Outcome, Trial


class Symmetry:
    """Tests of `runner.testing.MethodContract`, which says what the attributes mean."""

    method: ClassVar[Method]
    phases: ClassVar[Sequence[int]]
    refuses: ClassVar[frozenset[str]]
    rival: ClassVar[bool]

    def test_other_names_change_nothing(self) -> None:
        """Renamed parameters, in the same order, get the same values."""
        space = self._square()
        names = dict(zip(space.names, ("p", "q"), strict=True))
        renamed = Space({names[name]: domain for name, domain in space.params})
        for run, n in self._on(space):
            other = [self._moved(trial, space, renamed) for trial in run[:n]]
            answers = self._both(space, renamed, run[:n], other)
            assert list(answers[0].values()) == list(answers[1].values())

    def test_other_ranges_change_nothing(self) -> None:
        """Shifted and scaled ranges get the shifted and scaled values, up to rounding."""
        space, moved = self._square(), self._square(moved=True)
        for run, n in self._on(space):
            other = [self._moved(trial, space, moved) for trial in run[:n]]
            one, two = self._both(space, moved, run[:n], other)
            assert moved.encode(two) == pytest.approx(space.encode(one), abs=1e-3)

    def test_another_unit_of_the_loss_changes_nothing(self) -> None:
        """Losses scaled by a power of 2, which is exact, give the same proposals."""
        space = self._square()
        for run, n in self._on(space):
            other = [dataclasses.replace(t, outcome=in_unit(t.outcome, 2.0**10)) for t in run[:n]]
            one, two = self._both(space, space, run[:n], other)
            assert one == two

    def test_the_order_of_the_parameters_is_no_advantage(self) -> None:
        """On Branin's function, by a rank test of the best losses of 25 trials.

        A method that ignores the order fails with probability 0.001.
        """
        if not self.rival:
            pytest.skip("declared not to be a rival of random search")
        turned = Space(dict(reversed(BRANIN_SPACE.params)))
        bests = [
            [
                min(
                    t.loss
                    for t in simulate(self._fresh(), space, branin, 25, entropy=e)
                    if t.loss is not None
                )
                for e in range(7)
            ]
            for space in (BRANIN_SPACE, turned)
        ]
        assert mannwhitneyu(bests[0], bests[1]).pvalue > 0.001, f"medians {np.median(bests, axis=1)}"

    def _fresh(self) -> Method:
        return type(self.method)(**self.method.settings())

    def _square(self, moved: bool = False) -> Space:
        """Make a space of two parameters; integers for a method that refuses continuous ones."""
        if "one" in self.refuses:
            low, high = (100, -4) if moved else (0, 1)
            return Space({"x": Int(low, low + 9), "y": Int(high, high + 4)})
        if moved:
            return Space({"x": Float(90.0, 490.0), "y": Float(-7.0, -5.0)})
        return Space({"x": Float(-1.0, 3.0), "y": Float(0.0, 1.0)})

    def _on(self, space: Space) -> Iterator[tuple[list[Trial], int]]:
        """Yield the method's own run on a space, with the lengths at which to cut it."""
        run = simulate(self._fresh(), space, bowl(space), max(self.phases))
        yield from ((run, n) for n in sorted({min(n, len(run)) for n in self.phases}))

    def _moved(self, trial: Trial, space: Space, other: Space) -> Trial:
        """Translate a trial to another space of the same shape."""
        config = other.decode(space.encode(trial.config))
        outcome = bowl(other)(config)
        assert isinstance(outcome, Outcome)
        # Both get the same loss, so that rounding of the objective does not matter.
        outcome = dataclasses.replace(outcome, loss=trial.loss, value=trial.outcome.value)
        return dataclasses.replace(trial, config=config, outcome=outcome)

    def _both(
        self, space: Space, other: Space, completed: Sequence[Trial], moved: Sequence[Trial]
    ) -> tuple[Config, Config]:
        """Request proposals for two corresponding histories."""
        answers: list[Config] = []
        for where, trials in ((space, completed), (other, moved)):
            method = self._fresh().prepare(where, max(self.phases) + 3)
            answer = method.propose(where, trials, [], len(trials), proposal_rng(0, len(trials)))
            answers.append({} if isinstance(answer, Answer) else where.canonical(answer))
        assert bool(answers[0]) == bool(answers[1])
        if not answers[0]:  # both are DONE
            answers = [where.decode(np.full(where.d, 0.5)) for where in (space, other)]
        return answers[0], answers[1]


def in_unit(outcome: Outcome, unit: float) -> Outcome:
    """Convert an outcome's loss and gradient to another unit."""
    gradient = outcome.gradient and {name: unit * slope for name, slope in outcome.gradient.items()}
    loss = None if outcome.loss is None else unit * outcome.loss
    return dataclasses.replace(outcome, loss=loss, value=loss, gradient=gradient)

# ruff: noqa: S101
"""The contract of problems, as a pytest class."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import ClassVar

import pytest

from runner.problems.base import Problem
from runner.problems.evaluation import evaluate
from runner.problems.isolation import preserve_generators
from runner.seeds import rng_for, seed_for
from runner.space import Float
from runner.testing.simulation import global_state
from runner.trial import Config, Outcome, Status


class ProblemContract:
    """The contract of a problem; subclass it with ``problem`` and any attributes that differ.

    Attributes
    ----------
    samples : int
        Maximum number of random configs to evaluate in each test.
    tolerance : float
        Tolerance of the loss at a minimiser, relative to the larger of its absolute value and 1; that
        of the gradient is ten times as large, in units of the encoded cube.
    step : float
        Step of the central differences, in the encoded coordinate.
    """

    problem: ClassVar[Problem]
    samples: ClassVar[int] = 20
    tolerance: ClassVar[float] = 1e-5
    step: ClassVar[float] = 1e-5

    def test_it_is_described(self) -> None:
        """It has a name, a space and a direction, and can be evaluated."""
        assert self.problem.name
        assert self.problem.space.d > 0
        assert self.problem.direction in ("minimize", "maximize")
        self.problem.check()

    def test_random_configs_have_a_value(self) -> None:
        """Every config of the space can be evaluated, and is not modified."""
        for config in self._configs():
            before = dict(config)
            outcome = self._evaluate(config)
            assert config == before
            if self.problem.has_gradient:
                assert outcome.gradient is not None

    def test_the_default_lies_in_the_space(self) -> None:
        """The default config can be evaluated."""
        if self.problem.default is None:
            pytest.skip("it declares no default")
        assert self.problem.default in self.problem.space
        self._evaluate(self.problem.default)

    def test_one_seed_gives_one_value(self) -> None:
        """Two evaluations of a config are equal, unless the problem is declared noisy."""
        if self.problem.noisy:
            pytest.skip("it declares noise")
        for config in self._configs(min(self.samples, 3)):
            first, second = self._evaluate(config), self._evaluate(config)
            assert (first.loss, first.test, first.gradient, first.folds, first.steps) == (
                second.loss,
                second.test,
                second.gradient,
                second.folds,
                second.steps,
            )

    def test_it_can_be_stopped_after_any_step(self) -> None:
        """Shares grow with the steps, and a stopped evaluation gives the same losses as a full one."""
        if self.problem.steps == 1:
            pytest.skip("it has one step only")
        shares = [self.problem.share(step) for step in range(1, self.problem.steps + 1)]
        assert all(low < high for low, high in pairwise((0.0, *shares)))
        (config,) = self._configs(1)
        whole, free = self._until(None, config), self._evaluate(config)
        assert whole.status is Status.COMPLETED, whole.error
        assert len(whole.steps) <= self.problem.steps
        assert not whole.steps or whole.steps[-1] == whole.loss
        assert self.problem.noisy or (whole.loss, whole.test) == (free.loss, free.test)
        for step in {1, len(whole.steps) - 1} & set(range(1, len(whole.steps))):
            stopped = self._until(step, config)
            assert (stopped.status, len(stopped.steps)) == (Status.STOPPED, step)
            assert self.problem.noisy or stopped.steps == whole.steps[:step]

    def test_global_generators_stay_as_they_are(self) -> None:
        """An evaluation advances neither Python's nor NumPy's global generator."""
        (config,) = self._configs(1)
        with preserve_generators():
            state = global_state()
            answer = self.problem.evaluate_fully(dict(config), seed_for("problem contract"))
            if isinstance(answer, Iterator):
                deque(answer, maxlen=0)
            assert global_state() == state

    def test_minimisers_reach_the_optimum(self) -> None:
        """Each stated minimiser lies in the space and has the optimum as its value."""
        if not self.problem.minimisers:
            pytest.skip("it declares no minimisers")
        assert self.problem.optimum is not None
        for config in self.problem.minimisers:
            assert config in self.problem.space
            outcome = self._evaluate(config)
            if not self.problem.noisy:
                assert outcome.value == pytest.approx(
                    self.problem.optimum, rel=self.tolerance, abs=self.tolerance
                )

    def test_nothing_is_better_than_the_optimum(self) -> None:
        """No random config has a value better than the optimum."""
        if self.problem.optimum is None or self.problem.noisy:
            pytest.skip("it declares no optimum, or noise, which may pass it")
        sign = -1.0 if self.problem.direction == "maximize" else 1.0
        least = sign * self.problem.optimum
        for config in self._configs():
            loss = self._evaluate(config).loss
            assert loss is not None
            assert loss >= least - self.tolerance * max(1.0, abs(least))

    def test_the_gradient_is_that_of_the_loss(self) -> None:
        """It equals central differences: along random directions, and once in each parameter."""
        if not self.problem.has_gradient or self.problem.noisy:
            pytest.skip("it declares no gradient, or noise, which differences would magnify")
        rng = rng_for("problem contract", "directions", self.problem.name)
        compared = 0
        for config in self._configs(min(self.samples, 5)):
            gradient = self._evaluate(config).gradient or {}
            columns = self._columns(config, gradient)
            ways = [{column: float(rng.standard_normal()) for column in columns}]
            ways += [{column: 1.0} for column in columns] if not compared else []
            for way in ways if columns else []:
                low, high = self._ends(config, way)
                rise = (self._evaluate(high).loss or 0.0) - (self._evaluate(low).loss or 0.0)
                names = [self.problem.space.dimensions[column][0] for column in way]
                predicted = 0.0
                for name in names:
                    predicted += gradient[name] * (float(high[name]) - float(low[name]))  # type: ignore[arg-type]
                scale = max(2 * self.step, abs(rise))  # a slope of at least 1 per range
                assert predicted == pytest.approx(rise, abs=10 * self.tolerance * scale), names
                compared += 1
        assert compared, "no gradient of a continuous parameter was reported"

    def _configs(self, count: int | None = None) -> Iterator[Config]:
        rng = rng_for("problem contract", self.problem.name)
        return (self.problem.space.sample(rng) for _ in range(count or self.samples))

    def _columns(self, config: Config, gradient: Mapping[str, float]) -> list[int]:
        """List the columns of the continuous parameters with a gradient."""
        active = self.problem.space.active(config)
        return [
            column
            for column, (name, domain) in enumerate(self.problem.space.dimensions)
            if active[column] and name in gradient and isinstance(domain, Float) and domain.step is None
        ]

    def _ends(self, config: Config, way: Mapping[int, float]) -> tuple[Config, Config]:
        """Move a config by a step down and up along a direction."""
        row, ends = self.problem.space.encode(config), []
        for step in (-self.step, self.step):
            moved = dict(config)
            for column, size in way.items():
                name, domain = self.problem.space.dimensions[column]
                moved[name] = domain.decode(min(max(row[column] + step * size, 0.0), 1.0))
            ends.append(moved)
        return ends[0], ends[1]

    def _until(self, last: int | None, config: Config) -> Outcome:
        """The outcome under a scheduler that stops it after a step, or not at all."""
        with preserve_generators():
            return evaluate(
                self.problem, config, seed_for("problem contract"), stops=lambda step, _: step == last
            )

    def _evaluate(self, config: Config) -> Outcome:
        with preserve_generators():
            outcome = evaluate(self.problem, config, seed_for("problem contract"))
        assert outcome.status is Status.COMPLETED, f"{config}: {outcome.error}"
        assert outcome.loss is not None
        return outcome

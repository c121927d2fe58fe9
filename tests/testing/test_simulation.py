"""The contracts catch what they are there for: each bad method fails the law that it breaks."""

import random
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from _pytest.outcomes import Failed

from runner.errors import MethodError, SpaceError
from runner.methods import Exhaustive, Method, Random
from runner.methods.exhaustive import walk
from runner.problems.base import Problem, problem
from runner.seeds import rng_for, run_entropy
from runner.space import Choice, Float, Int, Space
from runner.testing import BRANIN_SPACE, SPACES, MethodContract, ProblemContract, bowl, branin, simulate
from runner.trial import DONE, WAIT, Outcome, Status


@dataclass(frozen=True)
class Bad(Method):
    """Random search with one fault; calls are what it must not remember."""

    name = "bad"
    summary = "for tests"
    reference = "none"

    def propose(self, space, completed, pending, number, rng):
        return space.sample(rng)


class Unseeded(Bad):
    def propose(self, space, completed, pending, number, rng):
        return space.decode([random.random() for _ in range(space.d)])


class Numpy(Bad):
    def propose(self, space, completed, pending, number, rng):
        np.random.rand()  # noqa: NPY002
        return space.sample(rng)


class Deaf(Bad):
    def propose(self, space, completed, pending, number, rng):
        return space.decode(np.full(space.d, 0.4))


class Sorting(Bad):
    def propose(self, space, completed, pending, number, rng):
        completed.sort(key=lambda trial: trial.loss or 0.0)
        return space.sample(rng)


class Remembering(Bad):
    def propose(self, space, completed, pending, number, rng):
        calls = self.__dict__.setdefault("calls", [])
        calls.append(number)
        rng = rng_for(run_entropy(rng), len(calls))
        return space.sample(rng)


class Hashing(Bad):
    def propose(self, space, completed, pending, number, rng):
        return space.sample(rng_for(run_entropy(rng), number, hash("x")))


class Waiting(Bad):
    def propose(self, space, completed, pending, number, rng):
        return WAIT if number > 2 else space.sample(rng)


class Fragile(Bad):
    def propose(self, space, completed, pending, number, rng):
        if completed:
            min(trial.loss for trial in completed if trial.loss is not None)
        return space.sample(rng)


class Outside(Bad):
    def propose(self, space, completed, pending, number, rng):
        return {name: np.float64(v) if isinstance(v, float) else v for name, v in space.sample(rng).items()}


class Worst(Bad):
    def propose(self, space, completed, pending, number, rng):
        # A hundredth of the square, around a point that is far from all minimisers.
        return space.decode(0.1 * rng.random(space.d))


class Slow(Bad):
    def propose(self, space, completed, pending, number, rng):
        time.sleep(0.03 if len(completed) > 90 else 0.0)
        return space.sample(rng)


class Reviving(Bad):
    def propose(self, space, completed, pending, number, rng):
        size = int(space.size())
        return walk(space, number % (size + 1), rng)


FAULTS = [
    (Unseeded, "test_what_it_is_given_stays_as_it_is", ()),
    (Numpy, "test_what_it_is_given_stays_as_it_is", ()),
    (Sorting, "test_what_it_is_given_stays_as_it_is", ()),
    (Deaf, "test_another_seed_gives_another_run", ()),
    (Unseeded, "test_a_run_cut_anywhere_goes_on_the_same", ("mixed",)),
    (Remembering, "test_a_run_cut_anywhere_goes_on_the_same", ("mixed",)),
    (Hashing, "test_a_fresh_process_answers_the_same", ()),
    (Fragile, "test_takes_any_history", ("mixed", "all failed")),
    (Outside, "test_proposes_python_scalars_inside_the_space", ("mixed",)),
    (Bad, "test_ends_when_a_finite_space_does", ("finite",)),
    (Deaf, "test_does_not_propose_what_is_pending", ()),
    (Reviving, "test_ends_when_a_finite_space_does", ("finite",)),
    (Worst, "test_is_not_worse_than_random_search", ()),
    (Slow, "test_proposes_in_time", ()),
    (Exhaustive, "test_refuses_exactly_what_it_declares", ("floats",)),
    (Waiting, "test_proposes_python_scalars_inside_the_space", ("mixed",)),
]


@pytest.mark.parametrize("fault, law, arguments", FAULTS, ids=lambda x: getattr(x, "__name__", ""))
def test_a_bad_method_fails_its_law(fault, law, arguments):
    class Suite(MethodContract):
        method = fault()
        most_seconds = 0.02

    with pytest.raises((AssertionError, Failed, MethodError, ValueError)):
        getattr(Suite(), law)(*arguments)


def test_refusing_a_space_must_be_declared():
    class Suite(MethodContract):
        method = Random()
        refuses = frozenset({"one"})

    with pytest.raises(Failed):
        Suite().test_refuses_exactly_what_it_declares("one")


# -- simulate -------------------------------------------------------------------------------------


class Diary(Method):
    """Proposes like random search, and keeps what it was shown outside of itself."""

    name = summary = reference = "diary"
    shown: ClassVar = []

    def propose(self, space, completed, pending, number, rng):
        self.shown.append((number, [t.number for t in completed], [t.number for t in pending]))
        return space.sample(rng)


@pytest.mark.parametrize("parallel", [1, 3, 50])
def test_a_proposal_knows_what_law_two_says(parallel):
    Diary.shown.clear()
    run = simulate(Diary(), SPACES["one"], bowl(SPACES["one"]), 12, parallel)
    for number, completed, pending in Diary.shown:
        known = max(0, number - parallel + 1)
        assert completed == list(range(known))
        assert pending == list(range(known, number))
    assert [trial.known for trial in run] == [len(completed) for _, completed, _ in Diary.shown]


class Patient(Diary):
    """Waits for the results of numbers 2, 3 and 4 before it proposes the next."""

    def propose(self, space, completed, pending, number, rng):
        if 3 <= number <= 5 and len(completed) < number:
            return WAIT
        return super().propose(space, completed, pending, number, rng)


def test_who_waits_is_shown_the_oldest_result_and_forgets_nothing():
    Diary.shown.clear()
    simulate(Patient(), SPACES["one"], bowl(SPACES["one"]), 9, parallel=4)
    assert [len(completed) for _, completed, _ in Diary.shown] == [0, 0, 0, 3, 4, 5, 5, 5, 5]


def test_simulate_turns_answers_into_outcomes():
    space = Space({"n": Int(0, 3)})
    losses = [1.0, float("nan"), float("inf"), Outcome(Status.CRASHED, error="It crashed.")]
    run = simulate(Exhaustive(), space, lambda config: losses[config["n"]], 9)
    by_value = {trial.config["n"]: trial for trial in run}
    assert [by_value[n].status for n in range(4)] == ["COMPLETED", "INVALID", "INVALID", "CRASHED"]
    assert [by_value[n].loss for n in range(4)] == [1.0, None, None, None]
    assert len(run) == 4


class Stray(Bad):
    def propose(self, space, completed, pending, number, rng):
        return DONE if number else {"no such": 1}


def test_simulate_refuses_proposals_outside_the_space():
    with pytest.raises(SpaceError):
        simulate(Stray(), SPACES["one"], bowl(SPACES["one"]), 3)


# -- what it runs on ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SPACES)
def test_a_bowl_has_the_gradient_that_it_says(kind):
    space, rng = SPACES[kind], np.random.default_rng(0)
    objective = bowl(space)
    for _ in range(5):
        config = space.sample(rng)
        outcome = objective(config)
        for name, slope in outcome.gradient.items():
            step = 1e-6 * abs(config[name])
            rise = (
                objective({**config, name: config[name] + step}).loss
                - objective({**config, name: config[name] - step}).loss
            )
            assert rise / (2 * step) == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_branin_has_three_minimisers_and_its_gradient():
    for x, y in ((-np.pi, 12.275), (np.pi, 2.275), (9.42478, 2.475)):
        outcome = branin({"x": x, "y": y})
        assert outcome.loss == pytest.approx(0.397887, abs=1e-5)
        assert outcome.gradient == pytest.approx({"x": 0.0, "y": 0.0}, abs=1e-3)
    rng = np.random.default_rng(1)
    for _ in range(20):
        config = BRANIN_SPACE.sample(rng)
        for name in "xy":
            low, high = ({**config, name: config[name] + h} for h in (-1e-5, 1e-5))
            slope = (branin(high).loss - branin(low).loss) / 2e-5
            assert branin(config).gradient[name] == pytest.approx(slope, rel=1e-4, abs=1e-4)


# -- the contract of problems ---------------------------------------------------------------------

LINE = {"x": Float(-2.0, 2.0), "c": Choice(["a", "b"])}


def valley(config):
    return {"loss": (config["x"] - 1) ** 2, "gradient": {"x": 2 * (config["x"] - 1)}}


def made(function, **given):
    """A problem whose default and minimisers are not looked at when it is made."""
    options = {"has_gradient": True, "optimum": 0.0, **given}
    default = options.pop("default", {"x": 0.0, "c": "a"})
    minimisers = options.pop("minimisers", ({"x": 1.0, "c": "a"},))
    result = problem(LINE, **options)(function)
    result.default, result.minimisers = default, minimisers
    return result


class TestValley(ProblemContract):
    problem = made(valley)


class TestHill(ProblemContract):
    problem = made(
        lambda c: {"loss": -((c["x"] - 1) ** 2), "gradient": {"x": -2 * (c["x"] - 1)}},
        name="hill",
        direction="maximize",
    )


def descends(config):
    for step in (1.0, 0.5, 0.0):
        yield {"loss": (config["x"] - 1) ** 2 + step, "gradient": {"x": 2 * (config["x"] - 1)}}


class TestDescent(ProblemContract):
    problem = made(descends, steps=3)


class Shrinking(Problem):
    """Says that later steps have spent less."""

    name, space, steps = "shrinking", Space(LINE), 3

    def evaluate(self, config, seed):
        yield from (3.0, 2.0, 1.0)

    def share(self, step):
        return 1 / step


class Whimsical(Shrinking):
    """Is another problem where it may be stopped."""

    share = Problem.share

    def evaluate_fully(self, config, seed):
        return 7.0


class Moving(Problem):
    name, space = "moving", Space(LINE)

    def evaluate(self, config, seed):
        config["x"] = np.random.rand()  # noqa: NPY002
        return config["x"]


@pytest.mark.parametrize(
    "bad, law",
    [
        (made(lambda c: float("nan")), "test_random_configs_have_a_value"),
        (made(lambda c: c["x"] ** 2), "test_random_configs_have_a_value"),
        (made(lambda c: {"loss": 1.0, "gradient": {"x": 0.5}}), "test_the_gradient_is_that_of_the_loss"),
        (made(lambda c: {"loss": c["x"], "gradient": {}}), "test_the_gradient_is_that_of_the_loss"),
        (made(valley, optimum=0.5), "test_nothing_is_better_than_the_optimum"),
        (made(valley, optimum=-0.5), "test_minimisers_reach_the_optimum"),
        (made(valley, minimisers=({"x": 9.0, "c": "a"},)), "test_minimisers_reach_the_optimum"),
        (made(valley, default={"x": 0.0}), "test_the_default_lies_in_the_space"),
        (Shrinking(), "test_it_can_be_stopped_after_any_step"),
        (Whimsical(), "test_it_can_be_stopped_after_any_step"),
        (made(descends, steps=2), "test_it_can_be_stopped_after_any_step"),
        (Moving(), "test_global_generators_stay_as_they_are"),
    ],
)
def test_a_bad_problem_fails_its_law(bad, law):
    class Suite(ProblemContract):
        problem = bad

    with pytest.raises(AssertionError):
        getattr(Suite(), law)()


WITHOUT_PYTEST = """
import sys
for name in ("pytest", "_pytest"):
    sys.modules[name] = None  # an import of it is a ModuleNotFoundError
from runner.testing import BRANIN_SPACE, branin, simulate
from runner.methods import Random
assert len(simulate(Random(), BRANIN_SPACE, branin, 3)) == 3
import runner.testing
for name in ("MethodContract", "ProblemContract"):
    try:
        getattr(runner.testing, name)
    except ModuleNotFoundError as error:
        print(error)
"""


def test_simulate_needs_no_pytest_and_the_contracts_say_that_they_do():
    done = subprocess.run([sys.executable, "-c", WITHOUT_PYTEST], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"{name} is a class of pytest tests, and pytest is not installed. Run: pip install pytest."
        for name in ("MethodContract", "ProblemContract")
    ]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(ImportError, match="cannot import name 'Contract'"):
        from runner.testing import Contract  # noqa: F401

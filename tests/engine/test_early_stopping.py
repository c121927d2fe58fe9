"""What stops a trial early: the same as Ray's scheduler, and nothing but the history."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule

from runner.engine.early_stopping import Stopper, needs, stopper_maker
from runner.seeds import rng_for
from runner.study.file import SchedulerSettings
from runner.testing.simulation import global_state

SETTINGS = [
    {"name": "asha"},
    {"name": "asha", "grace": 2, "reduction": 2.0},
    {"name": "asha", "grace": 3, "reduction": 1.5},
    {"name": "asha", "reduction": 1.1},
    {"name": "median"},
    {"name": "median", "grace": 3, "least": 1},
    {"name": "median", "grace": 2, "least": 6},
]
# Few values, so that there are ties.
LOSS = st.sampled_from([-1.0, 0.0, 0.1, 0.2, 0.3, 5.0]) | st.floats(-100, 100)


def scheduler(settings):
    return SchedulerSettings(**settings)


class RaysTrial:
    """What Ray's schedulers look at."""

    def __init__(self, number):
        self.trial_id = f"t{number}"


class RaysController:
    def get_live_trials(self):
        return []


def rays_own(settings, steps, known, own):
    """The step at which Ray's scheduler stops a trial, told of everything in the order of numbers."""
    s = scheduler(settings)
    common = {
        "time_attr": "training_iteration",
        "metric": "loss",
        "mode": "min",
        "grace_period": s.grace,
    }
    if s.name == "asha":
        rays = AsyncHyperBandScheduler(max_t=steps, reduction_factor=s.reduction, brackets=1, **common)
    else:
        rays = MedianStoppingRule(min_samples_required=s.least, **common)
    controller = RaysController()
    for number, losses in enumerate([*known, own]):
        trial = RaysTrial(number)
        rays.on_trial_add(controller, trial)
        for step, loss in enumerate(losses[: steps - 1], 1):
            result = {"training_iteration": step, "loss": loss}
            decision = rays.on_trial_result(controller, trial, result)
            if decision == "STOP" and losses is own:
                return step
            if decision == "STOP" and s.name == "median":
                # Ray asks nothing more of it; here it went on, since its own history was shorter.
                rays._stopped_trials.discard(trial)
    return None


def stopped_at(settings, steps, known, own):
    stopper = Stopper(scheduler(settings), steps, known)
    for step, loss in enumerate(own, 1):
        if stopper(step, loss):
            return step
    return None


@pytest.mark.parametrize("settings", SETTINGS, ids=json.dumps)
@given(data=st.data())
def test_it_decides_as_rays_scheduler_does(settings, data):
    steps = data.draw(
        st.integers(4, 10) | st.just(40)
    )  # past 10 steps, rungs at 1.1 apart are skipped and entered later
    known = data.draw(st.lists(st.lists(LOSS, min_size=1, max_size=steps), max_size=12))
    own = data.draw(st.lists(LOSS, min_size=steps, max_size=steps))
    assert stopped_at(settings, steps, known, own) == rays_own(settings, steps, known, own)


@pytest.mark.parametrize("settings", SETTINGS, ids=json.dumps)
def test_it_stops_the_hopeless_and_not_the_best(settings):
    rng = rng_for("stopper", json.dumps(settings))
    known = [list(rng.uniform(1.0, 2.0) + 1.0 / np.arange(1, 9)) for _ in range(20)]
    assert stopped_at(settings, 8, known, [9.0] * 8) == scheduler(settings).grace
    assert stopped_at(settings, 8, known, [0.0] * 8) is None
    assert stopped_at(settings, 8, [], [9.0] * 8) is None


@pytest.mark.parametrize("settings", SETTINGS, ids=json.dumps)
@given(data=st.data())
def test_only_what_is_needed_is_looked_at(settings, data):
    steps = data.draw(st.integers(2, 9))
    known = data.draw(st.lists(st.lists(LOSS, min_size=1, max_size=steps), max_size=8))
    own = data.draw(st.lists(LOSS, min_size=steps, max_size=steps))
    at = needs(scheduler(settings), steps)
    thin = [
        [x if k in at else 7.0 for k, x in enumerate(losses, 1)][: max(at, default=0)] for losses in known
    ]
    found = stopped_at(settings, steps, known, own)
    assert found == stopped_at(settings, steps, thin, own)
    assert found is None or found in at


@pytest.mark.parametrize(
    "settings, steps, at",
    [
        ({"name": "asha"}, 5, (1, 3)),
        ({"name": "asha", "reduction": 2}, 9, (1, 2, 4, 8)),
        ({"name": "asha", "reduction": 2}, 8, (1, 2, 4)),  # at the last step nothing is asked
        ({"name": "asha", "reduction": 2.5}, 10, (1, 3, 7)),
        ({"name": "asha", "grace": 2}, 10, (2, 6)),
        ({"name": "median", "grace": 2}, 5, (2, 3, 4)),
        ({"name": "median", "grace": 5}, 5, ()),
        ({"name": "asha", "grace": 7}, 5, ()),
        ({"name": "asha"}, 1, ()),
        ({"name": "none"}, 5, ()),
    ],
)
def test_what_is_needed(settings, steps, at):
    assert needs(scheduler(settings), steps) == at
    known = [[0.0] * steps] * 9
    assert stopped_at(settings, steps, known, [1.0] * steps) == (at[0] if at else None)


@pytest.mark.parametrize("settings", SETTINGS, ids=json.dumps)
def test_other_trials_make_no_difference(settings):
    """Stoppers of several runs are asked in turns; each answers as if it were alone."""
    rng = rng_for("turns")
    known = [rng.uniform(size=(7, 6)).tolist() for _ in range(6)]
    own = rng.uniform(size=(6, 6)).tolist()
    alone = [[Stopper(scheduler(settings), 6, known[i])(k, x) for k, x in [(1, own[i][0])]] for i in range(6)]
    make = stopper_maker(scheduler(settings), [6])
    stoppers = [make(0, known[i]) for i in range(6)]
    for i in rng.permutation(6):
        assert [stoppers[i](1, own[i][0])] == alone[i]
    for order in (known[0], known[0][::-1]):
        assert stopped_at(settings, 6, order, own[0]) == stopped_at(settings, 6, known[0], own[0])


@pytest.mark.parametrize("settings", SETTINGS, ids=json.dumps)
def test_a_step_without_a_number_counts_as_the_worst(settings):
    for bad in (math.nan, math.inf):
        known = [[bad] * 5] * 6
        assert stopped_at(settings, 6, known, [1e9] * 6) is None
        assert stopped_at(settings, 6, [[0.0] * 6] * 90 + known, [1e9] * 6) == scheduler(settings).grace
    back = json.loads(json.dumps([[0.5, math.nan], [0.25]]))
    assert stopped_at(settings, 6, back, [0.0] * 6) is None


@pytest.mark.parametrize("settings", SETTINGS, ids=json.dumps)
def test_the_global_generators_stay_as_they_are(settings):
    state = global_state()
    stopped_at(settings, 5, [[1.0] * 5] * 4, [2.0] * 5)
    assert global_state() == state


def test_each_problem_has_its_own_number_of_steps():
    make = stopper_maker(scheduler({"name": "asha", "grace": 2}), [2, 5, 1])
    known = [[0.0, 0.0]] * 5
    assert [make(position, known)(2, 1.0) for position in range(3)] == [False, True, False]


NO_RAY = """
import sys
sys.modules["ray"] = None
from runner.engine.early_stopping import Stopper
from runner.study.file import SchedulerSettings
assert Stopper(SchedulerSettings(name="asha"), 3, [[0.0, 0.0, 0.0]])(1, 1.0)
"""


def test_it_needs_no_ray():
    subprocess.run([sys.executable, "-c", NO_RAY], check=True)

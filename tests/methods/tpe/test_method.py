import json
import logging
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import hyperopt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import MethodError
from runner.methods.base import make_method
from runner.methods.random_search import Random, sobol_row
from runner.methods.tpe.method import TPE
from runner.seeds import proposal_rng, seed_for
from runner.space import Choice, Float, Int, Space
from runner.space.formats import encoded_hyperopt, hyperopt_config, hyperopt_values
from runner.trial import DONE, Outcome, Pending, Status, Trial

TREE = Space(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "drop": Float(0.0, 0.5, step=0.1),
        "width": Int(1, 64, log=True),
        "model": Choice(
            {
                "svm": {"C": Float(0.0, 1.0), "kernel": Choice(["rbf", "linear"])},
                "forest": {"C": Float(0.0, 1.0), "depth": Int(1, 9)},
                "ridge": {"C": Float(0.0, 2.0)},
                None: {},
            }
        ),
        "bias": Choice([True, 1, "1"]),
    },
    forbid=[{"drop": 0.3, "bias": True}, {"model": "svm", "kernel": "linear"}],
)
PLANE = Space({"x": Float(-5.0, 10.0), "y": Float(0.0, 15.0)})
METHODS = [TPE(startup=3), TPE(startup=3, flavour="hyperopt"), TPE(startup=3, flavour="anneal")]


def loss_of(config):
    return math.log10(config["lr"]) ** 2 + config["width"] / 64 + config.get("C", 0.5)


def branin(config):
    x, y = config["x"], config["y"]
    curve = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return curve**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def ended(number, config, loss, status=Status.COMPLETED):
    return Trial(number, config, Outcome(status, loss))


def failed(number, config):
    return Trial(number, config, Outcome(Status.FAILED, error="it failed"))


def run(method, space, objective, trials, entropy=1):
    """The trials of a sequential run; an objective may give None for a failure."""
    done = []
    for number in range(trials):
        config = method.propose(space, done, [], number, proposal_rng(entropy, number))
        loss = objective(config)
        done.append(failed(number, config) if loss is None else ended(number, config, loss))
    return done


def configs(trials):
    return [trial.config for trial in trials]


@pytest.mark.parametrize("method", METHODS)
def test_proposals_are_configs_of_the_space(method):
    for trial in run(method, TREE, loss_of, 40):
        assert TREE.canonical(trial.config) == trial.config
        assert all(value is None or type(value) in (str, bool, int, float) for value in trial.config.values())


@pytest.mark.parametrize("method", METHODS)
def test_fresh_instances_and_replayed_histories_answer_the_same(method):
    done = run(method, TREE, loss_of, 25)
    for number in (0, 2, 3, 10, 24):
        # Copies of everything, in a run of another name: no memo can help.
        history = [ended(t.number, dict(t.config), t.loss) for t in done[:number]]
        fresh = type(method)(**method.settings())
        rng = np.random.default_rng(np.random.SeedSequence(1, spawn_key=(number,)))
        assert fresh.propose(TREE, history, [], number, rng) == done[number].config


def test_two_runs_of_one_entropy_do_not_disturb_each_other():
    method = TPE(startup=3)
    first, second = run(method, TREE, loss_of, 12), run(method, TREE, lambda c: -loss_of(c), 12)
    rng = proposal_rng(1, 12)
    again = method.propose(TREE, first, [], 12, rng)
    assert again == method.propose(TREE, first, [], 12, proposal_rng(1, 12))
    assert again != method.propose(TREE, second, [], 12, proposal_rng(1, 12))


@pytest.mark.parametrize("flavour", ["multivariate", "hyperopt", "anneal"])
def test_another_process_with_another_hash_seed_answers_the_same(flavour):
    script = (
        "import json; import test_method as t; "
        f"print(json.dumps(t.configs(t.run(t.TPE(startup=3, flavour={flavour!r}), t.TREE, t.loss_of, 12))))"
    )
    here = configs(run(TPE(startup=3, flavour=flavour), TREE, loss_of, 12))
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    there = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(there.stdout) == here
    assert there.stderr == ""


@pytest.mark.parametrize("method", METHODS)
def test_seeds_matter_and_global_generators_do_not(method):
    done = run(method, TREE, loss_of, 8)
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    one = method.propose(TREE, done, [], 8, proposal_rng(1, 8))
    assert random.getstate() == python_state
    for before, after in zip(numpy_state, np.random.get_state(), strict=True):  # noqa: NPY002
        assert np.array_equal(before, after)
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    assert method.propose(TREE, done, [], 8, proposal_rng(1, 8)) == one
    assert method.propose(TREE, done, [], 8, proposal_rng(2, 8)) != one


def test_it_says_nothing(caplog, capfd):
    root = list(logging.getLogger().handlers)
    with caplog.at_level(logging.DEBUG):
        run(TPE(startup=2), TREE, loss_of, 6)
        run(TPE(startup=2, flavour="hyperopt"), TREE, loss_of, 6)
        run(TPE(startup=2, flavour="anneal"), TREE, loss_of, 6)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
    assert [handler for handler in logging.getLogger().handlers if handler in root] == root


# -- start-up, pending, failures -----------------------------------------------------------------


@pytest.mark.parametrize("flavour, startup", [("hyperopt", 20), ("anneal", 10)])
def test_startup_is_the_random_methods(flavour, startup):
    theirs = configs(run(Random(), TREE, loss_of, startup + 2))
    mine = configs(run(TPE(flavour=flavour), TREE, loss_of, startup + 2))
    assert mine[:startup] == theirs[:startup]
    assert mine[startup:] != theirs[startup:]


def test_startup_is_a_sobol_sequence():
    mine = configs(run(TPE(), PLANE, branin, 12))
    theirs = [PLANE.decode(sobol_row(2, i, 1)) for i in range(12)]
    assert mine[:10] == theirs[:10]
    assert mine[10:] != theirs[10:]


@pytest.mark.parametrize("results", [0, 9])
def test_pending_trials_do_not_end_the_startup(results):
    """With any number of asks outstanding and few results it keeps to the start."""
    done = run(Random(), PLANE, branin, results)
    pending = []
    for number in range(results, 60):
        config = TPE(startup=10).propose(PLANE, done, pending, number, proposal_rng(1, number))
        assert config == PLANE.decode(sobol_row(2, number, 1))
        pending.append(Pending(number, config))


def near(configs_, x, radius=1.5):
    return np.mean([abs(config["x"] - x) < radius for config in configs_])


def test_pending_trials_repel_and_are_never_taken_for_good_ones():
    rng = np.random.default_rng(0)
    # Ten results whose best are near x = 6, and 300 pending trials near x = -3.
    done = [ended(i, {"x": 6.0 + i / 10, "y": 1.5 * i}, float(i)) for i in range(10)]
    pending = [
        Pending(10 + i, {"x": float(rng.uniform(-4, -2)), "y": float(rng.uniform(0, 15))}) for i in range(300)
    ]
    number = 310
    asked = [
        TPE(startup=10).propose(PLANE, done, pending, number, proposal_rng(seed, number))
        for seed in range(40)
    ]
    # Uniform draws are within 1.5 of -3 with probability 0.2; were pending trials good, nearly all.
    # The chance that 40 uniform draws give at most 2 is 0.8 %.
    assert near(asked, -3.0) <= 2 / 40
    # and within 1.5 of 6.4 with probability 0.2: 20 or more of 40 by luck has probability 3e-5.
    assert near(asked, 6.4) >= 0.5


@pytest.mark.parametrize("method", METHODS)
def test_parallel_proposals_differ(method):
    done = run(method, PLANE, branin, 12)
    pending = []
    for number in range(12, 28):
        config = method.propose(PLANE, done, pending, number, proposal_rng(1, number))
        pending.append(Pending(number, config))
    assert len({PLANE.key(trial.config) for trial in pending}) == 16


def test_where_all_trials_fail_it_goes_on_as_it_began():
    done = run(TPE(startup=5, flavour="anneal"), TREE, lambda config: None, 15)
    assert configs(done) == configs(run(Random(), TREE, loss_of, 15))
    done = run(TPE(startup=5), PLANE, lambda config: None, 15)
    assert configs(done) == [PLANE.decode(sobol_row(2, i, 1)) for i in range(15)]


@pytest.mark.parametrize("method", METHODS)
def test_failures_are_avoided(method):
    """Half of the plane fails; elsewhere the loss does not depend on x."""
    share = []
    for seed in range(3):
        done = run(method, PLANE, lambda c: None if c["x"] < 2.5 else c["y"], 50, entropy=seed)
        share += [not trial.valid for trial in done[10:]]
    # Without learning 120 proposals fail with probability 1/2: under 40 % by luck has probability 1 %.
    assert np.mean(share) < 0.4


def test_failures_belong_to_the_rest():
    """A failure at a place lowers the density ratio there, where dropping it would not."""
    done = [ended(i, {"x": -4.0 + 1.4 * i, "y": 1.5 * i}, float(i % 3)) for i in range(10)]
    rng = np.random.default_rng(0)
    bad = [
        failed(10 + i, {"x": float(rng.uniform(-5, 0)), "y": float(rng.uniform(0, 15))}) for i in range(60)
    ]
    left = [
        [
            TPE(startup=5).propose(PLANE, history, [], 70, proposal_rng(seed, 70))["x"] < 0
            for seed in range(60)
        ]
        for history in (done, done + bad)
    ]
    # Equal shares p of 60 each differ by 0.25 or more with probability under 0.4 %.
    assert np.mean(left[0]) - np.mean(left[1]) > 0.25


def test_a_stopped_trial_is_no_good_one():
    losses = [float(i) for i in range(12)]
    done = [
        ended(i, {"x": -5 + 1.2 * i, "y": i}, loss, Status.COMPLETED if i > 5 else Status.STOPPED)
        for i, loss in enumerate(losses)
    ]
    same = [failed(t.number, t.config) if t.status is Status.STOPPED else t for t in done]
    answers = [
        TPE(startup=3).propose(PLANE, history, [], 12, proposal_rng(1, 12)) for history in (done, same)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("objective", [lambda c: 0.0, lambda c: -1e300, lambda c: 1e308 * (c["width"] > 8)])
def test_flat_and_huge_losses(method, objective):
    assert len({TREE.key(trial.config) for trial in run(method, TREE, objective, 20)}) > 10


@pytest.mark.parametrize("method", METHODS)
def test_trials_of_others_are_used(method):
    rng = np.random.default_rng(3)
    others = [(c := TREE.sample(rng)) and ended(i - 20, c, loss_of(c)) for i in range(20)]
    first = method.propose(TREE, others, [], 0, proposal_rng(1, 0))
    assert TREE.canonical(first) == first
    first_of_start = TPE(flavour=method.flavour).propose(TREE, [], [], 0, proposal_rng(1, 0))
    assert first != first_of_start  # the start-up is over


# -- finite spaces -------------------------------------------------------------------------------


def exhausted(method, space, pending_only, entropy):
    known, size = [], int(space.size())
    for number in range(size):
        done = [] if pending_only else known
        pending = [Pending(t.number, t.config) for t in known] if pending_only else []
        config = method.propose(space, done, pending, number, proposal_rng(entropy, number))
        known.append(ended(number, space.canonical(config), float(number % 3)))
    assert len({space.key(trial.config) for trial in known}) == size
    for number in (size, size + 1):
        assert method.propose(space, known, [], number, proposal_rng(entropy, number)) is DONE


@settings(max_examples=25, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    options=st.integers(1, 3),
    high=st.integers(1, 3),
    forbid=st.booleans(),
    pending_only=st.booleans(),
    entropy=st.integers(0, 2**64),
)
def test_a_finite_space_is_exhausted_and_then_done(method, options, high, forbid, pending_only, entropy):
    branch = {"n": Int(0, high), "k": Choice([1, 1.0])}
    space = Space(
        {"a": Choice({i: branch if i == 1 else {} for i in range(options)})},
        forbid=[{"a": 0}] if forbid and options > 1 else [],
    )
    exhausted(method, space, pending_only, entropy)


def test_known_configs_are_drawn_again_in_discrete_branches_too():
    space = Space({"a": Choice({"off": {}, "on": {"x": Float(0, 1)}})})
    done = run(TPE(startup=2), space, lambda c: c["a"] == "on", 30)
    assert sum(trial.config["a"] == "off" for trial in done) < 5


def test_more_branches_than_can_be_listed():
    space = Space({f"p{i}": Choice({0: {}, 1: {f"q{i}": Choice([0, 1])}}) for i in range(14)})
    done = run(TPE(startup=2), space, lambda c: sum(c.values()), 6)
    assert [space.canonical(config) for config in configs(done)] == configs(done)


# -- quality -------------------------------------------------------------------------------------


def test_better_than_random_on_branin():
    wins = []
    for seed in range(16):
        entropy = seed_for("branin", seed, bits=128)
        best = [
            min(trial.loss for trial in run(method, PLANE, branin, 60, entropy))
            for method in (TPE(), Random())
        ]
        wins.append(best[0] < best[1])
    # A method no better than random wins 12 or more of 16 with probability 3.8 %.
    assert sum(wins) >= 12


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "domain", [Int(1, 40), Int(1, 8, log=True), Int(0, 30, step=10), Float(-1, 1, step=0.125)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_both_ends_of_a_range_are_found(method, domain, sign):
    space = Space({"p": domain, "other": Float(0, 1)})
    done = run(method, space, lambda config: sign * config["p"], 40)
    # Of 40 levels, 40 random draws miss a given one with probability 0.36.
    assert min(sign * t.config["p"] for t in done) == (domain.low if sign == 1 else -domain.high)


def test_the_ends_of_a_continuum_are_approached():
    space = Space({"p": Float(1e-6, 1.0, log=True)})
    for sign, end in ((1, 1e-6), (-1, 1.0)):
        done = run(TPE(), space, lambda config, sign=sign: sign * config["p"], 60)
        best = min(done, key=lambda trial: trial.loss).config["p"]
        assert abs(math.log10(best / end)) < 0.06


# -- settings ------------------------------------------------------------------------------------


def test_settings():
    method = make_method("tpe", {"gamma": 0.5, "flavour": "anneal"})
    assert method == TPE(gamma=0.5, flavour="anneal")
    assert method.settings() == {"flavour": "anneal", "startup": None, "gamma": 0.5, "candidates": None}


def test_plain_hyperopt_is_the_packages_own():
    """The same proposal as ``tpe.suggest`` with its own defaults makes of the same results."""
    done = run(Random(), PLANE, branin, 30)
    number, space = 30, encoded_hyperopt(PLANE)
    domain = hyperopt.Domain(dict, space, pass_expr_memo_ctrl=False)
    documents = [
        {
            "tid": t.number,
            "state": hyperopt.JOB_STATE_DONE,
            "spec": None,
            "result": {"loss": t.loss, "status": "ok"},
            "misc": {
                "tid": t.number,
                "idxs": {label: [t.number] for label in domain.params},
                "vals": {label: [value] for label, value in hyperopt_values(PLANE, t.config).items()},
            },
        }
        for t in done
    ]
    trials = hyperopt.trials_from_docs(documents, validate=False)
    seed = int(proposal_rng(1, number).integers(2**32))
    (found,) = hyperopt.tpe.suggest([number], domain, trials, seed, verbose=False)
    values = {label: drawn[0] for label, drawn in found["misc"]["vals"].items()}
    method = TPE(flavour="hyperopt")
    assert method.propose(PLANE, done, [], number, proposal_rng(1, number)) == hyperopt_config(PLANE, values)


@pytest.mark.parametrize(
    "given_, sentence",
    [
        ({"startup": 0}, "startup: expected at least 1, got 0."),
        ({"candidates": -1}, "candidates: expected at least 1, got -1."),
        ({"candidates": 10**9}, "candidates: expected at most 100,000, got 1000000000."),
        ({"gamma": 0.0}, "gamma: expected a positive number, got 0.0."),
        ({"gamma": math.nan}, "gamma: expected a positive number, got nan."),
    ],
)
def test_settings_out_of_range(given_, sentence):
    with pytest.raises(MethodError) as error:
        make_method("tpe", given_)
    assert str(error.value) == sentence


def test_an_unknown_flavour():
    with pytest.raises(
        MethodError, match="flavour: expected 'multivariate', 'hyperopt' or 'anneal', got 'atpe'"
    ):
        make_method("tpe", {"flavour": "atpe"})

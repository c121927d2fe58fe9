"""The methods as Ray Tune search algorithms: by hand, and in real experiments."""

import json
import math
import pickle
import signal
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray import cloudpickle, tune
from ray.tune.search import ConcurrencyLimiter, Searcher

import runner.search
from runner.errors import MethodError, SpaceError
from runner.methods import METHODS
from runner.methods.base import Method
from runner.search import (
    BayesSearch,
    ExhaustiveSearch,
    GradientSearch,
    GridSearch,
    MethodSearch,
    RandomSearch,
    TPESearch,
)
from runner.space import Space
from runner.space.domains import Choice, Float, Int
from runner.testing import simulate
from runner.trial import WAIT, Status

NAMED = {
    "exhaustive": ExhaustiveSearch,
    "random": RandomSearch,
    "grid": GridSearch,
    "bayes": BayesSearch,
    "tpe": TPESearch,
    "gradient": GradientSearch,
}
MIXED = Space({"x": Float(-2.0, 2.0, step=0.5), "n": Int(0, 3), "c": Choice(["a", "b"])})
LINE = Space({"x": Float(-2.0, 2.0)})
FINISHED = Searcher.FINISHED
each_method = pytest.mark.parametrize("name", NAMED)


def loss(config):
    return (config.get("x", 0.0) - 0.3) ** 2 + config.get("n", 0) + (config.get("c") == "b")


def make(name="random", space=MIXED, **options):
    return NAMED[name](space, "loss", "min", **options)


def drive(search, trials, start=0, result=lambda config: {"loss": loss(config)}):
    """One trial after the other; the configs."""
    configs = []
    for i in range(start, start + trials):
        config = search.suggest(f"t{i}")
        if config == FINISHED:
            break
        configs.append(config)
        search.on_trial_complete(f"t{i}", result(config))
    return configs


def told(search):
    return [search._run.ended[n] for n in sorted(search._run.ended)]


# -- proposals -----------------------------------------------------------------------------------


def test_there_is_a_class_for_every_method():
    assert set(NAMED) == set(METHODS)


@each_method
def test_one_after_the_other_gives_the_run_of_a_study(name):
    search = make(name, trials=14, seed=3)
    configs = drive(search, 14)
    entropy = search._run.entropy
    trials = simulate(METHODS[name](), MIXED, loss, 14, entropy=entropy)
    assert configs == [trial.config for trial in trials]


@each_method
@pytest.mark.parametrize("order", ["async", "trial"])
def test_any_arrival_and_any_failure_is_taken(name, order):
    search = make(name, trials=24, order=order, max_concurrent=3)
    outcomes = [
        ({"loss": 1.0}, False),
        (None, True),
        (None, False),
        ({"loss": math.nan}, False),
        ({"loss": "high"}, False),
        ({}, False),
        ({"loss": -1e300}, False),
    ]
    rng, flying, begun = np.random.default_rng(0), [], 0
    while True:
        answer = search.suggest(f"t{begun}")
        if isinstance(answer, dict):
            flying.append(f"t{begun}")
            begun += 1
            assert len(flying) <= 3
            continue
        if not flying:
            break
        trial_id = flying.pop(int(rng.integers(len(flying))))
        search.on_trial_complete(trial_id, *outcomes[int(trial_id[1:]) % len(outcomes)])
    assert answer == FINISHED
    assert not search._run.failed, search._run.end_reason
    assert begun == 24


def test_order_trial_does_not_depend_on_arrival():
    def configs(newest_first):
        search, flying, made = make("bayes", order="trial", max_concurrent=3, initial=4), [], []
        while len(made) < 12:
            config = search.suggest(f"t{len(made)}")
            if config is not None:
                flying.append((f"t{len(made)}", config))
                made.append(config)
            else:
                trial_id, config = flying.pop(-1 if newest_first else 0)
                search.on_trial_complete(trial_id, {"loss": loss(config)})
        return made

    assert configs(newest_first=True) == configs(newest_first=False)


def test_order_async_does_not_wait_for_the_oldest():
    search = make(max_concurrent=2)
    assert search.suggest("slow")
    for i in range(5):
        assert search.suggest(f"quick {i}")
        assert search.suggest("too many") is None
        search.on_trial_complete(f"quick {i}", {"loss": 1.0})


def test_other_seeds_give_other_proposals():
    assert drive(make(seed=0), 5) == drive(make(seed=0), 5) != drive(make(seed=1), 5)


def test_settings_are_checked_and_used():
    assert make("bayes", initial=3)._method.initial == 3
    with pytest.raises(MethodError, match=r"no setting 'initail'.*Did you mean 'initial'"):
        make("bayes", initail=3)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"mode": "least"}, "mode: expected 'min' or 'max', got 'least'"),
        ({"metric": ["a"]}, "metric: expected a name"),
        ({"trials": 0}, "trials: expected a positive integer, got 0"),
        ({"seed": -1}, "seed: expected a non-negative integer, got -1"),
        ({"max_concurrent": True}, "max_concurrent: expected a positive integer, got True"),
        ({"order": "fifo"}, "order: expected .*, got 'fifo'"),
    ],
)
def test_arguments_are_checked(options, sentence):
    with pytest.raises(MethodError, match=sentence):
        MethodSearch("random", LINE, **options)


def test_a_method_that_cannot_search_the_space_says_so_at_once():
    with pytest.raises(MethodError, match="continuous parameters: x\\."):
        make("exhaustive", LINE)
    with pytest.raises(MethodError, match="continuous parameters: x\\."):
        ExhaustiveSearch().set_search_properties("loss", "min", {"x": tune.uniform(0, 1)})


# -- the space from Tune -------------------------------------------------------------------------


def test_param_space_metric_mode_and_num_samples_are_taken():
    search = GridSearch()
    given = {"o": {"x": tune.uniform(0, 1), "name": "sgd"}, "c": tune.choice(["a", "b"]), "epochs": 10}
    assert search.set_search_properties("eval/loss", "max", given, num_samples=6)
    configs = drive(search, 9, result=lambda config: {"eval": {"loss": config["o"]["x"]}})
    assert len(configs) == 6
    assert all(set(config) == {"o", "c"} and set(config["o"]) == {"x"} for config in configs)
    assert sorted(config["o"]["x"] for config in configs) == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]
    assert search._run.incumbent.config["o/x"] == 1.0


def test_no_end_of_samples_is_no_budget():
    search = RandomSearch()
    search.set_search_properties("loss", "min", {"x": tune.uniform(0, 1)}, num_samples=2**63 - 1)
    assert search._trials is None


def test_two_spaces_are_refused_and_plain_values_are_not():
    search = make()
    assert search.set_search_properties("loss", "min", {"x": tune.uniform(0, 1)}) is False
    assert search.set_search_properties("loss", "min", {"epochs": 10}) is True
    assert search._view.space == MIXED


def test_nothing_to_search_is_refused():
    with pytest.raises(SpaceError, match="expected at least one parameter"):
        RandomSearch().set_search_properties("loss", "min", {"epochs": 10})


def test_contradictions_are_refused():
    with pytest.raises(MethodError, match="mode: the search has 'min', but Tune's configuration has 'max'"):
        make().set_search_properties("loss", "max", {"epochs": 1})


@pytest.mark.parametrize("given", [{}, {"space": LINE}, {"space": LINE, "metric": "loss"}])
def test_what_is_missing_is_named_at_the_first_trial(given):
    search = RandomSearch(**given)
    with pytest.raises(MethodError, match=r"RandomSearch: missing (space|metric|mode)\. Pass"):
        search.suggest("t")


def test_a_mode_without_metric_means_the_bare_number():
    search = RandomSearch(LINE, mode="max")
    assert search.metric == "_metric"
    drive(search, 1, result=lambda config: {"_metric": 2.0})
    assert told(search)[0].loss == -2.0


# -- results -------------------------------------------------------------------------------------


def outcome(result, error=False, mode="min", metric="loss", space=LINE):
    search = RandomSearch(space, metric, mode)
    search.suggest("t")
    search.on_trial_complete("t", result, error=error)
    return told(search)[0].outcome


def test_what_becomes_of_a_result():
    assert outcome({"loss": 2.0}).loss == 2.0
    assert outcome({"loss": np.float32(2.0)}).loss == 2.0
    assert outcome(None).status is Status.STOPPED
    assert outcome(None).loss is None
    assert outcome(None, error=True).status is Status.FAILED
    assert outcome({"loss": 1.0}, error=True).loss is None
    assert outcome({"loss": 1.0, "time_total_s": 2.5}).seconds == 2.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "1", True, [1.0]])
def test_no_finite_number_is_invalid(value):
    found = outcome({"loss": value})
    assert found.status is Status.INVALID
    assert found.loss is None
    assert "metric 'loss': expected a finite number" in found.error


def test_max_turns_loss_and_gradient():
    found = outcome({"acc": 0.9, "gradient": {"x": 2.0}}, mode="max", metric="acc")
    assert (found.loss, found.value, found.gradient) == (-0.9, 0.9, {"x": -2.0})


@pytest.mark.parametrize("form", [{"gradient": {"o": {"x": 2.0}}}, {"gradient/o/x": 2.0}])
def test_gradients_come_nested_or_flat(form):
    space = Space({"o/x": Float(0, 1)})
    assert outcome({"loss": 1.0, **form}, space=space).gradient == {"o/x": 2.0}


def test_a_bad_gradient_is_left_out():
    assert outcome({"loss": 1.0, "gradient": {"x": math.nan, "z": 1.0}}).gradient is None
    assert outcome({"loss": 1.0, "gradient": 3.0}).gradient is None


def test_unknown_and_repeated_trials_are_ignored():
    search = make()
    search.on_trial_complete("before anything", {"loss": 1.0})
    search.suggest("t")
    search.on_trial_complete("other", {"loss": 1.0})
    search.on_trial_complete("other", None, error=True)
    search.on_trial_complete("other", {"loss": 1.0, "config": {"x": np.ones(2), "n": [1], "c": {}}})
    search.on_trial_complete("t", {"loss": 1.0})
    search.on_trial_complete("t", {"loss": 2.0})
    assert [trial.loss for trial in told(search)] == [1.0]


def test_a_trial_that_came_back_under_another_id_is_known_by_its_config():
    search = make()
    config = search.suggest("old")
    search.on_trial_complete("new", {"loss": 1.0, **{f"config/{k}": v for k, v in config.items()}})
    assert not search._run.pending
    search.on_trial_complete("old", {"loss": 2.0})
    assert [trial.loss for trial in told(search)] == [1.0]


# -- a method that fails -------------------------------------------------------------------------


class Broken(Method):
    name, summary, reference = "broken", "raises at its third proposal", "none"

    def propose(self, space, completed, pending, number, rng):
        if number == 2:
            raise ZeroDivisionError("oh")
        return space.sample(rng)


class Waiting(Broken):
    def propose(self, space, completed, pending, number, rng):
        return WAIT


@pytest.mark.parametrize(
    "method, trials, sentence",
    [
        (Broken(), 2, "The broken search has ended: the method raised ZeroDivisionError: oh."),
        (Waiting(), 0, "waits"),
    ],
)
def test_a_method_that_fails_ends_its_search_only(method, trials, sentence, caplog):
    search = MethodSearch(method, LINE, "loss", "min")
    assert len(drive(search, 5)) == trials
    assert search.suggest("again") == FINISHED
    (record,) = caplog.records
    assert sentence in record.getMessage()
    assert record.levelname == "ERROR"


# -- points and results from elsewhere -----------------------------------------------------------


def test_points_come_first_and_the_method_knows_them():
    points = [{"x": 1.5, "n": 1, "c": "b"}, {"x": 0.5, "n": 0, "c": "a"}]
    search = make("bayes", points_to_evaluate=points, trials=6)
    configs = drive(search, 9)
    assert configs[:2] == points
    assert len(configs) == 6
    assert [trial.number for trial in search._run._shown][:3] == [-2, -1, 0]
    assert [trial.loss for trial in search._run._shown][:2] == [loss(point) for point in points]


@pytest.mark.parametrize("name", ["exhaustive", "grid"])
def test_points_do_not_push_a_config_out(name):
    space = Space({"n": Int(0, 3)})
    configs = drive(make(name, space, points_to_evaluate=[{"n": 2}]), 9)
    assert sorted(config["n"] for config in configs[1:]) == [0, 1, 2, 3]


@each_method
def test_more_points_than_trials_leave_nothing_to_the_method(name):
    points = [{"x": 0.5 * i, "n": 0, "c": "a"} for i in range(3)]
    assert drive(make(name, points_to_evaluate=points, trials=2), 9) == points[:2]


def test_points_are_nested_as_the_space_is():
    search = RandomSearch(points_to_evaluate=[{"o": {"x": 0.25}}])
    search.set_search_properties("loss", "min", {"o": {"x": tune.uniform(0, 1)}})
    assert search.suggest("t") == {"o": {"x": 0.25}}


def test_a_point_outside_the_space_is_named():
    with pytest.raises(SpaceError, match=r"points_to_evaluate\[1\].x: expected a value from .*, got 9"):
        make(space=LINE, points_to_evaluate=[{"x": 1}, {"x": 9}])
    with pytest.raises(SpaceError, match=r"points_to_evaluate\[0\].y: unknown parameter"):
        make(space=LINE, points_to_evaluate=[{"x": 1, "y": 9}])


TREE = Space(
    {
        "rate": Float(1e-3, 1.0, log=True),
        "model": Choice(
            {"svm": {"c": Float(0.0, 1.0)}, "forest": {"c": Float(2.0, 3.0), "depth": Int(1, 9)}}
        ),
    },
    forbid=[{"model": "forest", "depth": [1, 2, 3, 4, 5]}],
)


@pytest.mark.parametrize(
    "point, model",
    [
        ({}, None),
        ({"rate": 0.1}, None),
        ({"model": "svm"}, "svm"),
        ({"depth": 7}, "forest"),
        ({"c": 0.5}, "svm"),
        ({"c": 2.5, "rate": 0.5}, "forest"),
        ({"model": "forest", "c": 2.0}, "forest"),
    ],
)
def test_what_a_point_lacks_is_drawn(point, model):
    def first(seed):
        (config,) = drive(make("tpe", TREE, points_to_evaluate=[point], seed=seed), 1, result=lambda c: {})
        return config

    configs = [first(seed) for seed in range(6)]
    assert configs[0] == first(0)
    assert len({TREE.key(config) for config in configs}) > 2
    for config in configs:
        assert config in TREE
        assert point.items() <= config.items()
        assert model in (None, config["model"])


@pytest.mark.parametrize(
    "point, sentence",
    [
        ({"c": 1.5}, r"points_to_evaluate\[0\].c"),
        ({"model": "svm", "depth": 7}, r"points_to_evaluate\[0\].depth: the parameter is not active"),
        ({"depth": 2}, r"points_to_evaluate\[0\]"),
    ],
)
def test_a_point_that_no_config_has_is_refused(point, sentence):
    with pytest.raises(SpaceError, match=sentence):
        make("tpe", TREE, points_to_evaluate=[point])


@pytest.mark.parametrize("name", ["bayes", "tpe"])
def test_a_search_starts_from_what_is_known(name, tmp_path):
    """With 20 known results it does not begin anew, and they spend none of its budget.

    Of 8 random configs 6 or more are as near to the minimum with probability 1 %.
    """
    known = [({"x": x, "epochs": 10}, loss({"x": x})) for x in np.linspace(-2.0, 2.0, 20).tolist()]
    search = make(name, LINE, evaluated=known, trials=8)
    search.save(str(tmp_path / "before the first trial"))
    configs = drive(search, 12)
    assert len(configs) == 8
    assert [trial.loss for trial in search._initial.known] == [value for _, value in known]
    assert sum(abs(config["x"] - 0.3) < 0.6 for config in configs) >= 6
    again = make(name, LINE, evaluated=known, trials=8)
    again.restore(str(tmp_path / "before the first trial"))
    assert drive(again, 12) == configs
    search.save(str(tmp_path / "after"))
    again.restore(str(tmp_path / "after"))
    assert len(again._initial.known) == 20


def test_known_results_may_stand_in_a_param_space():
    search = BayesSearch(evaluated=[({"o": {"x": 0.5}}, 3.0)])
    search.set_search_properties("acc", "max", {"o": {"x": tune.uniform(0, 1)}})
    search.suggest("t")
    assert [trial.loss for trial in search._initial.known] == [-3.0]
    with pytest.raises(SpaceError, match=r"evaluated\[0\].x: expected a value from .*, got 9"):
        BayesSearch(LINE, evaluated=[({"x": 9}, 3.0)])


def test_evaluated_points_are_known_and_spend_nothing():
    search = make("bayes", LINE, trials=3, initial=2)
    search.add_evaluated_point({"x": 1.0, "epochs": 10}, 2.0)
    search.add_evaluated_point({"x": 0.0}, None)
    search.add_evaluated_point({"x": 0.5}, 1.0, error=True)
    search.suggest("t")
    search.add_evaluated_point({"x": -0.5}, 1.0, pruned=True)
    known = search._initial.known
    assert [trial.number for trial in known] == [-1, -2, -3, -4]
    assert [trial.status for trial in known] == [
        Status.COMPLETED,
        Status.INVALID,
        Status.FAILED,
        Status.STOPPED,
    ]
    search.on_trial_complete("t", {"loss": 1.0})
    assert len(drive(search, 9)) == 2


def test_an_evaluated_point_needs_a_space():
    with pytest.raises(MethodError, match="missing space"):
        RandomSearch(metric="loss", mode="min").add_evaluated_point({"x": 1}, 1.0)


# -- save and restore ----------------------------------------------------------------------------


@each_method
@given(cut=st.integers(0, 9), pending=st.booleans())
def test_a_restored_search_goes_on_the_same(name, cut, pending, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("state") / "state.json")
    options = {"trials": 10, "seed": 5, "points_to_evaluate": [{"x": 0.5, "n": 0, "c": "a"}]}
    whole = drive(make(name, **options), 10)
    first = make(name, **options)
    done = drive(first, cut)
    begun = first.suggest("begun") if pending else FINISHED
    first.save(path)
    second = NAMED[name](**options)  # as after Tuner.restore: the space comes from the state
    second.restore(path)
    if begun != FINISHED:
        done.append(begun)
        second.on_trial_complete("begun", {"loss": loss(begun)})
    assert done + drive(second, 10, start=100) == whole


def test_a_restored_search_remembers_ids_limits_and_results_from_elsewhere(tmp_path):
    first = make(max_concurrent=2, order="trial")
    first.add_evaluated_point({"x": 1.0, "n": 0, "c": "a"}, 5.0)
    drive(first, 1)
    assert first.suggest("a")
    assert first.suggest("b")
    first.save(str(tmp_path / "s"))
    second = make(order="trial")
    second.restore(str(tmp_path / "s"))
    assert second.suggest("c") is None
    second.on_trial_complete("t0", {"loss": 99.0})
    second.on_trial_complete("b", {"loss": 1.0})
    second.on_trial_complete("a", {"loss": 2.0})
    assert [trial.loss for trial in told(second)][1:] == [2.0, 1.0]
    assert [trial.loss for trial in second._initial.known] == [5.0]


def test_a_state_is_not_written_through_a_link(tmp_path):
    precious, place = tmp_path / "precious", tmp_path / "state"
    precious.write_text("precious")
    for point in (place.symlink_to, place.hardlink_to):
        place.unlink(missing_ok=True)
        point(precious)
        search = make(order="trial")
        search.save(str(place))
        search.restore(str(place))
    assert precious.read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"precious", "state"}


@pytest.mark.parametrize(
    "other, what",
    [
        (RandomSearch(MIXED, "loss", "min", seed=1), "seed"),
        (RandomSearch(MIXED, "loss", "min", sequence="sobol"), "settings"),
        (RandomSearch(LINE, "loss", "min"), "space"),
        (RandomSearch(MIXED, "loss", "max"), "mode"),
        (RandomSearch(MIXED, "acc", "min"), "metric"),
        (RandomSearch(MIXED, "loss", "min", order="trial"), "order"),
        (BayesSearch(MIXED, "loss", "min"), "method"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_foreign_state_is_refused(other, what, tmp_path):
    path = str(tmp_path / "state.json")
    first = make()
    drive(first, 2)
    first.save(path)
    with pytest.raises(MethodError, match=f"state.json: expected .* as the {what}, got a state with"):
        other.restore(path)


def test_more_trials_are_welcome_but_not_another_grid(tmp_path):
    for name in ("random", "grid"):
        first = make(name, LINE, trials=3)
        drive(first, 2)
        first.save(str(tmp_path / name))
    more = make("random", LINE, trials=6)
    more.restore(str(tmp_path / "random"))
    assert len(drive(more, 9, start=2)) == 4
    with pytest.raises(MethodError, match="expected 6 as the trials, got a state with 3"):
        make("grid", LINE, trials=6).restore(str(tmp_path / "grid"))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "fivefold search 1"}', "\x80\x04pickle"])
def test_a_damaged_state_is_refused(text, tmp_path):
    (tmp_path / "state").write_text(text)
    with pytest.raises(MethodError, match=r"state of (a|the) search"):
        make().restore(str(tmp_path / "state"))


def test_a_state_is_plain_json_and_replaced_as_a_whole(tmp_path):
    search = make()
    for _ in range(2):
        drive(search, 3)
        search.save(str(tmp_path / "state"))
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert json.loads((tmp_path / "state").read_text())["method"] == "random"


@each_method
def test_a_search_can_be_pickled_at_any_time(name):
    search = make(name, trials=9)
    again = cloudpickle.loads(cloudpickle.dumps(search))
    assert drive(again, 4) == drive(search, 4)
    again = pickle.loads(pickle.dumps(search))
    assert drive(again, 4, start=4) == drive(search, 4, start=4)


def test_a_limiter_leaves_the_counting_to_the_search():
    limiter = ConcurrencyLimiter(make(), 2)
    assert limiter.suggest("a")
    assert limiter.suggest("b")
    assert limiter.suggest("c") is None
    limiter.on_trial_complete("a", {"loss": 1.0})
    assert limiter.suggest("c")


# -- in real experiments -------------------------------------------------------------------------


@pytest.fixture
def cluster(ray_workers, monkeypatch):
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")


def fit(trainable, folder, search, param_space=None, callbacks=None, name="experiment", **config):
    return tune.Tuner(
        trainable,
        param_space=param_space,
        tune_config=tune.TuneConfig(search_alg=search, reuse_actors=True, **config),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(folder),
            verbose=0,
            callbacks=callbacks,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    ).fit()


class Quadratic(tune.Trainable):
    def setup(self, config):
        self.config = config

    def step(self):
        return {"loss": loss(self.config), "done": True}

    def reset_config(self, config):
        self.config = config
        return True


def quadratic(config):
    return {"loss": loss(config)}


@pytest.mark.ray
@each_method
def test_every_class_runs_in_a_tuner(name, cluster, tmp_path):
    search = make(name, trials=5)
    results = fit(Quadratic, tmp_path, search, num_samples=-1, max_concurrent_trials=1)
    assert len(results) == len(told(search)) <= 5
    assert not results.errors
    assert sorted(result.metrics["loss"] for result in results) == sorted(t.loss for t in told(search))
    assert search._finished  # it, and not Tune, has ended the experiment


class Counter(tune.Callback):
    """The most trials that were on their way at once."""

    most = 0

    def on_step_end(self, iteration, trials, **info):
        Counter.most = max(Counter.most, sum(not trial.is_finished() for trial in trials))


@pytest.mark.ray
def test_a_nested_param_space_with_constants_mode_max_and_failures(cluster, tmp_path):
    def train(config):
        if config["o"]["x"] < 0.2:
            raise ValueError("too small")
        tune.report({"eval": {"score": config["o"]["x"] + config["bonus"]}})

    search = RandomSearch()
    results = fit(
        train,
        tmp_path,
        search,
        {"o": {"x": tune.uniform(0, 1), "name": "sgd"}, "bonus": 10, "layers": [1, 2]},
        callbacks=[Counter()],
        metric="eval/score",
        mode="max",
        num_samples=8,
        max_concurrent_trials=2,
    )
    ended = told(search)
    assert len(results) == len(ended) == 8
    assert results.num_errors == sum(trial.status is Status.FAILED for trial in ended) > 0
    assert all(trial.status is Status.FAILED for trial in ended if trial.config["o/x"] < 0.2)
    best = results.get_best_result()
    assert best.config["layers"] == [1, 2]
    assert best.config["o"]["name"] == "sgd"
    assert search._run.incumbent.outcome.value == best.metrics["eval"]["score"]
    assert 1 <= Counter.most <= 2


@pytest.mark.ray
def test_two_spaces_are_refused_by_tune(cluster, tmp_path):
    with pytest.raises(ValueError, match="already instantiated with a search space"):
        fit(Quadratic, tmp_path, make(), {"x": tune.uniform(0, 1)}, num_samples=2)


class StopAt(tune.Callback):
    """Asks Tune to stop, as a user would, while that trial is on its way; once."""

    def __init__(self, number, flag):
        self.number, self.flag = number, flag

    def on_trial_start(self, iteration, trials, trial, **info):
        if len(trials) == self.number and not self.flag.exists():
            self.flag.touch()
            signal.raise_signal(signal.SIGUSR1)


@pytest.mark.ray
def test_a_restored_tuner_goes_on_with_the_same_proposals(cluster, tmp_path):
    space = {"x": tune.uniform(-2.0, 2.0), "n": tune.randint(0, 4)}
    whole = BayesSearch(initial=3, seed=2)
    whole.set_search_properties("loss", "min", space, num_samples=7)
    expected = drive(whole, 7)
    stop = StopAt(5, tmp_path / "stopped")
    search = BayesSearch(initial=3, seed=2)
    options = {"metric": "loss", "mode": "min", "num_samples": 7, "max_concurrent_trials": 1}
    first = fit(Quadratic, tmp_path, search, space, [stop], **options)
    assert [result.config for result in first] == expected[:5]
    assert "loss" not in first[4].metrics
    restored = tune.Tuner.restore(str(tmp_path / "experiment"), Quadratic).fit()
    in_order = sorted(restored, key=lambda result: int(Path(result.path).name.split("_")[2]))
    assert [result.config for result in in_order] == expected
    assert all(result.metrics["loss"] == loss(result.config) for result in restored)


@pytest.mark.ray
def test_the_example_of_the_module_runs(cluster, tmp_path):
    text = runner.search.__doc__.split("::\n", 1)[1].split("\nImporting")[0]
    config = f"    run_config=tune.RunConfig(storage_path={str(tmp_path)!r}, verbose=0),\n)\nbest"
    scope = {}
    exec(textwrap.dedent(text).replace(")\nbest", config).replace("12", "2"), scope)
    assert set(scope["best"]) == {"x", "epochs"}
    assert any(tmp_path.iterdir())

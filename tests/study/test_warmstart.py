"""What a run starts from: configs to try first, known results, the best of an earlier study."""

import dataclasses
import json

import pytest
import yaml

from runner import Results, optimize
from runner.api import run
from runner.engine.codec import pack_request, pack_trial, unpack_requests, unpack_trial
from runner.engine.runs.run import Run
from runner.errors import FivefoldError, JournalError
from runner.methods import METHODS, make_method
from runner.problems.base import FunctionProblem
from runner.space import Choice, Float, Int, Space
from runner.study.identity.identity import problem_identity, run_identity
from runner.study.selection import part_of
from runner.study.study import Study
from runner.testing import simulate
from runner.trial import Budget, Origin, Outcome, Pending, Status, Trial

SPACE = Space({"x": Float(-2.0, 2.0, step=0.5), "c": Choice({"a": {}, "b": {"n": Int(0, 3)}})})
POINTS = [{"x": 1.5, "c": "b", "n": 1}, {"x": 0.5, "c": "a"}]
each_method = pytest.mark.parametrize("name", METHODS)


def loss(config):
    return (config["x"] - 0.3) ** 2 + config.get("n", 0) + (config["c"] == "b")


def score(config):
    return -loss(config)


SCORE = FunctionProblem(score, SPACE, "score", direction="maximize", metric="score", default=POINTS[1])


def study(**keys):
    given = {"name": "warm", "problems": [SCORE], "seeds": 2, "budget": {"trials": 8}, "methods": ["tpe"]}
    return Study.build(**given | keys)


def played(method, parallel, known=(), shuffled=False, trials=9):
    """A run to its end; which of the pending trials ends first is the worst order or the best."""
    run = Run(SPACE, method, 7, Budget(trials), parallel, first=POINTS, known=known)
    while not run.finished:
        while isinstance(run.ask(), Pending):
            pass
        if run.pending:
            number = max(run.pending) if shuffled else min(run.pending)
            out = run.pending[number]
            outcome = Outcome(Status.COMPLETED, loss(out.config), loss(out.config))
            run.tell(Trial(number, out.config, outcome, known=out.known))
    return run


@each_method
@pytest.mark.parametrize("parallel", [1, 3])
def test_given_configs_are_the_first_trials_whatever_the_order_of_arrival(name, parallel):
    method = METHODS[name]().prepare(SPACE, 7, parallel)
    known = [Trial(-3, {"x": 0.0, "c": "a"}, Outcome(Status.COMPLETED, 0.09, 0.09), Origin.REPLAYED)]
    one, other = (played(method, parallel, known, shuffled) for shuffled in (False, True))
    assert not one.failed
    table = [dataclasses.astuple(one.ended[n])[:3] for n in sorted(one.ended)]
    assert table == [dataclasses.astuple(other.ended[n])[:3] for n in sorted(other.ended)]
    assert [one.ended[n].config for n in (0, 1)] == POINTS
    assert sorted(one.ended) == list(range(len(one.ended)))
    if name not in ("grid", "exhaustive"):
        assert len(one.ended) == 9


@pytest.mark.parametrize("name", ["random", "grid", "exhaustive"])
def test_a_method_without_history_proposes_what_it_does_without_them(name):
    method = METHODS[name]().prepare(SPACE, 7)
    configs = [trial.config for _, trial in sorted(played(method, 1).ended.items())]
    alone = simulate(METHODS[name](), SPACE, loss, 7, entropy=7)
    assert configs[2:] == [trial.config for trial in alone]


def test_what_a_method_is_told_travels_as_it_is():
    """The workers hear of given trials by the same numbers as a method that is asked here."""
    run = played(make_method("tpe").prepare(SPACE, 7), 1, trials=4)
    run.end_reason, run.budget = "", Budget(9)
    request = run.request()
    assert [trial.number for trial in request.completed] == [-2, -1, 0, 1]
    assert request.number == 2
    lines = list(map(pack_trial, request.completed))
    (asked,) = unpack_requests(pack_request(0, 0, request, lines, None).split("\n"))
    assert [unpack_trial(line) for line in asked.completed] == list(request.completed)
    assert asked.request.number == 2


@each_method
def test_a_study_starts_from_what_its_file_says(name, tmp_path):
    entries = ["default", {"x": 1.5, "c": "b", "n": 1}, {"config": {"x": 0.0, "c": "a"}, "value": -0.09}]
    small = study(methods=[name], initial=entries)
    trials = run(small, tmp_path / "s", workers=0).trials
    for _, rows in trials.groupby("run"):
        assert list(rows["config/x"])[:2] == [0.5, 1.5]
        assert rows["value"].iloc[0] == pytest.approx(-0.04)
        assert len(rows) <= 8
    (spec, _) = small.runs
    assert [(t.number, t.loss) for t in spec.start.known] == [(-3, 0.09)]


def test_it_goes_on_after_an_interruption_and_the_directory_says_what_it_began_with(tmp_path):
    whole = run(study(initial=["default", POINTS[0]]), tmp_path / "whole", workers=0)
    for trials in (1, 3, 8):  # stops within the given configs, and after them
        part = run(
            study(initial=["default", POINTS[0]], budget={"trials": trials}), tmp_path / "p", workers=0
        )
    columns = ["run", "number", "config", "loss", "status", "known"]
    assert part.trials[columns].equals(whole.trials[columns])
    written = yaml.safe_load((tmp_path / "whole/study.yaml").read_text())["initial"]
    assert written == [{"problem": "score", "config": config} for config in (POINTS[1], POINTS[0])]
    again = study(initial=written)
    assert again.initial == study(initial=["default", POINTS[0]]).initial
    with pytest.raises(JournalError, match="initial"):
        run(study(initial=["default"]), tmp_path / "whole", workers=0)


def test_without_any_a_run_is_what_it_was():
    (spec, _) = study().runs
    assert "initial" not in run_identity(spec, problem_identity(SCORE))


def test_the_best_of_an_earlier_study_come_first(tmp_path):
    first = run(study(methods=["random"], budget={"trials": 20}), tmp_path / "earlier", workers=0)
    ranked = first.trials.sort_values("loss", kind="stable").drop_duplicates("config")
    best = list(map(json.loads, ranked["config"].head(3)))
    again = study(initial=[{"from": str(tmp_path / "earlier"), "best": 3}])
    assert list(again.initial["score"].first) == best
    known = study(initial=[{"from": "earlier", "best": 3, "values": True}], folder=tmp_path).initial["score"]
    assert [(t.number, t.config) for t in known.known] == list(zip((-1, -2, -3), best, strict=True))
    assert [t.outcome.value for t in known.known] == list(ranked["value"].head(3))


def test_a_transfer_drops_what_the_space_lacks_draws_what_it_has_more_and_skips_what_lies_outside(tmp_path):
    run(study(methods=["random"], budget={"trials": 20}), tmp_path / "earlier", workers=0)
    space = Space({"x": Float(0.9, 5.0), "depth": Int(1, 9)})
    other = FunctionProblem(lambda config: config["x"], space, "other")
    small = study(problems=[other], initial=[{"from": "earlier", "best": 2}], folder=tmp_path)
    for config in small.initial["other"].first:
        assert config in space
    xs = Results.open(tmp_path / "earlier").trials["config/x"]
    assert {config["x"] for config in small.initial["other"].first} <= set(xs[xs >= 0.9])


@pytest.mark.parametrize(
    "entry, sentence",
    [
        ({"x": 9.0, "c": "a"}, r"initial\[0\]: x: expected a value from .*, got 9"),
        ({"y": 1.0}, r"initial\[0\]: y: unknown parameter"),
        ({"config": {"x": 0.0}, "value": 1.0}, r"initial\[0\]: c"),
        ({"config": "best"}, r"initial\[0\].config"),
        ({"from": "nowhere"}, "no such directory"),
        ({"config": POINTS[0], "problem": "scores"}, r"initial\[0\]: problem.* Did you mean 'score'"),
        ({"config": POINTS[0], "vale": 1.0}, r"initial\[0\].vale: unknown key. Did you mean 'value"),
        ({"config": "default", "value": 1.0}, "expected a config with its value"),
        ({"config": POINTS[0], "from": "x"}, "either config or from"),
    ],
)
def test_an_entry_that_does_not_fit_is_named(entry, sentence, tmp_path):
    with pytest.raises(FivefoldError, match=sentence):
        study(initial=[entry], folder=tmp_path)


def test_a_problem_without_a_default_is_named():
    bare = FunctionProblem(score, SPACE, "bare")
    with pytest.raises(FivefoldError, match="'bare' has no default config"):
        study(problems=[SCORE, bare], initial=["default"])
    assert list(
        study(problems=[SCORE, bare], initial=[{"problem": "score", "config": "default"}]).initial
    ) == ["score"]


def test_optimize_takes_them():
    found = optimize(loss, SPACE, method="random", trials=3, initial=POINTS)
    assert list(found.trials["config/x"])[:2] == [1.5, 0.5]


def test_a_part_of_a_study_says_what_its_own_problems_begin_with():
    bare = FunctionProblem(score, SPACE, "bare")
    whole = study(problems=[SCORE, bare], initial=[POINTS[0]])
    part = part_of(whole, ["problem=bare"])
    assert yaml.safe_load(part.as_yaml())["initial"] == [{"problem": "bare", "config": POINTS[0]}]
    assert part.runs[0].start == whole.initial["bare"]
